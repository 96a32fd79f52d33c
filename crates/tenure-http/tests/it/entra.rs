//! Microsoft Entra, by a server that follows the client credentials flow as it is documented: it knows the
//! application's secret and its certificate, and verifies the JWT that the certificate's key has signed.

use std::collections::BTreeMap;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tenure_core::{Digest, Secret};
use tenure_http::HttpError;
use tenure_http::bucket::{Application, Azure, Bucket, Proof, Service, look};
use tenure_testkit::serve::Site;

use crate::azure::{TOKEN, files, storage};
use crate::cloud::{Asked, CANARY, bucket, cloud, silent};
use crate::support::{limits, with};

const TENANT: &str = "8b0d4c5e-1b8a-4f0e-9d3e-1f1f6a3c2b10";
const CLIENT: &str = "0f2c7d2c-5d0b-4a6f-8b57-2b1f0c0a7a11";

/// The token of an issuer that the application trusts.
const FEDERATED: &str = "workload-sw0rdfish-canary";

/// A key, and a certificate for it.
struct Own {
    key: KeyPair,
    pem: String,
    der: Vec<u8>,
}

impl Own {
    fn new() -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        Self {
            pem: format!("{}{}", key.serialize_pem(), certificate.pem()),
            der: certificate.der().to_vec(),
            key,
        }
    }
}

/// What the directory knows of the application.
struct Known {
    key: DecodingKey,
    der: Vec<u8>,
}

impl Known {
    fn answer(&self, asked: &Asked) -> Response {
        let form = asked.form();
        assert_eq!(form["grant_type"], "client_credentials");
        assert_eq!(form["scope"], "https://storage.azure.com/.default");
        assert_eq!(asked.authorization(), None);
        let proven = match form.get("client_secret") {
            Some(secret) => secret == CANARY,
            None => self.proven(asked, &form),
        };
        if proven && form["client_id"] == CLIENT {
            let answer = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN});
            return with(200, &[], answer.to_string());
        }
        let answer =
            json!({"error": "invalid_client", "error_description": format!("AADSTS7000215 {CANARY}")});
        with(401, &[], answer.to_string())
    }

    fn proven(&self, asked: &Asked, form: &BTreeMap<String, String>) -> bool {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        assert_eq!(form["client_assertion_type"], kind);
        if form["client_assertion"] == FEDERATED {
            return true;
        }
        let mut valid = Validation::new(Algorithm::PS256);
        valid.validate_nbf = true;
        valid.set_audience(&[asked.place()]);
        valid.set_issuer(&[CLIENT]);
        valid.set_required_spec_claims(&["aud", "iss", "exp", "nbf", "sub"]);
        let Ok(read) = jsonwebtoken::decode::<Value>(&form["client_assertion"], &self.key, &valid) else {
            return false;
        };
        let thumbprint = URL_SAFE_NO_PAD.encode(Digest::of(&self.der).as_bytes());
        if let Some(chain) = &read.header.x5c {
            assert_eq!(chain.first(), Some(&STANDARD.encode(&self.der)));
        }
        read.claims["sub"] == CLIENT
            && read.claims["jti"].as_str().is_some_and(|id| id.len() >= 32)
            && read.header.x5t_s256 == Some(thumbprint)
    }
}

/// The directory and the storage account in one.
async fn served(own: &Own) -> Site {
    let known = std::sync::Arc::new(Known {
        key: DecodingKey::from_rsa_pem(own.key.public_key_pem().as_bytes()).unwrap(),
        der: own.der.clone(),
    });
    let store = files();
    cloud(
        move |asked| match asked.path().strip_suffix("/oauth2/v2.0/token") {
            Some(tenant) if tenant.trim_start_matches('/') == TENANT => known.answer(asked),
            Some(_) => with(400, &[], json!({"error": "invalid_request"}).to_string()),
            None => storage(&store, asked),
        },
    )
    .await
}

/// A bucket of that account, with a Secret as a tenant writes it.
fn with_secret(site: &Site, extra: &[(&str, &str)]) -> Bucket {
    let authority = format!("https://{}/", site.host());
    let data = [
        ("tenantId", TENANT),
        ("clientId", CLIENT),
        ("authorityHost", &*authority),
    ];
    let data: BTreeMap<String, Secret> = data
        .iter()
        .chain(extra)
        .map(|(key, value)| ((*key).to_owned(), Secret::from((*value).to_owned())))
        .collect();
    let mut bucket = bucket(site, Service::Azure(Azure::Anonymous));
    bucket.service = Service::Azure(Azure::from_secret("s", &bucket.endpoint, &data).unwrap());
    let shown = format!("{bucket:?}");
    assert!(!shown.contains(CANARY) && !shown.contains("PRIVATE"), "{shown}");
    bucket
}

#[tokio::test]
async fn a_workload_that_the_application_trusts_gets_a_token_that_opens_the_container() {
    let site = served(&Own::new()).await;
    let open = |token: &str| {
        let application = Application {
            tenant_id: TENANT.to_owned(),
            client_id: CLIENT.to_owned(),
            authority: format!("https://{}", site.host()),
            proof: Proof::Assertion(Secret::from(token.to_owned())),
        };
        let bucket = bucket(&site, Service::Azure(Azure::Application(application)));
        assert!(!format!("{bucket:?}").contains("canary"));
        async move { look(&bucket, None, &limits()).await }
    };
    assert!(!open(FEDERATED).await.unwrap().objects.is_empty());
    let error = open("another-sw0rdfish-canary").await.unwrap_err();
    assert!(matches!(error, HttpError::AuthenticationFailed { .. }), "{error}");
    assert!(error.to_string().contains("federated credential") && !error.to_string().contains("canary"));
}

#[tokio::test]
async fn an_application_gets_a_token_that_opens_the_container() {
    let (own, other) = (Own::new(), Own::new());
    let site = served(&own).await;
    let (_, authority) = other.pem.split_once("-----BEGIN CERTIFICATE").unwrap();
    let chain = format!("-----BEGIN CERTIFICATE{authority}{}", own.pem);
    for proof in [
        &[("clientSecret", CANARY)][..],
        &[("clientCertificate", &own.pem)],
        &[("clientCertificate", &chain)],
        &[("clientCertificate", &chain), ("clientCertificateSendChain", "1")],
    ] {
        let opened = with_secret(&site, proof).opened(&limits()).await.unwrap();
        assert_eq!(opened.service.secrets(), [TOKEN]);
        let listing = look(&opened, None, &limits()).await.unwrap();
        assert_eq!(listing.objects.len(), 3);
    }
}

#[tokio::test]
async fn an_application_that_is_not_known_is_told_and_its_secret_never_shown() {
    let (own, stranger) = (Own::new(), Own::new());
    let site = served(&own).await;
    let wrong = format!("{CANARY}x");
    for (extra, wanted) in [
        (
            &[("clientSecret", &*wrong)][..],
            "(HTTP 401, invalid_client); look at",
        ),
        (&[("clientCertificate", &*stranger.pem)], "'clientCertificate'"),
        (
            &[("clientSecret", CANARY), ("clientId", "another")],
            "(HTTP 401, invalid_client)",
        ),
        (
            &[("clientSecret", CANARY), ("tenantId", "another")],
            "(HTTP 400, invalid_request)",
        ),
    ] {
        let error = with_secret(&site, extra).opened(&limits()).await.unwrap_err();
        assert!(matches!(error, HttpError::AuthenticationFailed { .. }), "{error}");
        let said = silent(&error);
        assert!(said.contains(wanted), "{wanted}: {said}");
        assert!(said.contains("Microsoft Entra at https://127.0.0.1"), "{said}");
    }
}

#[tokio::test]
async fn a_secret_is_sent_to_allowed_addresses_only_and_a_token_over_https_only() {
    let site = served(&Own::new()).await;
    let inner = with_secret(
        &site,
        &[
            ("clientSecret", CANARY),
            ("authorityHost", "https://169.254.169.254"),
        ],
    );
    let error = inner.opened(&limits()).await.unwrap_err();
    assert!(matches!(error, HttpError::Forbidden { .. }), "{error}");
    silent(&error);
    let mut plain = with_secret(&site, &[("clientSecret", CANARY)]);
    plain.endpoint = format!("http://{}", site.host()).parse().unwrap();
    let error = look(&plain, None, &limits()).await.unwrap_err();
    assert!(silent(&error).contains("plain http"), "{error}");
}

//! Applications in Microsoft Entra: a secret, a JWT that the key of a certificate has signed, or one of a trusted issuer, for
//! an access token.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, crypto, encode};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Serialize;
use tenure_core::{Digest, Secret};
use tenure_net::Outbound;
use zeroize::Zeroizing;

use crate::bucket::exchange::Tokens;
use crate::{HttpError, Limits};

/// Where Azure's public cloud gives tokens.
pub const AUTHORITY: &str = "https://login.microsoftonline.com";
const SCOPE: &str = "https://storage.azure.com/.default";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const SERVICE: &str = "Microsoft Entra";
/// What a key signs to show whose it is.
const PROBE: &[u8] = b"tenure";
/// How long the JWT is good for, in seconds.
const LIFE: u64 = 600;
/// Clocks differ: the JWT is dated back by this much, in seconds.
const SKEW: u64 = 60;

/// An application that a directory of Microsoft Entra knows. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Application {
    /// The directory.
    pub tenant_id: String,
    /// The application.
    pub client_id: String,
    /// Who gives tokens, as `https://login.microsoftonline.com`.
    pub authority: String,
    /// What proves that it is the application who asks.
    pub proof: Proof,
}

/// What proves who asks.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A secret of the application's.
    Secret(Secret),
    /// A token of an issuer that a federated credential of the application's trusts.
    Assertion(Secret),
    /// A certificate of the application's.
    Certificate {
        /// The certificate, its private key, RSA, and what else the chain has; PEM.
        pem: Secret,
        /// Show the chain too, for directories that trust an authority by name.
        send_chain: bool,
    },
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: &'a str,
    nbf: u64,
    iat: u64,
    exp: u64,
}

impl Application {
    pub(super) fn secret(&self) -> &Secret {
        match &self.proof {
            Proof::Secret(secret) | Proof::Assertion(secret) | Proof::Certificate { pem: secret, .. } => {
                secret
            }
        }
    }

    /// Gets a token for Azure Storage, good for an hour.
    pub(in crate::bucket) async fn token(
        &self,
        outbound: &Outbound,
        limits: &Limits,
    ) -> Result<Secret, HttpError> {
        let refused = |message: &str| HttpError::AuthenticationFailed {
            remote: SERVICE.to_owned(),
            message: message.to_owned(),
        };
        if !is_tenant(&self.tenant_id) {
            return Err(refused("the Secret's 'tenantId' is not the id of a directory"));
        }
        let authority = self.authority.trim_end_matches('/');
        let url = format!("{authority}/{}/oauth2/v2.0/token", self.tenant_id);
        let mut tokens = Tokens {
            url: &url,
            name: SERVICE,
            field: "'authorityHost'",
            advice: "look at 'tenantId', 'clientId' and 'clientSecret' of the Secret, and whether that has expired",
        };
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("scope", SCOPE),
        ];
        let assertion;
        match &self.proof {
            Proof::Secret(secret) => {
                let secret = secret.expose_str();
                form.push((
                    "client_secret",
                    secret.ok_or_else(|| refused("the Secret's 'clientSecret' is not text"))?,
                ));
            }
            Proof::Assertion(token) => {
                let token = token.expose_str();
                let token = token.ok_or_else(|| refused("the workload's token is not text"))?;
                form.push(("client_assertion_type", ASSERTION));
                form.push(("client_assertion", token));
                tokens.advice =
                    "look at the application's federated credential: issuer, subject and audience";
            }
            Proof::Certificate { pem, send_chain } => {
                let signed = Certificate::read(pem)
                    .and_then(|own| own.assertion(&self.client_id, &url, *send_chain, SystemTime::now()));
                assertion = signed.map_err(|why| {
                    refused(&format!("the Secret's 'clientCertificate' cannot be used: {why}"))
                })?;
                form.push(("client_assertion_type", ASSERTION));
                form.push(("client_assertion", &assertion));
                tokens.advice = "look at 'tenantId', 'clientId' and 'clientCertificate' of the Secret, and whether the \
                                 application has that certificate";
            }
        }
        tokens.ask(outbound, &form, limits).await
    }
}

/// Whether it is a part of a path that leads nowhere else: an id, or a domain.
pub(super) fn is_tenant(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    !text.is_empty() && text.bytes().all(plain) && text.bytes().any(|b| b.is_ascii_alphanumeric())
}

/// A certificate that is read.
pub(super) struct Certificate {
    /// The key's own is the first.
    chain: Vec<CertificateDer<'static>>,
    key: EncodingKey,
}

impl Certificate {
    /// # Errors
    /// What is wrong with it, without a word of what is in it.
    pub(super) fn read(pem: &Secret) -> Result<Self, &'static str> {
        let text = pem.expose_str().filter(|text| text.contains("-----BEGIN "));
        let text =
            text.ok_or("it is not PEM; PKCS#12 is not supported, `openssl pkcs12 -nodes` makes PEM of it")?;
        if text.contains("ENCRYPTED") {
            return Err("encrypted private keys aren't supported");
        }
        let chain = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
        let mut chain = chain.map_err(|_| "a certificate in it is not PEM")?;
        if chain.is_empty() {
            return Err("found no certificate");
        }
        let key = private_key(text).ok_or("found no private key")?;
        let unusable = "its private key is not an RSA key in PEM";
        let key = EncodingKey::from_rsa_pem(key.as_bytes()).map_err(|_| unusable)?;
        let signature = crypto::sign(PROBE, &key, Algorithm::PS256).map_err(|_| unusable)?;
        let own = chain.iter().position(|der| verifies(der, &signature));
        let own = chain.remove(own.ok_or("key doesn't match any certificate")?);
        chain.insert(0, own);
        Ok(Self { chain, key })
    }

    /// The JWT that Microsoft documents, for the token service at `audience`.
    fn assertion(
        &self,
        client: &str,
        audience: &str,
        send_chain: bool,
        now: SystemTime,
    ) -> Result<Zeroizing<String>, &'static str> {
        let since = now
            .duration_since(UNIX_EPOCH)
            .map_err(|_| "this machine's clock is before 1970")?;
        let unique = format!("{} {} {client}", since.as_nanos(), std::process::id());
        let now = since.as_secs();
        let claims = Claims {
            aud: audience,
            iss: client,
            sub: client,
            jti: &Digest::of(unique.as_bytes()).hex(),
            nbf: now.saturating_sub(SKEW),
            iat: now.saturating_sub(SKEW),
            exp: now + LIFE,
        };
        let mut header = Header::new(Algorithm::PS256);
        let own = self.chain.first().ok_or("found no certificate")?;
        header.x5t_s256 = Some(URL_SAFE_NO_PAD.encode(Digest::of(own).as_bytes()));
        if send_chain {
            header.x5c = Some(self.chain.iter().map(|der| STANDARD.encode(der)).collect());
        }
        let jwt = encode(&header, &claims, &self.key).map_err(|_| "its private key signs nothing")?;
        Ok(Zeroizing::new(jwt))
    }
}

/// Whether the key of this certificate has signed [`PROBE`].
fn verifies(certificate: &CertificateDer<'_>, signature: &str) -> bool {
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let pem = format!("{begin}\n{}\n{end}\n", STANDARD.encode(certificate));
    DecodingKey::from_rsa_pem(pem.as_bytes())
        .is_ok_and(|key| crypto::verify(signature, PROBE, &key, Algorithm::PS256).unwrap_or(false))
}

/// The first private key among the sections of a PEM file.
fn private_key(text: &str) -> Option<Zeroizing<String>> {
    for label in ["PRIVATE KEY", "RSA PRIVATE KEY"] {
        let (begin, end) = (
            format!("-----BEGIN {label}-----"),
            format!("-----END {label}-----"),
        );
        let inside = text
            .split_once(&begin)
            .and_then(|(_, rest)| rest.split_once(&end));
        if let Some((inside, _)) = inside {
            return Some(Zeroizing::new(format!("{begin}{inside}{end}\n")));
        }
    }
    None
}

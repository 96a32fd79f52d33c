//! The exchanges as the clouds document them, against servers of the test's own: the clouds cannot be reached here.

use std::time::Duration;

use axum::response::Response;
use tenure_core::Secret;
use tenure_net::aws::Keys;
use tenure_net::{Outbound, Tls};
use tenure_oci::cloud::{Acr, AwsIdentity, Ecr, Gar, Identity, Login, Workload};
use tenure_oci::{Credential, OciError, Repository};
use tenure_testkit::serve::Site;

use crate::support::guard;
use crate::support::remote::{Log, Seen, site, status, with};

const TOKEN: &str = "workload-canary";

fn outbound(site: &Site) -> Outbound {
    Outbound {
        guard: guard(),
        tls: Tls {
            ca_pem: Some(site.ca().as_bytes().to_vec()),
            ..Tls::default()
        },
        proxy: None,
    }
}

fn workload(identity: Identity) -> Workload {
    Workload {
        identity,
        token: Secret::from(TOKEN.to_owned()),
    }
}

fn web(role: &str) -> AwsIdentity {
    let role = role.to_owned();
    AwsIdentity::Web(workload(Identity::Aws { role }))
}

fn principal(service_account: Option<&str>) -> Workload {
    workload(Identity::Google {
        provider: "projects/1/providers/x".to_owned(),
        service_account: service_account.map(str::to_owned),
    })
}

fn repository(name: &str) -> Repository {
    name.parse().unwrap()
}

fn basic(credential: &Credential) -> (String, String) {
    let Credential::Basic { username, password } = credential else {
        panic!("{credential:?}");
    };
    (username.clone(), password.expose_str().unwrap().to_owned())
}

fn json(body: serde_json::Value) -> Response {
    with(200, &[("content-type", "application/json")], body.to_string())
}

fn amazon(site: &Site, identity: AwsIdentity) -> Ecr {
    Ecr {
        identity,
        endpoint: Some(format!("https://{}/ecr", site.host())),
        sts_endpoint: Some(format!("https://{}/sts", site.host())),
    }
}

fn answer_of_amazon(seen: &Seen) -> Response {
    if seen.path == "/sts" {
        let keys = "<Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s3cr3t</SecretAccessKey>\
                    <SessionToken>session</SessionToken></Credentials>";
        return with(200, &[], keys);
    }
    // base64 of AWS:ecr-password
    let data =
        serde_json::json!({"authorizationToken": "QVdTOmVjci1wYXNzd29yZA==", "expiresAt": 4_102_444_800.5});
    json(serde_json::json!({"authorizationData": [data]}))
}

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app";

#[tokio::test]
async fn amazon_gives_a_password_for_keys_or_for_the_token_of_a_workload() {
    let (site, log) = site(answer_of_amazon).await;
    let keys = Keys {
        access_key: "AKIA1".to_owned(),
        secret_key: Secret::from("s3cr3t".to_owned()),
        session_token: None,
    };
    let by_role = web("arn:aws:iam::1:role/x");
    for (identity, who) in [(AwsIdentity::Keys(keys), "AKIA1"), (by_role, "ASIA1")] {
        let lease = amazon(&site, identity)
            .log_in(&repository(ECR), &outbound(&site))
            .await
            .unwrap();
        assert_eq!(
            basic(&lease.credential),
            ("AWS".to_owned(), "ecr-password".to_owned())
        );
        assert!(lease.good_for > Duration::from_secs(3600));
        let asked = log.all().pop().unwrap();
        let signed = asked.authorization.unwrap_or_default();
        let start = format!("AWS4-HMAC-SHA256 Credential={who}/");
        assert!(
            signed.starts_with(&start) && signed.contains("/eu-west-1/ecr/aws4_request"),
            "{signed}"
        );
    }
    let sts = log.all().into_iter().find(|seen| seen.path == "/sts").unwrap();
    assert!(
        sts.body.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx") && sts.body.contains(TOKEN),
        "{}",
        sts.body
    );
}

#[tokio::test]
async fn google_changes_a_token_for_a_password_and_acts_as_an_account_if_told_to() {
    let (site, log) = site(|seen| match seen.path.as_str() {
        "/sts" => json(serde_json::json!({"access_token": "federated", "expires_in": 1200})),
        _ => json(serde_json::json!({"accessToken": "impersonated", "expireTime": "2026-01-01T00:00:00Z"})),
    })
    .await;
    let mut google = Gar {
        workload: principal(None),
        sts_endpoint: Some(format!("https://{}/sts", site.host())),
        iam_endpoint: Some(format!("https://{}", site.host())),
    };
    let place = repository("europe-docker.pkg.dev/project/app");
    let lease = google.log_in(&place, &outbound(&site)).await.unwrap();
    assert_eq!(
        basic(&lease.credential),
        ("oauth2accesstoken".to_owned(), "federated".to_owned())
    );
    assert_eq!(lease.good_for, Duration::from_secs(1200));
    google.workload = principal(Some("app@project.iam.gserviceaccount.com"));
    let lease = google.log_in(&place, &outbound(&site)).await.unwrap();
    assert_eq!(basic(&lease.credential).1, "impersonated");
    let asked = log.all().pop().unwrap();
    assert_eq!(asked.authorization.as_deref(), Some("Bearer federated"));
    assert_eq!(
        asked.path,
        "/v1/projects/-/serviceAccounts/app%40project.iam.gserviceaccount.com:generateAccessToken"
    );
}

#[tokio::test]
async fn azure_changes_a_token_twice() {
    let (site, log) = site(|seen| match seen.path.as_str() {
        "/oauth2/exchange" => json(serde_json::json!({"refresh_token": "refresh"})),
        _ => json(serde_json::json!({"access_token": "access"})),
    })
    .await;
    let azure = Acr {
        workload: workload(Identity::Azure {
            tenant_id: "directory".to_owned(),
            client_id: "application".to_owned(),
        }),
        authority: Some(format!("https://{}", site.host())),
        exchange_endpoint: Some(format!("https://{}", site.host())),
    };
    let lease = azure
        .log_in(&repository("team.azurecr.io/app"), &outbound(&site))
        .await
        .unwrap();
    assert_eq!(basic(&lease.credential).1, "refresh");
    assert_eq!(log.paths(), ["/directory/oauth2/v2.0/token", "/oauth2/exchange"]);
    let last = log.all().pop().unwrap().body;
    assert_eq!(
        last,
        "grant_type=access_token&service=team.azurecr.io&access_token=access"
    );
}

async fn nothing_asked(log: &Log, error: &OciError) {
    assert!(matches!(error, OciError::InvalidReference { .. }), "{error}");
    assert!(log.all().is_empty());
}

#[tokio::test]
async fn a_workloads_token_is_never_used_for_a_registry_of_somebody_else() {
    let (site, log) = site(|_| status(200)).await;
    for registry in [
        "evil.example/app",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example/app",
    ] {
        let login = amazon(&site, web("role"));
        let error = login
            .log_in(&repository(registry), &outbound(&site))
            .await
            .unwrap_err();
        nothing_asked(&log, &error).await;
    }
}

#[tokio::test]
async fn a_cloud_that_refuses_is_named_and_the_token_is_not() {
    let (site, _) = site(|seen| with(400, &[], seen.body.clone())).await;
    let error = amazon(&site, web("role"))
        .log_in(&repository(ECR), &outbound(&site))
        .await
        .unwrap_err();
    assert!(matches!(error, OciError::AuthenticationFailed { .. }), "{error}");
    assert!(
        error.to_string().contains("AWS") && !format!("{error:?}").contains(TOKEN),
        "{error:?}"
    );
}

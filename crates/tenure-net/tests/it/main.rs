//! Clusters of clouds, as the clouds document what they answer: servers of the test's own, as the clouds cannot be reached here.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails says where"
)]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tenure_core::Secret;
use tenure_net::cloud::{CloudError, Identity, Managed, Places, Workload};
use tenure_net::{Guard, Outbound, Tls};
use tenure_testkit::serve::Site;

const TOKEN: &str = "workload-canary";
const CA: &str = "-----BEGIN CERTIFICATE-----\n";
const EKS: &str = "arn:aws:eks:eu-west-1:123456789012:cluster/prod";
const GKE: &str = "projects/p/locations/europe-west1/clusters/prod";
const AKS: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/prod";

/// Paths, each with who asked.
type Log = Arc<Mutex<Vec<(String, String)>>>;

async fn site(answer: fn(&str) -> Value) -> (Site, Log) {
    let log = Log::default();
    let noted = log.clone();
    let router = Router::new().fallback(move |request: Request| {
        let noted = noted.clone();
        async move { respond(request, &noted, answer) }
    });
    (Site::start(router).await.unwrap(), log)
}

fn respond(request: Request, log: &Log, answer: fn(&str) -> Value) -> Response {
    let path = request.uri().path_and_query().unwrap().to_string();
    let who = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    log.lock().unwrap().push((path.clone(), who));
    if path == "/sts" {
        return "<Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s3cr3t</SecretAccessKey>\
                <SessionToken>session</SessionToken></Credentials>"
            .into_response();
    }
    match answer(&path) {
        Value::Null => (StatusCode::FORBIDDEN, TOKEN).into_response(),
        found => axum::Json(found).into_response(),
    }
}

fn outbound(site: &Site) -> Outbound {
    Outbound {
        guard: Guard::new(["127.0.0.0/8".parse().unwrap()], []),
        tls: Tls {
            ca_pem: Some(site.ca().as_bytes().to_vec()),
            ..Tls::default()
        },
        proxy: None,
    }
}

fn places(site: &Site) -> Places {
    let at = |path: &str| Some(format!("https://{}{path}", site.host()));
    Places {
        aws_sts: at("/sts"),
        aws_eks: at("/eks"),
        google_sts: at("/token"),
        google_iam: at("/iam"),
        google_clusters: at("/gke"),
        azure_authority: at("/authority"),
        azure_management: at("/arm"),
    }
}

fn workload(identity: Identity) -> Workload {
    Workload {
        identity,
        token: Secret::from(TOKEN.to_owned()),
    }
}

fn aws() -> Workload {
    workload(Identity::Aws {
        role: "arn:aws:iam::1:role/x".to_owned(),
    })
}

fn google() -> Workload {
    workload(Identity::Google {
        provider: "projects/1/providers/x".to_owned(),
        service_account: None,
    })
}

fn azure() -> Workload {
    workload(Identity::Azure {
        tenant_id: "directory".to_owned(),
        client_id: "application".to_owned(),
    })
}

fn cluster(resource: &str) -> Managed {
    Managed {
        resource: resource.to_owned(),
        ..Managed::default()
    }
}

fn asked(log: &Log) -> Vec<String> {
    log.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
}

#[tokio::test]
async fn a_cluster_of_aws_is_described_to_the_role_and_opened_by_a_signed_request() {
    let (site, log) = site(|path| match path {
        "/eks/clusters/prod" => {
            json!({"cluster": {"endpoint": "https://prod.eks", "certificateAuthority": {"data": STANDARD.encode(CA)}}})
        }
        _ => Value::Null,
    })
    .await;
    let opened = aws()
        .open_cluster(&cluster(EKS), &outbound(&site), &places(&site))
        .await;
    let opened = opened.unwrap();
    assert_eq!(
        (opened.address.as_str(), opened.ca_pem.as_slice()),
        ("https://prod.eks", CA.as_bytes())
    );
    let token = opened.token.expose_str().unwrap();
    let request = URL_SAFE_NO_PAD
        .decode(token.strip_prefix("k8s-aws-v1.").unwrap())
        .unwrap();
    let request = String::from_utf8(request).unwrap();
    for part in [
        "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity",
        "X-Amz-Credential=ASIA1%2F",
        "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id",
        "X-Amz-Security-Token=session",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
    let seen = log.lock().unwrap().clone();
    assert!(seen[1].1.contains("/eu-west-1/eks/aws4_request"), "{seen:?}");
}

#[tokio::test]
async fn a_cluster_of_google_is_described_and_opened_by_the_same_token() {
    let (site, log) = site(|path| match path {
        "/token" => json!({"access_token": "federated", "expires_in": 1200}),
        _ => json!({"endpoint": "192.0.2.7", "masterAuth": {"clusterCaCertificate": STANDARD.encode(CA)}}),
    })
    .await;
    let opened = google()
        .open_cluster(&cluster(GKE), &outbound(&site), &places(&site))
        .await;
    let opened = opened.unwrap();
    assert_eq!(
        (opened.address.as_str(), opened.token.expose_str()),
        ("192.0.2.7", Some("federated"))
    );
    let seen = log.lock().unwrap().clone();
    assert_eq!(seen[1], (format!("/gke/v1/{GKE}"), "Bearer federated".to_owned()));
}

#[tokio::test]
async fn of_azures_kubeconfigs_the_one_with_the_address_that_is_asked_for_is_taken() {
    let (site, log) = site(|path| {
        let config = |server: &str| {
            let cluster = json!({"server": server, "certificate-authority-data": STANDARD.encode(CA)});
            json!({"value": STANDARD.encode(json!({"clusters": [{"name": "a", "cluster": cluster}]}).to_string())})
        };
        match path {
            path if path.starts_with("/authority/directory/") => json!({"access_token": "entra"}),
            path if path.contains("listClusterUserCredential") => {
                json!({"kubeconfigs": [config("https://public:443"), config("https://private:443")]})
            }
            _ => json!({"properties": {"aadProfile": {}}}),
        }
    })
    .await;
    let mut wanted = cluster(AKS);
    let opened = azure()
        .open_cluster(&wanted, &outbound(&site), &places(&site))
        .await
        .unwrap();
    assert_eq!(opened.address, "https://public:443");
    wanted.address = Some("https://private".to_owned());
    let opened = azure()
        .open_cluster(&wanted, &outbound(&site), &places(&site))
        .await
        .unwrap();
    assert_eq!(
        (opened.address.as_str(), opened.ca_pem.as_slice()),
        ("https://private", CA.as_bytes())
    );
    wanted.address = Some("https://other".to_owned());
    let error = azure()
        .open_cluster(&wanted, &outbound(&site), &places(&site))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no kubeconfig"), "{error}");
    assert!(
        asked(&log)[2].starts_with(&format!("/arm{AKS}?api-version=")),
        "{:?}",
        asked(&log)
    );
}

#[tokio::test]
async fn what_is_known_is_not_asked_for() {
    let (site, log) = site(|path| match path {
        "/token" => json!({"access_token": "federated"}),
        _ => Value::Null,
    })
    .await;
    let known = |resource: &str| Managed {
        resource: resource.to_owned(),
        address: Some("https://known".to_owned()),
        ca_pem: Some(CA.as_bytes().to_vec()),
    };
    let opened = google()
        .open_cluster(&known(""), &outbound(&site), &places(&site))
        .await
        .unwrap();
    assert_eq!(opened.address, "https://known");
    aws()
        .open_cluster(&known(EKS), &outbound(&site), &places(&site))
        .await
        .unwrap();
    assert_eq!(asked(&log), ["/token", "/sts"]);
}

#[tokio::test]
async fn a_cloud_that_refuses_is_named_and_neither_the_token_nor_its_words_are() {
    let (site, log) = site(|_| Value::Null).await;
    let all = [
        (google(), GKE, "Google Cloud"),
        (azure(), AKS, "Azure"),
        (aws(), EKS, "AWS"),
    ];
    for (workload, resource, who) in all {
        let error = workload
            .open_cluster(&cluster(resource), &outbound(&site), &places(&site))
            .await;
        let error = error.unwrap_err();
        assert!(matches!(error, CloudError::Refused { .. }), "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(who) && !text.contains(TOKEN), "{text}");
    }
    let before = asked(&log).len();
    let error = aws()
        .open_cluster(&cluster("prod"), &outbound(&site), &places(&site))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("arn:aws:eks:"), "{error}");
    assert_eq!(
        asked(&log).len(),
        before,
        "nobody was asked about a cluster without a name"
    );
}

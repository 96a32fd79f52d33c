//! Registries and buckets of clouds; the registries know a home by the token of its worker. The clouds cannot be reached here: a proxy leads
//! their names to a server of the test's own, which answers as they document.

use std::sync::{Arc, Mutex};

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Query, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tenure_core::Digest;
use tenure_testkit::install::Options;
use tenure_testkit::pki::Authority;
use tenure_testkit::proxy::Proxy;
use tenure_testkit::serve::Site;
use tenure_testkit::{Installation, TenantFixture};
use tenure_tests::{Stage, objects};

use crate::kustomization::data;
use crate::world::{config_map, play, play_alone, says};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const NAMES: [&str; 3] = [
    REGISTRY,
    "sts.eu-west-1.amazonaws.com",
    "api.ecr.eu-west-1.amazonaws.com",
];
const ROLE: &str = "arn:aws:iam::123456789012:role/reader";
const LAYER: &[u8] = b"from the cloud";
/// Of `AWS:ecr-password`.
const PASSWORD: &str = "QVdTOmVjci1wYXNzd29yZA==";

/// What was posted to the token service.
type Posted = Arc<Mutex<Vec<String>>>;

fn manifest() -> String {
    let part = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": Digest::of(bytes).to_string(), "size": bytes.len()});
    json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": part("application/vnd.oci.empty.v1+json", b"{}"), "layers": [part("text/plain", LAYER)],
    })
    .to_string()
}

/// AWS's token service, its service for registries, and one registry.
async fn amazon(request: Request, posted: Posted) -> Response {
    let host = request.headers().get(header::HOST).cloned();
    let host = request
        .uri()
        .host()
        .map(str::to_owned)
        .or_else(|| host.and_then(|host| host.to_str().ok().map(str::to_owned)))
        .unwrap_or_default();
    let path = request.uri().path().to_owned();
    let login = request.headers().get(header::AUTHORIZATION).cloned();
    let login = login
        .and_then(|login| login.to_str().ok().map(str::to_owned))
        .unwrap_or_default();
    let body: Bytes = to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
    if host.starts_with("sts.") {
        posted
            .lock()
            .expect("not poisoned")
            .push(String::from_utf8_lossy(&body).into_owned());
        return "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
                <AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s3cr3t</SecretAccessKey>\
                <SessionToken>session</SessionToken></Credentials></AssumeRoleWithWebIdentityResult>\
                </AssumeRoleWithWebIdentityResponse>"
            .into_response();
    }
    if host.starts_with("api.ecr.") {
        if !login.contains("Credential=ASIA1/") {
            return StatusCode::FORBIDDEN.into_response();
        }
        let data =
            json!({"authorizationData": [{"authorizationToken": PASSWORD, "expiresAt": 4_102_444_800.5}]});
        return axum::Json(data).into_response();
    }
    if login != format!("Basic {PASSWORD}") {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"ecr\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    let manifest = manifest();
    let blob = format!("/v2/app/blobs/{}", Digest::of(LAYER));
    if path.starts_with("/v2/app/manifests/") {
        let kind = [(header::CONTENT_TYPE, "application/vnd.oci.image.manifest.v1+json")];
        return (kind, manifest).into_response();
    }
    match path == blob {
        true => LAYER.into_response(),
        false => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A storage account of Azure with the container `team`, which a shared access signature opens, or a token for which a
/// directory changes one of an issuer that it trusts.
async fn azure(request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let shown = request.headers().get(header::AUTHORIZATION).cloned();
    if request.uri().path() == "/directory/oauth2/v2.0/token" {
        let body = to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
        let form = format!("/?{}", String::from_utf8_lossy(&body))
            .parse()
            .expect("a form");
        let Query(fields) = Query::<Vec<(String, String)>>::try_from_uri(&form).expect("a form");
        let field = |name: &str| {
            fields
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        let token = claims(field("client_assertion").unwrap_or_default()).unwrap_or_default();
        let trusted = field("client_id") == Some("application")
            && token["aud"] == json!(["api://AzureADTokenExchange"])
            && token["sub"]
                .as_str()
                .is_some_and(|subject| subject.starts_with("system:serviceaccount:tenure-workers-"));
        return match trusted {
            true => axum::Json(json!({"access_token": "for-storage"})).into_response(),
            false => StatusCode::UNAUTHORIZED.into_response(),
        };
    }
    let bearer = shown.is_some_and(|shown| shown == "Bearer for-storage");
    if !bearer && !query.contains("sig=c2lnbmVk") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let manifest = config_map("kept", "from azure");
    match request.uri().path() {
        "/account/team" if query.contains("comp=list") => format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs><Blob><Name>deploy/kept.yaml</Name>\
             <Properties><Etag>0x8D1</Etag><Content-Length>{}</Content-Length></Properties></Blob></Blobs><NextMarker/>\
             </EnumerationResults>",
            manifest.len()
        )
        .into_response(),
        "/account/team/deploy/kept.yaml" => manifest.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

#[test]
fn a_container_of_azure_is_applied_by_who_has_a_signature_for_it() -> anyhow::Result<()> {
    play(|stage| async move {
        let site = Site::start(Router::new().fallback(azure)).await?;
        let team = stage.tenant(TenantFixture::new("azure")).await?;
        let secret = |name: &str, key: &str, value: &str| {
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": team.home()},
                "stringData": {key: value},
            })
        };
        let secrets = [
            secret("sas", "sasKey", "?sv=2020-08-04&sp=rl&sig=CANARY"),
            secret("authority", "ca.crt", site.ca()),
        ];
        stage.tenure.apply(&secrets).await?;
        let spec = json!({
            "provider": "azure", "endpoint": format!("https://{}/account", site.host()), "bucketName": "team",
            "interval": "1h", "secretRef": {"name": "sas"}, "certSecretRef": {"name": "authority"},
        });
        team.source("Bucket", "app", &spec).await?;
        let said = team.refused("Bucket", "app", "BucketOperationFailed").await?;
        ensure!(!said.contains("CANARY"), "{said}");
        stage
            .tenure
            .apply(&[secret("sas", "sasKey", "?sv=2020-08-04&sp=rl&sig=c2lnbmVk")])
            .await?;
        team.reconcile("Bucket", "app").await?;
        let bucket = team.ready("Bucket", "app").await?;
        let revision = bucket["status"]["artifact"]["revision"]
            .as_str()
            .context("a revision")?
            .to_owned();
        let kustomization = json!({
            "sourceRef": {"kind": "Bucket", "name": "app"}, "path": "./deploy", "targetNamespace": team.home(),
        });
        team.kustomization("app", &kustomization).await?;
        team.applied("app", &revision).await?;
        ensure!(data(&stage, &team, "kept").await?.as_deref() == Some("from azure"));
        Ok(())
    })
}

#[test]
fn a_container_of_azure_knows_a_home_by_the_token_of_its_worker() -> anyhow::Result<()> {
    play_alone(|stage| async move {
        let names = ["login.microsoftonline.com", "account.blob.core.windows.net"];
        let router = Router::new().fallback(|mut request: Request| async move {
            // a storage account has a name of its own
            if request.uri().path().starts_with("/team") {
                let path = format!(
                    "/account{}",
                    request.uri().path_and_query().map_or("", |all| all.as_str())
                );
                *request.uri_mut() = path.parse().expect("a path");
            }
            azure(request).await
        });
        let (stage, site) = with_a_cloud(stage, router, &names).await?;
        let proxy = Proxy::leading_to(&site.host()).await?;
        let team = stage.tenant(TenantFixture::new("entra")).await?;
        let secret = |name: &str, key: &str, value: &str| {
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": team.home()},
                "stringData": {key: value},
            })
        };
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "reader", "namespace": team.home(), "annotations": {
                "azure.workload.identity/client-id": "application", "azure.workload.identity/tenant-id": "directory",
            }},
        });
        let objects = [secret("proxy", "address", proxy.address()), account];
        stage.tenure.apply(&objects).await?;
        let spec = json!({
            "provider": "azure", "endpoint": "https://account.blob.core.windows.net", "bucketName": "team",
            "interval": "1h", "serviceAccountName": "reader", "proxySecretRef": {"name": "proxy"},
        });
        let mut elsewhere = spec.clone();
        elsewhere["endpoint"] = json!(format!("https://{}/account", site.host()));
        team.source("Bucket", "app", &elsewhere).await?;
        let said = team.refused("Bucket", "app", "BucketOperationFailed").await?;
        says(&said, &["the endpoint is none of that cloud's"])?;
        ensure!(proxy.asked().is_empty(), "nobody was asked: {:?}", proxy.asked());
        team.source("Bucket", "app", &spec).await?;
        team.ready("Bucket", "app").await.map(drop)
    })
}

/// An installation whose platform trusts an authority for the clouds, and a server that it has certified for these names.
async fn with_a_cloud(stage: Arc<Stage>, router: Router, names: &[&str]) -> anyhow::Result<(Stage, Site)> {
    let mut stage = Arc::into_inner(stage).context("the stage is shared")?;
    let authority = Authority::new("cloud")?;
    let path = stage.tenure.dir().join("cloud.crt");
    std::fs::write(&path, authority.certificate())?;
    let site = Site::certified(router, names, &authority).await?;
    let options = Options {
        suffix: format!("-{:08x}", rand::random::<u32>()),
        cloud_authorities: Some(path),
        ..Options::default()
    };
    let started = Installation::start_with(&stage.plane, options).await?;
    // the file is read at start
    stage.tenure = started;
    Ok((stage, site))
}

/// The claims of a token that the API server has signed.
fn claims(token: &str) -> anyhow::Result<Value> {
    let claims = token.split('.').nth(1).context("no token")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?)
}

#[test]
fn a_registry_of_a_cloud_knows_a_home_by_the_token_of_its_worker() -> anyhow::Result<()> {
    play_alone(|stage| async move {
        let posted = Posted::default();
        let noted = posted.clone();
        let router = Router::new().fallback(move |request: Request| amazon(request, noted.clone()));
        let (stage, site) = with_a_cloud(stage, router, &NAMES).await?;
        let proxy = Proxy::leading_to(&site.host()).await?;
        let team = stage.tenant(TenantFixture::new("cloud")).await?;
        let secret = |name: &str, data: Value| {
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": team.home()},
                "stringData": data,
            })
        };
        let secrets = [
            secret("proxy", json!({"address": proxy.address()})),
            secret("authority", json!({"ca.crt": site.ca()})),
        ];
        stage.tenure.apply(&secrets).await?;
        let spec = json!({
            "url": format!("oci://{REGISTRY}/app"), "provider": "aws", "interval": "1h",
            "layerSelector": {"mediaType": "text/plain", "operation": "copy"}, "proxySecretRef": {"name": "proxy"},
        });
        let mut trusting = spec.clone();
        trusting["certSecretRef"] = json!({"name": "authority"});
        team.source("OCIRepository", "app", &trusting).await?;
        let said = team
            .refused("OCIRepository", "app", "FeatureGateDisabled")
            .await?;
        says(
            &said,
            &["spec.certSecretRef can't be used", "only public authorities"],
        )?;
        team.source("OCIRepository", "app", &spec).await?;
        let said = team
            .refused("OCIRepository", "app", "AuthenticationFailed")
            .await?;
        says(
            &said,
            &[
                "failed to get credential from 'aws'",
                "lacks the annotation 'eks.amazonaws.com/role-arn'",
            ],
        )?;
        ensure!(proxy.asked().is_empty(), "nobody was asked: {:?}", proxy.asked());

        let account = &team.fixture.account;
        let accounts = objects(
            &stage.client(),
            "",
            "v1",
            "ServiceAccount",
            "serviceaccounts",
            team.home(),
        );
        let annotated = json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": ROLE}}});
        accounts
            .patch(account, &PatchParams::default(), &Patch::Merge(annotated))
            .await?;
        team.reconcile("OCIRepository", "app").await?;
        let object = team.ready("OCIRepository", "app").await?;
        let artifact = &object["status"]["artifact"];
        ensure!(
            artifact["digest"] == Digest::of(LAYER).to_string(),
            "it is {artifact}"
        );

        let bodies = posted.lock().expect("not poisoned").clone();
        ensure!(bodies.len() == 1, "asked {} times", bodies.len());
        let form = format!("/?{}", bodies[0]).parse()?;
        let Query(fields) = Query::<Vec<(String, String)>>::try_from_uri(&form)?;
        let field = |name: &str| {
            let found = fields.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        assert_eq!(field("RoleArn"), ROLE);
        let claims = claims(&field("WebIdentityToken"))?;
        let worker = format!("system:serviceaccount:{}:{}", stage.tenure.workers(), team.home());
        assert_eq!(claims["sub"], worker.as_str());
        assert_eq!(claims["aud"], json!(["sts.amazonaws.com"]));
        team.reconcile("OCIRepository", "app").await?;
        team.ready("OCIRepository", "app").await?;
        ensure!(
            posted.lock().expect("not poisoned").len() == 1,
            "a login is kept for a while"
        );
        Ok(())
    })
}

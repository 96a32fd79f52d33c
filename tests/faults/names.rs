//! Host names where addresses would do: looked up and verified inside the sandboxes.

use anyhow::ensure;
use serde_json::json;
use tenure_testkit::git::{GitRepo, HttpsGitServer};
use tenure_testkit::{Installation, TenantFixture, apply_yaml};
use tenure_tests::{Stage, flux, ready};

#[tokio::test(flavor = "multi_thread")]
async fn worker_and_fetcher_find_api_server_cache_and_repository_by_name() -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    stage.tenure = Installation::start_by_name(&stage.plane).await?;
    let fixture = TenantFixture::new("by-name");
    fixture.onboard(&stage.tenure).await?;
    let server = HttpsGitServer::start().await?;
    let repo = GitRepo::init(&server, "named.git")?;
    let one = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n";
    repo.commit(&[("one.yaml", Some(one))], "One")?;
    let url = server.url("named.git").replace("127.0.0.1", "localhost");
    ensure!(url.starts_with("https://localhost:"), "{url}");
    let home = &fixture.home;
    let objects = [
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ca", "namespace": home},
            "stringData": {"ca.crt": server.ca()}}),
        json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "app", "namespace": home},
            "spec": {"interval": "1h", "url": url, "ref": {"branch": "main"}, "secretRef": {"name": "ca"}}}),
        json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "app", "namespace": home},
            "spec": {"interval": "1h", "path": "./", "prune": true, "targetNamespace": home,
                "sourceRef": {"kind": "GitRepository", "name": "app"}}}),
    ];
    for object in objects {
        apply_yaml(&stage.client(), &object.to_string(), None).await?;
    }
    ready(
        &flux(&stage.client(), "GitRepository", home),
        "GitRepository",
        "app",
    )
    .await?;
    ready(
        &flux(&stage.client(), "Kustomization", home),
        "Kustomization",
        "app",
    )
    .await?;
    Ok(())
}

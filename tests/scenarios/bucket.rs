//! Buckets, and what others make.

use anyhow::ensure;
use serde_json::{Value, json};
use tenure_core::Digest;
use tenure_testkit::TenantFixture;
use tenure_testkit::helm::Charts;
use tenure_testkit::oci::Artifact;
use tenure_testkit::s3::S3Server;
use tenure_tests::{Stage, Team, condition};

use crate::kustomization::{data, events};
use crate::world::{config_map, play, says};

/// A tenant with a bucket of its own.
struct Tenant<'a> {
    stage: &'a Stage,
    team: Team<'a>,
    server: S3Server,
}

impl<'a> Tenant<'a> {
    async fn new(stage: &'a Stage, name: &str) -> anyhow::Result<Self> {
        let server = S3Server::start().await?;
        server.create("team").await?;
        let team = stage.tenant(TenantFixture::new(name)).await?;
        let tenant = Self { stage, team, server };
        let keys = tenant.server.keys();
        let secret = keys.secret_key.expose_str().unwrap_or_default().to_owned();
        tenant
            .secret(
                "keys",
                &json!({"accesskey": keys.access_key, "secretkey": secret}),
            )
            .await?;
        tenant
            .secret("authority", &json!({"ca.crt": tenant.server.ca()}))
            .await?;
        Ok(tenant)
    }

    async fn secret(&self, name: &str, data: &Value) -> anyhow::Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": self.team.home()}, "stringData": data,
        });
        self.stage.tenure.apply(&[secret]).await
    }

    async fn bucket(&self, spec: &Value) -> anyhow::Result<()> {
        let endpoint = self.server.endpoint();
        let mut usual = json!({
            "bucketName": "team", "endpoint": endpoint.trim_start_matches("https://"),
            "secretRef": {"name": "keys"}, "certSecretRef": {"name": "authority"},
        });
        for (field, value) in spec.as_object().into_iter().flatten() {
            usual[field] = value.clone();
        }
        self.team.source("Bucket", "app", &usual).await
    }

    async fn put(&self, content: &str) -> anyhow::Result<()> {
        let manifest = config_map("kept", content);
        self.server
            .put("team", "deploy/kept.yaml", manifest.as_bytes())
            .await
    }
}

async fn applied(stage: &Stage, team: &Team<'_>, revision: &str, content: &str) -> anyhow::Result<()> {
    team.applied("app", revision).await?;
    let found = data(stage, team, "kept").await?;
    ensure!(found.as_deref() == Some(content), "it is {found:?}");
    Ok(())
}

#[test]
fn a_bucket_is_applied_and_a_change_is_rolled_forward() -> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "bucket-roll").await?;
        tenant.put("old").await?;
        tenant.server.put("team", "README.md", b"# no manifest").await?;
        tenant.bucket(&json!({"ignore": "*.md"})).await?;
        let spec = json!({
            "path": "./deploy", "targetNamespace": tenant.team.home(),
            "sourceRef": {"kind": "Bucket", "name": "app"},
        });
        tenant.team.kustomization("app", &spec).await?;
        let source = tenant.team.ready("Bucket", "app").await?;
        let status = &source["status"];
        let revision = status["artifact"]["revision"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        ensure!(revision.starts_with("sha256:"), "{status}");
        let message = condition(&source, "Ready").map(|ready| ready["message"].clone());
        assert_eq!(
            message,
            Some(json!(format!("stored artifact: revision '{revision}'")))
        );
        assert_eq!(
            status["artifact"]["path"],
            format!("bucket/{}/app/{}.tar.gz", tenant.team.home(), &revision[7..])
        );
        assert_eq!(status["observedIgnore"], "*.md");
        let news = "Bucket Normal NewArtifact stored artifact with 1 fetched files from 'team' bucket";
        events(&stage, &tenant.team, "app", news).await?;
        applied(&stage, &tenant.team, &revision, "old").await?;

        tenant.put("new").await?;
        let source = tenant.team.reconcile("Bucket", "app").await?;
        let second = source["status"]["artifact"]["revision"]
            .as_str()
            .unwrap_or_default();
        ensure!(second != revision, "it is another");
        applied(&stage, &tenant.team, second, "new").await
    })
}

#[test]
fn what_a_store_refuses_is_said_and_no_secret_is() -> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "bucket-bad").await?;
        tenant.put("old").await?;
        let wrong = json!({"accesskey": "rig-access", "secretkey": "canary-of-a-key"});
        tenant.secret("wrong", &wrong).await?;
        for (spec, parts) in [
            (
                json!({"secretRef": {"name": "wrong"}}),
                &[
                    "failed to confirm existence of 'team' bucket: ",
                    "does not accept the keys",
                ][..],
            ),
            (json!({"bucketName": "absent"}), &["bucket 'absent' not found"]),
        ] {
            tenant.bucket(&spec).await?;
            tenant.team.reconcile("Bucket", "app").await?;
            let said = tenant
                .team
                .refused("Bucket", "app", "BucketOperationFailed")
                .await?;
            says(&said, parts)?;
            ensure!(!said.contains("canary"), "{said}");
        }
        tenant
            .bucket(&json!({"secretRef": {"name": "authority"}}))
            .await?;
        let said = tenant
            .team
            .refused("Bucket", "app", "AuthenticationFailed")
            .await?;
        says(&said, &["required fields 'accesskey' and 'secretkey'"])
    })
}

#[test]
fn what_another_controller_makes_is_applied_by_its_digest() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = stage.tenant(TenantFixture::new("external")).await?;
        let site = Charts::plain().await?;
        let manifest = config_map("kept", "made");
        let made = Artifact::flux(&[("deploy/kept.yaml", &manifest)], "", "");
        let bytes = made.layers[0].bytes.clone();
        let digest = Digest::of(&bytes).to_string();
        site.put("made.tar.gz", bytes);
        team.source("ExternalArtifact", "made", &json!({})).await?;
        let offer = |digest: &str, revision: &str| {
            json!({"status": {"artifact": {
                "url": format!("{}/made.tar.gz", site.url()), "path": "made.tar.gz", "revision": revision,
                "digest": digest, "lastUpdateTime": "2026-01-01T00:00:00Z",
            }}})
        };
        let api = team.objects("ExternalArtifact");
        let publish = |status: Value| {
            let api = api.clone();
            async move {
                let params = kube::api::PatchParams::default();
                api.patch_status("made", &params, &kube::api::Patch::Merge(status))
                    .await
            }
        };
        let other = Digest::of(b"something else").to_string();
        publish(offer(&other, "v0.9.0")).await?;
        let spec = json!({
            "path": "./deploy", "targetNamespace": team.home(),
            "sourceRef": {"kind": "ExternalArtifact", "name": "made"},
        });
        team.kustomization("app", &spec).await?;
        let said = team.refused("Kustomization", "app", "ArtifactFailed").await?;
        says(&said, &["ExternalArtifact/made"])?;
        publish(offer(&digest, "v1.0.0")).await?;
        applied(&stage, &team, "v1.0.0", "made").await?;
        let asked = site.requests();
        ensure!(
            asked.contains(&"GET /charts/made.tar.gz 200".to_owned()),
            "{asked:?}"
        );
        Ok(())
    })
}

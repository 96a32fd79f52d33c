//! Sources in a registry.

use anyhow::ensure;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use tenure_testkit::oci::{Artifact, Part, Registry, Signer};
use tenure_testkit::{TenantFixture, apply_yaml, until};
use tenure_tests::{PATIENCE, Stage, Team, condition, value};

use crate::kustomization::{data, events};
use crate::world::{config_map, play, says};

const ORIGIN: &str = "main@sha1:9c5b7a1e9c5b7a1e9c5b7a1e9c5b7a1e9c5b7a1e";
const REPOSITORY: &str = "team/app";

/// A tenant that may pull from a registry of its own.
struct Tenant<'a> {
    stage: &'a Stage,
    team: Team<'a>,
    registry: Registry,
}

impl<'a> Tenant<'a> {
    async fn new(stage: &'a Stage, name: &str) -> anyhow::Result<Self> {
        let registry = Registry::start().await?;
        registry.set_password("puller", "rig-pulls-this")?;
        let team = stage.tenant(TenantFixture::new(name)).await?;
        let tenant = Self {
            stage,
            team,
            registry,
        };
        let config = tenant.registry.docker_config("puller", "rig-pulls-this");
        tenant.pull_secret("pull", &config).await?;
        let authority = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "registry-ca", "namespace": tenant.team.home()},
            "stringData": {"ca.crt": tenant.registry.ca()},
        });
        stage.tenure.apply(&[authority]).await?;
        Ok(tenant)
    }

    async fn pull_secret(&self, name: &str, config: &str) -> anyhow::Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": name, "namespace": self.team.home()},
            "stringData": {".dockerconfigjson": config},
        });
        self.stage.tenure.apply(&[secret]).await
    }

    /// Pushes the ConfigMap `kept` with this value; the manifest's digest.
    async fn push(&self, tag: &str, content: &str) -> anyhow::Result<String> {
        let manifest = config_map("kept", content);
        let files = [("deploy/kept.yaml", manifest.as_str())];
        let artifact = Artifact::flux(&files, "https://git.example.com/app.git", ORIGIN);
        Ok(self.registry.push(REPOSITORY, tag, &artifact).await?.digest)
    }

    /// The OCIRepository `app`, with `spec` over one that works.
    async fn source(&self, spec: &Value) -> anyhow::Result<()> {
        let mut usual = json!({
            "url": self.registry.url(REPOSITORY), "ref": {"tag": "latest"},
            "secretRef": {"name": "pull"}, "certSecretRef": {"name": "registry-ca"},
        });
        for (field, value) in spec.as_object().into_iter().flatten() {
            usual[field] = value.clone();
        }
        self.team.oci_repository(&usual).await
    }

    async fn kustomization(&self) -> anyhow::Result<()> {
        let spec = json!({
            "path": "./deploy", "targetNamespace": self.team.home(),
            "sourceRef": {"kind": "OCIRepository", "name": "app"},
        });
        self.team.kustomization("app", &spec).await
    }

    /// Pushes `old`, applies it; the manifest's digest.
    async fn settle(&self) -> anyhow::Result<String> {
        let digest = self.push("latest", "old").await?;
        self.source(&json!({})).await?;
        self.kustomization().await?;
        self.applied(&digest, "old").await?;
        Ok(digest)
    }

    async fn applied(&self, digest: &str, content: &str) -> anyhow::Result<Value> {
        let object = self.team.applied("app", digest).await?;
        let found = data(self.stage, &self.team, "kept").await?;
        ensure!(found.as_deref() == Some(content), "it is {found:?}");
        Ok(object)
    }

    async fn object(&self) -> anyhow::Result<Value> {
        value(&self.team.objects("OCIRepository"), "app").await
    }
}

#[test]
fn an_artifact_is_applied_and_a_moved_tag_is_rolled_forward() -> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "oci-roll").await?;
        let first = tenant.settle().await?;
        let source = tenant.team.ready("OCIRepository", "app").await?;
        let (status, url) = (&source["status"], tenant.registry.url(REPOSITORY));
        let revision = format!("latest@{first}");
        assert_eq!(status["artifact"]["revision"], revision);
        assert_eq!(
            status["artifact"]["metadata"]["org.opencontainers.image.revision"],
            ORIGIN
        );
        for kind in ["Ready", "ArtifactInStorage"] {
            let message = condition(&source, kind).map(|condition| condition["message"].clone());
            assert_eq!(
                message,
                Some(json!(format!("stored artifact for digest '{revision}'")))
            );
        }
        let news = format!(
            "OCIRepository Normal NewArtifact stored artifact with revision '{revision}' from '{url}', origin source 'https://git.example.com/app.git', origin revision '{ORIGIN}'"
        );
        events(&stage, &tenant.team, "app", &news).await?;

        let second = tenant.push("latest", "new").await?;
        tenant.team.reconcile("OCIRepository", "app").await?;
        let applied = tenant.applied(&second, "new").await?;
        assert_eq!(applied["status"]["lastAppliedOriginRevision"], ORIGIN);
        assert_eq!(
            applied["status"]["history"][0]["metadata"]["originRevision"],
            ORIGIN
        );
        events(&stage, &tenant.team, "app", "Reconciliation finished in").await?;
        let api: Api<Event> = Api::namespaced(stage.client(), tenant.team.home());
        let all = api.list(&ListParams::default()).await?.items;
        let origin = "kustomize.toolkit.fluxcd.io/originRevision";
        ensure!(
            all.iter().any(|event| {
                let notes = event.metadata.annotations.as_ref();
                notes
                    .and_then(|notes| notes.get(origin))
                    .is_some_and(|said| said == ORIGIN)
            }),
            "an event says what the artifact was made from"
        );
        let removed = tenant.team.objects("OCIRepository");
        removed.delete("app", &kube::api::DeleteParams::default()).await?;
        tenure_tests::gone(&removed, "app").await?;
        Ok(())
    })
}

#[test]
fn who_asks_is_told_that_nothing_is_new_and_a_suspended_source_rests() -> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "oci-rest").await?;
        let first = tenant.settle().await?;
        tenant.team.reconcile("OCIRepository", "app").await?;
        let news = format!(
            "OCIRepository Normal ArtifactUpToDate artifact up-to-date with remote revision: 'latest@{first}'"
        );
        events(&stage, &tenant.team, "app", &news).await?;
        tenant.source(&json!({"suspend": true})).await?;
        let before = tenant.object().await?["status"]["artifact"].clone();
        let second = tenant.push("latest", "new").await?;
        let object = tenant.team.reconcile("OCIRepository", "app").await?;
        assert_eq!(object["status"]["artifact"], before);
        tenant.source(&json!({})).await?;
        tenant.applied(&second, "new").await?;
        Ok(())
    })
}

#[test]
fn a_credential_that_the_registry_refuses_is_said_and_what_runs_stays() -> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "oci-login").await?;
        let first = tenant.settle().await?;
        let wrong = tenant.registry.docker_config("puller", "canary-of-a-password");
        tenant.pull_secret("wrong", &wrong).await?;
        let team = &tenant.team;
        let refused = |spec: Value, reason: &'static str, parts: &'static [&'static str]| {
            let tenant = &tenant;
            async move {
                tenant.source(&spec).await?;
                // the case before may have failed for the same reason
                team.reconcile("OCIRepository", "app").await?;
                let message = team.refused("OCIRepository", "app", reason).await?;
                says(&message, parts)?;
                ensure!(!message.contains("canary"), "{message}");
                let object = tenant.object().await?;
                let fetch = condition(&object, "FetchFailed").cloned().unwrap_or_default();
                ensure!(fetch["message"] == message, "FetchFailed says the same: {fetch}");
                Ok::<_, anyhow::Error>(())
            }
        };
        refused(
            json!({"secretRef": {"name": "wrong"}}),
            "OCIArtifactPullFailed",
            &["failed to determine artifact digest", "cannot log in"],
        )
        .await?;
        refused(
            json!({"secretRef": {"name": "wrong"}, "ref": {"semver": "1.x"}}),
            "ReadOperationFailed",
            &["failed to determine the artifact tag for 'oci://"],
        )
        .await?;
        refused(
            json!({"secretRef": {"name": "lost"}}),
            "AuthenticationFailed",
            &["/lost'", "not found", "'.dockerconfigjson'"],
        )
        .await?;
        refused(
            json!({"secretRef": {"name": "git-ssh"}}),
            "AuthenticationFailed",
            &["'git-ssh'", "kubernetes.io/dockerconfigjson"],
        )
        .await?;
        refused(
            json!({"ref": {"tag": "nope"}}),
            "OCIArtifactPullFailed",
            &["failed to determine artifact digest", "nope"],
        )
        .await?;
        refused(
            json!({"layerSelector": {"mediaType": "text/plain"}}),
            "OCIArtifactLayerOperationFailed",
            &["text/plain"],
        )
        .await?;
        refused(
            json!({"verify": {"provider": "cosign"}}),
            "FeatureGateDisabled",
            &["spec.verify"],
        )
        .await?;
        tenant.applied(&first, "old").await?;
        tenant.source(&json!({})).await?;
        team.ready("OCIRepository", "app").await?;
        Ok(())
    })
}

#[test]
fn the_highest_version_is_followed_with_the_pull_secrets_of_an_account() -> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "oci-range").await?;
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "puller", "namespace": tenant.team.home()},
            "imagePullSecrets": [{"name": "pull"}],
        });
        apply_yaml(&stage.client(), &account.to_string(), None).await?;
        tenant.push("2.0.0", "too high").await?;
        let first = tenant.push("1.2.0", "old").await?;
        let spec = json!({
            "ref": {"semver": "1.x", "tag": "2.0.0"}, "secretRef": null, "serviceAccountName": "puller",
        });
        tenant.source(&spec).await?;
        tenant.kustomization().await?;
        tenant.applied(&first, "old").await?;
        let second = tenant.push("1.10.0", "new").await?;
        let object = tenant.team.reconcile("OCIRepository", "app").await?;
        assert_eq!(
            object["status"]["artifact"]["revision"],
            format!("1.10.0@{second}")
        );
        tenant.applied(&second, "new").await?;
        Ok(())
    })
}

#[test]
fn a_copied_layer_is_kept_as_it_is_and_is_no_use_to_a_kustomization_unless_it_is_an_archive()
-> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "oci-copy").await?;
        let first = tenant.settle().await?;
        let copy = json!({"layerSelector": {"operation": "copy"}});
        tenant.source(&copy).await?;
        let object = tenant.team.ready("OCIRepository", "app").await?;
        assert_eq!(object["status"]["observedLayerSelector"], copy["layerSelector"]);
        tenant.team.reconcile("Kustomization", "app").await?;
        tenant.applied(&first, "old").await?;

        let mut artifact = Artifact::flux(&[], "", "");
        artifact.layers = vec![Part::new("text/plain", "not an archive")];
        tenant.registry.push(REPOSITORY, "latest", &artifact).await?;
        tenant.team.reconcile("OCIRepository", "app").await?;
        until("the artifact to be refused", PATIENCE, || async {
            let message = tenant
                .team
                .refused("Kustomization", "app", "ArtifactFailed")
                .await?;
            says(&message, &["artifact"])
        })
        .await?;
        assert_eq!(data(&stage, &tenant.team, "kept").await?.as_deref(), Some("old"));
        Ok(())
    })
}

#[test]
fn a_registry_that_the_tenant_may_not_use_is_not_asked() -> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "oci-allow").await?;
        tenant.push("latest", "old").await?;
        let allow = |prefix: String| json!({"spec": {"sources": {"allow": [prefix]}}});
        let tenants = tenure_tests::flux(&stage.client(), "Tenant", stage.tenure.system());
        let patch = |prefix| kube::api::Patch::Merge(allow(prefix));
        let params = kube::api::PatchParams::default();
        tenants
            .patch(
                &tenant.team.fixture.name,
                &params,
                &patch("oci://ghcr.io/".to_owned()),
            )
            .await?;
        tenant.source(&json!({})).await?;
        let message = tenant
            .team
            .refused("OCIRepository", "app", "AccessDenied")
            .await?;
        says(
            &message,
            &["spec.sources.allow", &tenant.registry.url(REPOSITORY)],
        )?;
        let allowed = format!("oci://{}/team/", tenant.registry.host());
        tenants
            .patch(&tenant.team.fixture.name, &params, &patch(allowed))
            .await?;
        tenant.team.ready("OCIRepository", "app").await?;
        Ok(())
    })
}

#[test]
fn what_no_trusted_key_has_signed_is_not_applied() -> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "oci-signed").await?;
        let (ours, theirs) = (Signer::new()?, Signer::new()?);
        let keys = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "cosign", "namespace": tenant.team.home()},
            "stringData": {"cosign.pub": ours.public_key()},
        });
        stage.tenure.apply(&[keys]).await?;
        let manifest = config_map("kept", "old");
        let files = [("deploy/kept.yaml", manifest.as_str())];
        let artifact = Artifact::flux(&files, "https://git.example.com/app.git", ORIGIN);
        let pushed = tenant.registry.push(REPOSITORY, "latest", &artifact).await?;
        let verify = json!({"verify": {"provider": "cosign", "secretRef": {"name": "cosign"}}});
        tenant.source(&verify).await?;
        let team = &tenant.team;
        for (signs, part) in [
            (None, "no signature of"),
            (Some(&theirs), "not by one of the keys"),
        ] {
            if let Some(signer) = signs {
                tenant.registry.sign(REPOSITORY, &pushed, signer).await?;
                team.reconcile("OCIRepository", "app").await?;
            }
            let message = team.refused("OCIRepository", "app", "VerificationError").await?;
            says(
                &message,
                &["failed to verify the signature using provider 'cosign': ", part],
            )?;
            let object = tenant.object().await?;
            let verified = condition(&object, "SourceVerified").cloned().unwrap_or_default();
            ensure!(verified["status"] == "False", "it is {verified}");
            ensure!(object["status"].get("artifact").is_none(), "nothing was kept");
        }
        tenant.registry.sign(REPOSITORY, &pushed, &ours).await?;
        team.reconcile("OCIRepository", "app").await?;
        let object = team.ready("OCIRepository", "app").await?;
        let verified = condition(&object, "SourceVerified").cloned().unwrap_or_default();
        assert_eq!(
            verified["message"],
            format!("verified signature of revision latest@{}", pushed.digest)
        );
        let before = tenant.registry.requests().len();
        team.reconcile("OCIRepository", "app").await?;
        let asked = tenant.registry.requests().split_off(before);
        ensure!(
            asked
                .iter()
                .all(|one| !one.contains(".sig") && !one.contains("referrers")),
            "what was verified is not verified again: {asked:?}"
        );
        tenant.kustomization().await?;
        tenant.applied(&pushed.digest, "old").await?;
        Ok(())
    })
}

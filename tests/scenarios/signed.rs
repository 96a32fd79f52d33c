//! Signatures of others' libraries, from a registry on: what cosign has signed without a key, and notation. They are those of
//! the library's own tests, of a manifest that is pushed as it is.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tenure_testkit::TenantFixture;
use tenure_testkit::oci::{Artifact, Part, Pushed, Registry};
use tenure_tests::{Stage, Team, condition};

use crate::world::{play, says};

const MANIFEST: &[u8] = include_bytes!("../../crates/tenure-verify/tests/fixtures/manifest.json");
const KEYLESS: &str = include_str!("../../crates/tenure-verify/tests/fixtures/keyless.json");
const NOTATION: &str = include_str!("../../crates/tenure-verify/tests/fixtures/notation.json");
const REPOSITORY: &str = "team/app";
const ENVELOPE: &str = "application/vnd.cncf.notary.signature";

/// A tenant, and a registry with the manifest.
struct Tenant<'a> {
    stage: &'a Stage,
    team: Team<'a>,
    registry: Registry,
    pushed: Pushed,
}

impl<'a> Tenant<'a> {
    async fn new(stage: &'a Stage, name: &str) -> anyhow::Result<Self> {
        let registry = Registry::start().await?;
        registry.set_password("puller", "rig-pulls-this")?;
        let pushed = registry
            .push_manifest(REPOSITORY, "latest", MANIFEST, &[b"{}", b"signed\n"])
            .await?;
        let team = stage.tenant(TenantFixture::new(name)).await?;
        let tenant = Self {
            stage,
            team,
            registry,
            pushed,
        };
        let config = tenant.registry.docker_config("puller", "rig-pulls-this");
        tenant
            .secret(
                "pull",
                "kubernetes.io/dockerconfigjson",
                &[(".dockerconfigjson", &config)],
            )
            .await?;
        tenant
            .secret("authority", "Opaque", &[("ca.crt", tenant.registry.ca())])
            .await?;
        Ok(tenant)
    }

    async fn secret(&self, name: &str, kind: &str, data: &[(&str, &str)]) -> anyhow::Result<()> {
        let data: BTreeMap<_, _> = data.iter().copied().collect();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": kind,
            "metadata": {"name": name, "namespace": self.team.home()}, "stringData": data,
        });
        self.stage.tenure.apply(&[secret]).await
    }

    async fn source(&self, verify: &Value) -> anyhow::Result<()> {
        let spec = json!({
            "url": self.registry.url(REPOSITORY), "secretRef": {"name": "pull"}, "certSecretRef": {"name": "authority"},
            "layerSelector": {"mediaType": "text/plain", "operation": "copy"}, "verify": verify,
        });
        self.team.source("OCIRepository", "app", &spec).await
    }

    async fn refused(&self, parts: &[&str]) -> anyhow::Result<()> {
        let message = self
            .team
            .refused("OCIRepository", "app", "VerificationError")
            .await?;
        says(&message, parts)
    }

    async fn verified(&self) -> anyhow::Result<()> {
        let object = self.team.ready("OCIRepository", "app").await?;
        let verified = condition(&object, "SourceVerified").cloned().unwrap_or_default();
        ensure!(verified["status"] == "True", "it is {verified}");
        assert_eq!(
            verified["message"],
            format!("verified signature of revision latest@{}", self.pushed.digest)
        );
        Ok(())
    }

    /// Pushes what refers to the manifest, and lists it where registries without referrers have it.
    async fn attach(&self, kind: &str, part: Part) -> anyhow::Result<()> {
        let artifact = Artifact {
            artifact_type: Some(kind.to_owned()),
            subject: Some((
                self.pushed.media_type.clone(),
                self.pushed.digest.clone(),
                self.pushed.size,
            )),
            ..Artifact::with_layer(part)
        };
        let attached = self.registry.push(REPOSITORY, "", &artifact).await?;
        let tag = self.pushed.digest.replace(':', "-");
        self.registry
            .push_referrers(REPOSITORY, &tag, &[(kind, &attached)])
            .await
            .map(drop)
    }
}

/// The case of that name.
fn case(of: &Value, name: &str) -> anyhow::Result<Value> {
    let all = of.as_array().context("cases")?;
    let found = all.iter().find(|case| case["name"] == name);
    found.cloned().with_context(|| format!("no case {name:?}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn who_has_signed_without_a_key_counts_if_the_root_and_the_identity_allow_it() -> anyhow::Result<()> {
    play(|stage| async move {
        let all: Value = serde_json::from_str(KEYLESS)?;
        for (name, good) in [
            ("keyless-2", "the identity, cosign 2"),
            ("keyless-3", "the identity, cosign 3"),
        ] {
            let tenant = Tenant::new(&stage, name).await?;
            let case = case(&all["cases"], good)?;
            let root = all["roots"][text(&case["root"])].to_string();
            tenant
                .secret("sigstore", "Opaque", &[("trusted_root.json", &root)])
                .await?;
            let verify = |identities: &Value| {
                json!({
                    "provider": "cosign", "trustedRootSecretRef": {"name": "sigstore"},
                    "matchOIDCIdentity": identities,
                })
            };
            tenant.source(&verify(&case["identities"])).await?;
            tenant.refused(&["no signature of"]).await?;
            let candidate = &case["candidate"];
            let kind = text(&candidate["mediaType"]);
            let part = Part {
                annotations: serde_json::from_value(candidate["annotations"].clone()).unwrap_or_default(),
                ..Part::new(kind, text(&candidate["payload"]))
            };
            if kind.contains("simplesigning") {
                let tag = format!("{}.sig", tenant.pushed.digest.replace(':', "-"));
                tenant
                    .registry
                    .push(REPOSITORY, &tag, &Artifact::with_layer(part))
                    .await?;
            } else {
                tenant.attach(kind, part).await?;
            }
            let another =
                json!([{"issuer": "^https://ci.example$", "subject": "^https://git.example/other/.*$"}]);
            tenant.source(&verify(&another)).await?;
            tenant
                .refused(&["failed to verify the signature using provider 'cosign"])
                .await?;
            tenant.source(&verify(&case["identities"])).await?;
            tenant.verified().await?;
        }
        Ok(())
    })
}

#[test]
fn what_notation_has_signed_counts_by_the_policy_and_the_certificates_of_the_secret() -> anyhow::Result<()> {
    play(|stage| async move {
        let all: Value = serde_json::from_str(NOTATION)?;
        let tenant = Tenant::new(&stage, "notation").await?;
        let case = case(&all, "p256, JWS")?;
        let policy = case["policy"].to_string();
        let stranger = crate::signed::case(&all, "another manifest, JWS")?;
        let verify = json!({"provider": "notation", "secretRef": {"name": "notation"}});
        let secret = async |roots: &Value| {
            let root = text(&roots[0]);
            tenant
                .secret(
                    "notation",
                    "Opaque",
                    &[("trustpolicy.json", &policy), ("ca.crt", root)],
                )
                .await
        };
        secret(&case["roots"]).await?;
        tenant.source(&verify).await?;
        tenant
            .refused(&["failed to verify the signature using provider 'notation"])
            .await?;
        let envelope = STANDARD.decode(text(&stranger["payload"]))?;
        tenant
            .attach(ENVELOPE, Part::new(text(&stranger["mediaType"]), envelope))
            .await?;
        tenant.team.reconcile("OCIRepository", "app").await?;
        tenant.refused(&["signs something else"]).await?;
        let envelope = STANDARD.decode(text(&case["payload"]))?;
        tenant
            .attach(ENVELOPE, Part::new(text(&case["mediaType"]), envelope))
            .await?;
        tenant.team.reconcile("OCIRepository", "app").await?;
        tenant.verified().await
    })
}

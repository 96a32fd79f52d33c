//! `spec.decryption`, with documents that sops itself has made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};
use tenure_testkit::canary::{Place, assert_absent};
use tenure_tests::{Stage, Team};

use super::roll;
use crate::world::{play, says, settled};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../crates/tenure-sops/tests/fixtures/", $name))
    };
}

const AGE: &str = fixture!("keys/tenant.agekey");
const OTHER: &str = fixture!("keys/other.agekey");
const PGP: &str = fixture!("keys/pgp-ecc.asc");
const BY_AGE: &str = fixture!("out/secret-age.yaml");
const BY_PGP: &str = fixture!("out/secret-pgp.yaml");
const LINES: &str = fixture!("out/age-lines.env");
const CANARY: &str = "canary-of-a-decrypted-value";

const GENERATOR: &str = "resources: [kept.yaml]\nsecretGenerator: [{name: lines, envs: [lines.env]}]\n\
                         generatorOptions: {disableNameSuffixHash: true}\n";

fn spec(team: &Team<'_>, secret: &str) -> Value {
    let decryption = json!({"provider": "sops", "secretRef": {"name": secret}});
    json!({"path": "./deploy", "targetNamespace": team.home(), "decryption": decryption})
}

pub(super) async fn keys(stage: &Stage, team: &Team<'_>, entries: Value) -> anyhow::Result<()> {
    let metadata = json!({"name": "sops-keys", "namespace": team.home()});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": entries});
    stage.tenure.apply(&[secret]).await?;
    team.kustomization("app", &spec(team, "sops-keys")).await
}

pub(super) async fn value(
    stage: &Stage,
    team: &Team<'_>,
    name: &str,
    key: &str,
) -> anyhow::Result<Option<String>> {
    let secrets: Api<Secret> = Api::namespaced(stage.client(), team.home());
    let data = secrets.get(name).await?.data.unwrap_or_default();
    Ok(data
        .get(key)
        .map(|value| String::from_utf8_lossy(&value.0).into_owned()))
}

/// Commits, and gives what the failed build has to say.
async fn fails(team: &Team<'_>, files: &[(&str, Option<&str>)]) -> anyhow::Result<String> {
    team.commit(files, "change")?;
    team.reconcile("GitRepository", "app").await?;
    team.refused("Kustomization", "app", "BuildFailed").await
}

#[test]
fn secrets_are_decrypted_with_age_and_with_openpgp() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "decrypts").await?;
        keys(&stage, &team, json!({"tenant.agekey": AGE, "tenant.asc": PGP})).await?;
        for encrypted in [BY_AGE, BY_PGP] {
            roll(&team, &[("deploy/secret.yaml", Some(encrypted))]).await?;
            let password = value(&stage, &team, "credentials", "password").await?;
            assert_eq!(password.as_deref(), Some(CANARY));
            roll(&team, &[("deploy/secret.yaml", None)]).await?;
        }
        let status = tenure_tests::value(&team.objects("Kustomization"), "app").await?;
        let places = [
            Place::text("the object", status.to_string()),
            Place::text("the log", stage.tenure.supervisor_log()),
        ];
        assert_absent(&places, CANARY);
        Ok(())
    })
}

#[test]
fn files_of_generators_and_values_of_secrets_are_decrypted() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "generates").await?;
        keys(&stage, &team, json!({"tenant.agekey": AGE})).await?;
        let embedded = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: embedded}}\ndata: {{lines.env: {}}}\n",
            STANDARD.encode(LINES)
        );
        let generator = GENERATOR.replace("[kept.yaml]", "[kept.yaml, embedded.yaml]");
        roll(
            &team,
            &[
                ("deploy/kustomization.yaml", Some(&generator)),
                ("deploy/lines.env", Some(LINES)),
                ("deploy/embedded.yaml", Some(&embedded)),
            ],
        )
        .await?;
        assert_eq!(
            value(&stage, &team, "lines", "C").await?.as_deref(),
            Some("d e=f")
        );
        let embedded = value(&stage, &team, "embedded", "lines.env")
            .await?
            .unwrap_or_default();
        assert!(embedded.starts_with("# comment\nA=b\n"), "{embedded}");
        Ok(())
    })
}

#[test]
fn the_wrong_key_is_said_with_the_recipient() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "wrong-key").await?;
        keys(&stage, &team, json!({"other.agekey": OTHER})).await?;
        let message = fails(&team, &[("deploy/secret.yaml", Some(BY_AGE))]).await?;
        says(
            &message,
            &[
                "decryption failed for 'Secret.v1.[noGrp]/credentials'",
                "cannot get sops data key",
                "age age1",
                "none of the age identities is this recipient's",
            ],
        )?;
        Ok(())
    })
}

#[test]
fn a_file_that_was_changed_is_refused_unless_the_kustomization_says_otherwise() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "mac").await?;
        keys(&stage, &team, json!({"tenant.agekey": AGE})).await?;
        let changed = format!("ADDED_unencrypted=x\n{LINES}");
        let files = [
            ("deploy/kustomization.yaml", Some(GENERATOR)),
            ("deploy/lines.env", Some(&*changed)),
        ];
        let message = fails(&team, &files).await?;
        says(
            &message,
            &["deploy/lines.env", "MAC mismatch", "tenure.dev/sops-mac: ignore"],
        )?;
        let patch = json!({"metadata": {"annotations": {"tenure.dev/sops-mac": "ignore"}}});
        let api = team.objects("Kustomization");
        api.patch(
            "app",
            &kube::api::PatchParams::default(),
            &kube::api::Patch::Merge(patch),
        )
        .await?;
        team.reconcile("Kustomization", "app").await?;
        team.ready("Kustomization", "app").await?;
        assert_eq!(value(&stage, &team, "lines", "A").await?.as_deref(), Some("b"));
        Ok(())
    })
}

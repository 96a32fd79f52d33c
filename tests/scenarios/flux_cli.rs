//! The real `flux` command line on what Tenure reconciles: people keep their habits.

use anyhow::ensure;
use serde_json::json;
use tenure_testkit::until;
use tenure_tests::{PATIENCE, Stage, Team, value};

use crate::kustomization::data;
use crate::world::{config_map, play, says, settled};

async fn flux(stage: &Stage, team: &Team<'_>, words: &str) -> anyhow::Result<String> {
    let mut args: Vec<&str> = words.split_whitespace().collect();
    args.extend(["--namespace", team.home()]);
    stage.plane.flux(&args).await
}

#[test]
fn flux_shows_what_is_there() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "flux-shows").await?;
        let object = value(&team.objects("Kustomization"), "app").await?;
        let revision = object["status"]["lastAppliedRevision"]
            .as_str()
            .unwrap_or_default();
        // flux shortens it: main@sha1:0123abcd
        let shown = revision
            .get(.."main@sha1:".len() + 8)
            .unwrap_or_default()
            .to_owned();
        ensure!(!shown.is_empty(), "nothing was applied: {object}");
        let kept = format!("ConfigMap/{}/kept", team.home());

        let said = flux(&stage, &team, "get kustomizations").await?;
        says(&said, &["app", &shown, "False", "True", "Applied revision: "])?;
        let said = flux(&stage, &team, "get sources git").await?;
        says(&said, &["app", &shown, "True", "stored artifact for revision"])?;
        let said = flux(&stage, &team, "get all").await?;
        says(&said, &["gitrepository/app", "kustomization/app"])?;
        let said = flux(&stage, &team, "tree kustomization app").await?;
        says(&said, &[&format!("Kustomization/{}/app", team.home()), &kept])?;
        let said = flux(&stage, &team, "trace kept --kind ConfigMap --api-version v1").await?;
        says(
            &said,
            &[
                "ConfigMap/kept",
                "Managed by Flux",
                "Kustomization:   app",
                "GitRepository:   app",
                revision,
            ],
        )?;
        let said = flux(&stage, &team, "stats").await?;
        says(&said, &["GitRepository", "Kustomization"])?;
        until("the events to be there", PATIENCE, || async {
            let said = flux(&stage, &team, "events --for Kustomization/app").await?;
            says(
                &said,
                &[
                    "ReconciliationSucceeded",
                    "Reconciliation finished in",
                    "Progressing",
                ],
            )
        })
        .await?;
        let said = flux(&stage, &team, "debug kustomization app --show-status").await?;
        says(&said, &[revision, "ReconciliationSucceeded"])
    })
}

#[test]
fn flux_asks_for_a_reconcile_and_is_answered() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "flux-asks").await?;
        team.commit(&[("deploy/kept.yaml", Some(&config_map("kept", "new")))], "new")?;
        let said = flux(
            &stage,
            &team,
            "reconcile kustomization app --with-source --timeout 60s",
        )
        .await?;
        says(
            &said,
            &["fetched revision main@sha1:", "applied revision main@sha1:"],
        )?;
        ensure!(data(&stage, &team, "kept").await?.as_deref() == Some("new"));

        let said = flux(&stage, &team, "suspend kustomization app").await?;
        says(&said, &["kustomization suspended"])?;
        team.commit(
            &[("deploy/kept.yaml", Some(&config_map("kept", "newer")))],
            "newer",
        )?;
        let said = flux(&stage, &team, "reconcile source git app --timeout 60s").await?;
        says(&said, &["fetched revision main@sha1:"])?;
        let said = flux(&stage, &team, "get kustomizations").await?;
        says(&said, &["app", "True"])?;
        ensure!(
            data(&stage, &team, "kept").await?.as_deref() == Some("new"),
            "it is suspended"
        );
        let said = flux(&stage, &team, "resume kustomization app --timeout 60s").await?;
        says(&said, &["applied revision main@sha1:"])?;
        ensure!(data(&stage, &team, "kept").await?.as_deref() == Some("newer"));
        Ok(())
    })
}

#[test]
fn flux_builds_and_compares_a_directory() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "flux-builds").await?;
        let dir = tempfile::tempdir()?;
        std::fs::write(dir.path().join("kept.yaml"), config_map("kept", "other"))?;
        let path = dir.path().display();
        let said = flux(&stage, &team, &format!("build kustomization app --path {path}")).await?;
        says(
            &said,
            &[
                "name: kept",
                "key: other",
                "kustomize.toolkit.fluxcd.io/name: app",
            ],
        )?;
        // it ends with an error when there is a difference, and names it
        let said = flux(&stage, &team, &format!("diff kustomization app --path {path}")).await;
        let said = said.err().map(|error| error.to_string()).unwrap_or_default();
        says(
            &said,
            &[&format!("ConfigMap/{}/kept drifted", team.home()), "other"],
        )?;
        Ok(())
    })
}

#[test]
fn flux_says_why_an_object_is_not_ready() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "flux-fails").await?;
        team.kustomization(
            "app",
            &json!({"path": "./nowhere", "targetNamespace": team.home()}),
        )
        .await?;
        team.refused("Kustomization", "app", "ArtifactFailed").await?;
        let said = flux(&stage, &team, "get kustomizations --status-selector ready=false").await?;
        says(&said, &["app", "False", "kustomization path not found"])
    })
}

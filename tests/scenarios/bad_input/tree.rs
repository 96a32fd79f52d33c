//! Paths and links that lead nowhere, or out.

use serde_json::json;
use tenure_testkit::{TenantFixture, until};
use tenure_tests::PATIENCE;

use super::{breaks, fails, recovers};
use crate::world::{config_map, kept, play, says, settled};

#[test]
fn a_path_out_of_the_source_starts_at_its_root_as_an_absolute_one_does() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "path-out").await?;
        let before = kept(&stage, &team).await?;
        for path in ["../../etc", "/etc"] {
            team.kustomization("app", &json!({"path": path, "targetNamespace": team.home()}))
                .await?;
            // the reason is the same for both: it is the message that tells them apart
            until("the path to be named", PATIENCE, || async {
                let message = team.refused("Kustomization", "app", "ArtifactFailed").await?;
                says(&message, &[path])
            })
            .await?;
            assert_eq!(kept(&stage, &team).await?, before);
        }
        team.kustomization("app", &json!({"path": "/deploy", "targetNamespace": team.home()}))
            .await?;
        team.ready("Kustomization", "app").await?;
        Ok(())
    })
}

#[test]
fn a_kustomization_file_that_reads_outside_the_repository_is_refused() -> anyhow::Result<()> {
    play(|stage| async move {
        let files = [(
            "deploy/kustomization.yaml",
            "resources:\n- kept.yaml\n- ../../../../../../etc/passwd\n",
        )];
        let expected = ["deploy/kustomization.yaml", "etc/passwd"];
        let message = breaks(&stage, "reads-out", &files, "BuildFailed", &expected).await?;
        assert!(
            !message.contains("root:"),
            "what is there is never shown: {message}"
        );
        Ok(())
    })
}

#[test]
fn a_link_that_leaves_the_repository_is_named_with_its_target() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "link-out").await?;
        team.repo.link("deploy/secret.yaml", "../../../../etc/passwd")?;
        team.commit(
            &[(
                "deploy/kustomization.yaml",
                Some("resources: [kept.yaml, secret.yaml]\n"),
            )],
            "link",
        )?;
        let expected = [
            "deploy/kustomization.yaml",
            "secret.yaml",
            "../../../../etc/passwd",
            "link",
        ];
        fails(&stage, &team, "BuildFailed", &expected).await?;
        recovers(
            &team,
            &[("deploy/kustomization.yaml", None), ("deploy/secret.yaml", None)],
        )
        .await
    })
}

#[test]
fn a_file_that_is_not_there_is_named_with_who_asks_for_it() -> anyhow::Result<()> {
    play(|stage| async move {
        let files = [("deploy/kustomization.yaml", "resources: [kept.yaml, gone.yaml]\n")];
        breaks(
            &stage,
            "gone-file",
            &files,
            "BuildFailed",
            &["deploy/kustomization.yaml", "gone.yaml"],
        )
        .await?;
        Ok(())
    })
}

#[test]
fn a_build_that_takes_longer_than_its_tenant_may_is_ended_and_the_limit_is_named() -> anyhow::Result<()> {
    play(|stage| async move {
        let limits = json!({"limits": {"renderTime": "1ms"}});
        let team = stage
            .tenant(TenantFixture::new("slow-build").with(&limits))
            .await?;
        let all: String = (0..400)
            .map(|number| format!("{}---\n", config_map(&format!("map-{number}"), "x")))
            .collect();
        team.commit(&[("deploy/all.yaml", Some(&all))], "many")?;
        team.git_repository(&json!({})).await?;
        team.kustomization(
            "app",
            &json!({"path": "./deploy", "targetNamespace": team.home()}),
        )
        .await?;
        let message = team.refused("Kustomization", "app", "BuildFailed").await?;
        says(&message, &["exceeds its limit of 1 milliseconds"])
    })
}

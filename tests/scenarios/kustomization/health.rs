//! Waiting until things work.

use serde_json::json;
use tenure_testkit::Node;
use tenure_tests::condition;

use super::events;
use super::overlay::deployment;
use crate::world::{play, says, settled};

#[test]
fn a_kustomization_that_waits_is_ready_when_its_deployment_is() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "wait").await?;
        let spec = json!({"path": "./deploy", "targetNamespace": team.home(), "wait": true, "timeout": "2m"});
        team.kustomization("app", &spec).await?;
        let commit = team.commit(&[("deploy/web.yaml", Some(&deployment("web")))], "web")?;
        team.reconcile("GitRepository", "app").await?;
        Node::new(stage.client())
            .make_deployment_ready(team.home(), "web")
            .await?;
        let object = team.applied("app", &commit).await?;
        let healthy = condition(&object, "Healthy").cloned().unwrap_or_default();
        assert_eq!(
            (healthy["status"].as_str(), healthy["reason"].as_str()),
            (Some("True"), Some("Succeeded"))
        );
        events(
            &stage,
            &team,
            "app",
            "Kustomization Normal Progressing Health check passed in ",
        )
        .await?;
        Ok(())
    })
}

#[test]
fn a_deployment_that_fails_is_named_and_what_it_replaces_stays_applied() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "unhealthy").await?;
        let spec = json!({"path": "./deploy", "targetNamespace": team.home(), "wait": true, "timeout": "2m"});
        team.kustomization("app", &spec).await?;
        team.commit(&[("deploy/web.yaml", Some(&deployment("web")))], "web")?;
        team.reconcile("GitRepository", "app").await?;
        let node = Node::new(stage.client());
        node.fail_deployment(team.home(), "web").await?;
        let message = team.refused("Kustomization", "app", "HealthCheckFailed").await?;
        let who = format!(
            "failed early due to stalled resources: [Deployment/{}/web status: 'Failed'",
            team.home()
        );
        says(&message, &["health check failed after ", &who])?;
        let object = tenure_tests::value(&team.objects("Kustomization"), "app").await?;
        let healthy = condition(&object, "Healthy").cloned().unwrap_or_default();
        assert!(
            healthy["message"]
                .as_str()
                .unwrap_or_default()
                .starts_with("failed early"),
            "{healthy}"
        );
        assert_eq!(
            object["status"]["inventory"]["entries"].as_array().map(Vec::len),
            Some(2),
            "all of it is held"
        );
        let home = team.home();
        let told = events(&stage, &team, "app", "Kustomization Warning HealthCheckFailed").await?;
        let made = format!("Deployment/{home}/web created");
        assert!(
            told.iter()
                .any(|line| line.starts_with("Kustomization Normal Progressing ") && line.contains(&made)),
            "what was applied is told although it failed: {told:?}"
        );
        Ok(())
    })
}

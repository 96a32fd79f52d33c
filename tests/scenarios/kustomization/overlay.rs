//! What the object's spec lays over a build, and what a kustomization file asks for.

use serde_json::json;
use tenure_testkit::apply_yaml;

use super::{data, maps};
use crate::world::{play, settled};

pub(super) fn deployment(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 1\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec: {{containers: [{{name: web, image: nginx:1.0}}]}}\n"
    )
}

#[test]
fn both_api_versions_read_and_write_the_same_object() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "versions").await?;
        let old = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1beta2", "kind": "Kustomization",
            "metadata": {"name": "older", "namespace": team.home()},
            "spec": {
                "interval": "5m0s", "path": "./deploy", "prune": true, "targetNamespace": team.home(), "namePrefix": "older-",
                "sourceRef": {"kind": "GitRepository", "name": "app"},
                "patchesStrategicMerge": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"key": "patched"}}],
            },
        });
        apply_yaml(&stage.client(), &old.to_string(), None).await?;
        team.ready("Kustomization", "older").await?;
        assert_eq!(
            data(&stage, &team, "older-kept").await?.as_deref(),
            Some("patched")
        );
        for version in ["v1", "v1beta2"] {
            let kind = format!("kustomizations.{version}.kustomize.toolkit.fluxcd.io");
            let table = stage.plane.kubectl(&["get", &kind, "-n", team.home()]).await?;
            assert!(
                table.contains("older") && table.contains("Applied revision: main@sha1:"),
                "{table}"
            );
        }
        let labels = maps(&stage, &team)
            .get("older-kept")
            .await?
            .metadata
            .labels
            .unwrap_or_default();
        assert_eq!(
            labels.get("kustomize.toolkit.fluxcd.io/name").map(String::as_str),
            Some("older")
        );
        Ok(())
    })
}

//! What the object's spec lays over a build, and what a kustomization file asks for.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::Api;
use serde_json::json;
use tenure_testkit::apply_yaml;

use super::{data, maps, roll};
use crate::world::{config_map, play, settled};

pub(super) fn deployment(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 1\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec: {{containers: [{{name: web, image: nginx:1.0}}]}}\n"
    )
}

#[test]
fn names_images_patches_and_metadata_come_from_the_spec() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "overlay").await?;
        roll(&team, &[("deploy/web.yaml", Some(&deployment("web")))]).await?;
        let patch = "- op: replace\n  path: /spec/replicas\n  value: 3\n";
        let spec = json!({
            "path": "./deploy", "targetNamespace": team.home(), "namePrefix": "pre-", "nameSuffix": "-suf",
            "images": [{"name": "nginx", "newTag": "2.0"}],
            "patches": [{"patch": patch, "target": {"kind": "Deployment"}}],
            "commonMetadata": {"labels": {"team": "ours"}, "annotations": {"note": "hello"}},
        });
        team.kustomization("app", &spec).await?;
        team.ready("Kustomization", "app").await?;
        let api: Api<Deployment> = Api::namespaced(stage.client(), team.home());
        let object = serde_json::to_value(api.get("pre-web-suf").await?)?;
        assert_eq!(object["spec"]["replicas"], 3);
        assert_eq!(
            object["spec"]["template"]["spec"]["containers"][0]["image"],
            "nginx:2.0"
        );
        assert_eq!(object["metadata"]["labels"]["team"], "ours");
        assert_eq!(object["metadata"]["annotations"]["note"], "hello");
        assert_eq!(data(&stage, &team, "pre-kept-suf").await?.as_deref(), Some("old"));
        assert_eq!(
            data(&stage, &team, "kept").await?,
            None,
            "the old names are pruned"
        );
        Ok(())
    })
}

#[test]
fn a_kustomization_file_is_built_with_its_generators_replicas_and_labels() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "file").await?;
        let file = "resources: [kept.yaml, web.yaml]\nnamePrefix: x-\nreplicas: [{name: web, count: 2}]\nlabels: [{pairs: {tier: front}, includeSelectors: false}]\nconfigMapGenerator: [{name: made, literals: [key=generated]}]\ngeneratorOptions: {disableNameSuffixHash: true}\nimages: [{name: nginx, digest: 'sha256:0000000000000000000000000000000000000000000000000000000000000000'}]\n";
        roll(
            &team,
            &[
                ("deploy/web.yaml", Some(&deployment("web"))),
                ("deploy/kustomization.yaml", Some(file)),
            ],
        )
        .await?;
        assert_eq!(data(&stage, &team, "x-made").await?.as_deref(), Some("generated"));
        let api: Api<Deployment> = Api::namespaced(stage.client(), team.home());
        let object = serde_json::to_value(api.get("x-web").await?)?;
        assert_eq!(object["spec"]["replicas"], 2);
        assert_eq!(object["metadata"]["labels"]["tier"], "front");
        let image = object["spec"]["template"]["spec"]["containers"][0]["image"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(image.starts_with("nginx@sha256:0000"), "{image}");
        Ok(())
    })
}

#[test]
fn lists_of_objects_are_applied_one_by_one() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "lists").await?;
        let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {key: one}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {key: two}}\n";
        roll(&team, &[("deploy/list.yaml", Some(list))]).await?;
        assert_eq!(data(&stage, &team, "a").await?.as_deref(), Some("one"));
        assert_eq!(data(&stage, &team, "b").await?.as_deref(), Some("two"));
        Ok(())
    })
}

#[test]
fn a_role_of_less_than_ones_own_rights_and_its_binding_are_applied() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "rbac").await?;
        let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: reader}\nrules: [{apiGroups: [''], resources: [configmaps], verbs: [get]}]\n";
        let binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: reader}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}\nsubjects: [{kind: ServiceAccount, name: default}]\n";
        // as with Flux, an admin can bind only a role that is there already
        roll(&team, &[("deploy/role.yaml", Some(role))]).await?;
        roll(&team, &[("deploy/binding.yaml", Some(binding))]).await?;
        let bindings: Api<RoleBinding> = Api::namespaced(stage.client(), team.home());
        assert_eq!(bindings.get("reader").await?.role_ref.name, "reader");
        Ok(())
    })
}

#[test]
fn force_recreates_what_cannot_be_changed() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "force").await?;
        let fixed = |value: &str| config_map("fixed", value) + "immutable: true\n";
        roll(&team, &[("deploy/fixed.yaml", Some(&fixed("one")))]).await?;
        team.commit(&[("deploy/fixed.yaml", Some(&fixed("two")))], "change")?;
        team.reconcile("GitRepository", "app").await?;
        let message = team
            .refused("Kustomization", "app", "ReconciliationFailed")
            .await?;
        assert!(
            message.contains("fixed dry-run failed (Invalid)") && message.contains("immutable"),
            "{message}"
        );
        team.kustomization(
            "app",
            &json!({"path": "./deploy", "targetNamespace": team.home(), "force": true}),
        )
        .await?;
        team.ready("Kustomization", "app").await?;
        assert_eq!(data(&stage, &team, "fixed").await?.as_deref(), Some("two"));
        Ok(())
    })
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

use std::time::Duration;

use serde_json::json;
use tenure_apply::{ApplyError, ApplyOptions, HealthRules, ObjectRef, Report, apply, wait_healthy};
use tokio_util::sync::CancellationToken;

use crate::world::{World, lines};

#[tokio::test]
async fn objects_are_created_then_left_alone_then_changed() -> anyhow::Result<()> {
    let world = World::new().await?;
    let objects: Vec<_> = (0..20)
        .map(|i| world.config_map(&format!("c{i:02}"), "1"))
        .collect();
    let before = world.client.requests();
    let first = world.apply("app", &objects).await?;
    assert_eq!(world.client.requests() - before, 40, "a dry-run and a write each");
    assert!(first.changes.iter().all(|c| c.action.as_str() == "created"));
    assert_eq!(first.entries.len(), 20);
    assert_eq!(first.entries[0].id, format!("{}_c00__ConfigMap", world.home));
    let before = world.client.requests();
    let again = world.apply("app", &objects).await?;
    assert_eq!(
        world.client.requests() - before,
        21,
        "a dry-run each, and one LIST"
    );
    assert!(!again.changed() && again.entries == first.entries);
    let changed = [world.config_map("c00", "2"), world.config_map("c01", "1")];
    assert_eq!(
        lines(&world.apply("app", &changed).await?),
        ["ConfigMap/c00 configured", "ConfigMap/c01 unchanged"]
    );
    Ok(())
}

#[tokio::test]
async fn what_was_written_so_and_still_looks_so_is_not_dry_run_again() -> anyhow::Result<()> {
    let world = World::new().await?;
    let maps = |values: [&str; 3]| {
        let named = ["a", "b", "c"].into_iter().zip(values);
        named
            .map(|(name, value)| world.config_map(name, value))
            .collect::<Vec<_>>()
    };
    let first = world.apply("app", &maps(["1", "1", "1"])).await?;
    let before = world.client.requests();
    let again = world.apply_knowing("app", &maps(["1", "1", "1"]), &first).await?;
    assert_eq!(world.client.requests() - before, 1, "one LIST");
    assert!(!again.changed() && again.prints == first.prints);

    let before = world.client.requests();
    let one = world.apply_knowing("app", &maps(["1", "2", "1"]), &again).await?;
    assert_eq!(
        world.client.requests() - before,
        2,
        "a LIST, and the only write of the stage"
    );
    let configured = |report: &Report| {
        let changes = lines(report).into_iter();
        changes
            .filter(|line| line.ends_with("configured"))
            .collect::<Vec<_>>()
    };
    assert_eq!(configured(&one), ["ConfigMap/b configured"]);

    let before = world.client.requests();
    let two = world.apply_knowing("app", &maps(["2", "3", "1"]), &one).await?;
    assert_eq!(
        world.client.requests() - before,
        5,
        "a LIST, two dry-runs, two writes"
    );
    assert_eq!(
        configured(&two),
        ["ConfigMap/a configured", "ConfigMap/b configured"]
    );

    // somebody changes one that is to stay as it was
    world
        .kubectl(&[
            "patch",
            "configmap",
            "c",
            "--type=merge",
            "-p",
            r#"{"data":{"k":"x"}}"#,
        ])
        .await?;
    let mended = world.apply_knowing("app", &maps(["2", "4", "1"]), &two).await?;
    assert_eq!(
        configured(&mended),
        ["ConfigMap/b configured", "ConfigMap/c configured"]
    );
    let held = world.get("ConfigMap", "c").await?.unwrap_or_default();
    assert_eq!(held["data"]["k"], "1");
    Ok(())
}

#[tokio::test]
async fn the_only_write_of_a_stage_is_refused_with_the_words_of_a_dry_run() -> anyhow::Result<()> {
    let world = World::new().await?;
    let fixed = |value: &str, force: bool| {
        let mut object = world.config_map("fixed", value);
        object["immutable"] = true.into();
        if force {
            object["metadata"]["annotations"] = json!({"kustomize.toolkit.fluxcd.io/force": "enabled"});
        }
        object
    };
    let first = world
        .apply("app", &[world.config_map("other", "1"), fixed("1", false)])
        .await?;
    let before = world.client.requests();
    let failure = world
        .apply_knowing(
            "app",
            &[world.config_map("other", "1"), fixed("2", false)],
            &first,
        )
        .await
        .expect_err("it can't be changed");
    assert_eq!(
        world.client.requests() - before,
        4,
        "a LIST, the write, a dry-run, and a look for markers"
    );
    let text = failure.to_string();
    assert!(text.contains("/fixed dry-run failed (Invalid): "), "{text}");
    let forced = world
        .apply_knowing("app", &[world.config_map("other", "1"), fixed("2", true)], &first)
        .await?;
    assert!(
        lines(&forced).contains(&"ConfigMap/fixed created".to_owned()),
        "{:?}",
        lines(&forced)
    );
    Ok(())
}

#[tokio::test]
async fn a_failed_dry_run_leaves_nothing_written() -> anyhow::Result<()> {
    let world = World::new().await?;
    let service =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": world.home}});
    let failure = world
        .apply("app", &[world.config_map("a", "1"), service])
        .await
        .expect_err("no right on services");
    let text = failure.to_string();
    assert!(
        text.starts_with(&format!("Service/{}/s dry-run failed (Forbidden): ", world.home)),
        "{text}"
    );
    let rule = failure
        .error
        .kube()
        .and_then(|e| e.missing_rule())
        .expect("the server names it");
    assert_eq!(
        (rule.verb.as_str(), rule.resource.as_str()),
        ("patch", "services")
    );
    assert!(failure.report_so_far.changes.is_empty());
    assert!(world.get("ConfigMap", "a").await?.is_none());
    Ok(())
}

#[tokio::test]
async fn what_is_new_is_created_by_one_request_each() -> anyhow::Result<()> {
    let world = World::new().await?;
    let objects: Vec<_> = ["a", "b", "c"].map(|name| world.config_map(name, "1")).into();
    let before = world.client.requests();
    let report = world.apply_fresh("app", &objects).await?;
    assert_eq!(world.client.requests() - before, 3);
    assert!(report.changes.iter().all(|c| c.action.as_str() == "created"));
    let again = world.apply("app", &objects).await?;
    assert!(!again.changed(), "what was made is what a dry-run wants");
    let targets: Vec<_> = objects.iter().map(ObjectRef::of).collect();
    let (rules, cancel) = (HealthRules::default(), CancellationToken::new());
    let (before, minute) = (world.client.requests(), Duration::from_mins(1));
    let (client, discovery) = (&world.client, &world.discovery);
    wait_healthy(client, discovery, &targets, &report.seen, &rules, minute, &cancel).await?;
    assert_eq!(world.client.requests(), before, "the answers have shown it");
    Ok(())
}

#[tokio::test]
async fn what_is_there_is_not_taken_for_new() -> anyhow::Result<()> {
    let world = World::new().await?;
    world
        .kubectl(&["create", "configmap", "b", "--from-literal=k=theirs"])
        .await?;
    world
        .kubectl(&[
            "annotate",
            "configmap",
            "b",
            "kustomize.toolkit.fluxcd.io/reconcile=disabled",
        ])
        .await?;
    let objects = ["a", "b", "c"].map(|name| world.config_map(name, "1"));
    let report = world.apply_fresh("app", &objects).await?;
    assert_eq!(
        lines(&report),
        [
            "ConfigMap/a created",
            "ConfigMap/b skipped",
            "ConfigMap/c created"
        ]
    );
    let live = world.get("ConfigMap", "b").await?.expect("it is there");
    assert_eq!(live["data"]["k"], "theirs");
    Ok(())
}

#[tokio::test]
async fn what_was_created_goes_again_when_the_stage_is_refused() -> anyhow::Result<()> {
    let world = World::new().await?;
    let service =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": world.home}});
    let failure = world
        .apply_fresh("app", &[world.config_map("a", "1"), service])
        .await
        .expect_err("no right on services");
    let text = failure.to_string();
    assert!(
        text.starts_with(&format!("Service/{}/s dry-run failed (Forbidden): ", world.home)),
        "{text}"
    );
    assert!(failure.report_so_far.entries.is_empty());
    assert!(world.get("ConfigMap", "a").await?.is_none());
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_placed_is_refused_before_the_wire() -> anyhow::Result<()> {
    let world = World::new().await?;
    let before = world.client.requests();
    let homeless = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    let failure = world.apply("app", &[homeless]).await.expect_err("no namespace");
    assert!(
        failure.to_string().contains("namespace not specified"),
        "{failure}"
    );
    let unknown = json!({"apiVersion": "x.dev/v1", "kind": "Thing", "metadata": {"name": "a"}});
    let failure = world.apply("app", &[unknown]).await.expect_err("no such kind");
    assert!(failure.error.is_missing_kind(), "{failure}");
    assert_eq!(world.client.requests(), before);
    Ok(())
}

#[tokio::test]
async fn markers_on_the_desired_or_the_live_object_are_honoured() -> anyhow::Result<()> {
    let world = World::new().await?;
    let marked = |name: &str, value: &str, ssa: &str| {
        let mut object = world.config_map(name, value);
        object["metadata"]["annotations"] = json!({"kustomize.toolkit.fluxcd.io/ssa": ssa});
        object
    };
    let objects = [
        marked("once", "1", "IfNotPresent"),
        marked("never", "1", "Ignore"),
        world.config_map("live", "1"),
    ];
    let wanted = [
        "ConfigMap/live created",
        "ConfigMap/never skipped",
        "ConfigMap/once created",
    ];
    assert_eq!(lines(&world.apply("app", &objects).await?), wanted);
    world
        .kubectl(&[
            "annotate",
            "configmap",
            "live",
            "kustomize.toolkit.fluxcd.io/reconcile=disabled",
        ])
        .await?;
    let report = world
        .apply(
            "app",
            &[marked("once", "2", "IfNotPresent"), world.config_map("live", "2")],
        )
        .await?;
    assert_eq!(
        lines(&report),
        ["ConfigMap/live skipped", "ConfigMap/once skipped"]
    );
    assert_eq!(report.entries.len(), 2, "what is skipped stays in the inventory");
    Ok(())
}

#[tokio::test]
async fn a_field_that_cannot_change_is_an_error_unless_forced() -> anyhow::Result<()> {
    let world = World::new().await?;
    let secret = |value: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "immutable": true,
        "metadata": {"name": "s", "namespace": world.home}, "stringData": {"k": value}})
    };
    world.apply("app", &[secret("1")]).await?;
    let failure = world.apply("app", &[secret("2")]).await.expect_err("immutable");
    assert!(
        matches!(*failure.error, ApplyError::DryRun { .. }) && failure.to_string().contains("(Invalid)"),
        "{failure}"
    );
    let options = ApplyOptions {
        force: true,
        ..world.options("app")
    };
    let report = apply(&world.client, &world.discovery, vec![secret("2")], &options).await?;
    assert_eq!(lines(&report), ["Secret/s created"]);
    Ok(())
}

#[tokio::test]
async fn what_is_invalid_is_no_better_for_force_and_nothing_else_is_written() -> anyhow::Result<()> {
    let world = World::new().await?;
    let broken = |key: &str| {
        let mut object = world.config_map("z", "1");
        object["data"] = json!({key: "1"});
        object
    };
    let first = [world.config_map("a", "1"), broken("a-key")];
    world.apply("app", &first).await?;
    let options = ApplyOptions {
        force: true,
        ..world.options("app")
    };
    let next = vec![world.config_map("a", "2"), broken("no key")];
    let failure = apply(&world.client, &world.discovery, next, &options).await;
    let failure = failure.expect_err("invalid");
    let said = failure.to_string();
    assert!(said.contains("dry-run failed (Invalid): "), "{said}");
    let live = world.get("ConfigMap", "a").await?.expect("it is there");
    assert_eq!(live["data"], json!({"k": "1"}));
    assert!(
        world.get("ConfigMap", "z").await?.is_none(),
        "it was to be made anew"
    );
    Ok(())
}

#[tokio::test]
async fn what_kubectl_applied_is_taken_over() -> anyhow::Result<()> {
    let world = World::new().await?;
    let theirs = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: '1', gone: x}\n";
    world
        .plane
        .kubectl_with_input(&["apply", "-n", &world.home, "-f", "-"], theirs)
        .await?;
    assert_eq!(
        lines(&world.apply("app", &[world.config_map("c", "1")]).await?),
        ["ConfigMap/c configured"]
    );
    let live = world.get("ConfigMap", "c").await?.expect("it is there");
    assert_eq!(
        live["data"],
        json!({"k": "1"}),
        "a field that kubectl owned is removed"
    );
    assert!(live.pointer("/metadata/annotations").is_none());
    assert_eq!(
        lines(&world.apply("app", &[world.config_map("c", "1")]).await?),
        ["ConfigMap/c unchanged"]
    );
    Ok(())
}

#[tokio::test]
async fn a_kind_and_its_objects_are_applied_at_once() -> anyhow::Result<()> {
    let world = World::new().await?;
    let ns = world.home.clone();
    let group = format!("{ns}.tenure.test");
    for (account, rule) in [
        (
            "worker",
            "impersonate-on:serviceaccount:patch,impersonate-on:serviceaccount:list,impersonate-on:serviceaccount:watch",
        ),
        ("dev", "patch,create,list,watch"),
    ] {
        let name = format!("{ns}-{account}");
        let rules = json!([
            {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": rule.split(',').collect::<Vec<_>>()},
            {"apiGroups": [group], "resources": ["*"], "verbs": rule.split(',').collect::<Vec<_>>()},
        ]);
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
        world
            .plane
            .kubectl_with_input(&["apply", "-f", "-"], &role.to_string())
            .await?;
        let subject = format!("--serviceaccount={ns}:{account}");
        let role = format!("--clusterrole={name}");
        world
            .plane
            .kubectl(&["create", "clusterrolebinding", &name, &role, &subject])
            .await?;
    }
    let crds = world
        .discovery
        .resolve("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        .expect("served");
    while world
        .client
        .list(&crds, None, tenure_kube::By::Name("none"))
        .await
        .is_err()
    {}
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("things.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    let thing = json!({"apiVersion": format!("{group}/v1"), "kind": "Thing", "metadata": {"name": "t", "namespace": ns}, "spec": {"a": 1}});
    let wanted = ["CustomResourceDefinition/things created", "Thing/t created"];
    let report = world.apply("app", &[thing.clone(), crd.clone()]).await?;
    let short: Vec<_> = lines(&report)
        .iter()
        .map(|l| l.replace(&format!(".{group}"), ""))
        .collect();
    assert_eq!(short, wanted);
    assert!(!world.apply("app", &[thing, crd]).await?.changed());
    world
        .plane
        .kubectl(&["delete", "crd", &format!("things.{group}")])
        .await?;
    for account in ["worker", "dev"] {
        world
            .plane
            .kubectl(&[
                "delete",
                "clusterrole,clusterrolebinding",
                &format!("{ns}-{account}"),
            ])
            .await?;
    }
    Ok(())
}

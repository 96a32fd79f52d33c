use super::*;
use crate::Tenant;
use serde_json::json;

fn tenant(spec: Value) -> Tenant {
    let object = json!({"metadata": {"name": "dev-team", "namespace": "tenure-system"}, "spec": spec});
    serde_json::from_value(object).expect("a Tenant")
}

fn article() -> Tenant {
    tenant(json!({
        "namespaces": ["flux-system"], "targets": ["default"],
        "serviceAccounts": [{"namespace": "flux-system", "name": "frontend"}],
    }))
}

fn verbs(objects: &[Value]) -> Vec<String> {
    let rules = objects
        .iter()
        .filter_map(|object| object["rules"].as_array())
        .flatten();
    rules
        .flat_map(|rule| rule["verbs"].as_array().cloned().unwrap_or_default())
        .filter_map(|verb| verb.as_str().map(str::to_owned))
        .collect()
}

fn rules_on<'a>(objects: &'a [Value], resource: &str) -> Vec<&'a Value> {
    let rules = objects
        .iter()
        .filter_map(|object| object["rules"].as_array())
        .flatten();
    rules
        .filter(|rule| {
            rule["resources"]
                .as_array()
                .is_some_and(|all| all.iter().any(|r| r == resource))
        })
        .collect()
}

#[test]
fn onboarding_the_articles_tenant_makes_these_objects_and_no_other() {
    assert_eq!(
        names(&worker_objects(&article(), Impersonation::Constrained)),
        [
            "ServiceAccount tenure-workers/flux-system",
            "Role flux-system/tenure:home",
            "RoleBinding flux-system/tenure:home",
            "Role flux-system/tenure:act-as",
            "RoleBinding flux-system/tenure:act-as",
            "Role flux-system/tenure:target",
            "RoleBinding flux-system/tenure:target",
            "RoleBinding flux-system/tenure:release",
            "Role default/tenure:target:dev-team",
            "RoleBinding default/tenure:target:dev-team",
        ]
    );
}

#[test]
fn nothing_is_cluster_wide_and_nobody_may_read_all_but_by_request() {
    let mut objects = worker_objects(&article(), Impersonation::Constrained);
    objects.extend(supervisor_objects());
    objects.extend(pod_objects());
    for object in &objects {
        assert!(matches!(
            object["kind"].as_str(),
            Some("Role" | "RoleBinding" | "ServiceAccount")
        ));
        assert!(object["metadata"]["namespace"].is_string());
        assert!(!object.to_string().contains("\"*\""), "{object}");
    }
}

#[test]
fn constrained_and_legacy_impersonation_are_never_together() {
    let constrained = verbs(&worker_objects(&article(), Impersonation::Constrained));
    assert!(
        constrained
            .iter()
            .any(|verb| verb == "impersonate:serviceaccount")
    );
    assert!(!constrained.iter().any(|verb| verb == "impersonate"));
    let legacy = verbs(&worker_objects(&article(), Impersonation::Legacy));
    assert!(legacy.iter().any(|verb| verb == "impersonate"));
    assert!(!legacy.iter().any(|verb| verb.contains(':')));
}

#[test]
fn acting_never_gets_creates_or_updates_and_has_no_subresource() {
    let objects = worker_objects(&article(), Impersonation::Constrained);
    for verb in verbs(&objects)
        .iter()
        .filter(|verb| verb.starts_with("impersonate-on:"))
    {
        assert!(
            ["list", "watch", "patch", "delete"]
                .iter()
                .any(|v| verb.ends_with(&format!(":{v}"))),
            "{verb}"
        );
    }
    let sneaky = tenant(json!({"namespaces": ["a"], "kinds": ["pods/exec", "pods/proxy.x", "configmaps"]}));
    let rules = target(&sneaky, Impersonation::Constrained)
        .expect("a grant")
        .rules;
    assert_eq!(
        rules.iter().flat_map(|rule| &rule.resources).collect::<Vec<_>>(),
        ["configmaps"]
    );
}

#[test]
fn a_home_without_accounts_has_no_right_to_act_as_anyone() {
    let nobody = tenant(json!({"namespaces": ["a"], "serviceAccounts": [{"namespace": "b", "name": "x"}]}));
    for impersonation in [Impersonation::Constrained, Impersonation::Legacy] {
        assert_eq!(act_as(&nobody, "a", impersonation), None);
    }
    let nothing = tenant(json!({"namespaces": ["a"], "kinds": []}));
    assert_eq!(target(&nothing, Impersonation::Constrained), None);
}

#[test]
fn the_profile_decides_about_secrets() {
    for (spec, expected) in [
        (json!({"namespaces": ["a"]}), Some(json!(["get"]))),
        (
            json!({"namespaces": ["a"], "watchSecrets": true}),
            Some(json!(["get", "list", "watch"])),
        ),
        (
            json!({"namespaces": ["a"], "profile": "strict", "watchSecrets": true}),
            None,
        ),
    ] {
        let objects = worker_objects(&tenant(spec), Impersonation::Legacy);
        let found = rules_on(&objects, "secrets")
            .first()
            .map(|rule| rule["verbs"].clone());
        assert_eq!(found, expected);
    }
}

#[test]
fn the_supervisor_can_read_no_secret_and_write_no_role() {
    let objects = [supervisor_objects(), pod_objects()].concat();
    for forbidden in ["secrets", "roles", "rolebindings", "namespaces", "pods/exec"] {
        assert!(rules_on(&objects, forbidden).is_empty(), "{forbidden}");
    }
    let configmaps = rules_on(&objects, "configmaps");
    assert!(
        configmaps
            .iter()
            .all(|rule| rule["resourceNames"] == json!(["tenure-issuer-keys"]))
    );
    let tokens: Vec<_> = objects
        .iter()
        .filter(|object| object.to_string().contains("serviceaccounts/token"))
        .collect();
    assert!(
        tokens
            .iter()
            .all(|object| object["metadata"]["namespace"] == "tenure-workers")
    );
}

#[test]
fn where_the_supervisor_watches_everything_it_may_list_and_watch_flux_objects_and_nothing_else() {
    for object in watch_objects()
        .iter()
        .filter(|object| object["kind"] == "ClusterRole")
    {
        for rule in object["rules"].as_array().expect("rules") {
            assert_eq!(rule["verbs"], json!(["list", "watch"]));
            let group = rule["apiGroups"][0].as_str().expect("a group");
            assert!(group.ends_with(".toolkit.fluxcd.io"), "{rule}");
            assert!(!rule.to_string().contains('*'), "{rule}");
        }
    }
}

#[test]
fn a_homes_rights_outlive_its_other_objects() {
    for object in &worker_objects(&article(), Impersonation::Constrained) {
        let at_home = object["metadata"]["namespace"] == "flux-system";
        assert_eq!(
            object["metadata"]["finalizers"] == json!([crate::WORKER_RIGHTS_FINALIZER]),
            at_home
        );
        let known = |(resource, name): &(&str, &str)| {
            let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
            *resource == format!("{kind}s") && object["metadata"]["name"] == *name
        };
        assert_eq!(RELEASE_ORDER.iter().any(known), at_home, "{object}");
    }
}

#[test]
fn a_worker_may_not_touch_a_role_and_who_releases_may_touch_nothing_else() {
    let worker: Vec<_> = worker_objects(&article(), Impersonation::Constrained)
        .into_iter()
        .filter(|object| object["metadata"]["name"] == HOME_ROLE)
        .collect();
    assert!(rules_on(&worker, "roles").is_empty());
    let release = release().rules;
    assert_eq!(release.len(), 1);
    assert_eq!(
        release[0].resource_names,
        ["tenure:target", "tenure:act-as", "tenure:home", "tenure:release"]
    );
    assert_eq!(
        RELEASE_ORDER.last(),
        Some(&("rolebindings", RELEASE_ROLE)),
        "its own right goes last"
    );
    let cluster_wide = release_objects()
        .into_iter()
        .filter(|object| object["kind"] == "ClusterRoleBinding");
    assert_eq!(cluster_wide.count(), 0, "the ClusterRole alone grants nothing");
}

#[test]
fn each_worker_acts_only_from_its_own_home_and_all_apply_to_the_targets() {
    let two = tenant(json!({
        "namespaces": ["a", "b"], "targets": ["t", "a"],
        "serviceAccounts": [{"namespace": "a", "name": "x"}, {"namespace": "b", "name": "y"}],
        "peers": [{"namespace": "p", "kind": "Kustomization", "name": "infra"}],
    }));
    let objects = worker_objects(&two, Impersonation::Constrained);
    let subjects = |namespace: &str, name: &str| {
        let binding = objects.iter().find(|o| {
            o["kind"] == "RoleBinding"
                && o["metadata"]["namespace"] == namespace
                && o["metadata"]["name"] == name
        });
        binding.map(|o| o["subjects"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(subjects("a", ACT_AS_ROLE), Some(1));
    assert_eq!(subjects("b", TARGET_ROLE), Some(1));
    assert_eq!(subjects("t", "tenure:target:dev-team"), Some(2));
    assert_eq!(
        subjects("a", "tenure:target:dev-team"),
        Some(2),
        "b's worker applies to a"
    );
    assert_eq!(subjects("p", "tenure:peer:dev-team"), Some(2));
}

#[test]
fn the_table_says_why_for_every_row_and_gives_the_tokenless_nothing() {
    for grant in table(&article(), Impersonation::Constrained) {
        assert!(grant.why.ends_with('.'));
        let tokenless = matches!(
            grant.identity,
            Identity::Cache | Identity::Stage | Identity::Fetcher
        );
        assert_eq!(grant.rules.is_empty(), tokenless, "{grant:?}");
    }
}

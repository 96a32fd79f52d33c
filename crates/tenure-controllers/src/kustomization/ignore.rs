//! `spec.ignore`: fields that are left to others.

use serde_json::Value;
use tenure_api::{IgnoreRule, KustomizationSpec};
use tenure_apply::{IgnoredFields, ObjectRef};
use tenure_kustomize::{Selector, flux};

/// Which fields of which objects.
///
/// # Errors
/// Names the rule that can't be used.
pub(super) fn fields(spec: &KustomizationSpec, objects: &[Value]) -> Result<IgnoredFields, String> {
    let mut ignored = IgnoredFields::new();
    for (at, rule) in spec.ignore.iter().flatten().enumerate() {
        let bad = |why: String| format!("spec.ignore[{at}] can't be used: {why}");
        let not_a_pointer = |path: &&String| !path.starts_with('/');
        if let Some(path) = rule.paths.iter().find(not_a_pointer) {
            return Err(bad(format!(
                "{path:?} is not a JSON pointer, which begins with '/'"
            )));
        }
        let chosen = flux::selected(objects, &selector(rule)).map_err(|error| bad(error.to_string()))?;
        for (object, _) in objects.iter().zip(chosen).filter(|(_, chosen)| *chosen) {
            let paths: &mut Vec<String> = ignored.entry(ObjectRef::of(object)).or_default();
            paths.extend(rule.paths.iter().cloned());
        }
    }
    Ok(ignored)
}

/// Without a target, every object is meant.
fn selector(rule: &IgnoreRule) -> Selector {
    let target = rule.target.clone().unwrap_or_default();
    Selector {
        group: target.group,
        version: target.version,
        kind: target.kind,
        name: target.name,
        namespace: target.namespace,
        label_selector: target.label_selector,
        annotation_selector: target.annotation_selector,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(rules: Value) -> Result<IgnoredFields, String> {
        let map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "a"}});
        let spec =
            json!({"interval": "1m", "sourceRef": {"kind": "GitRepository", "name": "r"}, "ignore": rules});
        let spec: KustomizationSpec = serde::Deserialize::deserialize(&spec).expect("a spec");
        fields(&spec, &[map("one"), map("two")])
    }

    #[test]
    fn rules_add_up_for_each_object() {
        let rules = json!([{"paths": ["/data/a"]}, {"paths": ["/data/b"], "target": {"name": "t.*"}}]);
        let found = of(rules).expect("rules");
        let paths = |name: &str| {
            let found = found.iter().find(|(object, _)| object.name == name);
            found.map(|(_, paths)| paths.clone()).unwrap_or_default()
        };
        assert_eq!(paths("one"), ["/data/a"]);
        assert_eq!(paths("two"), ["/data/a", "/data/b"]);
    }

    #[test]
    fn a_rule_that_can_not_be_used_is_named() {
        for (rules, why) in [
            (json!([{"paths": ["/a"]}, {"paths": ["data.a"]}]), "JSON pointer"),
            (
                json!([{"paths": ["/a"]}, {"paths": ["/a"], "target": {"name": "("}}]),
                "bad pattern",
            ),
        ] {
            let error = of(rules).expect_err("refused");
            assert!(
                error.starts_with("spec.ignore[1] can't be used: ") && error.contains(why),
                "{error}"
            );
        }
    }
}

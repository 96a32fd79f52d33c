use std::cmp::Ordering;

use crate::object::ObjectRef;

/// When an object is applied: all of a stage are ready before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// CustomResourceDefinitions, Namespaces, ClusterRoles.
    Definitions,
    /// Kinds whose name ends in `Class`.
    Classes,
    /// Everything else.
    Rest,
}

/// Applied first to last; kinds not named here come between the two lists.
const FIRST: [&str; 23] = [
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// The stage of an object.
#[must_use]
pub fn stage_of(object: &ObjectRef) -> Stage {
    match object.kind.as_str() {
        "CustomResourceDefinition" | "Namespace" | "ClusterRole" => Stage::Definitions,
        kind if kind.ends_with("Class") => Stage::Classes,
        _ => Stage::Rest,
    }
}

/// The order within a stage: by kind, ties by group, kind, namespace and name.
pub(crate) fn compare(a: &ObjectRef, b: &ObjectRef) -> Ordering {
    let key = |o: &ObjectRef| {
        (
            rank(&o.kind),
            o.group.clone(),
            o.kind.clone(),
            o.namespace.clone(),
            o.name.clone(),
        )
    };
    key(a).cmp(&key(b))
}

fn rank(kind: &str) -> usize {
    let first = FIRST.iter().position(|k| *k == kind);
    let last = || {
        LAST.iter()
            .position(|k| *k == kind)
            .map(|at| FIRST.len() + 1 + at)
    };
    first.or_else(last).unwrap_or(FIRST.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(kind: &str) -> ObjectRef {
        ObjectRef {
            kind: kind.into(),
            name: "a".into(),
            ..ObjectRef::default()
        }
    }

    #[test]
    fn what_others_need_comes_first() {
        let wanted = [
            "Namespace",
            "ServiceAccount",
            "ConfigMap",
            "Service",
            "Deployment",
            "Ingress",
            "MutatingWebhookConfiguration",
        ];
        let mut shuffled: Vec<_> = wanted.iter().rev().map(|k| kind(k)).collect();
        shuffled.sort_by(compare);
        assert_eq!(
            shuffled.iter().map(|o| o.kind.as_str()).collect::<Vec<_>>(),
            wanted
        );
    }

    #[test]
    fn stages_are_definitions_classes_and_the_rest() {
        for (name, stage) in [
            ("CustomResourceDefinition", Stage::Definitions),
            ("ClusterRole", Stage::Definitions),
            ("IngressClass", Stage::Classes),
            ("ClusterRoleBinding", Stage::Rest),
            ("Deployment", Stage::Rest),
        ] {
            assert_eq!(stage_of(&kind(name)), stage, "{name}");
        }
    }
}

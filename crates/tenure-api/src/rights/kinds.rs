use std::collections::BTreeMap;

use crate::{HELM_GROUP, IMAGE_GROUP, KUSTOMIZE_GROUP, NOTIFICATION_GROUP, SOURCE_GROUP};

/// What a Tenant may apply when `spec.kinds` is absent: namespaced, no subresource, nothing that
/// gives power beyond the namespace.
pub const DEFAULT_KINDS: &[&str] = &[
    "configmaps",
    "limitranges",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "serviceaccounts",
    "services",
    "daemonsets.apps",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "horizontalpodautoscalers.autoscaling",
    "cronjobs.batch",
    "jobs.batch",
    "ingresses.networking.k8s.io",
    "networkpolicies.networking.k8s.io",
    "poddisruptionbudgets.policy",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "gitrepositories.source.toolkit.fluxcd.io",
    "ocirepositories.source.toolkit.fluxcd.io",
    "helmrepositories.source.toolkit.fluxcd.io",
    "helmcharts.source.toolkit.fluxcd.io",
    "buckets.source.toolkit.fluxcd.io",
    "kustomizations.kustomize.toolkit.fluxcd.io",
];

/// Flux's kinds by group; those with `true` have a status.
pub const FLUX_KINDS: &[(&str, &[(&str, bool)])] = &[
    (
        SOURCE_GROUP,
        &[
            ("gitrepositories", true),
            ("ocirepositories", true),
            ("helmrepositories", true),
            ("helmcharts", true),
            ("buckets", true),
            ("externalartifacts", true),
        ],
    ),
    (KUSTOMIZE_GROUP, &[("kustomizations", true)]),
    (HELM_GROUP, &[("helmreleases", true)]),
    (
        NOTIFICATION_GROUP,
        &[("receivers", true), ("alerts", false), ("providers", false)],
    ),
    (
        IMAGE_GROUP,
        &[
            ("imagerepositories", true),
            ("imagepolicies", true),
            ("imageupdateautomations", true),
        ],
    ),
];

/// Group and resource of a kind that may be shared with a peer.
#[must_use]
pub fn shared_resource(kind: &str) -> Option<(&'static str, &'static str)> {
    match kind {
        "GitRepository" => Some((SOURCE_GROUP, "gitrepositories")),
        "OCIRepository" => Some((SOURCE_GROUP, "ocirepositories")),
        "Kustomization" => Some((KUSTOMIZE_GROUP, "kustomizations")),
        _ => None,
    }
}

/// Resources by group, from `resource.group` words; `*` stands for everything.
pub(super) fn by_group<'a>(kinds: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for kind in kinds {
        if kind == "*" {
            return BTreeMap::from([("*".to_owned(), vec!["*".to_owned()])]);
        }
        let (resource, group) = kind.split_once('.').unwrap_or((kind, ""));
        let resources = groups.entry(group.to_owned()).or_default();
        // A subresource would be a door to exec and proxy; validation refuses it, and so do we.
        if !resource.contains('/') && !resources.iter().any(|known| known == resource) {
            resources.push(resource.to_owned());
        }
    }
    groups.retain(|_, resources| !resources.is_empty());
    groups
}

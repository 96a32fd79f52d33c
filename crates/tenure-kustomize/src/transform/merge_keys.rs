//! The lists of the built-in kinds that strategic merge joins by key instead of replacing them.

/// (kind or empty for any, the list's parent or empty for any, list, keys).
const LISTS: &[(&str, &str, &str, &[&str])] = &[
    ("", "", "containers", &["name"]),
    ("", "", "initContainers", &["name"]),
    ("", "", "ephemeralContainers", &["name"]),
    ("", "", "volumes", &["name"]),
    ("", "spec", "imagePullSecrets", &["name"]),
    ("", "", "hostAliases", &["ip"]),
    (
        "",
        "",
        "topologySpreadConstraints",
        &["topologyKey", "whenUnsatisfiable"],
    ),
    ("", "", "schedulingGates", &["name"]),
    ("", "", "resourceClaims", &["name"]),
    ("", "", "env", &["name"]),
    ("", "", "volumeMounts", &["mountPath"]),
    ("", "", "volumeDevices", &["devicePath"]),
    ("Service", "spec", "ports", &["port", "protocol"]),
    ("", "containers", "ports", &["containerPort", "protocol"]),
    ("", "initContainers", "ports", &["containerPort", "protocol"]),
    ("", "ephemeralContainers", "ports", &["containerPort", "protocol"]),
    ("", "status", "conditions", &["type"]),
    ("", "metadata", "ownerReferences", &["uid"]),
    ("ServiceAccount", "", "secrets", &["name"]),
    ("ServiceAccount", "", "imagePullSecrets", &["name"]),
    ("ValidatingWebhookConfiguration", "", "webhooks", &["name"]),
    ("MutatingWebhookConfiguration", "", "webhooks", &["name"]),
    ("", "webhooks", "matchConditions", &["name"]),
];

/// Lists of plain values that are joined as sets.
const SETS: &[(&str, &str)] = &[("metadata", "finalizers")];

/// Whether the schema of the group's kinds is known, so that lists may be joined.
pub(crate) fn is_built_in(group: &str) -> bool {
    !group.contains('.') && ["", "apps", "batch", "autoscaling", "policy", "extensions"].contains(&group)
        || group.ends_with(".k8s.io") && BUILT_IN.contains(&group)
}

const BUILT_IN: &[&str] = &[
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// The merge keys of a list, by the object's kind, the list's parent field and its own.
pub(crate) fn keys(kind: &str, parent: &str, field: &str) -> Option<&'static [&'static str]> {
    let row = LISTS
        .iter()
        .find(|(k, p, f, _)| *f == field && (k.is_empty() || *k == kind) && (p.is_empty() || *p == parent))?;
    Some(row.3)
}

/// Whether a list of plain values is joined as a set.
pub(crate) fn is_set(parent: &str, field: &str) -> bool {
    SETS.contains(&(parent, field))
}

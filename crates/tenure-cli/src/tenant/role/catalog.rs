//! What a kind is called as a resource, and whether it lives in a namespace.

use std::collections::BTreeMap;

use serde_json::Value;
use tenure_api::rights::FLUX_KINDS;

/// Groups of Kubernetes itself: their plurals follow the rule, and [`CLUSTER`] has all that live in no namespace.
const BUILT_IN: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Kinds that live in no namespace, by group: all of Kubernetes itself, and those of others that repositories often have.
const CLUSTER: &[(&str, &[&str])] = &[
    ("", &["ComponentStatus", "Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("authentication.k8s.io", &["SelfSubjectReview", "TokenReview"]),
    (
        "authorization.k8s.io",
        &[
            "SelfSubjectAccessReview",
            "SelfSubjectRulesReview",
            "SubjectAccessReview",
        ],
    ),
    (
        "certificates.k8s.io",
        &["CertificateSigningRequest", "ClusterTrustBundle"],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        &["FlowSchema", "PriorityLevelConfiguration"],
    ),
    ("internal.apiserver.k8s.io", &["StorageVersion"]),
    ("networking.k8s.io", &["IPAddress", "IngressClass", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    (
        "rbac.authorization.k8s.io",
        &["ClusterRole", "ClusterRoleBinding"],
    ),
    (
        "resource.k8s.io",
        &["DeviceClass", "DeviceTaintRule", "ResourceSlice"],
    ),
    ("scheduling.k8s.io", &["PriorityClass"]),
    (
        "storage.k8s.io",
        &[
            "CSIDriver",
            "CSINode",
            "StorageClass",
            "VolumeAttachment",
            "VolumeAttributesClass",
        ],
    ),
    ("storagemigration.k8s.io", &["StorageVersionMigration"]),
    (
        "apiextensions.crossplane.io",
        &["CompositeResourceDefinition", "Composition"],
    ),
    (
        "argoproj.io",
        &["ClusterAnalysisTemplate", "ClusterWorkflowTemplate"],
    ),
    ("cert-manager.io", &["ClusterIssuer"]),
    (
        "cilium.io",
        &["CiliumClusterwideEnvoyConfig", "CiliumClusterwideNetworkPolicy"],
    ),
    (
        "external-secrets.io",
        &["ClusterExternalSecret", "ClusterPushSecret", "ClusterSecretStore"],
    ),
    ("gateway.networking.k8s.io", &["GatewayClass"]),
    (
        "groupsnapshot.storage.k8s.io",
        &["VolumeGroupSnapshotClass", "VolumeGroupSnapshotContent"],
    ),
    ("karpenter.sh", &["NodeClaim", "NodePool"]),
    ("keda.sh", &["ClusterTriggerAuthentication"]),
    (
        "kueue.x-k8s.io",
        &[
            "AdmissionCheck",
            "ClusterQueue",
            "ResourceFlavor",
            "WorkloadPriorityClass",
        ],
    ),
    ("kyverno.io", &["ClusterCleanupPolicy", "ClusterPolicy"]),
    (
        "policy.networking.k8s.io",
        &[
            "AdminNetworkPolicy",
            "BaselineAdminNetworkPolicy",
            "ClusterNetworkPolicy",
        ],
    ),
    (
        "projectcalico.org",
        &["GlobalNetworkPolicy", "GlobalNetworkSet", "IPPool"],
    ),
    (
        "snapshot.storage.k8s.io",
        &["VolumeSnapshotClass", "VolumeSnapshotContent"],
    ),
    ("templates.gatekeeper.sh", &["ConstraintTemplate"]),
    ("trust.cert-manager.io", &["Bundle"]),
];

/// A resource, as RBAC names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Resource {
    pub(super) group: String,
    pub(super) plural: String,
}

impl Resource {
    /// `deployments.apps`, as a Tenant's `spec.kinds` has it.
    pub(super) fn word(&self) -> String {
        match self.group.as_str() {
            "" => self.plural.clone(),
            group => format!("{}.{group}", self.plural),
        }
    }
}

/// A kind that is known.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) resource: Resource,
    pub(super) is_namespaced: bool,
    /// Nothing but the usual rule says what it is called and where it lives.
    pub(super) is_guess: bool,
}

/// What is known besides the kinds of Kubernetes and Flux: definitions that the repository brings, and what a cluster
/// serves.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalog(BTreeMap<(String, String), Known>);

impl Catalog {
    /// Takes in a CustomResourceDefinition; anything else is passed over.
    pub(super) fn learn(&mut self, object: &Value) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        if text("/kind") != Some("CustomResourceDefinition") {
            return;
        }
        let names = (
            text("/spec/group"),
            text("/spec/names/kind"),
            text("/spec/names/plural"),
        );
        if let (Some(group), Some(kind), Some(plural)) = names {
            self.add(group, kind, plural, text("/spec/scope") != Some("Cluster"));
        }
    }

    /// Takes in what a cluster serves.
    pub(super) fn add(&mut self, group: &str, kind: &str, plural: &str, is_namespaced: bool) {
        let known = Known {
            resource: Resource {
                group: group.to_owned(),
                plural: plural.to_owned(),
            },
            is_namespaced,
            is_guess: false,
        };
        self.0.insert((group.to_owned(), kind.to_owned()), known);
    }

    pub(super) fn find(&self, group: &str, kind: &str) -> Known {
        if let Some(known) = self.0.get(&(group.to_owned(), kind.to_owned())) {
            return known.clone();
        }
        let plural = plural(kind);
        let is_cluster = CLUSTER
            .iter()
            .any(|(of, kinds)| *of == group && kinds.contains(&kind));
        Known {
            is_namespaced: !is_cluster,
            is_guess: !is_cluster && !BUILT_IN.contains(&group) && !is_flux(group, &plural),
            resource: Resource {
                group: group.to_owned(),
                plural,
            },
        }
    }
}

fn is_flux(group: &str, plural: &str) -> bool {
    FLUX_KINDS
        .iter()
        .any(|(of, kinds)| *of == group && kinds.iter().any(|(known, _)| *known == plural))
}

/// The plural as Kubernetes and the makers of definitions have it; only a definition knows.
fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    if kind.ends_with("endpoints") {
        return kind;
    }
    let is_vowel = |stem: &str| stem.ends_with(['a', 'e', 'i', 'o', 'u']);
    match kind.strip_suffix('y') {
        Some(stem) if !is_vowel(stem) => format!("{stem}ies"),
        None if ["s", "x", "ch", "sh"].iter().any(|end| kind.ends_with(end)) => format!("{kind}es"),
        _ => format!("{kind}s"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_have_the_plural_that_the_api_has() {
        let cases = [
            ("Deployment", "deployments"),
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("Endpoints", "endpoints"),
            ("PersistentVolumeClaim", "persistentvolumeclaims"),
            ("HelmRepository", "helmrepositories"),
            ("Gateway", "gateways"),
            ("Mesh", "meshes"),
        ];
        for (kind, wanted) in cases {
            assert_eq!(plural(kind), wanted);
        }
    }

    #[test]
    fn a_definition_says_what_its_kind_is_called_and_where_it_lives() {
        let mut catalog = Catalog::default();
        assert!(catalog.find("example.org", "Proxy").is_guess);
        catalog.learn(&json!({"kind": "CustomResourceDefinition", "spec": {"group": "example.org", "scope": "Cluster", "names": {"kind": "Proxy", "plural": "proxys"}}}));
        let known = catalog.find("example.org", "Proxy");
        assert_eq!(known.resource.word(), "proxys.example.org");
        assert!(!known.is_namespaced && !known.is_guess);
        assert!(
            !catalog
                .find("rbac.authorization.k8s.io", "ClusterRole")
                .is_namespaced
        );
        assert!(catalog.find("apps", "Deployment").is_namespaced);
    }

    #[test]
    fn only_kubernetes_and_flux_are_known_without_a_definition() {
        let catalog = Catalog::default();
        for (group, kind, is_guess) in [
            ("", "Secret", false),
            ("apps", "Deployment", false),
            ("networking.k8s.io", "Ingress", false),
            ("helm.toolkit.fluxcd.io", "HelmRelease", false),
            ("gateway.networking.k8s.io", "Gateway", true),
            ("snapshot.storage.k8s.io", "VolumeSnapshot", true),
            ("new.toolkit.fluxcd.io", "Thing", true),
            ("monitoring.coreos.com", "ServiceMonitor", true),
        ] {
            assert_eq!(catalog.find(group, kind).is_guess, is_guess, "{group} {kind}");
        }
    }

    #[test]
    fn kinds_of_the_field_that_live_in_no_namespace_are_known() {
        let catalog = Catalog::default();
        for (group, kind) in [
            ("gateway.networking.k8s.io", "GatewayClass"),
            ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
            ("snapshot.storage.k8s.io", "VolumeSnapshotContent"),
            ("storage.k8s.io", "StorageClass"),
            ("networking.k8s.io", "IngressClass"),
            ("scheduling.k8s.io", "PriorityClass"),
            ("cert-manager.io", "ClusterIssuer"),
            ("external-secrets.io", "ClusterSecretStore"),
        ] {
            let known = catalog.find(group, kind);
            assert!(!known.is_namespaced && !known.is_guess, "{group} {kind}");
        }
        assert!(catalog.find("cert-manager.io", "Issuer").is_namespaced);
    }
}

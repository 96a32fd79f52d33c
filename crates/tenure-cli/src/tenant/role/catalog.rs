//! What a kind is called as a resource, and whether it lives in a namespace.

use std::collections::BTreeMap;

use serde_json::Value;

/// Kinds of Kubernetes itself that live in no namespace, by group.
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
    (
        "certificates.k8s.io",
        &["CertificateSigningRequest", "ClusterTrustBundle"],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        &["FlowSchema", "PriorityLevelConfiguration"],
    ),
    ("networking.k8s.io", &["IPAddress", "IngressClass", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    (
        "rbac.authorization.k8s.io",
        &["ClusterRole", "ClusterRoleBinding"],
    ),
    ("resource.k8s.io", &["DeviceClass", "ResourceSlice"]),
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
        let is_cluster = CLUSTER
            .iter()
            .any(|(of, kinds)| *of == group && kinds.contains(&kind));
        Known {
            resource: Resource {
                group: group.to_owned(),
                plural: plural(kind),
            },
            is_namespaced: !is_cluster,
            is_guess: group.contains('.')
                && !group.ends_with(".k8s.io")
                && !group.ends_with(".toolkit.fluxcd.io"),
        }
    }
}

/// The plural as Kubernetes makes it (`meta.UnsafeGuessKindToResource`@apimachinery).
fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    if kind.ends_with("endpoints") {
        return kind;
    }
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with('s') => format!("{kind}es"),
        None => format!("{kind}s"),
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
}

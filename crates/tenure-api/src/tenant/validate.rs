use std::collections::BTreeSet;

use tenure_core::{DurationError, Name, NameError};

use super::{QuantityError, Tenant};

/// Namespaces that can't be a home or a target: whoever writes there owns the cluster.
const RESERVED: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// What is wrong with a Tenant; each names the field and what would fix it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TenantError {
    /// There is no home.
    #[error("spec.namespaces is empty; name at least one namespace for the tenant's Flux objects")]
    NoHome,
    /// A string is not a name.
    #[error("{field} can't be used: {source}")]
    Name {
        /// The field's path.
        field: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// A namespace is the cluster's or Tenure's own.
    #[error("{field} is '{namespace}', which no tenant may have; choose another namespace")]
    Reserved {
        /// The field's path.
        field: String,
        /// The namespace.
        namespace: String,
    },
    /// A list has an entry twice.
    #[error("{field} repeats '{value}'; remove one of them")]
    Repeated {
        /// The field's path.
        field: String,
        /// The value.
        value: String,
    },
    /// A ServiceAccount lives outside the homes.
    #[error(
        "{field} names ServiceAccount '{name}' in '{namespace}', which is not in spec.namespaces; add the namespace or use a ServiceAccount of a home"
    )]
    ForeignAccount {
        /// The field's path.
        field: String,
        /// The ServiceAccount's namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A URL prefix is empty or has no scheme.
    #[error("{field} is not the beginning of a URL; write for example ssh://git@host/team/")]
    Prefix {
        /// The field's path.
        field: String,
    },
    /// A size is not one.
    #[error("{field} can't be used: {source}")]
    Size {
        /// The field's path.
        field: &'static str,
        /// What is wrong with it.
        source: QuantityError,
    },
    /// A duration is not one.
    #[error("{field} can't be used: {source}")]
    Duration {
        /// The field's path.
        field: &'static str,
        /// What is wrong with it.
        source: DurationError,
    },
    /// A number is zero where zero would stop everything.
    #[error("{field} is 0; leave it out for the default or give at least 1")]
    Zero {
        /// The field's path.
        field: String,
    },
    /// An entry of `spec.kinds` is not a resource.
    #[error(
        "{field} is '{value}'; write the plural and the group, such as deployments.apps, or * alone; subresources can't be granted"
    )]
    Kind {
        /// The field's path.
        field: String,
        /// The value.
        value: String,
    },
    /// A peer is of a kind that can't be shared.
    #[error("{field} is '{value}'; only GitRepository, OCIRepository and Kustomization can be shared")]
    PeerKind {
        /// The field's path.
        field: String,
        /// The value.
        value: String,
    },
}

impl Tenant {
    /// Whether a namespace is the cluster's or Tenure's own, so that no tenant may have it.
    #[must_use]
    pub fn is_reserved(&self, namespace: &str) -> bool {
        RESERVED.contains(&namespace) || [self.namespace(), crate::WORKERS_NAMESPACE].contains(&namespace)
    }

    /// Everything that is wrong with it, in the order of the fields; empty when it can be served.
    #[must_use]
    pub fn validate(&self) -> Vec<TenantError> {
        let mut errors = Vec::new();
        homes_and_targets(self, &mut errors);
        accounts(self, &mut errors);
        sources(self, &mut errors);
        kinds_and_peers(self, &mut errors);
        limits(self, &mut errors);
        errors
    }
}

fn homes_and_targets(tenant: &Tenant, errors: &mut Vec<TenantError>) {
    if tenant.spec.namespaces.is_empty() {
        errors.push(TenantError::NoHome);
    }
    for (list, namespaces) in [
        ("namespaces", &tenant.spec.namespaces),
        ("targets", &tenant.spec.targets),
    ] {
        let mut seen = BTreeSet::new();
        for (n, namespace) in namespaces.iter().enumerate() {
            let field = format!("spec.{list}[{n}]");
            name(&field, namespace, errors);
            if tenant.is_reserved(namespace) {
                errors.push(TenantError::Reserved {
                    field: field.clone(),
                    namespace: namespace.clone(),
                });
            }
            if !seen.insert(namespace) {
                errors.push(TenantError::Repeated {
                    field,
                    value: namespace.clone(),
                });
            }
        }
    }
}

fn name(field: &str, value: &str, errors: &mut Vec<TenantError>) {
    if let Err(source) = Name::new(value) {
        errors.push(TenantError::Name {
            field: field.to_owned(),
            source,
        });
    }
}

fn accounts(tenant: &Tenant, errors: &mut Vec<TenantError>) {
    for (n, account) in tenant.spec.service_accounts.iter().enumerate() {
        let field = format!("spec.serviceAccounts[{n}]");
        name(&format!("{field}.name"), &account.name, errors);
        if !tenant.spec.namespaces.contains(&account.namespace) {
            let (namespace, name) = (account.namespace.clone(), account.name.clone());
            errors.push(TenantError::ForeignAccount {
                field,
                namespace,
                name,
            });
        }
    }
}

fn sources(tenant: &Tenant, errors: &mut Vec<TenantError>) {
    let sources = &tenant.spec.sources;
    for (n, prefix) in sources.prefixes().enumerate() {
        if !prefix.contains("://") {
            errors.push(TenantError::Prefix {
                field: format!("spec.sources.allow[{n}]"),
            });
        }
    }
    for (n, secret) in sources.secrets.iter().enumerate() {
        if !secret.prefix.contains("://") {
            errors.push(TenantError::Prefix {
                field: format!("spec.sources.secrets[{n}].prefix"),
            });
        }
        name(&format!("spec.sources.secrets[{n}].name"), &secret.name, errors);
    }
}

fn kinds_and_peers(tenant: &Tenant, errors: &mut Vec<TenantError>) {
    for (n, kind) in tenant.spec.kinds.iter().flatten().enumerate() {
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
        if kind != "*" && (kind.is_empty() || kind.starts_with('.') || !kind.bytes().all(word)) {
            errors.push(TenantError::Kind {
                field: format!("spec.kinds[{n}]"),
                value: kind.clone(),
            });
        }
    }
    for (n, peer) in tenant.spec.peers.iter().enumerate() {
        let field = format!("spec.peers[{n}]");
        name(&format!("{field}.namespace"), &peer.namespace, errors);
        name(&format!("{field}.name"), &peer.name, errors);
        if crate::rights::shared_resource(&peer.kind).is_none() {
            errors.push(TenantError::PeerKind {
                field: format!("{field}.kind"),
                value: peer.kind.clone(),
            });
        }
    }
}

fn limits(tenant: &Tenant, errors: &mut Vec<TenantError>) {
    let limits = &tenant.spec.limits;
    for (field, size) in [
        ("spec.limits.memory", limits.memory_bytes()),
        ("spec.limits.artifactSize", limits.artifact_bytes()),
        ("spec.limits.fetchPerHour", limits.fetch_bytes()),
    ] {
        match size {
            Err(source) => errors.push(TenantError::Size { field, source }),
            Ok(Some(0)) => errors.push(TenantError::Zero {
                field: field.to_owned(),
            }),
            Ok(_) => {}
        }
    }
    for (field, number) in [
        ("concurrency", limits.concurrency),
        ("objects", limits.objects),
        ("retriesPerMinute", limits.retries_per_minute),
        ("pruneShare", limits.prune_share),
        ("pruneObjects", limits.prune_objects),
    ] {
        if number == Some(0) {
            errors.push(TenantError::Zero {
                field: format!("spec.limits.{field}"),
            });
        }
    }
    for (field, duration) in [
        ("spec.limits.offboardingGrace", limits.offboarding_grace()),
        ("spec.limits.renderTime", limits.render_time()),
    ] {
        if let Err(source) = duration {
            errors.push(TenantError::Duration { field, source });
        }
    }
    for (n, port) in limits.egress_ports.iter().flatten().enumerate() {
        if *port == 0 {
            errors.push(TenantError::Zero {
                field: format!("spec.limits.egressPorts[{n}]"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn tenant(change: impl FnOnce(&mut Value)) -> Tenant {
        let mut spec = json!({
            "namespaces": ["flux-system"], "targets": ["default"],
            "serviceAccounts": [{"namespace": "flux-system", "name": "frontend"}],
            "sources": {"allow": ["ssh://git@*"], "secrets": [{"prefix": "ssh://git@host/", "name": "git-ssh"}]},
            "isolation": "process", "profile": "compat",
            "limits": {"memory": "256Mi", "concurrency": 4, "objects": 500, "artifactSize": "64Mi",
                       "egressPorts": [443, 6443, 8200]},
            "suspend": false,
        });
        change(&mut spec);
        serde_json::from_value(json!({
            "apiVersion": "tenure.dev/v1alpha1", "kind": "Tenant",
            "metadata": {"name": "dev-team", "namespace": "tenure-system"}, "spec": spec,
        }))
        .expect("a Tenant")
    }

    fn messages(change: impl FnOnce(&mut Value)) -> Vec<String> {
        tenant(change)
            .validate()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_designs_tenant_is_valid() {
        assert_eq!(messages(|_| {}), Vec::<String>::new());
        assert_eq!(
            tenant(|_| {}).spec.sources.prefixes().collect::<Vec<_>>(),
            ["ssh://git@"]
        );
    }

    #[test]
    fn each_mistake_is_named_with_its_field() {
        for (pointer, value, expected) in [
            ("/namespaces", json!([]), "spec.namespaces is empty"),
            ("/namespaces/0", json!("Apps"), "spec.namespaces[0]"),
            ("/namespaces/0", json!("kube-system"), "no tenant may have"),
            ("/targets/0", json!("tenure-workers"), "spec.targets[0]"),
            ("/targets/0", json!("tenure-system"), "spec.targets[0]"),
            ("/targets", json!(["a", "a"]), "repeats 'a'"),
            (
                "/serviceAccounts/0/namespace",
                json!("other"),
                "not in spec.namespaces",
            ),
            ("/serviceAccounts/0/name", json!(""), "must not be empty"),
            ("/sources/allow/0", json!("*"), "spec.sources.allow[0]"),
            (
                "/sources/secrets/0/prefix",
                json!("host/"),
                "spec.sources.secrets[0].prefix",
            ),
            ("/limits/memory", json!("lots"), "spec.limits.memory"),
            ("/limits/concurrency", json!(0), "spec.limits.concurrency is 0"),
            ("/limits/egressPorts/1", json!(0), "egressPorts[1] is 0"),
        ] {
            let found = messages(|spec| *spec.pointer_mut(pointer).expect(pointer) = value);
            assert!(found.iter().any(|m| m.contains(expected)), "{pointer}: {found:?}");
        }
    }

    #[test]
    fn kinds_have_no_subresources_and_peers_are_of_kinds_that_can_be_shared() {
        for (kind, good) in [
            ("deployments.apps", true),
            ("configmaps", true),
            ("*", true),
            ("pods/exec", false),
            ("*.apps", false),
            ("Pods", false),
        ] {
            assert_eq!(
                messages(|spec| spec["kinds"] = json!([kind])).is_empty(),
                good,
                "{kind}"
            );
        }
        for (kind, good) in [
            ("GitRepository", true),
            ("OCIRepository", true),
            ("Kustomization", true),
            ("Secret", false),
        ] {
            let peers = json!([{"namespace": "platform", "kind": kind, "name": "base"}]);
            assert_eq!(messages(|spec| spec["peers"] = peers).is_empty(), good, "{kind}");
        }
    }
}

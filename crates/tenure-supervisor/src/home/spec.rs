use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use tenure_api::Tenant;
use tenure_api::rights::{Impersonation, worker_objects};
use tenure_core::{Name, Secret};
use tenure_proto::lifeline::{
    Account, CacheEndpoint, Cluster, Limits, Profile, SourcePolicy, SourceSecret, Start,
};

use crate::index::RETRIES_PER_MINUTE;
use crate::runtime::Sandbox;

/// What a home's task must know of its Tenant.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct HomeSpec {
    pub(crate) tenant: String,
    pub(crate) suspended: bool,
    /// Secrets and ConfigMaps with Flux's label wake the home when they change.
    pub(crate) watches_referents: bool,
    pub(crate) sandbox: Sandbox,
    /// Objects that fail are tried again so often in a minute.
    pub(crate) retries_per_minute: u32,
    /// Resource and name of the Roles and RoleBindings that the home should have.
    pub(crate) rights: Vec<(String, String)>,
    /// The start message, but for memo and scratch directory.
    pub(crate) start: Start,
}

impl HomeSpec {
    /// A valid Tenant's rules for one of its homes.
    pub(crate) fn new(
        tenant: &Tenant,
        home: &Name,
        cluster: &Cluster,
        cache: Option<&CacheEndpoint>,
    ) -> Self {
        let spec = &tenant.spec;
        let grace = spec.limits.offboarding_grace().ok().flatten();
        let render = spec.limits.render_time().ok().flatten();
        let limits = Limits {
            memory_bytes: spec.limits.memory_bytes().ok().flatten().unwrap_or_default(),
            concurrency: spec.limits.concurrency.unwrap_or_default(),
            objects: spec.limits.objects.unwrap_or_default(),
            prune_share: spec.limits.prune_share.unwrap_or_default(),
            prune_objects: spec.limits.prune_objects.unwrap_or_default(),
            offboarding_seconds: grace.map_or(0, |grace| grace.as_secs().max(1)),
            render_milliseconds: render.map_or(0, |time| {
                u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
            }),
            artifact_bytes: spec.limits.artifact_bytes().ok().flatten().unwrap_or_default(),
            fetch_bytes_per_hour: spec.limits.fetch_bytes().ok().flatten().unwrap_or_default(),
        };
        let secret = |s: &tenure_api::SourceSecret| SourceSecret {
            prefix: s.prefix.clone(),
            name: s.name.clone(),
        };
        let account = |a: &tenure_api::AccountReference| Account {
            namespace: a.namespace.clone(),
            name: a.name.clone(),
        };
        let profile = match spec.profile {
            tenure_api::Profile::Compat => Profile::Compat,
            tenure_api::Profile::Strict => Profile::Strict,
        };
        let mut ports = spec.limits.egress_ports.clone().unwrap_or_default();
        if !ports.is_empty() {
            let replicas = cache.into_iter().flat_map(|cache| &cache.urls);
            let own = std::iter::once(&cluster.url).chain(replicas);
            ports.extend(own.filter_map(|url| port(url)));
            ports.sort_unstable();
            ports.dedup();
        }
        Self {
            tenant: tenant.name().to_owned(),
            suspended: spec.suspend,
            watches_referents: spec.watch_secrets && spec.profile == tenure_api::Profile::Compat,
            rights: rights(tenant, home, cluster.constrained_impersonation),
            retries_per_minute: spec.limits.retries_per_minute.unwrap_or(RETRIES_PER_MINUTE),
            sandbox: Sandbox {
                none: spec.isolation == tenure_api::Isolation::Task,
                memory: Some(limits.memory_bytes).filter(|bytes| *bytes > 0),
                ports,
                pod: (spec.isolation == tenure_api::Isolation::Pod).then(|| spec.pod.clone()),
            },
            start: Start {
                tenant: tenant.name().to_owned(),
                home: home.to_string(),
                targets: spec.targets.clone(),
                accounts: spec.service_accounts.iter().map(account).collect(),
                cluster: Some(cluster.clone()),
                cache: cache.cloned(),
                limits: Some(limits),
                sources: Some(SourcePolicy {
                    allow: spec.sources.prefixes().map(str::to_owned).collect(),
                    secrets: spec.sources.secrets.iter().map(secret).collect(),
                }),
                profile: profile.into(),
                ..Start::default()
            },
        }
    }

    pub(crate) fn has_cache(&self) -> bool {
        self.start.cache.is_some()
    }
}

fn rights(tenant: &Tenant, home: &Name, constrained: bool) -> Vec<(String, String)> {
    let impersonation = if constrained {
        Impersonation::Constrained
    } else {
        Impersonation::Legacy
    };
    let text = |object: &Value, at| object.pointer(at).and_then(Value::as_str).map(str::to_owned);
    let of_home = |object: &Value| {
        let here = text(object, "/metadata/namespace").as_deref() == Some(home.as_str());
        let ours = here && object.pointer("/metadata/finalizers").is_some();
        let kind = text(object, "/kind").filter(|_| ours)?.to_lowercase();
        Some((format!("{kind}s"), text(object, "/metadata/name")?))
    };
    worker_objects(tenant, impersonation)
        .iter()
        .filter_map(of_home)
        .collect()
}

/// The port of an `https` URL.
fn port(url: &str) -> Option<u16> {
    let uri: http::Uri = url.parse().ok()?;
    Some(uri.port_u16().unwrap_or(443))
}

/// The key that a token says it is signed with.
pub(super) fn key_id(token: &Secret) -> Option<String> {
    #[derive(Deserialize)]
    struct Header {
        kid: String,
    }
    let header = URL_SAFE_NO_PAD
        .decode(token.expose_str()?.split('.').next()?)
        .ok()?;
    Some(serde_json::from_slice::<Header>(&header).ok()?.kid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(limits: Value) -> Tenant {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "dev-team"},
            "spec": {
                "namespaces": ["home"], "targets": ["default"],
                "serviceAccounts": [{"namespace": "home", "name": "frontend"}],
                "sources": {"allow": ["ssh://git@*"]},
                "limits": limits,
            },
        }))
        .expect("a tenant")
    }

    fn spec(limits: Value) -> HomeSpec {
        let cluster = Cluster {
            url: "https://api:6443".into(),
            ..Cluster::default()
        };
        let cache = CacheEndpoint {
            urls: vec!["https://cache:8200".into()],
            leases: false,
            ..CacheEndpoint::default()
        };
        HomeSpec::new(
            &tenant(limits),
            &"home".parse().expect("a name"),
            &cluster,
            Some(&cache),
        )
    }

    #[test]
    fn a_worker_is_told_what_its_tenant_may() {
        let spec = spec(serde_json::json!({"memory": "64Mi"}));
        assert_eq!(
            spec.sandbox,
            Sandbox {
                none: false,
                memory: Some(64 << 20),
                ports: vec![],
                pod: None,
            }
        );
        assert_eq!(
            spec.start.accounts.first().map(|a| a.name.as_str()),
            Some("frontend")
        );
        assert_eq!(spec.start.sources.expect("a policy").allow, ["ssh://git@"]);
        assert_eq!(spec.start.profile, i32::from(Profile::Compat));
    }

    #[test]
    fn ports_that_the_worker_itself_needs_are_always_open() {
        assert_eq!(
            spec(serde_json::json!({"egressPorts": [443]})).sandbox.ports,
            [443, 6443, 8200]
        );
    }

    #[test]
    fn the_key_of_a_token_is_read_from_its_header() {
        let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"RS256","kid":"k1"}"#);
        assert_eq!(
            key_id(&Secret::from(format!("{header}.e30.s"))).as_deref(),
            Some("k1")
        );
        assert_eq!(key_id(&Secret::from("opaque".to_owned())), None);
    }
}

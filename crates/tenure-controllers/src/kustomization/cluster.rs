//! Another cluster that a ConfigMap names, with the keys that Flux has for it: `spec.kubeConfig.configMapRef`.
//!
//! Who opens it is the home's worker, by a token of this cluster's issuer: a cloud changes it for one of its own, as for
//! registries, and a cluster that trusts the issuer itself (`generic`) takes it as it is. A token for a cloud is never sent to
//! an address that a ConfigMap names.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tenure_core::Account;
use tenure_kube::{RemoteCluster, Resolve};
use tenure_net::Guard;
use tenure_net::cloud::{Managed, Places};

use crate::source::identity;
use crate::{Effects, reads};

/// What a ConfigMap says.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// A cluster that trusts this cluster's issuer.
    Generic {
        address: String,
        ca_pem: String,
        audiences: String,
    },
    /// A cluster of a cloud.
    Cloud {
        provider: String,
        resource: String,
        address: Option<String>,
        ca_pem: Option<String>,
        account: Option<String>,
    },
}

/// Opens it.
///
/// # Errors
/// Why it can't be, without a token.
pub(super) async fn cluster(
    name: &str,
    account: &Account,
    effects: &Arc<Effects>,
) -> Result<RemoteCluster, String> {
    let title = format!("{}/{name}", effects.home.namespace);
    let failed = |why: String| format!("failed to get configmap {title}: {why}");
    let data = reads::config_map(effects, account, name)
        .await
        .map_err(failed)?
        .ok_or_else(|| failed(format!("configmaps \"{name}\" not found")))?;
    let unusable = |why: String| format!("the kubeconfig in ConfigMap '{title}' can't be used: {why}");
    let opened = match asked(&data).map_err(unusable)? {
        Asked::Generic {
            address,
            ca_pem,
            audiences,
        } => {
            let token = effects.identities.token(&audiences).await;
            let token = token.map_err(|why| unusable(format!("no token of the home's worker: {why}")))?;
            RemoteCluster::with_token(&address, ca_pem.into_bytes(), token, allowed(effects))
        }
        Asked::Cloud {
            provider,
            resource,
            address,
            ca_pem,
            account,
        } => {
            let workload = identity::log_in(&provider, account.as_deref(), effects).await?;
            let managed = Managed {
                resource,
                address,
                ca_pem: ca_pem.map(String::into_bytes),
            };
            let found = workload
                .open_cluster(&managed, &effects.key_services.clouds(), &Places::default())
                .await
                .map_err(|error| unusable(error.to_string()))?;
            RemoteCluster::with_token(&found.address, found.ca_pem, found.token, allowed(effects))
        }
    };
    opened.map_err(|error| unusable(error.to_string()))
}

/// The tenant names the server: it is looked for where the platform allows sources and services to be. This
/// cluster's own API server is reached anyway.
pub(super) fn allowed(effects: &Arc<Effects>) -> Arc<dyn Resolve> {
    Arc::new(Allowed(effects.clone()))
}

struct Allowed(Arc<Effects>);

impl Resolve for Allowed {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Vec<SocketAddr>, String>> {
        async move {
            let guard = self.0.key_services.clouds().guard;
            addresses(&guard, self.0.own.server(), host, port).await
        }
        .boxed()
    }
}

/// Those of `host` that `guard` allows, or that are `own`'s too, whatever name it has here.
async fn addresses(
    guard: &Guard,
    own: (&str, u16),
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, String> {
    let refused = match guard.resolve(host, port).await {
        Ok(found) => return Ok(found),
        Err(error) => error.to_string(),
    };
    if port != own.1 {
        return Err(refused);
    }
    let (Ok(found), Ok(own)) = (
        tokio::net::lookup_host((host, port)).await,
        tokio::net::lookup_host(own).await,
    ) else {
        return Err(refused);
    };
    let own: Vec<SocketAddr> = own.collect();
    let found: Vec<SocketAddr> = found.filter(|address| own.contains(address)).collect();
    match found.is_empty() {
        true => Err(refused),
        false => Ok(found),
    }
}

fn asked(data: &BTreeMap<String, String>) -> Result<Asked, String> {
    let get = |key: &str| {
        let value = data.get(key).map(|value| value.trim()).unwrap_or_default();
        Some(value.to_owned()).filter(|value| !value.is_empty())
    };
    let need = |key: &str| get(key).ok_or_else(|| format!("it has no '{key}'"));
    let provider = need("provider")?;
    match provider.as_str() {
        "generic" => {
            if get("serviceAccountName").is_some() {
                let why = "'serviceAccountName' has no effect with provider 'generic': the token is that of the home's \
                           worker; leave it out, and give that subject its rights in the other cluster";
                return Err(why.to_owned());
            }
            let address = need("address")?;
            let audiences = match get("audiences") {
                Some(text) => {
                    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                    lines.collect::<Vec<_>>().join("\n")
                }
                None => address.clone(),
            };
            if let Some(cloud) = audiences.lines().find(|audience| is_of_a_cloud(audience)) {
                return Err(format!(
                    "the audience '{cloud}' is that of a cloud, where the token would open more than this cluster"
                ));
            }
            Ok(Asked::Generic {
                address,
                ca_pem: need("ca.crt")?,
                audiences,
            })
        }
        "aws" | "azure" | "gcp" => {
            let (address, ca_pem) = (get("address"), get("ca.crt"));
            let resource = match get("cluster") {
                Some(resource) => resource,
                // a region is part of what AWS wants to know
                None if provider != "aws" && address.is_some() && ca_pem.is_some() => String::new(),
                None => return Err("it has no 'cluster'".to_owned()),
            };
            Ok(Asked::Cloud {
                provider,
                resource,
                address,
                ca_pem,
                account: get("serviceAccountName"),
            })
        }
        other => Err(format!(
            "provider '{other}' is not known; use generic, aws, azure or gcp"
        )),
    }
}

fn is_of_a_cloud(audience: &str) -> bool {
    matches!(audience, "sts.amazonaws.com" | "api://AzureADTokenExchange")
        || audience.starts_with("//iam.googleapis.com/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Asked, String> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        asked(&pairs.iter().map(pair).collect())
    }

    const USUAL: [(&str, &str); 3] = [
        ("provider", "generic"),
        ("address", "https://far:6443"),
        ("ca.crt", "pem"),
    ];

    #[tokio::test]
    async fn this_clusters_own_api_server_is_allowed_by_any_name_and_nothing_else_at_its_address() {
        let guard = Guard::default();
        let found = addresses(&guard, ("localhost", 6443), "127.0.0.1", 6443).await;
        let expected = "127.0.0.1:6443".parse().expect("an address");
        assert_eq!(found, Ok(vec![expected]));
        for (host, port) in [("127.0.0.1", 6444), ("127.0.0.2", 6443)] {
            let refused = addresses(&guard, ("localhost", 6443), host, port).await;
            let refused = refused.expect_err("it is not the API server");
            assert!(refused.contains("does not allow"), "{refused}");
        }
    }

    #[test]
    fn the_audience_is_the_address_unless_there_are_others() {
        let audiences = |extra: &[(&str, &str)]| match of(&[&USUAL[..], extra].concat()) {
            Ok(Asked::Generic { audiences, .. }) => audiences,
            other => panic!("{other:?}"),
        };
        assert_eq!(audiences(&[]), "https://far:6443");
        assert_eq!(audiences(&[("audiences", "\n a \n\nb\n")]), "a\nb");
    }

    #[test]
    fn what_is_missing_or_would_open_more_is_named() {
        let with = |extra: &[(&'static str, &'static str)]| [&USUAL[..], extra].concat();
        for (pairs, part) in [
            (vec![], "no 'provider'"),
            (vec![("provider", "other")], "not known"),
            (vec![("provider", "generic"), ("ca.crt", "pem")], "no 'address'"),
            (vec![("provider", "generic"), ("address", "far")], "no 'ca.crt'"),
            (with(&[("serviceAccountName", "x")]), "has no effect"),
            (
                with(&[("audiences", "a\nsts.amazonaws.com")]),
                "is that of a cloud",
            ),
            (with(&[("provider", "aws")]), "no 'cluster'"),
            (vec![("provider", "gcp"), ("address", "far")], "no 'cluster'"),
        ] {
            let error = of(&pairs).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
        let known = of(&with(&[("provider", "azure")]));
        assert!(matches!(known, Ok(Asked::Cloud { .. })), "{known:?}");
    }
}

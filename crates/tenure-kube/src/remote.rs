//! Another cluster, as a kubeconfig describes it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tenure_core::{Account, Secret};
use tenure_yaml::Options;

use crate::acting::ActingClient;
use crate::cluster::{Cluster, TokenCell};
use crate::connection::{ClientIdentity, Connection, Resolve, Way};
use crate::error::KubeError;

/// Another cluster, and the credential for it. Nothing of this process gets there: no token of the
/// worker, no file, and no program is run for a credential.
#[derive(Clone, Debug)]
pub struct RemoteCluster {
    connection: Connection,
    token: TokenCell,
    url: String,
}

/// Why a kubeconfig can't be used; never shows a credential.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// It is not YAML, or not of the form.
    #[error("it can't be read: {0}")]
    Unreadable(String),
    /// Something that it names is not in it.
    #[error("it has no {0}")]
    Missing(String),
    /// It asks for something that is refused.
    #[error("{field} is not supported: {why}")]
    Refused {
        /// The field.
        field: String,
        /// Why, and what to do instead.
        why: &'static str,
    },
    /// What it says can't be used.
    #[error(transparent)]
    Unusable(#[from] KubeError),
}

const INLINE: &str = "files are not read; put the content into the field that ends in -data";
const REFUSED_OF_CLUSTERS: &[(&str, &str)] = &[
    ("certificate-authority", INLINE),
    ("insecure-skip-tls-verify", "give certificate-authority-data"),
    ("proxy-url", "the API server must be reachable from the worker"),
];
const REFUSED_OF_USERS: &[(&str, &str)] = &[
    (
        "exec",
        "no program is run for a credential; give a token or a client certificate",
    ),
    (
        "auth-provider",
        "no program is run for a credential; give a token or a client certificate",
    ),
    ("tokenFile", "files are not read; give the token"),
    ("client-certificate", INLINE),
    ("client-key", INLINE),
    ("username", "give a token or a client certificate"),
    ("as", "set spec.serviceAccountName"),
    ("as-groups", "set spec.serviceAccountName"),
    ("as-uid", "set spec.serviceAccountName"),
    ("as-user-extra", "set spec.serviceAccountName"),
];

impl RemoteCluster {
    /// The cluster and user of the current context, at an address that `resolve` gives.
    ///
    /// # Errors
    /// What is missing, refused or can't be used.
    pub fn from_kubeconfig(text: &[u8], resolve: Arc<dyn Resolve>) -> Result<Self, KubeconfigError> {
        // the position, and not the line: it may hold a credential
        let parsed = tenure_yaml::parse_one(text, &Options::helm());
        let config = parsed.map_err(|_| KubeconfigError::Unreadable("it is not YAML".to_owned()))?;
        let missing = |what: &str| KubeconfigError::Missing(what.to_owned());
        let current = string(&config, "current-context").ok_or_else(|| missing("current-context"))?;
        let context = named(&config, "contexts", "context", current)?;
        let of = |field: &str| {
            string(context, field).ok_or_else(|| missing(&format!("contexts[].context.{field}")))
        };
        let cluster = named(&config, "clusters", "cluster", of("cluster")?)?;
        let user = named(&config, "users", "user", of("user")?)?;
        refuse(cluster, "clusters[].cluster", REFUSED_OF_CLUSTERS)?;
        refuse(user, "users[].user", REFUSED_OF_USERS)?;
        let url = string(cluster, "server").ok_or_else(|| missing("clusters[].cluster.server"))?;
        let ca_pem = data(cluster, "certificate-authority-data")?
            .ok_or_else(|| missing("clusters[].cluster.certificate-authority-data"))?;
        let token = string(user, "token").map(|token| Secret::from(token.to_owned()));
        let certificate = (
            data(user, "client-certificate-data")?,
            data(user, "client-key-data")?,
        );
        let identity = match certificate {
            (Some(certificate_pem), Some(key_pem)) => Some(ClientIdentity {
                certificate_pem,
                key_pem: Secret::new(key_pem),
            }),
            (None, None) if token.is_none() => {
                return Err(missing(
                    "credential: users[].user.token or client-certificate-data and client-key-data",
                ));
            }
            (None, None) => None,
            _ => {
                return Err(missing(
                    "pair of users[].user.client-certificate-data and client-key-data",
                ));
            }
        };
        let described = Cluster {
            url: url.trim_end_matches('/').to_owned(),
            ca_pem,
        };
        let way = Way {
            server_name: string(cluster, "tls-server-name"),
            identity,
            resolve: Some(resolve),
        };
        let connection = Connection::open_by(&described, way)?;
        Ok(Self {
            connection,
            token: TokenCell::new(token.unwrap_or_else(|| Secret::new(Vec::new()))),
            url: described.url,
        })
    }

    /// A cluster at this address, whose certificate these authorities vouch for, and a bearer's token;
    /// where it is, `resolve` says.
    ///
    /// # Errors
    /// What can't be used.
    pub fn with_token(
        address: &str,
        ca_pem: Vec<u8>,
        token: Secret,
        resolve: Arc<dyn Resolve>,
    ) -> Result<Self, KubeconfigError> {
        let described = Cluster {
            url: canonical(address)?,
            ca_pem,
        };
        let way = Way {
            resolve: Some(resolve),
            ..Way::default()
        };
        Ok(Self {
            connection: Connection::open_by(&described, way)?,
            token: TokenCell::new(token),
            url: described.url,
        })
    }

    /// A client with the kubeconfig's credential, which acts as `account` there if one is given.
    #[must_use]
    pub fn client(&self, account: Option<Account>) -> ActingClient {
        ActingClient::remote(&self.connection, self.token.clone(), &self.url, account)
    }
}

/// An address as Flux takes it: https, which may be left out, and a host.
fn canonical(address: &str) -> Result<String, KubeconfigError> {
    let bare = address
        .strip_prefix("https://")
        .unwrap_or(address)
        .trim_end_matches('/');
    let plain = bare
        .parse::<http::uri::Authority>()
        .is_ok_and(|authority| !authority.as_str().contains('@'));
    match plain {
        true => Ok(format!("https://{}", bare.to_ascii_lowercase())),
        false => Err(KubeconfigError::Refused {
            field: "address".to_owned(),
            why: "give https:// and a host, and a port if it is not 443",
        }),
    }
}

fn string<'a>(of: &'a Value, field: &str) -> Option<&'a str> {
    of.get(field)?.as_str().filter(|text| !text.is_empty())
}

/// The entry of a list with this name.
fn named<'a>(config: &'a Value, list: &str, field: &str, name: &str) -> Result<&'a Value, KubeconfigError> {
    let entries = config.get(list).and_then(Value::as_array);
    let entry = entries
        .into_iter()
        .flatten()
        .find(|entry| string(entry, "name") == Some(name));
    let found = entry.and_then(|entry| entry.get(field));
    found.ok_or_else(|| KubeconfigError::Missing(format!("{field} named {name:?} in {list}")))
}

fn refuse(of: &Value, path: &str, fields: &'static [(&str, &'static str)]) -> Result<(), KubeconfigError> {
    let asked = |field: &str| {
        of.get(field)
            .is_some_and(|value| !value.is_null() && *value != false && *value != "")
    };
    match fields.iter().find(|(field, _)| asked(field)) {
        Some((field, why)) => Err(KubeconfigError::Refused {
            field: format!("{path}.{field}"),
            why,
        }),
        None => Ok(()),
    }
}

fn data(of: &Value, field: &str) -> Result<Option<Vec<u8>>, KubeconfigError> {
    let Some(text) = string(of, field) else {
        return Ok(None);
    };
    let plain: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(plain);
    let bytes = bytes.map_err(|_| KubeconfigError::Unreadable(format!("{field} is not base64")))?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use super::*;

    struct Nowhere;

    impl Resolve for Nowhere {
        fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, Result<Vec<SocketAddr>, String>> {
            std::future::ready(Err("nowhere".to_owned())).boxed()
        }
    }

    fn refused(cluster: &str, user: &str) -> String {
        let text = format!(
            "current-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\nclusters: [{{name: k, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
        );
        let error = RemoteCluster::from_kubeconfig(text.as_bytes(), Arc::new(Nowhere));
        error.expect_err("it must be refused").to_string()
    }

    #[test]
    fn programs_and_files_are_refused_by_name() {
        for (cluster, user, field) in [
            ("server: https://a", "exec: {command: sh}", "users[].user.exec"),
            (
                "server: https://a",
                "auth-provider: {name: gcp}",
                "users[].user.auth-provider",
            ),
            ("server: https://a", "tokenFile: /t", "users[].user.tokenFile"),
            ("server: https://a", "client-key: /k", "users[].user.client-key"),
            ("server: https://a", "as: admin", "users[].user.as"),
            (
                "certificate-authority: /ca",
                "token: t",
                "clusters[].cluster.certificate-authority",
            ),
            (
                "insecure-skip-tls-verify: true",
                "token: t",
                "clusters[].cluster.insecure-skip-tls-verify",
            ),
        ] {
            let message = refused(cluster, user);
            assert!(
                message.starts_with(&format!("{field} is not supported: ")),
                "{message}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_named_and_no_credential_is_shown() {
        let ca = "certificate-authority-data: eA==";
        for (cluster, user, part) in [
            (ca, "token: hunter2", "clusters[].cluster.server"),
            (
                "server: https://a",
                "token: hunter2",
                "certificate-authority-data",
            ),
            (&format!("server: https://a, {ca}"), "{}", "credential"),
            (
                &format!("server: https://a, {ca}"),
                "client-key-data: aHVudGVyMg==",
                "pair of",
            ),
            (
                &format!("server: https://a, {ca}"),
                "token: hunter2",
                "no certificate",
            ),
            (
                "server: https://a, certificate-authority-data: hunter2",
                "token: x",
                "is not base64",
            ),
        ] {
            let user = user.trim_matches(['{', '}']);
            let message = refused(cluster, user);
            assert!(
                message.contains(part) && !message.contains("hunter2"),
                "{message}"
            );
        }
        let error =
            RemoteCluster::from_kubeconfig(b"token: hunter2: x", Arc::new(Nowhere)).expect_err("no YAML");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

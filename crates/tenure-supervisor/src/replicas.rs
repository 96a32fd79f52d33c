//! The replicas of the source cache: where they are now, and who listens to each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tenure_core::Name;
use tenure_kube::SupervisorClient;
use tenure_proto::lifeline::CacheEndpoint;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::inventory::{self, Lists};
use crate::membership::Ours;
use crate::movements;

/// How often the addresses are looked up: a replica that comes or goes is known by then.
const LOOK: Duration = Duration::from_secs(5);
const HTTPS: u16 = 443;

/// Where the replicas are.
#[derive(Clone, Debug)]
pub(crate) struct Replicas(Arc<watch::Sender<Vec<String>>>);

impl Replicas {
    /// Those that are configured, until their addresses are known.
    pub(crate) fn new(configured: &[String]) -> Self {
        Self(Arc::new(watch::Sender::new(configured.to_vec())))
    }

    /// Their URLs, in an order that does not change; and whenever they are others.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Vec<String>> {
        self.0.subscribe()
    }
}

/// What is done with each replica.
pub(crate) struct Listeners {
    pub(crate) cache: CacheEndpoint,
    /// The supervisor's token for the cache, if it has one: else nobody listens.
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) moved: mpsc::Sender<(Name, String)>,
    pub(crate) client: SupervisorClient,
    /// One supervisor writes down what is cached.
    pub(crate) ours: watch::Receiver<Ours>,
}

impl Listeners {
    /// Follows the replicas until `stop`.
    pub(crate) async fn keep(self, replicas: Replicas, stop: CancellationToken) {
        let lists = Lists::default();
        if self.token_file.is_some() {
            tokio::spawn(inventory::keep(
                self.client.clone(),
                lists.clone(),
                self.ours.clone(),
                stop.clone(),
            ));
        }
        let mut listening: BTreeMap<String, DropGuard> = BTreeMap::new();
        loop {
            let known = replicas.0.borrow().clone();
            let urls = addresses(&self.cache.urls, &known).await;
            listening.retain(|url, _| urls.contains(url));
            lists.only(&urls);
            for url in &urls {
                if !listening.contains_key(url) {
                    listening.insert(url.clone(), self.listen(url, &lists, &stop));
                }
            }
            let now: Vec<String> = urls.into_iter().collect();
            if now != known {
                tracing::info!(replicas = ?now, "the source cache");
                replicas.0.send_replace(now);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    fn listen(&self, url: &str, lists: &Lists, stop: &CancellationToken) -> DropGuard {
        let stop = stop.child_token();
        if let Some(token_file) = &self.token_file {
            let replica = CacheEndpoint {
                urls: vec![url.to_owned()],
                ..self.cache.clone()
            };
            let (token_file, moved) = (token_file.clone(), self.moved.clone());
            tokio::spawn(movements::listen(
                replica.clone(),
                token_file.clone(),
                moved,
                stop.clone(),
            ));
            tokio::spawn(inventory::listen(
                replica,
                token_file,
                lists.clone(),
                stop.clone(),
            ));
        }
        stop.drop_guard()
    }
}

/// A URL for each address of each host. A host that can't be looked up keeps those that are known, or its own name.
async fn addresses(configured: &[String], known: &[String]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for url in configured {
        match look_up(url).await {
            Ok(found) if !found.is_empty() => all.extend(found),
            Ok(_) => return known.iter().cloned().collect(),
            Err(error) => {
                tracing::debug!(url, error, "failed to look up the source cache");
                return known.iter().cloned().collect();
            }
        }
    }
    all
}

async fn look_up(url: &str) -> Result<Vec<String>, String> {
    let uri: Uri = url.parse().map_err(|_| "it is no URL".to_owned())?;
    let host = uri.host().ok_or("it has no host")?;
    let port = uri.port_u16().unwrap_or(HTTPS);
    let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await;
    let found: Vec<SocketAddr> = found.map_err(|error| error.to_string())?.collect();
    // a replica with addresses of both families is one
    let four = found.iter().any(SocketAddr::is_ipv4);
    let of_one = found.iter().filter(|address| address.is_ipv4() == four);
    Ok(of_one.map(|address| format!("https://{address}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_address_is_a_replica_and_a_host_that_is_unknown_changes_nothing() {
        let url = |text: &str| text.to_owned();
        let urls = [
            url("https://127.0.0.1:2"),
            url("https://127.0.0.1:1"),
            url("https://[::1]:3"),
        ];
        let found: Vec<String> = addresses(&urls, &[]).await.into_iter().collect();
        assert_eq!(
            found,
            ["https://127.0.0.1:1", "https://127.0.0.1:2", "https://[::1]:3"]
        );
        let known = [url("https://10.0.0.1:8443"), url("https://10.0.0.2:8443")];
        for unknown in ["https://no.such.host.invalid:8443", "no URL at all"] {
            let found = addresses(&[urls[0].clone(), url(unknown)], &known).await;
            assert_eq!(found.into_iter().collect::<Vec<_>>(), known);
        }
    }
}

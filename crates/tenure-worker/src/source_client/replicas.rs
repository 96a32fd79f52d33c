//! The replicas of the source cache as one: each remote has its own, so that all homes share one fetch of it, and
//! another one while that one is out of reach.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use parking_lot::Mutex;
use tenure_controllers::{Resolved, SourceFailure, SourceRequest, Sources, Wanted};
use tenure_core::{Digest, Secret};
use tenure_proto::source::ResolveRequest;
use tokio::sync::watch;

use super::adapter::{failure, message, resolved};
use super::budget::{Budget, Standing};
use super::{SourceClient, SourceError, TokenSource};

/// How long a replica that was out of reach is asked after all others.
const AVOIDED: Duration = Duration::from_secs(120);

/// All replicas of the cache.
pub struct Replicas {
    all: ArcSwap<Vec<Arc<Replica>>>,
    ca_pem: Vec<u8>,
    server_name: String,
    token: TokenSource,
    budget: Budget,
}

struct Replica {
    url: String,
    /// What a grant of its begins with.
    mark: Mark,
    client: SourceClient,
    /// When it was out of reach last.
    lost: Mutex<Option<Instant>>,
}

type Mark = [u8; 8];

impl Replicas {
    /// Clients for the replicas at `urls`; see [`SourceClient::new`].
    ///
    /// # Errors
    /// [`SourceError::Endpoint`] when there is none, or one that can't be used.
    pub fn new(
        urls: &[String],
        ca_pem: &[u8],
        server_name: &str,
        token: &TokenSource,
    ) -> Result<Self, SourceError> {
        let replicas = Self {
            all: ArcSwap::default(),
            ca_pem: ca_pem.to_vec(),
            server_name: server_name.to_owned(),
            token: token.clone(),
            budget: Budget::default(),
        };
        replicas.moved(urls)?;
        Ok(replicas)
    }

    /// What the home may have downloaded within an hour, in bytes; 0: as the cache allows everybody.
    #[must_use]
    pub fn within(mut self, bytes_per_hour: u64) -> Self {
        self.budget = Budget::new(bytes_per_hour);
        self
    }

    /// Whether that is used up, as it changes.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.budget.standing()
    }

    /// They are at these addresses now. Connections to those that stay are kept, and so are the grants of theirs.
    ///
    /// # Errors
    /// As [`Replicas::new`]; then they stay where they were.
    pub fn moved(&self, urls: &[String]) -> Result<(), SourceError> {
        if urls.is_empty() {
            return Err(SourceError::Endpoint("it has no address".to_owned()));
        }
        let known = self.all.load();
        let replica = |url: &String| {
            if let Some(known) = known.iter().find(|replica| replica.url == *url) {
                return Ok(known.clone());
            }
            let client = SourceClient::new(url, &self.ca_pem, &self.server_name, self.token.clone())?;
            Ok(Arc::new(Replica {
                url: url.clone(),
                mark: mark(url),
                client,
                lost: Mutex::default(),
            }))
        };
        let all: Vec<_> = urls.iter().map(replica).collect::<Result<_, SourceError>>()?;
        self.all.store(Arc::new(all));
        Ok(())
    }

    fn order(&self, remote: &str) -> Vec<Arc<Replica>> {
        let mut order: Vec<_> = self.all.load().iter().cloned().collect();
        order.sort_by_cached_key(|replica| rank(&replica.url, replica.is_lost(), remote));
        order
    }
}

fn mark(url: &str) -> Mark {
    let mut mark = Mark::default();
    mark.copy_from_slice(&Digest::of(url.as_bytes()).as_bytes()[..8]);
    mark
}

/// Who is asked first for a remote: by rendezvous hashing, so that every worker asks the same replica, and only the
/// remotes of one that comes or goes change places.
fn rank(url: &str, lost: bool, remote: &str) -> (bool, String) {
    (lost, Digest::of(format!("{url}\0{remote}").as_bytes()).hex())
}

impl Replica {
    fn is_lost(&self) -> bool {
        self.lost.lock().is_some_and(|at| at.elapsed() < AVOIDED)
    }

    /// Notes whether it is out of reach.
    fn heard<T>(&self, result: &Result<T, SourceError>) {
        *self.lost.lock() = match result {
            Err(SourceError::Unreachable(_) | SourceError::TokenRefused) => Some(Instant::now()),
            _ => None,
        };
    }
}

#[async_trait]
impl Sources for Replicas {
    async fn resolve(&self, request: &SourceRequest) -> Result<Resolved, SourceFailure> {
        let asked = ResolveRequest {
            fetch_bytes_per_hour: self.budget.bytes_per_hour,
            ..message(request)
        };
        let mut out_of_reach = SourceError::Endpoint("it has none".to_owned());
        for replica in self.order(&remote(&request.wanted)) {
            let answer = replica.client.resolve(asked.clone()).await;
            replica.heard(&answer);
            self.budget.heard(&answer);
            match answer {
                Ok(response) => {
                    let mut resolved = resolved(response)?;
                    resolved.grant = Secret::new([&replica.mark[..], resolved.grant.expose()].concat());
                    return Ok(resolved);
                }
                // one that knows no key of the issuer yet is as good as none
                Err(error @ (SourceError::Unreachable(_) | SourceError::TokenRefused)) => {
                    tracing::debug!(replica = replica.url, %error, "a replica of the source cache is out of reach");
                    out_of_reach = error;
                }
                Err(error) => return Err(failure(&request.wanted, error)),
            }
        }
        Err(failure(&request.wanted, out_of_reach))
    }

    async fn fetch(&self, resolved: &Resolved, to: PathBuf) -> Result<(), SourceFailure> {
        let stale = || SourceError::Stale("its replica is not known any more".to_owned());
        let (mark, grant) = resolved.grant.expose().split_first_chunk().ok_or_else(stale)?;
        let all = self.all.load_full();
        let replica = all
            .iter()
            .find(|replica| replica.mark == *mark)
            .ok_or_else(stale)?;
        let mut file = tokio::fs::File::create(&to).await.map_err(SourceError::from)?;
        let (digest, size) = (resolved.digest, resolved.size);
        let fetched = replica
            .client
            .fetch(&Secret::new(grant), digest, size, &mut file)
            .await;
        replica.heard(&fetched);
        if fetched.is_err() {
            tokio::fs::remove_file(&to).await.ok();
        }
        Ok(fetched?)
    }

    async fn release(&self, remote: &str) {
        let all = self.all.load_full();
        let told = all.iter().map(|replica| async {
            if let Err(error) = replica.client.release(remote.to_owned()).await {
                tracing::debug!(replica = replica.url, %error, "the source cache was not told to forget a remote");
            }
        });
        futures::future::join_all(told).await;
    }
}

/// What all requests have in common that one fetch serves.
fn remote(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Git(git) => git.url.remote_key(),
        Wanted::Oci(oci) => oci.repository.url(),
        Wanted::Helm(helm) => helm.url.remote_key(),
        Wanted::Bucket(bucket) => format!("{}/{}", bucket.endpoint.remote_key(), bucket.name),
        Wanted::File(file) => file.url.remote_key(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first<'a>(remote: &str, of: &[(&'a str, bool)]) -> &'a str {
        let first = of.iter().min_by_key(|(url, lost)| rank(url, *lost, remote));
        first.expect("one").0
    }

    #[test]
    fn remotes_are_spread_and_only_those_of_a_replica_that_goes_move() {
        let three = [("https://a", false), ("https://b", false), ("https://c", false)];
        let two = [three[2], three[0]];
        let remotes: Vec<String> = (0..300).map(|n| format!("https://git.example.com/{n}")).collect();
        for (replica, _) in three {
            let share = remotes
                .iter()
                .filter(|remote| first(remote, &three) == replica)
                .count();
            assert!((60..=140).contains(&share), "{replica} has {share} of 300");
        }
        for remote in &remotes {
            let before = first(remote, &three);
            assert!(before == "https://b" || before == first(remote, &two), "{remote}");
        }
    }

    #[test]
    fn one_that_was_out_of_reach_is_asked_last() {
        let usual = first("remote", &[("https://a", false), ("https://b", false)]);
        let lost = [
            ("https://a", usual == "https://a"),
            ("https://b", usual == "https://b"),
        ];
        assert_ne!(first("remote", &lost), usual);
    }

    #[tokio::test]
    async fn those_that_stay_are_kept_when_others_come_and_go() {
        let token: TokenSource = Arc::new(|| None);
        let urls = |all: &[&str]| all.iter().map(|url| (*url).to_owned()).collect::<Vec<_>>();
        let replicas =
            Replicas::new(&urls(&["https://a:1", "https://b:1"]), b"", "cache", &token).expect("valid");
        let before = replicas.all.load_full();
        replicas
            .moved(&urls(&["https://b:1", "https://c:1"]))
            .expect("valid");
        let after = replicas.all.load_full();
        assert!(Arc::ptr_eq(&before[1], &after[0]));
        assert_eq!(after[1].url, "https://c:1");
        assert_ne!(after[0].mark, after[1].mark);
        for bad in [&[][..], &["http://d:1"]] {
            assert!(replicas.moved(&urls(bad)).is_err());
            assert_eq!(replicas.all.load().len(), 2, "they stay where they were");
        }
    }

    #[test]
    fn a_cache_without_an_address_is_none() {
        let token: TokenSource = Arc::new(|| None);
        let none = Replicas::new(&[], b"", "cache", &token);
        assert!(matches!(none, Err(SourceError::Endpoint(_))));
    }
}

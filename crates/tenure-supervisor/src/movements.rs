//! What moved while workers slept, as the source cache says it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use tenure_core::{Backoff, Name};
use tenure_proto::lifeline::CacheEndpoint;
use tenure_proto::source::movements_client::MovementsClient;
use tenure_proto::source::{Moved, SubscribeRequest};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use crate::control;

/// Sources of one home that wait to be looked at; more than a home may lease.
const MOST: usize = 1024;

/// Sources of one home that have moved, until its task looks.
#[derive(Default)]
pub(crate) struct Inbox {
    subjects: Mutex<BTreeSet<String>>,
    news: Notify,
}

impl Inbox {
    /// This source has moved.
    pub(crate) fn put(&self, subject: String) {
        let mut subjects = self.subjects.lock();
        if subjects.len() < MOST {
            subjects.insert(subject);
        }
        drop(subjects);
        self.news.notify_one();
    }

    /// What has moved since the last call; waits until something has. Cancel safe.
    pub(crate) async fn take(&self) -> BTreeSet<String> {
        loop {
            let subjects = std::mem::take(&mut *self.subjects.lock());
            if !subjects.is_empty() {
                return subjects;
            }
            self.news.notified().await;
        }
    }
}

/// Listens to the cache until `stop`, and starts anew when the connection is lost: the cache then says again what
/// nobody has looked at.
pub(crate) async fn listen(
    cache: CacheEndpoint,
    token_file: PathBuf,
    heard: mpsc::Sender<(Name, String)>,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
    loop {
        let lost = tokio::select! {
            () = stop.cancelled() => return,
            lost = hear(&cache, &token_file, &heard, &mut backoff) => lost,
        };
        tracing::debug!(reason = lost, "the source cache does not say what moves");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(backoff.next_delay()) => {}
        }
    }
}

/// Says why it ended.
async fn hear(
    cache: &CacheEndpoint,
    token_file: &Path,
    heard: &mpsc::Sender<(Name, String)>,
    backoff: &mut Backoff,
) -> String {
    let mut words = match subscribe(cache, token_file).await {
        Ok(words) => words,
        Err(why) => return why,
    };
    backoff.reset();
    loop {
        let Moved {
            home,
            subject,
            revision,
        } = match words.message().await {
            Ok(Some(moved)) => moved,
            Ok(None) => return "it ended the call".to_owned(),
            Err(status) => return status.message().to_owned(),
        };
        let Ok(name) = Name::new(&home) else { continue };
        tracing::debug!(home, subject, revision, "a source moved");
        if heard.send((name, subject)).await.is_err() {
            return "nobody listens any more".to_owned();
        }
    }
}

async fn subscribe(cache: &CacheEndpoint, token_file: &Path) -> Result<Streaming<Moved>, String> {
    let request = control::request(token_file, SubscribeRequest {}).await?;
    let mut client = MovementsClient::new(control::channel(cache)?);
    let answer = client.subscribe(request).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| format!("failed to subscribe: {}", status.message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_ask_for_the_audience_that_the_cache_expects() {
        assert_eq!(
            tenure_api::CACHE_CONTROL_AUDIENCE,
            tenure_proto::CACHE_CONTROL_AUDIENCE
        );
    }

    #[tokio::test]
    async fn what_moved_twice_is_looked_at_once() {
        let inbox = Inbox::default();
        for subject in ["GitRepository/app", "Bucket/b", "GitRepository/app"] {
            inbox.put(subject.to_owned());
        }
        let taken: Vec<String> = inbox.take().await.into_iter().collect();
        assert_eq!(taken, ["Bucket/b", "GitRepository/app"]);
        assert!(futures::poll!(Box::pin(inbox.take())).is_pending());
    }
}

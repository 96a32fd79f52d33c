//! Asks about what is leased, for as long as the service runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::CacheError;
use crate::grant::Scope;
use crate::leases::Due;
use crate::proof::Proof;
use crate::service::{Cache, locate};

/// Without a lease there is nothing to wait for.
const IDLE: Duration = Duration::from_secs(60);

/// Asks what is due until `cancel`.
pub(crate) async fn keep(cache: &Arc<Cache>, cancel: &CancellationToken) -> Result<(), CacheError> {
    let mut polls = JoinSet::new();
    loop {
        for due in cache.leases.due(Instant::now()) {
            polls.spawn(poll(cache.clone(), due));
        }
        let count = i64::try_from(cache.leases.count()).unwrap_or(i64::MAX);
        cache.metrics.leases.set(count);
        let wake = cache.leases.next().unwrap_or_else(|| Instant::now() + IDLE);
        tokio::select! {
            () = cancel.cancelled() => break,
            () = cache.leases.changed() => {}
            () = tokio::time::sleep_until(wake.into()) => {}
            Some(_) = polls.join_next() => {}
        }
    }
    // whoever listens would keep the service from ending
    cache.leases.close();
    cache.inventory.close();
    Ok(())
}

async fn poll(cache: Arc<Cache>, due: Due) {
    let Due { question, ask, homes } = due;
    let Some(first) = homes.first().cloned() else {
        return cache.leases.failed(&question, None);
    };
    let asked = tokio::time::timeout(ask.timeout, locate(&cache, &first, &ask)).await;
    match asked {
        Ok(Ok(located)) => {
            cache.metrics.poll("ok");
            let revision = located.found.revision.to_string();
            // what is not advertised is proved by downloading it only
            for home in homes.into_iter().filter(|_| located.found.advertised) {
                let scope = Scope {
                    home,
                    remote: ask.name.clone(),
                };
                let proof = Proof::of(&located, ask.fingerprint);
                cache.proofs.record(&scope, &ask.reference(), proof);
            }
            cache.leases.found(&question, &revision);
        }
        Ok(Err(failure)) if failure.refused => {
            cache.metrics.poll("refused");
            for home in homes {
                let scope = Scope {
                    home,
                    remote: ask.name.clone(),
                };
                cache.forget(&scope, ask.login.as_ref());
            }
            cache.leases.refused(&question);
        }
        Ok(Err(failure)) => {
            cache.metrics.poll("failed");
            tracing::debug!(
                remote = ask.name,
                kind = failure.kind.as_str_name(),
                "a poll failed"
            );
            cache.leases.failed(&question, failure.retry_after);
        }
        Err(_) => {
            cache.metrics.poll("failed");
            cache.leases.failed(&question, None);
        }
    }
}

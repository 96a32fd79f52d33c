//! What hosts and clouds have given for the key of an App or the token of a workload, until shortly before it ends; in
//! memory only.
//!
//! Whoever brings the same key is given the same: he could get one himself. A workload is its home's alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tenure_core::Name;

use crate::failure::Failure;
use crate::once::{Once, Role};
use crate::proof::Fingerprint;
use crate::request::Ask;
use crate::service::{Cache, local};
use crate::source::Opened;

/// Nothing is used that may end while it is.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// Nothing is used for longer, so that a cloud that takes a right away is asked again: some give it for half a day.
const LONGEST: Duration = Duration::from_secs(3600);

/// What is known, and what is being asked for.
#[derive(Default)]
pub(crate) struct Tokens {
    kept: Mutex<HashMap<Fingerprint, Kept>>,
    asking: Once<Fingerprint, Result<Opened, Failure>>,
}

struct Kept {
    opened: Opened,
    until: Instant,
}

impl Tokens {
    fn get(&self, key: &Fingerprint) -> Option<Opened> {
        let kept = self.kept.lock();
        let kept = kept.get(key)?;
        (Instant::now() < kept.until).then(|| kept.opened.clone())
    }

    fn keep(&self, key: Fingerprint, opened: Opened, good_for: Duration) {
        let until = Instant::now() + good_for.min(LONGEST).saturating_sub(MARGIN);
        self.kept.lock().insert(key, Kept { opened, until });
    }

    /// Forgets a token that a remote has refused.
    pub(crate) fn forget(&self, key: &Fingerprint) {
        self.kept.lock().remove(key);
    }

    /// Forgets tokens that have ended.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        self.kept.lock().retain(|_, kept| now < kept.until);
    }
}

/// What opens the remote for what `ask` brings, which `key` stands for.
pub(crate) async fn opened(
    cache: &Arc<Cache>,
    home: &Name,
    ask: &Arc<Ask>,
    key: Fingerprint,
) -> Result<Opened, Failure> {
    loop {
        if let Some(opened) = cache.tokens.get(&key) {
            return Ok(opened);
        }
        let work = log_in(cache.clone(), home.clone(), ask.clone(), key);
        match cache.tokens.asking.run(&key, work).await {
            (Role::Led, result) | (Role::Joined, result @ Ok(_)) => return result,
            // It was another caller's limit or time that did not suffice.
            (Role::Joined, Err(_)) => {}
        }
    }
}

async fn log_in(cache: Arc<Cache>, home: Name, ask: Arc<Ask>, key: Fingerprint) -> Result<Opened, Failure> {
    let place = cache.homes.fetcher(&home).await;
    let place = place.ok_or_else(|| local("wait for a fetcher", "the cache is ending"))?;
    let (opened, good_for) = cache.fetchers.log_in(&place, &ask).await?;
    cache.tokens.keep(key, opened.clone(), good_for);
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_core::Secret;

    #[test]
    fn a_token_is_used_until_shortly_before_it_ends_or_is_refused() {
        let tokens = Tokens::default();
        let token = || Opened::Token(Secret::from("t0ken".to_owned()));
        let (one, two) = ([1; 32], [2; 32]);
        tokens.keep(one, token(), Duration::from_secs(12 * 3600));
        tokens.keep(two, token(), MARGIN);
        assert!(tokens.get(&one).is_some() && tokens.get(&two).is_none());
        let until = tokens.kept.lock()[&one].until;
        assert!(until <= Instant::now() + LONGEST, "not for half a day");
        tokens.sweep();
        assert_eq!(tokens.kept.lock().len(), 1);
        tokens.forget(&one);
        assert!(tokens.get(&one).is_none());
    }
}

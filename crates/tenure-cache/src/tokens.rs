//! Tokens that a host has given for the key of an App, until shortly before they end; in memory only.
//!
//! Whoever brings the same key is given the same token: he could get one himself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tenure_core::{Name, Secret};
use tenure_git::github::Token;

use crate::failure::Failure;
use crate::once::{Once, Role};
use crate::proof::Fingerprint;
use crate::request::Ask;
use crate::service::{Cache, local};

/// A token is not used for what may end after it.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// What is known, and what is being asked for.
#[derive(Default)]
pub(crate) struct Tokens {
    kept: Mutex<HashMap<Fingerprint, Kept>>,
    asking: Once<Fingerprint, Result<Secret, Failure>>,
}

struct Kept {
    token: Secret,
    until: Instant,
}

impl Tokens {
    fn get(&self, key: &Fingerprint) -> Option<Secret> {
        let kept = self.kept.lock();
        let kept = kept.get(key)?;
        (Instant::now() < kept.until).then(|| kept.token.clone())
    }

    fn keep(&self, key: Fingerprint, token: &Token) {
        let good_for = token.good_for.saturating_sub(MARGIN);
        let kept = Kept {
            token: token.token.clone(),
            until: Instant::now() + good_for,
        };
        self.kept.lock().insert(key, kept);
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

/// The token for the key that `ask` brings, which `key` stands for.
pub(crate) async fn token(
    cache: &Arc<Cache>,
    home: &Name,
    ask: &Arc<Ask>,
    key: Fingerprint,
) -> Result<Secret, Failure> {
    loop {
        if let Some(token) = cache.tokens.get(&key) {
            return Ok(token);
        }
        let work = log_in(cache.clone(), home.clone(), ask.clone(), key);
        match cache.tokens.asking.run(&key, work).await {
            (Role::Led, result) | (Role::Joined, result @ Ok(_)) => return result,
            // It was another caller's limit or time that did not suffice.
            (Role::Joined, Err(_)) => {}
        }
    }
}

async fn log_in(cache: Arc<Cache>, home: Name, ask: Arc<Ask>, key: Fingerprint) -> Result<Secret, Failure> {
    let place = cache.homes.fetcher(&home).await;
    let place = place.ok_or_else(|| local("wait for a fetcher", "the cache is ending"))?;
    let token = cache.fetchers.log_in(&place, &ask).await?;
    cache.tokens.keep(key, &token);
    Ok(token.token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_used_until_shortly_before_it_ends_or_is_refused() {
        let tokens = Tokens::default();
        let token = |good_for| Token {
            token: Secret::from("t0ken".to_owned()),
            good_for,
        };
        let (one, two) = ([1; 32], [2; 32]);
        tokens.keep(one, &token(Duration::from_secs(3600)));
        tokens.keep(two, &token(MARGIN));
        assert!(tokens.get(&one).is_some() && tokens.get(&two).is_none());
        tokens.sweep();
        assert_eq!(tokens.kept.lock().len(), 1);
        tokens.forget(&one);
        assert!(tokens.get(&one).is_none());
    }
}

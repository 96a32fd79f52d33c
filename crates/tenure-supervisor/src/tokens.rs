//! The tokens of one home: minted, renewed at half life, never written anywhere.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use rand::Rng;
use tenure_core::{Backoff, Name};
use tenure_kube::{KubeError, Minted, SupervisorClient};
use tenure_proto::CACHE_AUDIENCE;
use tenure_proto::lifeline::{Audience, Token};
use tokio::time::Instant;

/// The shortest life that the API server grants.
pub(crate) const SECONDS: u32 = 600;
const PATIENCE: Duration = Duration::from_secs(15);

/// A token of one audience.
pub(crate) struct Held {
    audience: Audience,
    /// The one on its way. It is polled where the home waits for everything else, so that a slow answer
    /// delays nothing.
    pending: Option<BoxFuture<'static, Result<Minted, MintError>>>,
    minted: Option<Minted>,
    renew: Instant,
    backoff: Backoff,
}

/// Why no token could be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MintError {
    #[error(transparent)]
    Kube(#[from] KubeError),
    #[error("failed to mint a token of the worker of {0}: no answer in time")]
    Slow(Name),
}

impl Held {
    pub(crate) fn new(audience: Audience) -> Self {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        Self {
            audience,
            pending: None,
            minted: None,
            renew: Instant::now(),
            backoff,
        }
    }

    /// When [`begin`](Self::begin) is to be called.
    pub(crate) fn renew_at(&self) -> Instant {
        self.renew
    }

    /// The token, while it is good.
    pub(crate) fn good(&self) -> Option<&Minted> {
        self.minted
            .as_ref()
            .filter(|minted| minted.expires_at > Timestamp::now())
    }

    /// The token as the lifeline carries it.
    pub(crate) fn message(&self) -> Option<Token> {
        let minted = self.good()?;
        Some(Token {
            audience: self.audience.into(),
            value: minted.token.expose_str()?.to_owned(),
            expires_at: Some(prost_types::Timestamp {
                seconds: minted.expires_at.as_second(),
                nanos: minted.expires_at.subsec_nanosecond(),
            }),
        })
    }

    /// Whether there is none, and none can be had by waiting for a failed mint's next turn.
    pub(crate) fn is_needed(&self, now: Instant) -> bool {
        self.good().is_none() && (self.pending.is_some() || self.renew <= now)
    }

    /// Begins to mint a new one, unless that is under way. The old one stays until then.
    pub(crate) fn begin(&mut self, client: &SupervisorClient, home: &Name) {
        if self.pending.is_some() {
            return;
        }
        let audiences: &[&str] = if self.audience == Audience::Cache {
            &[CACHE_AUDIENCE]
        } else {
            &[]
        };
        let (client, home) = (client.clone(), home.clone());
        let mint = async move {
            match tokio::time::timeout(PATIENCE, client.mint(&home, audiences, SECONDS)).await {
                Ok(answer) => Ok(answer?),
                Err(_) => Err(MintError::Slow(home)),
            }
        };
        self.pending = Some(mint.boxed());
        self.renew = Instant::now() + PATIENCE * 2;
    }

    /// Mints a new one and waits for it.
    pub(crate) async fn renew(&mut self, client: &SupervisorClient, home: &Name) -> Result<(), MintError> {
        self.begin(client, home);
        self.minted().await
    }

    /// Waits for the end of what was begun; for ever when nothing was. On failure the next try is later
    /// each time. Cancel safe.
    pub(crate) async fn minted(&mut self) -> Result<(), MintError> {
        let Some(pending) = &mut self.pending else {
            return std::future::pending().await;
        };
        let answer = pending.await;
        self.pending = None;
        let minted = match answer {
            Ok(minted) => minted,
            Err(error) => {
                self.renew = Instant::now() + self.backoff.next_delay();
                return Err(error);
            }
        };
        self.backoff.reset();
        let life = minted.expires_at.duration_since(Timestamp::now()).as_secs_f64();
        let wait = half_life(life, rand::rng().random_range(0.9..1.1));
        self.renew = Instant::now() + wait;
        self.minted = Some(minted);
        Ok(())
    }
}

/// Half of `life` seconds, moved by the factor `jitter` so that homes do not renew all at once.
fn half_life(life: f64, jitter: f64) -> Duration {
    Duration::from_secs_f64((life / 2.0 * jitter).max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_around_half_of_its_life() {
        assert_eq!(half_life(600.0, 1.0), Duration::from_secs(300));
        assert_eq!(half_life(600.0, 0.9), Duration::from_secs(270));
        assert_eq!(
            half_life(-5.0, 1.0),
            Duration::from_secs(1),
            "a clock that is off makes no busy loop"
        );
    }
}

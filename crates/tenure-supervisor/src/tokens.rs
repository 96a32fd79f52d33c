//! The tokens of one home: minted, renewed at half life, never written anywhere.

use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;
use tenure_core::{Backoff, Name};
use tenure_kube::{KubeError, Minted, SupervisorClient};
use tenure_proto::CACHE_AUDIENCE;
use tenure_proto::lifeline::{Audience, Token};
use tokio::time::Instant;

/// The shortest life that the API server grants.
const SECONDS: u32 = 600;
const PATIENCE: Duration = Duration::from_secs(15);

/// A token of one audience.
#[derive(Debug)]
pub(crate) struct Held {
    audience: Audience,
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
            minted: None,
            renew: Instant::now(),
            backoff,
        }
    }

    /// When [`renew`](Self::renew) is to be called.
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

    /// Mints a new one. On failure the old one stays, and the next try is later each time.
    pub(crate) async fn renew(&mut self, client: &SupervisorClient, home: &Name) -> Result<(), MintError> {
        let audiences: &[&str] = if self.audience == Audience::Cache {
            &[CACHE_AUDIENCE]
        } else {
            &[]
        };
        let answer = tokio::time::timeout(PATIENCE, client.mint(home, audiences, SECONDS)).await;
        let minted = match answer {
            Ok(Ok(minted)) => minted,
            failed => {
                self.renew = Instant::now() + self.backoff.next_delay();
                return Err(match failed {
                    Ok(Err(error)) => error.into(),
                    _ => MintError::Slow(home.clone()),
                });
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

//! Tokens with which a home's worker is known to a cloud: minted when it asks, and kept by it alone.

use std::collections::HashMap;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use tenure_core::Name;
use tenure_kube::{Minted, SupervisorClient};
use tenure_proto::lifeline::Identity;

use crate::tokens::SECONDS;

/// Asked for at once.
const AT_ONCE: usize = 8;
/// Audiences of one home; a tenant needs one for each cloud.
const MOST: usize = 16;
/// A token is given again until so long before its end.
const REUSED: SignedDuration = SignedDuration::from_secs(300);
/// The longest audience.
const LONGEST: usize = 512;
const PATIENCE: Duration = Duration::from_secs(15);

/// What is being minted, and what was: nobody makes the supervisor ask the API server all the time.
#[derive(Default)]
pub(super) struct Identities {
    pending: FuturesUnordered<BoxFuture<'static, Identity>>,
    given: HashMap<String, Identity>,
}

impl Identities {
    /// Begins to mint a token, unless the audience is none of a cloud's: one for the API server or the source cache would
    /// be another power.
    pub(super) fn ask(&mut self, client: &SupervisorClient, home: &Name, audience: String) {
        if self.pending.len() >= AT_ONCE {
            // whoever asked asks again
            return tracing::warn!(%home, "its worker asks for too many tokens at once");
        }
        let now = Timestamp::now();
        self.given
            .retain(|_, identity| lasts(identity, now) > SignedDuration::ZERO);
        let answer = match self.given.get(&audience) {
            Some(given) if lasts(given, now) > REUSED => std::future::ready(given.clone()).boxed(),
            known if !is_of_a_cloud(&audience) || (known.is_none() && self.given.len() >= MOST) => {
                let refusal = "the supervisor gives tokens for AWS, Azure and Google Cloud only, and not for many of their audiences";
                std::future::ready(refused(audience, refusal.to_owned())).boxed()
            }
            _ => mint(client.clone(), home.clone(), audience).boxed(),
        };
        self.pending.push(answer);
    }

    /// The next one that is minted or refused; for ever when none is asked for. Cancel safe.
    pub(super) async fn next(&mut self) -> Identity {
        let Some(identity) = self.pending.next().await else {
            return std::future::pending().await;
        };
        if identity.refusal.is_empty() {
            self.given.insert(identity.audience.clone(), identity.clone());
        }
        identity
    }
}

async fn mint(client: SupervisorClient, home: Name, audience: String) -> Identity {
    match tokio::time::timeout(PATIENCE, client.mint(&home, &[&audience], SECONDS)).await {
        Ok(Ok(minted)) => given(audience, &minted),
        Ok(Err(error)) => refused(audience, error.to_string()),
        Err(_) => refused(audience, "the API server did not answer in time".to_owned()),
    }
}

/// For how long a token is good.
fn lasts(identity: &Identity, now: Timestamp) -> SignedDuration {
    let until = identity.expires_at.as_ref();
    let until = until.and_then(|at| Timestamp::from_second(at.seconds).ok());
    until.unwrap_or(now).duration_since(now)
}

fn given(audience: String, minted: &Minted) -> Identity {
    Identity {
        audience,
        token: minted.token.expose_str().unwrap_or_default().to_owned(),
        expires_at: Some(prost_types::Timestamp {
            seconds: minted.expires_at.as_second(),
            nanos: 0,
        }),
        refusal: String::new(),
    }
}

fn refused(audience: String, refusal: String) -> Identity {
    Identity {
        audience,
        refusal,
        ..Identity::default()
    }
}

/// The audiences that the clouds document for tokens of other issuers.
fn is_of_a_cloud(audience: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b':' | b'-' | b'_');
    audience.len() <= LONGEST
        && audience.bytes().all(plain)
        && (matches!(audience, "sts.amazonaws.com" | "api://AzureADTokenExchange")
            || audience.starts_with("//iam.googleapis.com/projects/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_audiences_of_clouds_are_given() {
        for good in [
            "sts.amazonaws.com",
            "api://AzureADTokenExchange",
            "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k",
        ] {
            assert!(is_of_a_cloud(good), "{good}");
        }
        let long = format!("//iam.googleapis.com/projects/{}", "1".repeat(600));
        for bad in [
            "",
            "tenure-cache",
            "tenure-cache-control",
            "https://kubernetes.default.svc",
            "sts.amazonaws.com,tenure-cache",
            "//iam.googleapis.com/projects/1\n",
            &long,
        ] {
            assert!(!is_of_a_cloud(bad), "{bad}");
        }
    }
}

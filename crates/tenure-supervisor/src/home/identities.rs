//! Tokens with which a home's worker is known to a cloud or to another cluster: minted when it asks, and kept by it alone.
//!
//! One that opened this cluster's API server or the source cache would be another power, in the hands of whatever server the
//! tenant names. For clouds the audiences are those that they document. For another cluster the audience is the tenant's
//! choice, so the token is shown to this API server first, and is given only if that does not take it.

use std::collections::HashMap;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use tenure_core::Name;
use tenure_kube::{KubeError, Minted, SupervisorClient};
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
    /// Begins to mint a token. `audience` may name several, one in each line.
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
            None if self.given.len() >= MOST => std::future::ready(refused(
                audience,
                format!("a home gets tokens for {MOST} audiences at most"),
            ))
            .boxed(),
            _ => match purpose(&audience) {
                Some(purpose) => mint(client.clone(), home.clone(), audience, purpose).boxed(),
                None => {
                    let refusal = "its audience can't be one of a cloud or of another cluster".to_owned();
                    std::future::ready(refused(audience, refusal)).boxed()
                }
            },
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

/// Whom a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Cloud,
    Cluster,
}

async fn mint(client: SupervisorClient, home: Name, audience: String, purpose: Purpose) -> Identity {
    let audiences: Vec<&str> = audience.lines().collect();
    let minted = async {
        let minted = client.mint(&home, &audiences, SECONDS).await?;
        let ours = purpose == Purpose::Cluster && client.admits(&minted.token).await?;
        Ok::<_, KubeError>((minted, ours))
    };
    match tokio::time::timeout(PATIENCE, minted).await {
        Ok(Ok((_, true))) => {
            let refusal = "this cluster takes tokens of that audience for its own: the other cluster needs an audience of its own";
            refused(audience, refusal.to_owned())
        }
        Ok(Ok((minted, false))) => given(audience, &minted),
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

/// What audiences can be for; nothing where one of them is for a part of Tenure.
fn purpose(audiences: &str) -> Option<Purpose> {
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b':' | b'-' | b'_' | b'[' | b']');
    let good = |audience: &str| {
        !audience.is_empty() && audience.bytes().all(plain) && !audience.starts_with("tenure-")
    };
    if audiences.len() > LONGEST
        || audiences.ends_with('\n')
        || !audiences.lines().all(good)
        || audiences.is_empty()
    {
        return None;
    }
    let cloud = matches!(audiences, "sts.amazonaws.com" | "api://AzureADTokenExchange")
        || (audiences.starts_with("//iam.googleapis.com/projects/") && audiences.lines().count() == 1);
    Some(if cloud { Purpose::Cloud } else { Purpose::Cluster })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_for_clouds_as_they_are_or_for_clusters_once_they_are_seen_to_be_no_key_to_this_one() {
        for (audiences, expected) in [
            ("sts.amazonaws.com", Some(Purpose::Cloud)),
            ("api://AzureADTokenExchange", Some(Purpose::Cloud)),
            (
                "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k",
                Some(Purpose::Cloud),
            ),
            ("https://far.example:6443", Some(Purpose::Cluster)),
            ("https://kubernetes.default.svc", Some(Purpose::Cluster)),
            (
                "sts.amazonaws.com\nhttps://kubernetes.default.svc",
                Some(Purpose::Cluster),
            ),
            (
                "//iam.googleapis.com/projects/1\nhttps://kubernetes.default.svc",
                Some(Purpose::Cluster),
            ),
            ("", None),
            ("tenure-cache", None),
            ("tenure-cache-control", None),
            ("https://far.example\ntenure-cache", None),
            ("sts.amazonaws.com,tenure-cache", None),
            ("https://far.example\n", None),
            ("\nhttps://far.example", None),
        ] {
            assert_eq!(purpose(audiences), expected, "{audiences:?}");
        }
        let long = format!("//iam.googleapis.com/projects/{}", "1".repeat(600));
        assert_eq!(purpose(&long), None);
    }
}

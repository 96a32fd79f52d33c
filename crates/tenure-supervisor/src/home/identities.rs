//! Tokens with which a home's worker is known to a cloud: minted when it asks, and kept by it alone.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tenure_core::Name;
use tenure_kube::{Minted, SupervisorClient};
use tenure_proto::lifeline::Identity;

use crate::tokens::SECONDS;

/// Asked for at once.
const MOST: usize = 8;
/// The longest audience.
const LONGEST: usize = 512;
const PATIENCE: Duration = Duration::from_secs(15);

/// What is being minted.
#[derive(Default)]
pub(super) struct Identities(FuturesUnordered<BoxFuture<'static, Identity>>);

impl Identities {
    /// Begins to mint a token, unless the audience is none of a cloud's: one for the API server or the source cache would
    /// be another power.
    pub(super) fn ask(&mut self, client: &SupervisorClient, home: &Name, audience: String) {
        let refusal = if !is_of_a_cloud(&audience) {
            Some("the supervisor gives tokens for AWS, Azure and Google Cloud only")
        } else if self.0.len() >= MOST {
            Some("too many tokens are asked for at once")
        } else {
            None
        };
        if let Some(refusal) = refusal {
            let refused = refused(audience, refusal.to_owned());
            return self.0.push(std::future::ready(refused).boxed());
        }
        let (client, home) = (client.clone(), home.clone());
        let mint = async move {
            match tokio::time::timeout(PATIENCE, client.mint(&home, &[&audience], SECONDS)).await {
                Ok(Ok(minted)) => given(audience, &minted),
                Ok(Err(error)) => refused(audience, error.to_string()),
                Err(_) => refused(audience, "the API server did not answer in time".to_owned()),
            }
        };
        self.0.push(mint.boxed());
    }

    /// The next one that is minted or refused; for ever when none is asked for. Cancel safe.
    pub(super) async fn next(&mut self) -> Identity {
        match self.0.next().await {
            Some(identity) => identity,
            None => std::future::pending().await,
        }
    }
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

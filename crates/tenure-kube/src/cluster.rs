use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tenure_core::Secret;

/// Where the API server is and which CA signed its certificate. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Base URL, `https://host:port`, without a path.
    pub url: String,
    /// The CA certificates, as PEM.
    pub ca_pem: Vec<u8>,
}

/// The current bearer token of one identity. Clones share it: [`set`](Self::set) on one is seen by
/// all, at the next request.
#[derive(Clone)]
pub struct TokenCell(Arc<ArcSwap<Token>>);

struct Token {
    secret: Secret,
    generation: u64,
}

/// One reading of a [`TokenCell`].
pub(crate) struct Reading {
    pub(crate) secret: Secret,
    pub(crate) generation: u64,
}

impl TokenCell {
    /// Starts with this token.
    #[must_use]
    pub fn new(token: Secret) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Token {
            secret: token,
            generation: 0,
        })))
    }

    /// Replaces the token for everybody who shares this cell.
    pub fn set(&self, token: Secret) {
        self.0.rcu(|old| Token {
            secret: token.clone(),
            generation: old.generation + 1,
        });
    }

    pub(crate) fn read(&self) -> Reading {
        let token = self.0.load();
        Reading {
            secret: token.secret.clone(),
            generation: token.generation,
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.0.load().generation
    }

    /// Whose token it says it is: the `sub` claim, unverified, for messages only.
    pub(crate) fn subject(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Claims {
            sub: String,
        }
        let token = self.0.load();
        let payload = token.secret.expose_str()?.split('.').nth(1)?;
        let json = URL_SAFE_NO_PAD.decode(payload).ok()?;
        Some(serde_json::from_slice::<Claims>(&json).ok()?.sub)
    }
}

impl fmt::Debug for TokenCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenCell(****)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_for_every_clone_and_never_printed() {
        let cell = TokenCell::new(Secret::from("hunter2".to_owned()));
        let clone = cell.clone();
        cell.set(Secret::from("hunter3".to_owned()));
        assert_eq!(clone.read().secret.expose_str(), Some("hunter3"));
        assert_eq!(clone.generation(), 1);
        assert!(!format!("{clone:?}").contains("hunter"));
    }

    #[test]
    fn the_subject_of_a_token_is_its_sub_claim() {
        let payload = URL_SAFE_NO_PAD.encode(br#"{"sub":"system:serviceaccount:a:b"}"#);
        let cell = TokenCell::new(Secret::from(format!("e30.{payload}.sig")));
        assert_eq!(cell.subject().as_deref(), Some("system:serviceaccount:a:b"));
        assert_eq!(TokenCell::new(Secret::from("opaque".to_owned())).subject(), None);
    }
}

//! What our gRPC services have in common: TLS connections whose certificate can change while they are served, and callers who
//! are known by a bound ServiceAccount token.
//!
//! Tokens are checked offline, against the issuer's public keys: that takes no right on the cluster.
//!
//! What it refuses: a token without key id, of an algorithm that its key does not have, or longer than any that an API server
//! writes; more than one token in a request; a connection without TLS.
//!
//! Invariants: nothing else in a request says who calls; a token's text is never logged.

mod callers;
mod tls;

pub use callers::{Claims, IssuerKeys, KeySet, Refusal, bearer, now};
pub use tls::{Certificate, Connection, accept};

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Certificate or key cannot be used.
    #[error("can't use the serving certificate {cert:?} with key {key:?}: {reason}")]
    Certificate {
        /// The certificate file.
        cert: std::path::PathBuf,
        /// The key file.
        key: std::path::PathBuf,
        /// What is wrong with them.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("can't set up TLS: {0}")]
    Tls(#[source] rustls::Error),
}

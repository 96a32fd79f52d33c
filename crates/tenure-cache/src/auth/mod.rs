//! Who is calling: the home that a bound ServiceAccount token stands for, checked offline.
//!
//! Nothing else in a request can name a home.

#[cfg(test)]
mod tests;

use tenure_core::{Account, Name};
use tenure_proto::{CACHE_AUDIENCE, CACHE_CONTROL_AUDIENCE};
use tenure_serve::{IssuerKeys, bearer, now};
use tonic::metadata::MetadataMap;

pub(crate) use tenure_serve::Refusal;

/// Checks callers' tokens.
pub(crate) struct Authenticator {
    keys: IssuerKeys,
    issuer: Option<String>,
    workers: Name,
    supervisor: Account,
}

impl Authenticator {
    /// Accepts tokens of ServiceAccounts in `workers`, from `issuer` if one is given.
    /// `supervisor` may hear what moves, and nothing else.
    pub(crate) const fn new(
        keys: IssuerKeys,
        issuer: Option<String>,
        workers: Name,
        supervisor: Account,
    ) -> Self {
        Self {
            keys,
            issuer,
            workers,
            supervisor,
        }
    }

    /// The issuer's keys.
    pub(crate) const fn keys(&self) -> &IssuerKeys {
        &self.keys
    }

    /// The home of the caller who sent `metadata`.
    pub(crate) fn home(&self, metadata: &MetadataMap) -> Result<Name, Refusal> {
        self.home_at(bearer(metadata)?, now())
    }

    /// Whether the caller who sent `metadata` is the supervisor.
    pub(crate) fn supervisor(&self, metadata: &MetadataMap) -> Result<(), Refusal> {
        let claims = self.keys.claims(bearer(metadata)?)?;
        claims.good(now(), self.issuer.as_deref(), CACHE_CONTROL_AUDIENCE)?;
        let name = claims.account(&self.supervisor.namespace)?;
        if name == self.supervisor.name.as_str() {
            Ok(())
        } else {
            Err(Refusal::Identity)
        }
    }

    fn home_at(&self, token: &str, now: u64) -> Result<Name, Refusal> {
        let claims = self.keys.claims(token)?;
        claims.good(now, self.issuer.as_deref(), CACHE_AUDIENCE)?;
        Name::new(claims.account(&self.workers)?).map_err(|_| Refusal::Identity)
    }
}

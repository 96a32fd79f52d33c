//! Who is calling: the home that a bound ServiceAccount token stands for, checked offline.
//!
//! Nothing else in a request can name a home.

mod claims;
mod keys;
#[cfg(test)]
mod tests;

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Validation, decode, decode_header};
use tenure_core::{Account, Name};
use tonic::metadata::MetadataMap;

use claims::Claims;
pub(crate) use claims::Refusal;
pub(crate) use keys::IssuerKeys;

/// Longer tokens are refused unread; the API server's have about a thousand characters.
const MAX_TOKEN: usize = 16 << 10;

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
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        self.home_at(bearer(metadata)?, now)
    }

    /// Whether the caller who sent `metadata` is the supervisor.
    pub(crate) fn supervisor(&self, metadata: &MetadataMap) -> Result<(), Refusal> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let claims = self.claims(bearer(metadata)?)?;
        claims.supervisor(now, self.issuer.as_deref(), &self.supervisor)
    }

    fn home_at(&self, token: &str, now: u64) -> Result<Name, Refusal> {
        self.claims(token)?
            .home(now, self.issuer.as_deref(), &self.workers)
    }

    /// What a token says that a known key has signed; whether it is good now and for whom is not looked at.
    fn claims(&self, token: &str) -> Result<Claims, Refusal> {
        let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
        let kid = header
            .kid
            .filter(|kid| !kid.is_empty())
            .ok_or(Refusal::Malformed)?;
        let key = self.keys.find(&kid).ok_or(Refusal::UnknownKey)?;
        if header.alg != key.algorithm {
            return Err(Refusal::Algorithm);
        }
        // The claims are checked below, against one clock reading and with one leeway.
        let mut signature_only = Validation::new(key.algorithm);
        signature_only.validate_exp = false;
        signature_only.validate_nbf = false;
        signature_only.validate_aud = false;
        signature_only.required_spec_claims.clear();
        let token = decode::<Claims>(token, &key.key, &signature_only).map_err(|error| refusal(&error))?;
        Ok(token.claims)
    }
}

fn refusal(error: &jsonwebtoken::errors::Error) -> Refusal {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => Refusal::Signature,
        ErrorKind::InvalidAlgorithm => Refusal::Algorithm,
        _ => Refusal::Malformed,
    }
}

/// The one bearer token in `metadata`.
fn bearer(metadata: &MetadataMap) -> Result<&str, Refusal> {
    let mut values = metadata.get_all("authorization").iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Refusal::Missing);
    };
    let value = value.to_str().map_err(|_| Refusal::Missing)?;
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Refusal::Missing);
    }
    if token.len() > MAX_TOKEN {
        Err(Refusal::Malformed)
    } else {
        Ok(token)
    }
}

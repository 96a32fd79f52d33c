//! Who is calling.

mod claims;
mod keys;

use std::time::{SystemTime, UNIX_EPOCH};

use tonic::metadata::MetadataMap;

pub use claims::{Claims, Refusal};
pub use keys::{IssuerKeys, KeySet};

/// The one bearer token in `metadata`.
///
/// # Errors
/// [`Refusal::Missing`] when there is none, or more than one, or something else.
pub fn bearer(metadata: &MetadataMap) -> Result<&str, Refusal> {
    let mut values = metadata.get_all("authorization").iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Refusal::Missing);
    };
    let value = value.to_str().map_err(|_| Refusal::Missing)?;
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Refusal::Missing);
    }
    Ok(token)
}

/// Seconds since 1970, as tokens count.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

//! Secrets of the home that open a source.

use std::collections::BTreeMap;
use std::fmt;

use tenure_api::reasons;
use tenure_core::{Retry, Secret};

use super::Failure;
use crate::{Effects, reads};

/// A credential that cannot be used.
pub(crate) fn authentication(message: String) -> Failure {
    Failure {
        reason: reasons::AUTHENTICATION_FAILED,
        message,
        retry: Retry::Backoff,
        cache_down: false,
    }
}

/// The data of the Secret `name` that should open `url`; `keys` says what is expected in it.
pub(crate) async fn named(
    effects: &Effects,
    name: &str,
    url: impl fmt::Display,
    keys: &str,
) -> Result<BTreeMap<String, Secret>, Failure> {
    let home = &effects.home;
    let missing = |why: &str| {
        authentication(format!(
            "failed to get Secret '{}/{name}' for '{url}': {why}; expected the keys {keys}",
            home.namespace,
        ))
    };
    let account = home.account_for(None);
    let data = match (&account, home.strict) {
        (Err(nobody), true) => return Err(missing(nobody)),
        (Ok(account), true) => reads::secret(effects, account, name).await,
        (_, false) => reads::own_secret(effects, name).await,
    };
    data.map_err(|error| missing(&error))?
        .ok_or_else(|| missing("not found"))
}

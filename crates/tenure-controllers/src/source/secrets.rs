//! Secrets of the home that open a source.

use std::collections::BTreeMap;
use std::fmt;

use tenure_api::reasons;
use tenure_core::Secret;

use super::Failure;
use crate::{Effects, ProxySecret, TlsSecrets, reads};

/// A credential that cannot be used.
pub(crate) fn authentication(message: String) -> Failure {
    Failure::fetching(reasons::AUTHENTICATION_FAILED, message)
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

/// Whom to trust and what to show, from the Secret `name`.
pub(crate) async fn certificates(
    effects: &Effects,
    name: Option<&String>,
    url: impl fmt::Display,
) -> Result<TlsSecrets, Failure> {
    let Some(name) = name else {
        return Ok(TlsSecrets::default());
    };
    let data = named(effects, name, url, "'ca.crt', or 'tls.crt' and 'tls.key'").await?;
    let read = read_certificates(name, &data).map_err(authentication)?;
    read.ok_or_else(|| {
        authentication(format!(
            "the Secret '{name}' has neither 'ca.crt' nor 'tls.crt' and 'tls.key'"
        ))
    })
}

/// By today's keys and the older ones; `None` if there are none.
pub(crate) fn read_certificates(
    name: &str,
    data: &BTreeMap<String, Secret>,
) -> Result<Option<TlsSecrets>, String> {
    let get = |today: &str, older: &str| {
        let given = |key: &str| data.get(key).filter(|value| !value.is_empty()).cloned();
        given(today).or_else(|| given(older))
    };
    let ca_pem = get("ca.crt", "caFile");
    let client = match (get("tls.crt", "certFile"), get("tls.key", "keyFile")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) if ca_pem.is_some() => None,
        (None, None) => return Ok(None),
        (certificate, _) => {
            let missing = if certificate.is_some() {
                "tls.key"
            } else {
                "tls.crt"
            };
            return Err(format!("the Secret '{name}' lacks '{missing}'"));
        }
    };
    Ok(Some(TlsSecrets { ca_pem, client }))
}

/// What to go through, from the Secret `name`.
pub(crate) async fn proxy(
    effects: &Effects,
    name: Option<&String>,
    url: impl fmt::Display,
) -> Result<Option<ProxySecret>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let data = named(
        effects,
        name,
        url,
        "'address', and maybe 'username' and 'password'",
    )
    .await?;
    read_proxy(name, &data).map(Some).map_err(authentication)
}

fn read_proxy(name: &str, data: &BTreeMap<String, Secret>) -> Result<ProxySecret, String> {
    let text = |key: &str| {
        let value = data.get(key).filter(|value| !value.is_empty())?;
        Some(value.expose_str()?.trim_end_matches('\n').to_owned())
    };
    let address = text("address").ok_or_else(|| format!("the Secret '{name}' lacks 'address'"))?;
    let login = match (text("username"), data.get("password")) {
        (None, None) => None,
        (Some(user), Some(password)) => Some((user, password.clone())),
        (user, _) => {
            let missing = if user.is_none() { "username" } else { "password" };
            return Err(format!("the Secret '{name}' lacks '{missing}'"));
        }
    };
    Ok(ProxySecret { address, login })
}

/// `username` and `password`; `None` if there are none.
pub(crate) fn read_login(
    name: &str,
    data: &BTreeMap<String, Secret>,
) -> Result<Option<(String, Secret)>, String> {
    let get = |key: &str| data.get(key).filter(|value| !value.is_empty());
    let user = get("username").and_then(Secret::expose_str);
    match (user, get("password")) {
        (Some(user), Some(password)) => Ok(Some((user.trim_end_matches('\n').to_owned(), password.clone()))),
        (None, None) => Ok(None),
        (user, _) => {
            let missing = if user.is_none() { "username" } else { "password" };
            Err(format!(
                "the Secret '{name}' lacks '{missing}' for basic authentication"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), Secret::from((*value).to_owned())))
            .collect()
    }

    #[test]
    fn certificates_come_by_todays_keys_and_the_older_ones() {
        let read = |pairs: &[(&str, &str)]| read_certificates("tls", &secret(pairs));
        let authority = read(&[("ca.crt", "PEM")]).expect("enough").expect("there");
        assert!(authority.ca_pem.is_some() && authority.client.is_none());
        let older = read(&[("certFile", "C"), ("keyFile", "K")])
            .expect("enough")
            .expect("there");
        assert!(older.ca_pem.is_none() && older.client.is_some());
        assert!(read(&[("ca.crt", "PEM"), ("tls.crt", "C")]).is_err_and(|error| error.contains("'tls.key'")));
        assert!(read(&[("username", "bob")]).expect("none").is_none());
    }

    #[test]
    fn half_a_login_is_none_and_no_message_shows_the_other_half() {
        let login = |pairs: &[(&str, &str)]| read_login("s", &secret(pairs));
        let whole = login(&[("username", "bob\n"), ("password", "CANARY")]).expect("whole");
        assert_eq!(whole.map(|(user, _)| user).as_deref(), Some("bob"));
        assert!(login(&[]).expect("none").is_none());
        for half in ["username", "password"] {
            let error = login(&[(half, "CANARY")]).expect_err("half");
            assert!(error.contains("lacks") && !error.contains("CANARY"), "{error}");
            let proxy = secret(&[("address", "http://proxy"), (half, "CANARY")]);
            assert!(read_proxy("p", &proxy).is_err_and(|error| !error.contains("CANARY")));
        }
        let proxy = read_proxy("p", &secret(&[("address", "http://proxy:3128\n")])).expect("enough");
        assert_eq!(proxy.address, "http://proxy:3128");
        assert!(read_proxy("p", &secret(&[])).is_err());
    }
}

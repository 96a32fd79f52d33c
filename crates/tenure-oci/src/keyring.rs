//! Credentials in docker's config files, which pull Secrets hold.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;
use tenure_core::Secret;
use zeroize::Zeroizing;

use crate::{Credential, Repository};
use tenure_net::Hidden;

/// The largest config file, in bytes: the largest Secret.
const LARGEST: usize = 1 << 20;
/// A user of this name has an identity token for a password.
const TOKEN_USER: &str = "<token>";

/// The logins of several pull Secrets. The most specific key wins; of equal ones, the one that was added first.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    /// By key, the more specific ones last.
    logins: BTreeMap<String, Credential>,
}

/// Why a config file cannot be used. It is not repeated: it holds passwords.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// Not the JSON that docker writes.
    #[error("the Secret's '.dockerconfigjson' is not a docker config: {0}")]
    Config(&'static str),
    /// The `auth` of an entry is not `base64(user:password)`.
    #[error("the Secret's '.dockerconfigjson' has an 'auth' for {0:?} that is not base64 of user:password")]
    Auth(String),
    /// A key is not a host with an optional path.
    #[error("the Secret's '.dockerconfigjson' has the key {0:?}, which is not a registry")]
    Key(String),
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Default, Deserialize)]
struct Entry {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: Hidden,
    #[serde(default)]
    auth: Hidden,
    #[serde(default)]
    identitytoken: Hidden,
    #[serde(default)]
    registrytoken: Hidden,
}

impl Keyring {
    /// Adds the logins of a `.dockerconfigjson`.
    ///
    /// # Errors
    /// [`KeyringError`]; nothing is added then.
    pub fn add(&mut self, dockerconfigjson: &[u8]) -> Result<(), KeyringError> {
        if dockerconfigjson.len() > LARGEST {
            return Err(KeyringError::Config("it has more than 1 MiB"));
        }
        let config: Config = serde_json::from_slice(dockerconfigjson)
            .map_err(|_| KeyringError::Config("it is not JSON with a map 'auths'"))?;
        let mut added = Vec::new();
        for (name, entry) in config.auths {
            added.push((key(&name)?, entry.credential(&name)?));
        }
        for (key, credential) in added {
            self.logins.entry(key).or_insert(credential);
        }
        Ok(())
    }

    /// The login for a repository; [`Credential::None`] if there is none.
    #[must_use]
    pub fn find(&self, repository: &Repository) -> Credential {
        let found = self.logins.iter().rev().find(|(key, _)| fits(key, repository));
        found.map_or(Credential::None, |(_, credential)| credential.clone())
    }
}

impl Entry {
    fn credential(self, name: &str) -> Result<Credential, KeyringError> {
        let secret = |text: &str| Secret::new(text.as_bytes());
        if !self.identitytoken.is_empty() {
            let token = secret(&self.identitytoken);
            return Ok(Credential::Identity { token });
        }
        if !self.registrytoken.is_empty() {
            let token = secret(&self.registrytoken);
            return Ok(Credential::Bearer { token });
        }
        let (username, password) = if self.auth.is_empty() {
            (self.username, secret(&self.password))
        } else {
            let bad = || KeyringError::Auth(name.chars().take(100).collect());
            let pair = STANDARD.decode(self.auth.trim_end_matches(['\n', '\r', ' ']));
            let pair = Zeroizing::new(pair.map_err(|_| bad())?);
            let at = pair.iter().position(|b| *b == b':').ok_or_else(bad)?;
            let (username, password) = pair.split_at(at);
            let username = std::str::from_utf8(username).map_err(|_| bad())?.to_owned();
            // docker's own files may end in NUL
            let password: Vec<u8> = password.iter().skip(1).copied().collect();
            let end = password.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
            (username, Secret::new(password.get(..end).unwrap_or_default()))
        };
        Ok(match username.as_str() {
            "" => Credential::None,
            TOKEN_USER => Credential::Identity { token: password },
            _ => Credential::Basic { username, password },
        })
    }
}

/// `host[:port][/path]`, without scheme and API version, as the kubelet reads keys.
fn key(name: &str) -> Result<String, KeyringError> {
    let bad = || KeyringError::Key(name.chars().take(100).collect());
    let rest = name
        .strip_prefix("https://")
        .or_else(|| name.strip_prefix("http://"))
        .unwrap_or(name);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.is_empty() || host.contains(['@', '?', '#', ' ']) {
        return Err(bad());
    }
    // a pattern is no host to a URL parser, but what it stands for is
    Url::parse(&format!("https://{}/", host.replace(['*', '?'], "x"))).map_err(|_| bad())?;
    let path = path.trim_end_matches('/');
    let path = match path.strip_prefix("v1").or_else(|| path.strip_prefix("v2")) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest.trim_start_matches('/'),
        _ => path,
    };
    let host = match host.to_ascii_lowercase() {
        host if host == "docker.io" => "index.docker.io".to_owned(),
        host => host,
    };
    Ok(if path.is_empty() {
        host
    } else {
        format!("{host}/{path}")
    })
}

/// Hosts part by part, where `*` stands for a part or some of it; ports as they are; paths as a prefix.
fn fits(key: &str, repository: &Repository) -> bool {
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let path_fits = path.is_empty()
        || repository
            .path()
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path_fits && host_fits(host, repository.registry())
}

fn host_fits(pattern: &str, host: &str) -> bool {
    let split = |text: &str| {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name.to_owned(), port.to_owned()),
            _ => (text.to_owned(), String::new()),
        };
        // the port that https means is no difference
        (name, if port == "443" { String::new() } else { port })
    };
    let ((pattern, wanted_port), (host, port)) = (split(pattern), split(host));
    let parts = |text: &str| text.split('.').map(ToOwned::to_owned).collect::<Vec<_>>();
    let (pattern, host) = (parts(&pattern), parts(&host));
    wanted_port == port
        && pattern.len() == host.len()
        && pattern
            .iter()
            .zip(&host)
            .all(|(p, h)| part_fits(p.as_bytes(), h.as_bytes()))
}

fn part_fits(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|at| part_fits(rest, text.get(at..).unwrap_or_default())),
        Some((wanted, rest)) => text
            .split_first()
            .is_some_and(|(found, after)| wanted == found && part_fits(rest, after)),
    }
}

#[cfg(test)]
mod tests;

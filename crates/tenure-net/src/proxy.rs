use reqwest::Url;
use tenure_core::Secret;

use crate::Unusable;

/// The longest address, in bytes; Flux's limit.
const LONGEST: usize = 2048;

/// A proxy that a tenant has named. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// `http`, `https` or `socks5`, without user and password.
    pub address: String,
    /// Both, or neither.
    pub login: Option<(String, Secret)>,
}

impl Proxy {
    pub(crate) fn url(&self) -> Result<Url, Unusable> {
        let bad = |what: &str| Unusable(format!("the proxy's address {what}"));
        if self.address.len() > LONGEST {
            return Err(bad("is longer than 2048 bytes"));
        }
        let mut url = Url::parse(&self.address).map_err(|_| bad("is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https" | "socks5") || url.host_str().is_none() {
            return Err(bad("is not an http, https or socks5 URL"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("has a user in it; give 'username' and 'password' in the Secret"));
        }
        if let Some((user, password)) = &self.login {
            let password = password.expose_str().ok_or_else(|| bad("has a password that is not text"))?;
            let set = url.set_username(user).and_then(|()| url.set_password(Some(password)));
            set.map_err(|()| bad("cannot have a user"))?;
        }
        Ok(url)
    }
}

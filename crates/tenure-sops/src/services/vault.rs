use std::sync::Arc;

use serde_json::json;
use zeroize::Zeroizing;

use super::{Http, Request, ask, escaped, header, key_of};
use crate::{KeyService, MasterKey, Recipient};

const WHAT: &str = "Vault";

/// The transit engine of HashiCorp Vault or OpenBao: `decrypt`, with a token.
pub struct Vault {
    http: Arc<dyn Http>,
    token: Zeroizing<String>,
}

impl Vault {
    /// With a token. It is sent to whichever address a file names, as long as that has https.
    pub fn new(http: Arc<dyn Http>, token: Zeroizing<String>) -> Self {
        Self { http, token }
    }
}

fn url(address: &str, engine: &str, name: &str) -> Option<String> {
    let address = address.trim_end_matches('/');
    let host = address.strip_prefix("https://")?;
    let good = !host.is_empty()
        && !host.contains(['@', '?', '#', '\\', ' '])
        && !host.bytes().any(|byte| byte.is_ascii_control());
    let engine: Vec<String> = engine
        .split('/')
        .filter(|part| !part.is_empty())
        .map(escaped)
        .collect();
    let leads_away = engine
        .iter()
        .map(String::as_str)
        .chain([name])
        .any(|part| matches!(part, "." | ".." | ""));
    (good && !engine.is_empty() && !leads_away)
        .then(|| format!("{address}/v1/{}/decrypt/{}", engine.join("/"), escaped(name)))
}

impl KeyService for Vault {
    fn open(&self, recipient: &Recipient) -> Option<Result<Zeroizing<Vec<u8>>, String>> {
        let MasterKey::Vault {
            address,
            engine,
            name,
        } = &recipient.key
        else {
            return None;
        };
        let Some(url) = url(address, engine, name) else {
            return Some(Err(
                "the server's address has no https, or names no key of a transit engine".to_owned(),
            ));
        };
        let request = Request {
            method: "PUT",
            url,
            headers: vec![
                header("content-type", "application/json"),
                header("x-vault-request", "true"),
                header("x-vault-token", self.token.as_str()),
            ],
            body: Zeroizing::new(
                json!({"ciphertext": recipient.encrypted})
                    .to_string()
                    .into_bytes(),
            ),
        };
        let answer = ask(&*self.http, request, WHAT);
        Some(answer.and_then(|answer| key_of(&answer, "/data/plaintext", WHAT)))
    }
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn a_token_goes_to_https_and_to_a_key_only() {
        assert_eq!(
            url("https://vault.example:8200/", "ns/transit", "key").as_deref(),
            Some("https://vault.example:8200/v1/ns/transit/decrypt/key")
        );
        for (address, engine, name) in [
            ("http://vault.example", "transit", "key"),
            ("https://vault.example@evil.example", "transit", "key"),
            ("https://vault.example?", "transit", "key"),
            ("https://vault.example", "../sys", "key"),
            ("https://vault.example", "transit", ".."),
            ("https://vault.example", "", "key"),
        ] {
            assert_eq!(url(address, engine, name), None, "{address} {engine} {name}");
        }
    }
}

use std::sync::Arc;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Http, Request, ask, escaped, form, header, key_of};
use crate::{KeyService, MasterKey, Recipient};

const WHAT: &str = "Azure Key Vault";

/// Where each of Azure's clouds has its vaults; and the audience of tokens for them.
const VAULTS: [(&str, &str); 3] = [
    (".vault.azure.net", "https://vault.azure.net/.default"),
    (".vault.azure.cn", "https://vault.azure.cn/.default"),
    (
        ".vault.usgovcloudapi.net",
        "https://vault.usgovcloudapi.net/.default",
    ),
];

/// Azure Key Vault: `decrypt` of its REST API, with a client's secret or a token.
pub struct AzureKeyVault {
    http: Arc<dyn Http>,
    credential: Credential,
}

enum Credential {
    /// For the vaults of the public cloud.
    Token(Zeroizing<String>),
    Client {
        tenant: String,
        client: String,
        secret: Zeroizing<String>,
        authority: String,
    },
}

impl AzureKeyVault {
    /// With the secret of a client that a directory (`tenant`) knows. `authority` is where it gets tokens;
    /// empty is Azure's public cloud.
    ///
    /// # Errors
    /// When the authority is no address with https.
    pub fn new(
        http: Arc<dyn Http>,
        tenant: &str,
        client: &str,
        secret: Zeroizing<String>,
        authority: &str,
    ) -> Result<Self, &'static str> {
        let authority = match authority.trim_end_matches('/') {
            "" => "https://login.microsoftonline.com",
            authority => authority,
        };
        if !authority.starts_with("https://") {
            return Err("authorityHost is no address with https");
        }
        Ok(Self {
            http,
            credential: Credential::Client {
                tenant: tenant.to_owned(),
                client: client.to_owned(),
                secret,
                authority: authority.to_owned(),
            },
        })
    }

    /// With an access token for the vaults of Azure's public cloud.
    pub fn with_token(http: Arc<dyn Http>, token: Zeroizing<String>) -> Self {
        Self {
            http,
            credential: Credential::Token(token),
        }
    }

    fn token(&self, scope: &str) -> Result<Zeroizing<String>, String> {
        let (tenant, client, secret, authority) = match &self.credential {
            Credential::Client {
                tenant,
                client,
                secret,
                authority,
            } => (tenant, client, secret, authority),
            Credential::Token(token) if scope == VAULTS[0].1 => return Ok(token.clone()),
            Credential::Token(_) => {
                return Err("the vault is none of Azure's public cloud, which the token is for".to_owned());
            }
        };
        let request = Request {
            method: "POST",
            url: format!("{authority}/{}/oauth2/v2.0/token", escaped(tenant)),
            headers: vec![header("content-type", "application/x-www-form-urlencoded")],
            body: form(&[
                ("grant_type", "client_credentials"),
                ("client_id", client),
                ("client_secret", secret),
                ("scope", scope),
            ]),
        };
        let answer = ask(&*self.http, request, "Microsoft's token service")?;
        let token = answer.get("access_token").and_then(Value::as_str);
        token
            .map(|token| Zeroizing::new(token.to_owned()))
            .ok_or_else(|| "Microsoft's token service answered without a token".to_owned())
    }
}

/// The host of a vault's URL, and the audience of tokens for it.
fn host(vault_url: &str) -> Option<(&str, &'static str)> {
    let host = vault_url.strip_prefix("https://")?.trim_end_matches('/');
    let (name, scope) = VAULTS
        .iter()
        .find_map(|(end, scope)| Some((host.strip_suffix(end)?, *scope)))?;
    let good = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    good.then_some((host, scope))
}

impl KeyService for AzureKeyVault {
    fn open(&self, recipient: &Recipient) -> Option<Result<Zeroizing<Vec<u8>>, String>> {
        let MasterKey::AzureKeyVault {
            vault_url,
            name,
            version,
        } = &recipient.key
        else {
            return None;
        };
        let Some((host, scope)) = host(vault_url) else {
            return Some(Err(
                "the vault's URL is not one of Azure's, and gets no token".to_owned()
            ));
        };
        let answer = self.token(scope).and_then(|token| {
            let body = json!({"alg": "RSA-OAEP-256", "value": recipient.encrypted});
            let request = Request {
                method: "POST",
                url: format!(
                    "https://{host}/keys/{}/{}/decrypt?api-version=7.4",
                    escaped(name),
                    escaped(version)
                ),
                headers: vec![
                    header("authorization", format!("Bearer {}", *token)),
                    header("content-type", "application/json"),
                ],
                body: Zeroizing::new(body.to_string().into_bytes()),
            };
            ask(&*self.http, request, WHAT)
        });
        Some(answer.and_then(|answer| key_of(&answer, "/value", WHAT)))
    }
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn only_vaults_of_azure_get_a_token() {
        assert_eq!(
            host("https://a.vault.azure.net/").map(|(host, _)| host),
            Some("a.vault.azure.net")
        );
        for url in [
            "http://a.vault.azure.net",
            "https://evil.example",
            "https://evil.example/a.vault.azure.net",
            "https://evil.example?.vault.azure.net",
            "https://.vault.azure.net",
        ] {
            assert_eq!(host(url), None, "{url}");
        }
    }
}

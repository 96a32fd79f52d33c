use std::sync::Arc;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Http, Request, ask, form, header, key_of};
use crate::{KeyService, MasterKey, Recipient};

const WHAT: &str = "Google Cloud KMS";
const TOKENS: &str = "https://oauth2.googleapis.com/token";
const SCOPE: &str = "https://www.googleapis.com/auth/cloudkms";

/// How long an assertion is good for, in seconds.
const LIFE: i64 = 600;

/// Google Cloud KMS: `cryptoKeys.decrypt` of its REST API.
pub struct GcpKms {
    http: Arc<dyn Http>,
    credential: Credential,
}

enum Credential {
    Token(Zeroizing<String>),
    /// With the key that signs its assertions.
    Account(String, EncodingKey),
}

impl GcpKms {
    /// With an access token.
    pub fn with_token(http: Arc<dyn Http>, token: Zeroizing<String>) -> Self {
        Self {
            http,
            credential: Credential::Token(token),
        }
    }

    /// With the key of a service account, which gets a token for a signed assertion (RFC 7523). The token is
    /// asked for at Google's own address, whatever the key file says.
    ///
    /// # Errors
    /// When it is not such a file.
    pub fn with_account(http: Arc<dyn Http>, file: &Value) -> Result<Self, &'static str> {
        let text = |name: &str| file.get(name).and_then(Value::as_str);
        if text("type") != Some("service_account") {
            return Err("not the key of a service account (type: service_account)");
        }
        let (Some(email), Some(key)) = (text("client_email"), text("private_key")) else {
            return Err("a service account's key without client_email or private_key");
        };
        let key =
            EncodingKey::from_rsa_pem(key.as_bytes()).map_err(|_| "private_key is no RSA key in PEM")?;
        Ok(Self {
            http,
            credential: Credential::Account(email.to_owned(), key),
        })
    }

    fn token(&self) -> Result<Zeroizing<String>, String> {
        let (email, key) = match &self.credential {
            Credential::Token(token) => return Ok(token.clone()),
            Credential::Account(email, key) => (email, key),
        };
        let now = self.http.now();
        let claims = json!({"iss": email, "scope": SCOPE, "aud": TOKENS, "iat": now, "exp": now + LIFE});
        let assertion = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, key)
            .map_err(|_| "the service account's key can't sign".to_owned())?;
        let request = Request {
            method: "POST",
            url: TOKENS.to_owned(),
            headers: vec![header("content-type", "application/x-www-form-urlencoded")],
            body: form(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", &assertion),
            ]),
        };
        let answer = ask(&*self.http, request, "Google's token service")?;
        let token = answer.get("access_token").and_then(Value::as_str);
        token
            .map(|token| Zeroizing::new(token.to_owned()))
            .ok_or_else(|| "Google's token service answered without a token".to_owned())
    }
}

/// Names of resources are paths without anything that leads elsewhere.
fn is_resource(id: &str) -> bool {
    let parts: Vec<&str> = id.split('/').collect();
    let is_word = |text: &&str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    parts.len() == 8
        && parts
            .iter()
            .all(|part| is_word(part) && !matches!(*part, "." | ".."))
        && parts
            .iter()
            .step_by(2)
            .eq(&["projects", "locations", "keyRings", "cryptoKeys"])
}

impl KeyService for GcpKms {
    fn open(&self, recipient: &Recipient) -> Option<Result<Zeroizing<Vec<u8>>, String>> {
        let MasterKey::GcpKms { resource_id } = &recipient.key else {
            return None;
        };
        if !is_resource(resource_id) {
            return Some(Err(
                "the name of the key is not one of Google Cloud KMS".to_owned()
            ));
        }
        let answer = self.token().and_then(|token| {
            let request = Request {
                method: "POST",
                url: format!("https://cloudkms.googleapis.com/v1/{resource_id}:decrypt"),
                headers: vec![
                    header("authorization", format!("Bearer {}", *token)),
                    header("content-type", "application/json"),
                ],
                body: Zeroizing::new(
                    json!({"ciphertext": recipient.encrypted})
                        .to_string()
                        .into_bytes(),
                ),
            };
            ask(&*self.http, request, WHAT)
        });
        Some(answer.and_then(|answer| key_of(&answer, "/plaintext", WHAT)))
    }
}

#[cfg(test)]
mod tests {
    use super::is_resource;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        assert!(is_resource("projects/p/locations/global/keyRings/r/cryptoKeys/k"));
        for id in [
            "projects/../locations/global/keyRings/r/cryptoKeys/k",
            "projects/p/locations/global/keyRings/r/cryptoKeys/k?x",
            "projects/p/secrets/global/keyRings/r/cryptoKeys/k",
            "projects/p",
            "",
        ] {
            assert!(!is_resource(id), "{id}");
        }
    }
}

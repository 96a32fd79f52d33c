//! Service accounts: a JWT that the account's key has signed, for an access token (RFC 7523).

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};
use tenure_core::Secret;
use tenure_net::Outbound;
use zeroize::Zeroizing;

use crate::bucket::exchange::Tokens;
use crate::{HttpError, Limits};

pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_only";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SERVICE: &str = "Google's token service";
/// How long the JWT is good for, in seconds; an hour is the most that is accepted.
const LIFE: u64 = 600;
/// Clocks differ: the JWT is dated back by this much, in seconds.
const SKEW: u64 = 60;

/// A service account of Google Cloud. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name, an address.
    pub email: String,
    /// Which of its keys it is.
    pub key_id: Option<String>,
    /// Its private key, RSA in PEM.
    pub key: Secret,
    /// Who gives tokens for what the key has signed; https.
    pub token_uri: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "type")]
    kind: String,
    client_email: Option<String>,
    private_key: Option<String>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

impl Account {
    /// Reads the file that Google gives out for a key of an account.
    ///
    /// # Errors
    /// What is wrong with it, said of the file and without a word of what is in it.
    pub fn parse(file: &[u8]) -> Result<Self, &'static str> {
        // the decoder's own error could quote the key
        let file: File =
            serde_json::from_slice(file).map_err(|_| "is not the key of a service account in JSON")?;
        match file.kind.as_str() {
            "service_account" => {}
            "authorized_user" => return Err("is a user's credential; make a key of a service account"),
            "external_account" | "impersonated_service_account" => {
                return Err(
                    "is a federated identity, which is not supported; make a key of a service account",
                );
            }
            _ => return Err("is not the key of a service account (type: service_account)"),
        }
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        match (
            given(file.client_email),
            given(file.private_key),
            given(file.token_uri),
        ) {
            (Some(email), Some(key), Some(token_uri)) => Ok(Self {
                email,
                key_id: given(file.private_key_id),
                key: Secret::from(key),
                token_uri,
            }),
            _ => Err("is a service account's key without client_email, private_key or token_uri"),
        }
    }

    /// Gets a token that may read objects, good for an hour.
    pub(in crate::bucket) async fn token(
        &self,
        outbound: &Outbound,
        limits: &Limits,
    ) -> Result<Secret, HttpError> {
        let assertion = self.assertion(SystemTime::now());
        let assertion = assertion.map_err(|message| HttpError::AuthenticationFailed {
            remote: SERVICE.to_owned(),
            message: message.to_owned(),
        })?;
        let tokens = Tokens {
            url: &self.token_uri,
            name: SERVICE,
            field: "token_uri in 'serviceaccount'",
            advice: "look at 'serviceaccount' of the Secret: whether the account and its key are still there",
        };
        let form = [("grant_type", GRANT), ("assertion", &assertion)];
        tokens.ask(outbound, &form, limits).await
    }

    fn assertion(&self, now: SystemTime) -> Result<Zeroizing<String>, &'static str> {
        let now = now
            .duration_since(UNIX_EPOCH)
            .map_err(|_| "this machine's clock is before 1970")?
            .as_secs();
        let claims = Claims {
            iss: &self.email,
            scope: SCOPE,
            aud: &self.token_uri,
            iat: now.saturating_sub(SKEW),
            exp: now + LIFE,
        };
        let unusable = "private_key in the Secret's 'serviceaccount' is not an RSA key in PEM";
        let key = EncodingKey::from_rsa_pem(self.key.expose()).map_err(|_| unusable)?;
        let mut header = Header::new(Algorithm::RS256);
        header.kid.clone_from(&self.key_id);
        let jwt = encode(&header, &claims, &key).map_err(|_| unusable)?;
        Ok(Zeroizing::new(jwt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"type": "service_account", "project_id": "p", "private_key_id": "k1",
        "private_key": "CANARY", "client_email": "a@p.iam.gserviceaccount.com", "client_id": "1",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": "https://oauth2.googleapis.com/token"}"#;

    #[test]
    fn a_key_is_read_as_google_gives_it_out_and_does_not_print() {
        let account = Account::parse(FILE.as_bytes()).expect("a key");
        assert_eq!(account.email, "a@p.iam.gserviceaccount.com");
        assert_eq!(account.key_id.as_deref(), Some("k1"));
        assert_eq!(account.key.expose_str(), Some("CANARY"));
        assert_eq!(account.token_uri, "https://oauth2.googleapis.com/token");
        assert!(!format!("{account:?}").contains("CANARY"));
    }

    #[test]
    fn what_is_no_key_of_a_service_account_is_refused_without_a_word_of_it() {
        for bad in [
            "CANARY",
            "\"CANARY\"",
            r#"{"private_key": "CANARY"}"#,
            &FILE.replace("service_account", "authorized_user"),
            &FILE.replace("service_account", "external_account"),
            &FILE.replace("service_account", "CANARY"),
            &FILE.replace("client_email", "email"),
            &FILE.replace("token_uri", "uri"),
            &FILE.replace("\"CANARY\"", "\"\""),
            &FILE.replace("\"CANARY\"", "[\"CANARY\"]"),
        ] {
            let error = Account::parse(bad.as_bytes()).expect_err(bad);
            assert!(!error.contains("CANARY"), "{error}");
        }
    }

    #[test]
    fn a_key_that_signs_nothing_is_refused_without_a_word_of_it() {
        let account = Account::parse(FILE.as_bytes()).expect("a key");
        let error = account.assertion(SystemTime::now()).expect_err("no key");
        assert!(error.contains("RSA") && !error.contains("CANARY"), "{error}");
    }
}

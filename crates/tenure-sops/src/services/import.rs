//! The entries of a decryption Secret that are credentials for services.

use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use super::{AwsKms, AzureKeyVault, GcpKms, Http, Vault};
use crate::{KeyService, Keyring, MasterKey, Recipient};

/// The entries that [`Services::import`] reads.
const NAMES: [&str; 4] = [
    "sops.aws-kms",
    "sops.gcp-kms",
    "sops.azure-kv",
    "sops.vault-token",
];

/// Why an entry can't be used. No variant quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServicesError {
    /// Neither YAML nor JSON with a mapping.
    #[error("neither YAML nor JSON with a mapping")]
    NotAMapping,
    /// Something is missing, or of a form that is not supported.
    #[error("{0}")]
    Unusable(&'static str),
}

/// What opens a service, got by whoever is known to its cloud.
pub enum Credential {
    /// Keys of AWS.
    Aws {
        /// Says which.
        key_id: String,
        /// Signs.
        secret: Zeroizing<String>,
        /// Belongs to keys that expire.
        session: Option<Zeroizing<String>>,
    },
    /// An access token of Google Cloud.
    Google(Zeroizing<String>),
    /// An access token for the vaults of Azure's public cloud.
    Azure(Zeroizing<String>),
}

/// Makes clients of services of what a Secret has for them, or of credentials.
pub struct Services {
    http: Arc<dyn Http>,
    credentials: Vec<Credential>,
    /// Clouds that gave none, and why.
    without: Vec<Without>,
}

impl Services {
    /// Clients that send with this.
    #[must_use]
    pub fn new(http: Arc<dyn Http>) -> Self {
        Self {
            http,
            credentials: Vec::new(),
            without: Vec::new(),
        }
    }

    /// With one more credential.
    #[must_use]
    pub fn with_credential(mut self, credential: Credential) -> Self {
        self.credentials.push(credential);
        self
    }

    /// A cloud (`aws`, `gcp` or `azure`) gave no credential: what is encrypted with its keys is refused with the reason.
    #[must_use]
    pub fn without(mut self, provider: &str, why: String) -> Self {
        self.without.push(Without {
            provider: provider.to_owned(),
            why,
        });
        self
    }

    /// The keyring with these services.
    #[must_use]
    pub fn known_to(self, keys: Keyring) -> Keyring {
        let http = self.http;
        let with = |keys: Keyring, credential| match credential {
            Credential::Aws {
                key_id,
                secret,
                session,
            } => keys.with_service(AwsKms::new(Arc::clone(&http), key_id, secret, session)),
            Credential::Google(token) => keys.with_service(GcpKms::with_token(Arc::clone(&http), token)),
            Credential::Azure(token) => {
                keys.with_service(AzureKeyVault::with_token(Arc::clone(&http), token))
            }
        };
        let keys = self.credentials.into_iter().fold(keys, with);
        self.without
            .into_iter()
            .fold(keys, |keys, without| keys.with_service(without))
    }

    /// Whether an entry of this name is for one of them.
    #[must_use]
    pub fn knows(name: &str) -> bool {
        NAMES.contains(&name)
    }

    /// Adds to a keyring the client that an entry is for; gives the keyring back as it was if its name is none of
    /// these: `sops.aws-kms`, `sops.gcp-kms`, `sops.azure-kv`, `sops.vault-token`.
    ///
    /// # Errors
    /// When the name is one of them, and the entry can't be used.
    pub fn import(&self, keys: Keyring, name: &str, value: &[u8]) -> Result<Keyring, ServicesError> {
        let http = || Arc::clone(&self.http);
        Ok(match name {
            "sops.aws-kms" => {
                let file = mapping(value)?;
                let session = text(&file, "aws_session_token").filter(|token| !token.is_empty());
                let need = |name| {
                    text(&file, name).ok_or(ServicesError::Unusable(
                        "aws_access_key_id or aws_secret_access_key is missing",
                    ))
                };
                keys.with_service(AwsKms::new(
                    http(),
                    need("aws_access_key_id")?.to_string(),
                    need("aws_secret_access_key")?,
                    session,
                ))
            }
            "sops.gcp-kms" => keys.with_service(
                GcpKms::with_account(http(), &mapping(value)?).map_err(ServicesError::Unusable)?,
            ),
            "sops.azure-kv" => keys.with_service(self.azure(&mapping(value)?)?),
            "sops.vault-token" => {
                let token = std::str::from_utf8(value).map(str::trim).unwrap_or_default();
                if token.is_empty() || token.contains(|c: char| c.is_control()) {
                    return Err(ServicesError::Unusable("not a token of one line"));
                }
                keys.with_service(Vault::new(http(), Zeroizing::new(token.to_owned())))
            }
            _ => keys,
        })
    }

    /// In both forms that Azure's tools write.
    fn azure(&self, file: &Value) -> Result<AzureKeyVault, ServicesError> {
        let forms = [
            ("tenantId", "clientId", "clientSecret"),
            ("tenant", "appId", "password"),
        ];
        let (tenant, client, secret) = forms
            .iter()
            .find_map(|(tenant, client, secret)| Some((text(file, tenant)?, text(file, client)?, text(file, secret)?)))
            .ok_or(ServicesError::Unusable(
                "tenantId, clientId and clientSecret are needed; certificates and managed identities are not supported",
            ))?;
        let authority = text(file, "authorityHost").unwrap_or_default();
        AzureKeyVault::new(Arc::clone(&self.http), &tenant, &client, secret, &authority)
            .map_err(ServicesError::Unusable)
    }
}

/// A cloud that gave no credential.
struct Without {
    provider: String,
    why: String,
}

impl KeyService for Without {
    fn open(&self, recipient: &Recipient) -> Option<Result<Zeroizing<Vec<u8>>, String>> {
        let provider = match recipient.key {
            MasterKey::AwsKms { .. } => "aws",
            MasterKey::GcpKms { .. } => "gcp",
            MasterKey::AzureKeyVault { .. } => "azure",
            _ => return None,
        };
        (provider == self.provider).then(|| Err(self.why.clone()))
    }
}

fn mapping(value: &[u8]) -> Result<Value, ServicesError> {
    let parsed = tenure_yaml::parse_one(value, &tenure_yaml::Options::helm());
    parsed
        .ok()
        .filter(Value::is_object)
        .ok_or(ServicesError::NotAMapping)
}

fn text(file: &Value, name: &str) -> Option<Zeroizing<String>> {
    file.get(name)
        .and_then(Value::as_str)
        .map(|text| Zeroizing::new(text.to_owned()))
}

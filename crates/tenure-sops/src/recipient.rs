//! Who can open a data key, as the metadata names them.

use std::collections::BTreeMap;
use std::fmt;

use crate::metadata::{list, scalar, texts};
use crate::tree::Item;

/// One recipient with the data key, or the part of it, that is encrypted for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Whose key it takes.
    pub key: MasterKey,
    /// The encrypted data key, in the form that the kind of key has.
    pub encrypted: String,
}

/// The public side of a key that opens data keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MasterKey {
    /// An age or SSH public key.
    Age {
        /// The public key.
        recipient: String,
    },
    /// An OpenPGP key.
    Pgp {
        /// Fingerprint of the key or subkey, in hexadecimal digits.
        fingerprint: String,
    },
    /// A key of the AWS Key Management Service.
    AwsKms {
        /// The key's or alias' ARN.
        arn: String,
        /// The ARN of a role to assume before, or empty.
        role: String,
        /// The encryption context.
        context: BTreeMap<String, String>,
    },
    /// A key of Google Cloud KMS.
    GcpKms {
        /// `projects/…/locations/…/keyRings/…/cryptoKeys/…`.
        resource_id: String,
    },
    /// A key of Azure Key Vault.
    AzureKeyVault {
        /// The vault's URL.
        vault_url: String,
        /// The key's name.
        name: String,
        /// The key's version.
        version: String,
    },
    /// A key of the transit engine of Vault or `OpenBao`.
    Vault {
        /// The server's URL.
        address: String,
        /// Where the engine is mounted.
        engine: String,
        /// The key's name.
        name: String,
    },
    /// A key of Huawei Cloud, which is not supported, as in Flux.
    HuaweiKms {
        /// The key's id.
        id: String,
    },
}

impl MasterKey {
    /// In which order they are tried: what needs no network first, as in Flux.
    pub(crate) const fn order(&self) -> u8 {
        match self {
            Self::Age { .. } => 0,
            Self::Pgp { .. } => 1,
            _ => 2,
        }
    }
}

impl fmt::Display for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Age { recipient } => write!(f, "age {recipient}"),
            Self::Pgp { fingerprint } => write!(f, "pgp {fingerprint}"),
            Self::AwsKms { arn, .. } => write!(f, "kms {arn}"),
            Self::GcpKms { resource_id } => write!(f, "gcp_kms {resource_id}"),
            Self::AzureKeyVault {
                vault_url,
                name,
                version,
            } => write!(f, "azure_kv {vault_url}/keys/{name}/{version}"),
            Self::Vault {
                address,
                engine,
                name,
            } => {
                write!(f, "hc_vault {address}/v1/{engine}/keys/{name}")
            }
            Self::HuaweiKms { id } => write!(f, "hckms {id}"),
        }
    }
}

impl Recipient {
    /// All of a group, as the branch lists them kind by kind.
    pub(crate) fn read_all(branch: &[Item]) -> Result<Vec<Self>, String> {
        let mut all = Vec::new();
        for kind in ["kms", "gcp_kms", "hckms", "azure_kv", "hc_vault", "pgp", "age"] {
            for entry in list(branch, kind)? {
                all.push(Self::read(kind, entry).map_err(|why| format!("{kind}: {why}"))?);
            }
        }
        Ok(all)
    }

    fn read(kind: &str, entry: &[Item]) -> Result<Self, String> {
        let text = |name: &str| {
            let node = crate::metadata::field(entry, name);
            node.map_or(Ok(String::new()), |node| scalar(node, name))
        };
        let key = match kind {
            "age" => MasterKey::Age {
                recipient: text("recipient")?,
            },
            "pgp" => MasterKey::Pgp {
                fingerprint: text("fp")?,
            },
            "kms" => MasterKey::AwsKms {
                arn: text("arn")?,
                role: text("role")?,
                context: texts(entry, "context")?,
            },
            "gcp_kms" => MasterKey::GcpKms {
                resource_id: text("resource_id")?,
            },
            "azure_kv" => MasterKey::AzureKeyVault {
                vault_url: text("vault_url")?,
                name: text("name")?,
                version: text("version")?,
            },
            "hc_vault" => MasterKey::Vault {
                address: text("vault_address")?,
                engine: text("engine_path")?,
                name: text("key_name")?,
            },
            _ => MasterKey::HuaweiKms { id: text("key_id")? },
        };
        Ok(Self {
            key,
            encrypted: text("enc")?,
        })
    }
}

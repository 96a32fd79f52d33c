//! What a tenant has to open data keys with.

mod age;
mod import;
mod pgp;

use zeroize::Zeroizing;

use crate::cipher::DataKey;
use crate::error::{Attempt, DataKeyError};
use crate::{Document, Error, MasterKey, Recipient, shamir};

pub use import::{ImportError, Imported};

/// Opens data keys that were encrypted with keys of a service.
///
/// The crate asks after all private keys were tried. Implementations may wait for a network, so whoever
/// decrypts does it on a thread that may.
pub trait KeyService: Send + Sync {
    /// The data key, or the part of it, in clear; nothing if the service is not for this kind of key.
    ///
    /// # Errors
    /// Says why the service did not open it, in words that are fit for a status: no credential, and
    /// nothing that was decrypted.
    fn open(&self, recipient: &Recipient) -> Option<Result<Zeroizing<Vec<u8>>, String>>;
}

/// The private keys of one tenant, and what else may open data keys for it.
#[derive(Default)]
pub struct Keyring {
    age: age::Identities,
    pgp: pgp::Keys,
    services: Vec<Box<dyn KeyService>>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring")
            .field("age", &self.age.len())
            .field("pgp", &self.pgp.len())
            .field("services", &self.services.len())
            .finish()
    }
}

impl Keyring {
    /// Adds a service, to be asked after those that are there.
    #[must_use]
    pub fn with_service(mut self, service: impl KeyService + 'static) -> Self {
        self.services.push(Box::new(service));
        self
    }

    /// Adds age identities, one a line, or an SSH private key in PEM.
    ///
    /// # Errors
    /// When a line is neither, or a key has a passphrase.
    pub fn add_age(&mut self, text: &str) -> Result<(), ImportError> {
        self.age.add(text)
    }

    /// Adds OpenPGP private keys, armored.
    ///
    /// # Errors
    /// When there is none, or it has a passphrase.
    pub fn add_pgp(&mut self, text: &[u8]) -> Result<(), ImportError> {
        self.pgp.add(text)
    }

    /// The data key of a document: of each key group, the part that the first fitting key opens.
    ///
    /// # Errors
    /// When too few groups can be opened; says of each recipient why it did not help.
    pub fn data_key(&self, document: &Document) -> Result<DataKey, Error> {
        let mut parts = Vec::new();
        let mut failed = Vec::new();
        let mut groups = 0;
        for group in document.groups() {
            groups += 1;
            match self.part(group) {
                Ok(part) => parts.push(part),
                Err(attempts) => failed.push(attempts),
            }
        }
        let error = |why: Option<&str>, failed: Vec<Vec<Attempt>>| {
            let of_all = why.map(|why| Attempt {
                recipient: "the key groups together".to_owned(),
                why: why.to_owned(),
            });
            Error::DataKey(DataKeyError {
                needed: document.needed(),
                opened: parts.len(),
                failed: failed
                    .into_iter()
                    .chain(of_all.map(|of_all| vec![of_all]))
                    .collect(),
            })
        };
        const LENGTH: &str = "what was decrypted is no key for AES-256";
        if groups <= 1 {
            return match parts.first() {
                Some(part) => DataKey::new(part).ok_or_else(|| error(Some(LENGTH), failed)),
                None => Err(error(None, failed)),
            };
        }
        if parts.len() < document.needed() {
            return Err(error(None, failed));
        }
        match shamir::combine(&parts) {
            Ok(key) => DataKey::new(&key).ok_or_else(|| error(Some(LENGTH), failed)),
            Err(why) => Err(error(Some(why), failed)),
        }
    }

    fn part(&self, group: &[Recipient]) -> Result<Zeroizing<Vec<u8>>, Vec<Attempt>> {
        let mut sorted: Vec<&Recipient> = group.iter().collect();
        sorted.sort_by_key(|recipient| recipient.key.order());
        let mut attempts = Vec::new();
        for recipient in sorted {
            match self.open(recipient) {
                Ok(part) => return Ok(part),
                Err(why) => attempts.push(Attempt {
                    recipient: recipient.key.to_string(),
                    why,
                }),
            }
        }
        Err(attempts)
    }

    fn open(&self, recipient: &Recipient) -> Result<Zeroizing<Vec<u8>>, String> {
        let own = match &recipient.key {
            MasterKey::Age { .. } => Some(self.age.open(&recipient.encrypted)),
            MasterKey::Pgp { fingerprint } => Some(self.pgp.open(fingerprint, &recipient.encrypted)),
            _ => None,
        };
        let answers = own
            .into_iter()
            .chain(self.services.iter().filter_map(|service| service.open(recipient)));
        let mut refused = Vec::new();
        for answer in answers {
            match answer {
                Ok(part) => return Ok(part),
                Err(why) => refused.push(why),
            }
        }
        if refused.is_empty() {
            refused.push(
                "there is no credential for this kind of key, or nothing here asks its service".to_owned(),
            );
        }
        Err(refused.join(", and "))
    }
}

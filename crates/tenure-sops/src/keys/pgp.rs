use std::io::Read as _;

use pgp::composed::{DecryptionOptions, Deserializable as _, Message, SignedSecretKey, TheRing};
use pgp::types::{KeyDetails as _, Password};
use zeroize::Zeroizing;

use super::ImportError;

/// More than a data key and its tag of Shamir's scheme ever are, in bytes.
const LONGEST: u64 = 4096;

/// More than any encrypted data key is, in bytes.
const LONGEST_MESSAGE: usize = 64 << 10;

/// OpenPGP private keys.
#[derive(Default)]
pub(super) struct Keys(Vec<SignedSecretKey>);

impl Keys {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add(&mut self, text: &[u8]) -> Result<(), ImportError> {
        let (keys, _) = SignedSecretKey::from_armor_many(text).map_err(|_| ImportError::Pgp)?;
        let before = self.0.len();
        for key in keys {
            let key = key.map_err(|_| ImportError::Pgp)?;
            let is_locked = |locked: bool| locked;
            // What can't decrypt in any case, such as a primary key kept elsewhere, may stay locked.
            let usable = !is_locked(key.primary_key.secret_params().is_encrypted())
                || key
                    .secret_subkeys
                    .iter()
                    .any(|subkey| !is_locked(subkey.key.secret_params().is_encrypted()));
            if !usable {
                return Err(ImportError::Passphrase);
            }
            self.0.push(key);
        }
        if self.0.len() == before {
            Err(ImportError::Pgp)
        } else {
            Ok(())
        }
    }

    /// Opens an armored message.
    pub(super) fn open(&self, fingerprint: &str, encrypted: &str) -> Result<Zeroizing<Vec<u8>>, String> {
        if self.0.is_empty() {
            return Err("the decryption Secret has no OpenPGP private key".to_owned());
        }
        const BAD: &str = "the encrypted data key is not an OpenPGP message with integrity protection";
        if encrypted.len() > LONGEST_MESSAGE {
            return Err(BAD.to_owned());
        }
        let (message, _) = Message::from_armor(encrypted.as_bytes()).map_err(|_| BAD.to_owned())?;
        if !message.is_encrypted() {
            return Err(BAD.to_owned());
        }
        let none = Password::empty();
        let ring = TheRing {
            secret_keys: self.0.iter().collect(),
            key_passwords: vec![&none],
            decrypt_options: DecryptionOptions::new().enable_gnupg_aead(),
            ..TheRing::default()
        };
        let (message, _) = message
            .decrypt_the_ring(ring, true)
            .map_err(|error| match error {
                pgp::errors::Error::MissingKey if self.has(fingerprint) => {
                    "the private key with this fingerprint did not open the data key; it may be locked"
                        .to_owned()
                }
                pgp::errors::Error::MissingKey => {
                    "none of the OpenPGP private keys is this recipient's".to_owned()
                }
                _ => BAD.to_owned(),
            })?;
        // One layer of compression is what programs write; more are there to grow.
        let message = if message.is_compressed() {
            message.decompress().map_err(|_| BAD.to_owned())?
        } else {
            message
        };
        if !message.is_literal() {
            return Err(BAD.to_owned());
        }
        let mut plain = Zeroizing::new(Vec::new());
        message
            .take(LONGEST)
            .read_to_end(&mut plain)
            .map_err(|_| BAD.to_owned())?;
        Ok(plain)
    }

    fn has(&self, fingerprint: &str) -> bool {
        let is = |found: pgp::types::Fingerprint| found.to_string().eq_ignore_ascii_case(fingerprint);
        self.0.iter().any(|key| {
            is(key.primary_key.fingerprint())
                || key
                    .secret_subkeys
                    .iter()
                    .any(|subkey| is(subkey.key.fingerprint()))
        })
    }
}

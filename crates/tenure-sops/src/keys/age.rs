use std::io::Read as _;

use age::{Decryptor, Identity, armor::ArmoredReader};
use zeroize::Zeroizing;

use super::ImportError;

/// More than a data key and its tag of Shamir's scheme ever are, in bytes.
const LONGEST: u64 = 4096;

/// Private keys that age knows.
#[derive(Default)]
pub(super) struct Identities(Vec<Box<dyn Identity + Send + Sync>>);

impl Identities {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add(&mut self, text: &str) -> Result<(), ImportError> {
        if text.trim_start().starts_with("-----BEGIN") {
            return self.add_ssh(text);
        }
        for line in text.lines() {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with("AGE-PLUGIN-") {
                return Err(ImportError::AgePlugin);
            }
            if line.starts_with("AGE-SECRET-KEY-PQ-1") {
                return Err(ImportError::AgePostQuantum);
            }
            let identity: age::x25519::Identity = line.parse().map_err(|_| ImportError::Age)?;
            self.0.push(Box::new(identity));
        }
        Ok(())
    }

    fn add_ssh(&mut self, text: &str) -> Result<(), ImportError> {
        match age::ssh::Identity::from_buffer(text.as_bytes(), None) {
            Ok(identity @ age::ssh::Identity::Unencrypted(_)) => {
                self.0.push(Box::new(identity));
                Ok(())
            }
            Ok(age::ssh::Identity::Encrypted(_)) => Err(ImportError::Passphrase),
            Ok(age::ssh::Identity::Unsupported(_)) | Err(_) => Err(ImportError::Age),
        }
    }

    /// Opens an armored age file.
    pub(super) fn open(&self, encrypted: &str) -> Result<Zeroizing<Vec<u8>>, String> {
        if self.0.is_empty() {
            return Err("the decryption Secret has no age identity".to_owned());
        }
        const BAD: &str = "the encrypted data key is not an age file";
        let armored = ArmoredReader::new(encrypted.as_bytes());
        let decryptor = Decryptor::new(armored).map_err(|_| BAD.to_owned())?;
        if decryptor.is_scrypt() {
            return Err("the data key is encrypted with a passphrase, which nobody is asked for".to_owned());
        }
        let identities = self.0.iter().map(|identity| identity.as_ref() as &dyn Identity);
        let reader = decryptor.decrypt(identities).map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => "none of the age identities is this recipient's".to_owned(),
            _ => BAD.to_owned(),
        })?;
        let mut plain = Zeroizing::new(Vec::new());
        reader
            .take(LONGEST)
            .read_to_end(&mut plain)
            .map_err(|_| BAD.to_owned())?;
        Ok(plain)
    }
}

//! The Secret with a tenant's keys: what each entry is, its name says.

use super::Keyring;

/// Why an entry can't be used. No variant quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Not what age or SSH have as private keys.
    #[error(
        "unknown identity type: a line has to start with AGE-SECRET-KEY-1, or all of it be an SSH private key in PEM"
    )]
    Age,
    /// A plugin would have to be started.
    #[error("identities of age plugins can't be used: no program is started")]
    AgePlugin,
    /// Hybrid keys.
    #[error("post-quantum age identities (AGE-SECRET-KEY-PQ-1) are not supported")]
    AgePostQuantum,
    /// The key is locked.
    #[error("the private key has a passphrase, which nobody is asked for; store it without one")]
    Passphrase,
    /// No OpenPGP private key.
    #[error("not an armored OpenPGP private key")]
    Pgp,
    /// Not text.
    #[error("not text")]
    NotText,
}

/// What an entry turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// Keys, which the keyring has now.
    Keys,
    /// Nothing that has to do with decryption.
    Nothing,
}

impl Keyring {
    /// Takes an entry of a decryption Secret: `*.agekey` and `*.asc`. Other names are left to whoever
    /// knows services.
    ///
    /// # Errors
    /// When its name says that it is a key, and it can't be used.
    pub fn import(&mut self, name: &str, value: &[u8]) -> Result<Imported, ImportError> {
        if has_extension(name, "asc") {
            self.add_pgp(value)?;
        } else if has_extension(name, "agekey") {
            self.add_age(std::str::from_utf8(value).map_err(|_| ImportError::NotText)?)?;
        } else {
            return Ok(Imported::Nothing);
        }
        Ok(Imported::Keys)
    }
}

fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, end)| end == extension)
}

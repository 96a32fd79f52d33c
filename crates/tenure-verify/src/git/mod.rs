//! Signatures of Git commits and tags, made with OpenPGP or SSH keys.
//!
//! [`Object`] takes a raw object apart, after its bytes were found to be those of the id that is expected; [`Keys`] are
//! what a tenant trusts, read from its Secret; [`Object::verify`] brings the two together. The rules are those of
//! go-crypto, which Flux uses, and stricter where it says so here: a signature over SHA-1, MD5 or RIPEMD-160 is none.

mod object;
mod pgp;
mod ssh;

use jiff::Timestamp;

pub use object::{Object, ObjectError, ObjectKind};

/// The keys of a Secret, by the ends of their names: `.sshpub` has lines as in an `authorized_keys` file, everything
/// else an armoured OpenPGP key ring.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    pgp: Vec<String>,
    ssh: Vec<String>,
}

/// Why a signature does not count, in Flux's words and with the reason where there is one to tell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignatureError(String);

impl Keys {
    /// Reads the data of a Secret; what is no text is no key.
    pub fn of<'a>(data: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut keys = Self::default();
        for (name, value) in data {
            let text = String::from_utf8_lossy(value).into_owned();
            if name.ends_with(".sshpub") {
                keys.ssh.push(text);
            } else {
                keys.pgp.push(text);
            }
        }
        keys
    }
}

impl Object {
    /// The name of the key that signed this object: an OpenPGP key's id, an SSH key's fingerprint.
    ///
    /// # Errors
    /// [`SignatureError`], when none of the keys did, or may not have at `now`.
    pub fn verify(&self, keys: &Keys, now: Timestamp) -> Result<String, SignatureError> {
        let signature = self.signature.trim();
        let refuse = |text: String| Err(SignatureError(text));
        if signature.starts_with(object::PGP) {
            if keys.pgp.is_empty() {
                return refuse(
                    "PGP signature detected but no PGP public keys found in secret (keys with .asc suffix)"
                        .to_owned(),
                );
            }
            let verified = pgp::verify(signature, &self.payload, &keys.pgp, now);
            return verified
                .map_err(|why| SignatureError(format!("unable to verify Git {}: {why}", self.kind)));
        }
        if signature.starts_with(object::SSH) {
            if keys.ssh.is_empty() {
                return refuse(
                    "SSH signature detected but no SSH public keys found in secret (keys with .sshpub suffix)".to_owned(),
                );
            }
            let verified = ssh::verify(signature, &self.payload, &keys.ssh);
            return verified.map_err(|why| {
                SignatureError(format!("unable to verify Git {} SSH signature: {why}", self.kind))
            });
        }
        let kind = match signature {
            "" => "empty",
            other if other.starts_with("-----BEGIN SIGNED MESSAGE-----") => "x509",
            _ => "unknown",
        };
        refuse(format!("unsupported signature type: {kind}"))
    }

    /// Whether it has a signature of any kind.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        !self.signature.trim().is_empty()
    }
}

#[cfg(test)]
mod tests;

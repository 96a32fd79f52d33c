use std::fmt;

use crate::Format;

/// Why a document could not be decrypted. No variant holds decrypted bytes, keys or credentials.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The document is not one of its format.
    #[error("failed to load encrypted {format} data: {why}")]
    Load {
        /// The format it was read as.
        format: Format,
        /// What is wrong with it.
        why: String,
    },
    /// The format holds a document, but not one that sops made.
    #[error("failed to load encrypted {0} data: sops metadata not found")]
    NoMetadata(Format),
    /// The metadata of sops says something that can't be.
    #[error("failed to load encrypted {format} data: sops metadata: {why}")]
    Metadata {
        /// The format.
        format: Format,
        /// What is wrong.
        why: String,
    },
    /// No key opened the data key, or too few key groups.
    #[error("cannot get sops data key: {0}")]
    DataKey(DataKeyError),
    /// A value could not be decrypted.
    #[error("error decrypting sops tree: {at}: {why}")]
    Value {
        /// Which one: its keys, joined by colons.
        at: String,
        /// Why.
        why: &'static str,
    },
    /// The message authentication code does not fit the document.
    #[error(
        "failed to verify sops data integrity: {0}. Somebody changed the file, or wrote into it, after sops did; encrypt it again with sops"
    )]
    Mac(MacError),
    /// The document can't be written in the format that is asked for.
    #[error("failed to emit encrypted {from} file as decrypted {to}: {why}")]
    Emit {
        /// The format it was read as.
        from: Format,
        /// The format to write.
        to: Format,
        /// What does not fit.
        why: String,
    },
    /// More than the limits allow.
    #[error("cannot decrypt {what} beyond the limit of {limit}")]
    TooBig {
        /// Of what there is too much, with its unit.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
}

/// What is wrong with a message authentication code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MacError {
    /// It is another.
    #[error("MAC mismatch")]
    Mismatch,
    /// There is none.
    #[error("the file has no MAC")]
    Missing,
    /// It was not made with the document's data key at its time of modification.
    #[error("the MAC itself can't be decrypted, or was made for another lastmodified")]
    Unreadable,
}

/// Which keys were tried for a document, and what became of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKeyError {
    /// How many key groups have to be opened.
    pub needed: usize,
    /// Of each group that was not opened, each recipient with the reason, in the order of trial.
    pub failed: Vec<Vec<Attempt>>,
    /// How many groups were opened.
    pub opened: usize,
}

/// A recipient of a data key that did not help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Kind and public name of the recipient.
    pub recipient: String,
    /// Why not.
    pub why: String,
}

impl fmt::Display for DataKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// A message is for a condition: nobody reads a hundred recipients there.
        const SHOWN: usize = 8;
        if self.needed > 1 {
            write!(
                f,
                "{} of the key groups have to be opened, {} could be",
                self.needed, self.opened
            )?;
        } else {
            f.write_str("none of the file's recipients could be used")?;
        }
        let attempts = || self.failed.iter().flatten();
        for (i, Attempt { recipient, why }) in attempts().take(SHOWN).enumerate() {
            write!(f, "{} {recipient}: {why}", if i == 0 { ":" } else { ";" })?;
        }
        match attempts().count().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for DataKeyError {}

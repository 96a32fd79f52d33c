use std::fmt;

use sha1_checked::{Sha1, digest::Update};
use sha2::{Digest as _, Sha256};

pub(super) const PGP: &str = "-----BEGIN PGP SIGNATURE-----";
pub(super) const SSH: &str = "-----BEGIN SSH SIGNATURE-----";
const X509: &str = "-----BEGIN SIGNED MESSAGE-----";

/// Commit or tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A commit.
    Commit,
    /// An annotated tag.
    Tag,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commit => "commit",
            Self::Tag => "tag",
        })
    }
}

/// Why bytes are not the object that is expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// The id is no SHA-1 or SHA-256 in hexadecimal digits.
    #[error("{0:?} is not the id of an object")]
    Id(String),
    /// The bytes have another id.
    #[error("the {kind} that was handed over is not {id}")]
    Other {
        /// Commit or tag.
        kind: ObjectKind,
        /// The id that was expected.
        id: String,
    },
    /// The bytes are built to have the id of other bytes.
    #[error("the {kind} {id} is half of a SHA-1 collision")]
    Collision {
        /// Commit or tag.
        kind: ObjectKind,
        /// The id.
        id: String,
    },
    /// They do not read as an object of that kind.
    #[error("the {kind} {id} cannot be read: {what}")]
    Malformed {
        /// Commit or tag.
        kind: ObjectKind,
        /// The id.
        id: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// A commit or a tag, and what was signed of it.
#[derive(Clone, Debug)]
pub struct Object {
    pub(super) kind: ObjectKind,
    pub(super) signature: String,
    pub(super) payload: Vec<u8>,
    pub(super) target: Option<String>,
}

impl Object {
    /// Takes the object `id` apart, whose bytes are these.
    ///
    /// # Errors
    /// [`ObjectError`], above all when the bytes are not those of `id`.
    pub fn read(kind: ObjectKind, id: &str, bytes: &[u8]) -> Result<Self, ObjectError> {
        check(kind, id, bytes)?;
        let malformed = |what| ObjectError::Malformed {
            kind,
            id: id.to_owned(),
            what,
        };
        match kind {
            ObjectKind::Commit => {
                let (signature, payload) = commit(bytes, id.len() == 64).map_err(malformed)?;
                Ok(Self {
                    kind,
                    signature,
                    payload,
                    target: None,
                })
            }
            ObjectKind::Tag => {
                let (signature, payload) = tag(bytes);
                let target = target(bytes).ok_or_else(|| malformed("it does not name a commit"))?;
                Ok(Self {
                    kind,
                    signature,
                    payload,
                    target: Some(target),
                })
            }
        }
    }

    /// The commit that a tag names.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }
}

/// Git's id of an object is the digest of its kind, its length and its bytes.
fn check(kind: ObjectKind, id: &str, bytes: &[u8]) -> Result<(), ObjectError> {
    let header = format!("{kind} {}\0", bytes.len());
    let is = match id.len() {
        40 => {
            let mut hash = Sha1::new();
            Update::update(&mut hash, header.as_bytes());
            Update::update(&mut hash, bytes);
            let result = hash.try_finalize();
            if result.has_collision() {
                return Err(ObjectError::Collision {
                    kind,
                    id: id.to_owned(),
                });
            }
            hex(result.hash())
        }
        64 => hex(&Sha256::new()
            .chain_update(header.as_bytes())
            .chain_update(bytes)
            .finalize()),
        _ => return Err(ObjectError::Id(id.to_owned())),
    };
    if is == id {
        return Ok(());
    }
    Err(ObjectError::Other {
        kind,
        id: id.to_owned(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The signature of a commit stands in a header, and is no part of what is signed. The one for the other kind of
/// repository is not signed either.
fn commit(bytes: &[u8], is_sha256: bool) -> Result<(String, Vec<u8>), &'static str> {
    let (own, other): (&[u8], &[u8]) = if is_sha256 {
        (b"gpgsig-sha256 ", b"gpgsig ")
    } else {
        (b"gpgsig ", b"gpgsig-sha256 ")
    };
    let mut signature: Option<Vec<u8>> = None;
    let mut payload = Vec::with_capacity(bytes.len());
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    // Which header a line that begins with a blank goes on with.
    let mut at = Header::Kept;
    for line in lines.by_ref() {
        if let Some(rest) = line.strip_prefix(b" ") {
            match at {
                Header::Kept => payload.extend_from_slice(line),
                Header::Signature => signature.get_or_insert_default().extend_from_slice(rest),
                Header::Dropped => {}
            }
            continue;
        }
        if let Some(rest) = line.strip_prefix(own) {
            if signature.is_some() {
                return Err("it has two signatures");
            }
            signature = Some(rest.to_vec());
            at = Header::Signature;
        } else if line.starts_with(other) {
            at = Header::Dropped;
        } else {
            payload.extend_from_slice(line);
            at = Header::Kept;
            if line == b"\n" {
                break;
            }
        }
    }
    lines.for_each(|line| payload.extend_from_slice(line));
    let signature = signature.unwrap_or_default();
    let signature = String::from_utf8(signature).map_err(|_| "its signature is not text")?;
    Ok((signature, payload))
}

enum Header {
    Kept,
    Signature,
    Dropped,
}

/// The signature of a tag stands at its end: what follows the last line that begins one.
fn tag(bytes: &[u8]) -> (String, Vec<u8>) {
    let mut at = 0;
    let mut begins = None;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if [PGP, SSH, X509]
            .iter()
            .any(|begin| line.starts_with(begin.as_bytes()))
        {
            begins = Some(at);
        }
        at += line.len();
    }
    let (payload, signature) = bytes.split_at(begins.unwrap_or(bytes.len()));
    (String::from_utf8_lossy(signature).into_owned(), payload.to_vec())
}

fn target(bytes: &[u8]) -> Option<String> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let object = lines.next()?.strip_prefix(b"object ")?;
    if lines.next()? != b"type commit" {
        return None;
    }
    String::from_utf8(object.to_vec()).ok()
}

#[cfg(test)]
pub(super) fn two_signatures(bytes: &[u8]) -> Result<(), &'static str> {
    commit(bytes, false).map(drop)
}

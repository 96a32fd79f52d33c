use serde_json::Value;
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use crate::cipher::{self, DataKey, Opened};
use crate::error::MacError;
use crate::flatten::unflatten;
use crate::metadata::Metadata;
use crate::store::{self, Branches, Budget};
use crate::tree::{Comment, Entry, Item, Node, Text};
use crate::{Error, Format, Limits, Recipient};

/// What a MAC starts with if it covers encrypted values only, so that it differs from one over all values.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0xb, 0xb, 0x97,
    0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// What to do about a document's message authentication code.
///
/// Each encrypted value is bound to its keys in any case. The MAC adds that nothing was left out, moved, or
/// written beside them in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mac {
    /// It must fit.
    Verify,
    /// It is not looked at: for what was changed after it was encrypted, and on purpose.
    Ignore,
}

/// A document that sops has encrypted.
#[derive(Debug, Clone)]
pub struct Document {
    format: Format,
    branches: Branches,
    metadata: Metadata,
}

impl Document {
    /// Reads a document of a format.
    ///
    /// # Errors
    /// When it is not of the format, beyond the limits, or sops' metadata are missing or wrong.
    pub fn parse(bytes: &[u8], format: Format, limits: &Limits) -> Result<Self, Error> {
        if bytes.len() > limits.bytes {
            return Err(Error::TooBig {
                what: "bytes of a file",
                limit: limits.bytes,
            });
        }
        let branches = store::load(bytes, format, limits).map_err(|why| Error::Load { format, why })?;
        Self::of(format, branches, limits)
    }

    /// Takes a document from an object that was read already, as JSON.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn from_value(value: Value, limits: &Limits) -> Result<Self, Error> {
        let format = Format::Json;
        let branch = store::from_value(value, &mut Budget::new(limits));
        let branch = branch.map_err(|why| Error::Load { format, why })?;
        Self::of(format, vec![branch], limits)
    }

    fn of(format: Format, mut branches: Branches, limits: &Limits) -> Result<Self, Error> {
        let wrong = |why| Error::Metadata { format, why };
        let found = match format {
            Format::Dotenv => take_prefixed(&mut branches),
            _ => take_branch(&mut branches).map_err(wrong)?,
        };
        let mut found = found.ok_or(Error::NoMetadata(format))?;
        if matches!(format, Format::Dotenv | Format::Ini) {
            if format == Format::Ini {
                unescape(&mut found);
            }
            found = unflatten(&found).map_err(wrong)?;
        }
        Ok(Self {
            format,
            branches,
            metadata: Metadata::read(&found, limits).map_err(wrong)?,
        })
    }

    /// The key groups, each with its recipients as the file has them.
    pub fn groups(&self) -> impl Iterator<Item = &[Recipient]> {
        self.metadata.groups.iter().map(Vec::as_slice)
    }

    /// How many key groups have to be opened.
    #[must_use]
    pub const fn needed(&self) -> usize {
        if self.metadata.groups.len() > 1 {
            self.metadata.threshold
        } else {
            1
        }
    }

    /// Whether it depends on comments which of the values are encrypted.
    #[must_use]
    pub const fn needs_comments(&self) -> bool {
        self.metadata.rule.needs_comments()
    }

    /// Decrypts the values.
    ///
    /// # Errors
    /// At the first value that does not fit the key and its place, and when the MAC is to be verified and
    /// does not fit.
    pub fn decrypt(self, key: &DataKey, mac: Mac) -> Result<Plain, Error> {
        let Self {
            format,
            mut branches,
            metadata,
        } = self;
        let mut walk = Walk {
            metadata: &metadata,
            key,
            path: Vec::new(),
            comments: Vec::new(),
            hash: Sha512::new(),
            secrets: Vec::new(),
        };
        if metadata.mac_only_encrypted {
            walk.hash.update(ONLY_ENCRYPTED);
        }
        for branch in &mut branches {
            walk.branch(branch)?;
        }
        let secrets = std::mem::take(&mut walk.secrets);
        if mac == Mac::Verify {
            let digest = walk.hash.finalize();
            verify(&metadata, key, &digest).map_err(Error::Mac)?;
        }
        Ok(Plain {
            format,
            branches,
            secrets,
        })
    }
}

fn verify(metadata: &Metadata, key: &DataKey, digest: &[u8]) -> Result<(), MacError> {
    if metadata.mac.is_empty() {
        return Err(MacError::Missing);
    }
    let opened = cipher::open(&metadata.mac, key, &metadata.last_modified);
    let Ok(Opened::Node(Node::Text(mac))) = opened else {
        return Err(MacError::Unreadable);
    };
    let digest: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    if mac.0.as_slice() == digest.as_bytes() {
        Ok(())
    } else {
        Err(MacError::Mismatch)
    }
}

/// The branch under `sops`, which is taken out of all documents; the first one's counts.
fn take_branch(branches: &mut Branches) -> Result<Option<Vec<Item>>, String> {
    let mut found = None;
    for (i, branch) in branches.iter_mut().enumerate() {
        let is_metadata = |item: &mut Item| matches!(item, Item::Pair(key, _) if key == "sops");
        for item in branch.extract_if(.., is_metadata) {
            match item {
                _ if i > 0 => {}
                Item::Pair(_, Node::Branch(_)) if found.is_some() => {
                    return Err("it is there twice".to_owned());
                }
                Item::Pair(_, Node::Branch(metadata)) => found = Some(metadata),
                _ => return Err("it is not a mapping".to_owned()),
            }
        }
    }
    Ok(found)
}

fn take_prefixed(branches: &mut Branches) -> Option<Vec<Item>> {
    let branch = branches.first_mut()?;
    let is_metadata = |item: &mut Item| matches!(item, Item::Pair(key, _) if key.starts_with("sops_"));
    let strip = |item| match item {
        Item::Pair(key, node) => Item::Pair(key.strip_prefix("sops_").unwrap_or(&key).to_owned(), node),
        comment => comment,
    };
    let found: Vec<Item> = branch.extract_if(.., is_metadata).map(strip).collect();
    (!found.is_empty()).then_some(found)
}

fn unescape(branch: &mut [Item]) {
    for item in branch {
        if let Item::Pair(_, Node::Text(text)) = item
            && let Some(escaped) = text.as_str()
        {
            *text = Text::new(escaped.replace("\\n", "\n"));
        }
    }
}

/// A walk over the values, in their order.
struct Walk<'a> {
    metadata: &'a Metadata,
    key: &'a DataKey,
    path: Vec<String>,
    comments: Vec<Vec<String>>,
    hash: Sha512,
    /// The texts that came to light.
    secrets: Vec<Text>,
}

impl Walk<'_> {
    fn branch(&mut self, branch: &mut [Item]) -> Result<(), Error> {
        self.comments.push(Vec::new());
        for item in branch {
            match item {
                Item::Comment(comment) => self.comment(comment),
                Item::Pair(key, node) => {
                    self.path.push(key.clone());
                    if self.node(node)?.is_some() {
                        return Err(self.refuse("a comment was encrypted in a value's place"));
                    }
                    self.path.pop();
                    self.forget();
                }
            }
        }
        self.comments.pop();
        Ok(())
    }

    fn list(&mut self, list: &mut [Entry]) -> Result<(), Error> {
        self.comments.push(Vec::new());
        for entry in list {
            match entry {
                Entry::Comment(comment) => self.comment(comment),
                Entry::Node(node) => {
                    // In a list, an encrypted comment stands in a text's place.
                    match self.node(node)? {
                        Some(text) => *entry = Entry::Comment(Comment { text, inline: false }),
                        None => self.forget(),
                    }
                }
            }
        }
        self.comments.pop();
        Ok(())
    }

    /// The comments that stood before something are not of what follows it.
    fn forget(&mut self) {
        if let Some(comments) = self.comments.last_mut() {
            comments.clear();
        }
    }

    fn comment(&mut self, comment: &mut Comment) {
        let text = String::from_utf8_lossy(&comment.text.0).into_owned();
        if let Some(comments) = self.comments.last_mut() {
            comments.push(text.clone());
        }
        if !self.encrypts(true) {
            return;
        }
        // Comments that older versions of sops left as they were can't be told from others.
        match cipher::open(&text, self.key, &self.place()) {
            Ok(Opened::Comment(plain)) => {
                *comment = Comment {
                    text: plain,
                    inline: false,
                }
            }
            Ok(Opened::Node(Node::Text(plain))) => comment.text = plain,
            Ok(Opened::Node(_)) | Err(_) => {}
        }
    }

    fn encrypts(&self, is_comment: bool) -> bool {
        self.metadata
            .rule
            .encrypts(&self.path, &self.comments, is_comment)
    }

    fn place(&self) -> String {
        format!("{}:", self.path.join(":"))
    }

    /// Decrypts what is in a node; gives the text of the comment that it turned out to be, which the MAC does
    /// not cover.
    fn node(&mut self, node: &mut Node) -> Result<Option<Text>, Error> {
        match node {
            Node::Null => return Ok(None),
            Node::Branch(branch) => return self.branch(branch).map(|()| None),
            Node::List(list) => return self.list(list).map(|()| None),
            _ => {}
        }
        let encrypted = self.encrypts(false);
        if encrypted {
            let opened = match node {
                Node::Text(text) => text
                    .as_str()
                    .map_or(Err("the encrypted value is not text"), |text| {
                        cipher::open(text, self.key, &self.place())
                    }),
                _ => Err("by the rules of the file the value should be encrypted, and it is not even text"),
            };
            *node = match opened {
                Ok(Opened::Node(node)) => {
                    self.secrets.extend(node.shown());
                    node
                }
                Ok(Opened::Comment(text)) => return Ok(Some(text)),
                Err(why) => return Err(self.refuse(why)),
            };
        }
        if encrypted || !self.metadata.mac_only_encrypted {
            match node {
                Node::Text(text) | Node::Time(text) => self.hash.update(&*text.0),
                Node::Bool(true) => self.hash.update("True"),
                Node::Bool(false) => self.hash.update("False"),
                Node::Int(value) => self.hash.update(value.to_string()),
                Node::Float(value) => self.hash.update(value.to_string()),
                Node::Null | Node::Branch(_) | Node::List(_) => {}
            }
        }
        Ok(None)
    }

    fn refuse(&self, why: &'static str) -> Error {
        Error::Value {
            at: self.path.join(":"),
            why,
        }
    }
}

/// A decrypted document. It is overwritten when it goes; what it is made into is in the caller's care.
#[derive(Debug)]
pub struct Plain {
    format: Format,
    branches: Branches,
    secrets: Vec<Text>,
}

impl Plain {
    /// The document as text of a format, as sops prints it.
    ///
    /// # Errors
    /// When the format has no form for it.
    pub fn write(&self, format: Format) -> Result<Zeroizing<Vec<u8>>, Error> {
        store::emit(&self.branches, format).map_err(|why| Error::Emit {
            from: self.format,
            to: format,
            why,
        })
    }

    /// The document as a JSON object: the first, if there are several.
    ///
    /// # Errors
    /// When JSON has no form for it.
    pub fn into_value(self) -> Result<Value, Error> {
        let from = self.format;
        let branch = self.branches.into_iter().next().unwrap_or_default();
        store::to_value(branch).map_err(|why| Error::Emit {
            from,
            to: Format::Json,
            why,
        })
    }

    /// The texts that were encrypted, for whoever has to keep them out of messages.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().filter_map(Text::as_str)
    }
}

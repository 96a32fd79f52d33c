//! One encrypted value: AES-256 in Galois/Counter Mode, with its place in the document as additional data.

use aes_gcm::AesGcm;
use aes_gcm::aead::array::ArraySize;
use aes_gcm::aead::consts::{U12, U16, U32};
use aes_gcm::aead::{Aead as _, KeyInit as _, Nonce, Payload};
use aes_gcm::aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::tree::{Node, Text};

/// The key of a document. Overwritten when it goes, and never shown.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|key| Self(Zeroizing::new(key)))
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(****)")
    }
}

/// What a value may have been.
pub(crate) enum Opened {
    Node(Node),
    Comment(Text),
}

const PREFIX: &str = "ENC[AES256_GCM,data:";

/// The parts of `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.
fn split(text: &str) -> Option<(&str, &str, &str, &str)> {
    let rest = text.strip_prefix(PREFIX)?;
    let (data, rest) = rest.split_once(",iv:")?;
    let (iv, rest) = rest.split_once(",tag:")?;
    let (tag, rest) = rest.split_once(",type:")?;
    // Something may follow the bracket; sops does not look.
    let (kind, _) = rest.rsplit_once(']')?;
    Some((data, iv, tag, kind))
}

/// Decrypts one value; an empty text stands for itself.
///
/// # Errors
/// Says what does not fit, without what the value is.
pub(crate) fn open(text: &str, key: &DataKey, path: &str) -> Result<Opened, &'static str> {
    if text.is_empty() {
        return Ok(Opened::Node(Node::text("")));
    }
    let (data, iv, tag, kind) = split(text).ok_or(
        "the value is not encrypted, though by the rules of the file it should be; encrypt the file again with sops",
    )?;
    let decode = |text: &str| {
        STANDARD
            .decode(text)
            .map_err(|_| "the encrypted value is not in base64")
    };
    let (mut sealed, iv, tag) = (decode(data)?, decode(iv)?, decode(tag)?);
    if tag.len() != 16 {
        return Err("the encrypted value has a tag of the wrong length");
    }
    sealed.extend_from_slice(&tag);
    let plain = match iv.len() {
        32 => unseal::<U32>(&sealed, &iv, key, path),
        12 => unseal::<U12>(&sealed, &iv, key, path),
        16 => unseal::<U16>(&sealed, &iv, key, path),
        _ => {
            return Err(
                "the encrypted value has an initialization vector of a length that sops does not write",
            );
        }
    }?;
    typed(plain, kind)
}

fn unseal<N: ArraySize>(
    sealed: &[u8],
    iv: &[u8],
    key: &DataKey,
    path: &str,
) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    const WRONG: &str = "the encrypted value was changed, moved, or made with another data key";
    let cipher = AesGcm::<Aes256, N>::new_from_slice(key.0.as_slice()).map_err(|_| WRONG)?;
    let nonce = Nonce::<AesGcm<Aes256, N>>::try_from(iv).map_err(|_| WRONG)?;
    let payload = Payload {
        msg: sealed,
        aad: path.as_bytes(),
    };
    cipher
        .decrypt(&nonce, payload)
        .map(Zeroizing::new)
        .map_err(|_| WRONG)
}

fn typed(plain: Zeroizing<Vec<u8>>, kind: &str) -> Result<Opened, &'static str> {
    const BAD: &str = "the decrypted value is not of the type that it says";
    let text = || std::str::from_utf8(&plain).map_err(|_| BAD);
    Ok(Opened::Node(match kind {
        "str" | "bytes" => Node::Text(Text(plain)),
        "int" => Node::Int(text()?.parse().map_err(|_| BAD)?),
        "float" => Node::Float(text()?.parse().map_err(|_| BAD)?),
        "bool" => Node::Bool(match text()? {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
            "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
            _ => return Err(BAD),
        }),
        "time" => {
            text()?;
            Node::Time(Text(plain))
        }
        "comment" => return Ok(Opened::Comment(Text(plain))),
        _ => return Err("the encrypted value is of a type that sops does not write"),
    }))
}

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use parking_lot::Mutex;

use super::{Claims, Refusal};

/// A key set of an API server has a handful of keys; more than this is not one.
const MAX_FILE: u64 = 1 << 20;

/// Longer tokens are refused unread; the API server's have about a thousand characters.
const MAX_TOKEN: usize = 16 << 10;

/// Tokens with unknown keys make the file be read at most this often.
const MIN_REREAD: Duration = Duration::from_secs(1);

/// The issuer's public keys, from a JWKS file that somebody else keeps current.
///
/// A file that cannot be read or holds no usable key leaves the known keys in force: losing them
/// would lock every worker out, and a key that was withdrawn is gone from a readable file.
pub struct IssuerKeys {
    path: PathBuf,
    keys: ArcSwap<KeySet>,
    read: Mutex<LastRead>,
    min_reread: Duration,
}

/// The public keys of an issuer by their ids.
#[derive(Default)]
pub struct KeySet(HashMap<String, Arc<IssuerKey>>);

/// One key and the one algorithm it is good for.
struct IssuerKey {
    algorithm: Algorithm,
    key: DecodingKey,
}

#[derive(Default)]
struct LastRead {
    stamp: Option<Stamp>,
    forced: Option<Instant>,
}

/// A replaced ConfigMap shows as another inode, a rewritten file as another time or size.
#[derive(PartialEq, Eq)]
struct Stamp {
    inode: u64,
    modified: (i64, i64),
    size: u64,
}

impl IssuerKeys {
    /// Reads the file; one that is not there yet is no error, tokens are refused until it is.
    #[must_use]
    pub fn open(path: PathBuf) -> Self {
        Self::with_min_reread(path, MIN_REREAD)
    }

    /// The same, where tokens with unknown keys make the file be read once in `min_reread`.
    #[must_use]
    pub fn with_min_reread(path: PathBuf, min_reread: Duration) -> Self {
        let keys = Self {
            path,
            keys: ArcSwap::default(),
            read: Mutex::default(),
            min_reread,
        };
        keys.refresh();
        keys
    }

    /// Whether any key is known.
    #[must_use]
    pub fn ready(&self) -> bool {
        !self.keys.load().0.is_empty()
    }

    /// What a token says that a known key has signed; whether it is good now and for whom is not looked at.
    ///
    /// # Errors
    /// Why it is none of this issuer.
    pub fn claims(&self, token: &str) -> Result<Claims, Refusal> {
        signed(token, |kid| self.find(kid))
    }

    /// The key called `kid`. Not known: the file is read again, unless that was done a moment ago.
    fn find(&self, kid: &str) -> Option<Arc<IssuerKey>> {
        let known = || self.keys.load().0.get(kid).cloned();
        known().or_else(|| {
            {
                let mut read = self.read.lock();
                if read.forced.is_some_and(|at| at.elapsed() < self.min_reread) {
                    return None;
                }
                read.forced = Some(Instant::now());
                read.stamp = None;
            }
            self.refresh();
            known()
        })
    }

    /// Reads the file if it has changed.
    pub fn refresh(&self) {
        if let Err(error) = self.try_refresh() {
            tracing::warn!(path = %self.path.display(), %error, "can't read the issuer's keys; those known stay in force");
        }
    }

    fn try_refresh(&self) -> io::Result<()> {
        let mut read = self.read.lock();
        let stamp = Stamp::of(&self.path)?;
        if read.stamp.as_ref() == Some(&stamp) {
            return Ok(());
        }
        let mut text = Vec::new();
        File::open(&self.path)?.take(MAX_FILE).read_to_end(&mut text)?;
        let keys = KeySet::parse(&text)?;
        tracing::info!(path = %self.path.display(), keys = keys.0.len(), "read the issuer's keys");
        self.keys.store(Arc::new(keys));
        read.stamp = Some(stamp);
        Ok(())
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self {
            inode: meta.ino(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            size: meta.size(),
        })
    }
}

impl KeySet {
    /// The keys of a JWKS document that can be used.
    ///
    /// # Errors
    /// When it is none, or has no such key.
    pub fn parse(text: &[u8]) -> io::Result<Self> {
        let set: JwkSet = serde_json::from_slice(text)?;
        let usable = set.keys.iter().filter_map(|jwk| {
            let kid = jwk.common.key_id.clone().filter(|kid| !kid.is_empty())?;
            let key = IssuerKey {
                algorithm: algorithm(jwk)?,
                key: DecodingKey::from_jwk(jwk).ok()?,
            };
            Some((kid, Arc::new(key)))
        });
        let keys: HashMap<_, _> = usable.collect();
        if keys.is_empty() {
            return Err(io::Error::other(
                "the file has no RS256 or ES256 key with a key id",
            ));
        }
        Ok(Self(keys))
    }

    /// What a token says that one of these keys has signed; whether it is good now and for whom is not looked at.
    ///
    /// # Errors
    /// Why it is none of this issuer.
    pub fn claims(&self, token: &str) -> Result<Claims, Refusal> {
        signed(token, |kid| self.0.get(kid).cloned())
    }
}

fn signed(token: &str, find: impl FnOnce(&str) -> Option<Arc<IssuerKey>>) -> Result<Claims, Refusal> {
    if token.len() > MAX_TOKEN {
        return Err(Refusal::Malformed);
    }
    let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
    let kid = header
        .kid
        .filter(|kid| !kid.is_empty())
        .ok_or(Refusal::Malformed)?;
    let key = find(&kid).ok_or(Refusal::UnknownKey)?;
    if header.alg != key.algorithm {
        return Err(Refusal::Algorithm);
    }
    // The claims are checked by the caller, against one clock reading and with one leeway.
    let mut signature_only = Validation::new(key.algorithm);
    signature_only.validate_exp = false;
    signature_only.validate_nbf = false;
    signature_only.validate_aud = false;
    signature_only.required_spec_claims.clear();
    let token = decode::<Claims>(token, &key.key, &signature_only).map_err(|error| refusal(&error))?;
    Ok(token.claims)
}

fn refusal(error: &jsonwebtoken::errors::Error) -> Refusal {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => Refusal::Signature,
        ErrorKind::InvalidAlgorithm => Refusal::Algorithm,
        _ => Refusal::Malformed,
    }
}

/// The algorithm of a key: what its type allows, and what it says itself where it says something.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    if jwk
        .common
        .public_key_use
        .as_ref()
        .is_some_and(|purpose| *purpose != PublicKeyUse::Signature)
    {
        return None;
    }
    let (by_type, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    jwk.common
        .key_algorithm
        .is_none_or(|said| said == name)
        .then_some(by_type)
}

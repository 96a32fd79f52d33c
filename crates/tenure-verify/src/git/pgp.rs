//! OpenPGP: which keys may have signed, and when. The library knows the mathematics, the policy is here.

use std::fmt;

use jiff::Timestamp;
use pgp::composed::{Deserializable as _, DetachedSignature, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType, SubpacketData};
use pgp::types::{KeyDetails, Tag};

/// Why a signature that a key has made does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Hash,
    Kind,
    Notation,
    SignatureExpired,
    KeyRevoked,
    KeyExpired,
    NotForSigning,
    Unbound,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hash => "is over a digest that can be forged; sign with SHA-256 or better",
            Self::Kind => "is not one of a document",
            Self::Notation => "demands that a notation be understood which is not",
            Self::SignatureExpired => "has expired, or is from the future",
            Self::KeyRevoked => "is by a key that was revoked",
            Self::KeyExpired => "is by a key that has expired, or is from the future",
            Self::NotForSigning => "is by a key that is not for signing",
            Self::Unbound => "is by a key that nothing ties to its owner",
        })
    }
}

/// The id of the primary key, of those in `rings`, that made the signature.
pub(super) fn verify(
    signature: &str,
    payload: &[u8],
    rings: &[String],
    now: Timestamp,
) -> Result<String, String> {
    let (signature, _) = DetachedSignature::from_string(signature)
        .map_err(|error| format!("unable to read the signature: {error}"))?;
    let signature = signature.signature;
    let mut unreadable = None;
    let mut tried = false;
    let mut refused = None;
    for ring in rings {
        let keys = match read(ring) {
            Ok(keys) => keys,
            // A ring that cannot be read does not hide one that can.
            Err(error) => {
                unreadable.get_or_insert(format!("unable to read armored key ring: {error}"));
                continue;
            }
        };
        tried = true;
        for key in &keys {
            match made_by(&signature, key, payload, now.as_second()) {
                Some(Ok(())) => return Ok(key.primary_key.legacy_key_id().to_string().to_uppercase()),
                Some(Err(refusal)) => refused = Some(refusal),
                None => {}
            }
        }
    }
    if let Some(error) = unreadable.filter(|_| !tried) {
        return Err(error);
    }
    let text = "unable to verify payload with any of the given key rings: no matching key";
    Err(match refused {
        Some(refusal) => format!("{text}: the signature {refusal}"),
        None => text.to_owned(),
    })
}

fn read(ring: &str) -> pgp::errors::Result<Vec<SignedPublicKey>> {
    SignedPublicKey::from_string_many(ring)?.0.collect()
}

/// Nothing if the key has not made the signature; else whether it counts.
fn made_by(
    signature: &Signature,
    key: &SignedPublicKey,
    payload: &[u8],
    now: i64,
) -> Option<Result<(), Refusal>> {
    if signature.verify(&key.primary_key, payload).is_ok() {
        let own = Primary::of(key, now);
        return Some(document(signature, now).and_then(|()| {
            let own = own?;
            own.good(now)?;
            if own.signature.key_flags().sign() {
                Ok(())
            } else {
                Err(Refusal::NotForSigning)
            }
        }));
    }
    let subkey = key
        .public_subkeys
        .iter()
        .find(|subkey| signature.verify(&subkey.key, payload).is_ok())?;
    Some(
        document(signature, now)
            .and_then(|()| Primary::of(key, now)?.good(now))
            .and_then(|()| subkey_good(key, subkey, now)),
    )
}

/// What is asked of the signature itself.
fn document(signature: &Signature, now: i64) -> Result<(), Refusal> {
    if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
        return Err(Refusal::Kind);
    }
    sound(signature, now)?;
    if weak(signature, true) {
        Err(Refusal::Hash)
    } else {
        Ok(())
    }
}

/// What is asked of every signature that is relied on.
fn sound(signature: &Signature, now: i64) -> Result<(), Refusal> {
    let config = signature.config().ok_or(Refusal::Kind)?;
    let demands = |data: &SubpacketData| matches!(data, SubpacketData::Notation(_));
    if config
        .hashed_subpackets()
        .any(|packet| packet.is_critical && demands(&packet.data))
    {
        return Err(Refusal::Notation);
    }
    let created = signature.created().map_or(i64::MAX, |at| i64::from(at.as_secs()));
    let lasts = signature
        .signature_expiration_time()
        .map_or(0, |lasts| i64::from(lasts.as_secs()));
    if created > now || (lasts != 0 && now > created.saturating_add(lasts)) {
        return Err(Refusal::SignatureExpired);
    }
    if weak(signature, false) {
        Err(Refusal::Hash)
    } else {
        Ok(())
    }
}

/// Keys from before 2014 are tied to their owners over SHA-1, where a forger gains little; documents must not be.
fn weak(signature: &Signature, is_document: bool) -> bool {
    match signature.hash_alg() {
        Some(
            HashAlgorithm::Sha224
            | HashAlgorithm::Sha256
            | HashAlgorithm::Sha384
            | HashAlgorithm::Sha512
            | HashAlgorithm::Sha3_256
            | HashAlgorithm::Sha3_512,
        ) => false,
        Some(HashAlgorithm::Sha1) => is_document,
        _ => true,
    }
}

/// The newest of the signatures that hold.
fn newest<'a>(signatures: impl Iterator<Item = &'a Signature>) -> Option<&'a Signature> {
    signatures.max_by_key(|signature| signature.created().map_or(0, |at| at.as_secs()))
}

/// What a key says of itself.
struct Primary<'a> {
    key: &'a SignedPublicKey,
    /// The signature by which it does.
    signature: &'a Signature,
}

impl<'a> Primary<'a> {
    fn of(key: &'a SignedPublicKey, now: i64) -> Result<Self, Refusal> {
        let primary = &key.primary_key;
        let is_certification = |signature: &&Signature| {
            matches!(
                signature.typ(),
                Some(
                    SignatureType::CertGeneric
                        | SignatureType::CertPersona
                        | SignatureType::CertCasual
                        | SignatureType::CertPositive
                )
            )
        };
        // Of each user, the newest word; whoever was revoked says nothing more.
        let users = key.details.users.iter().filter_map(|user| {
            let holds = |signature: &&Signature| {
                signature
                    .verify_certification(primary, Tag::UserId, &user.id)
                    .is_ok()
            };
            let said = newest(user.signatures.iter().filter(is_certification).filter(holds))?;
            let revoked = user
                .signatures
                .iter()
                .filter(|signature| signature.typ() == Some(SignatureType::CertRevocation))
                .any(|signature| holds(&signature));
            (!revoked).then_some(said)
        });
        let users: Vec<&Signature> = users.filter(|said| sound(said, now).is_ok()).collect();
        let directly = key
            .details
            .direct_signatures
            .iter()
            .filter(|signature| signature.verify_key(primary).is_ok() && sound(signature, now).is_ok());
        let chosen = newest(users.iter().copied().filter(|said| said.is_primary()))
            .or_else(|| newest(users.iter().copied()))
            .or_else(|| newest(directly));
        match chosen {
            Some(signature) => Ok(Self { key, signature }),
            None if !key.details.users.is_empty() && users.is_empty() => Err(Refusal::KeyRevoked),
            None => Err(Refusal::Unbound),
        }
    }

    fn good(&self, now: i64) -> Result<(), Refusal> {
        let primary = &self.key.primary_key;
        let revocations = &self.key.details.revocation_signatures;
        // One that another key has made does not hold: no key is appointed to revoke this one.
        if revocations
            .iter()
            .any(|signature| signature.verify_key(primary).is_ok())
        {
            return Err(Refusal::KeyRevoked);
        }
        lives(primary, self.signature, now)
    }
}

/// A subkey signs for its primary key, if each has said so of the other.
fn subkey_good(key: &SignedPublicKey, subkey: &SignedPublicSubKey, now: i64) -> Result<(), Refusal> {
    let primary = &key.primary_key;
    let of = |kind: SignatureType| {
        subkey.signatures.iter().filter(move |signature| {
            signature.typ() == Some(kind) && signature.verify_subkey_binding(primary, &subkey.key).is_ok()
        })
    };
    if of(SignatureType::SubkeyRevocation).next().is_some() {
        return Err(Refusal::KeyRevoked);
    }
    let binding = newest(of(SignatureType::SubkeyBinding)).ok_or(Refusal::Unbound)?;
    sound(binding, now)?;
    if !binding.key_flags().sign() {
        return Err(Refusal::NotForSigning);
    }
    let back = binding.embedded_signature().ok_or(Refusal::Unbound)?;
    back.verify_primary_key_binding(&subkey.key, primary)
        .map_err(|_| Refusal::Unbound)?;
    sound(back, now)?;
    lives(&subkey.key, binding, now)
}

/// Whether a key is of an age at which it may sign, by what its signature says of that.
fn lives(key: &impl KeyDetails, said: &Signature, now: i64) -> Result<(), Refusal> {
    let created = i64::from(key.created_at().as_secs());
    let lasts = said
        .key_expiration_time()
        .map_or(0, |lasts| i64::from(lasts.as_secs()));
    if created > now || (lasts != 0 && now > created.saturating_add(lasts)) {
        return Err(Refusal::KeyExpired);
    }
    Ok(())
}

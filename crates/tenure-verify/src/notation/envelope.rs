//! What the two kinds of envelopes have in common: headers that are signed, a payload, and certificates.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use jiff::Timestamp;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::chain::Validity;
use super::distinguished::{self, Name};
use super::{Wrong, chain, cose, jws};

const PAYLOAD: &str = "application/vnd.cncf.notary.payload.v1+json";
pub(super) const EXPIRY: &str = "io.cncf.notary.expiry";
pub(super) const SCHEME: &str = "io.cncf.notary.signingScheme";
pub(super) const TIME: &str = "io.cncf.notary.signingTime";
pub(super) const AUTHENTIC_TIME: &str = "io.cncf.notary.authenticSigningTime";
/// A signature that has it wants to be verified by a program that it names.
const PLUGIN: &str = "io.cncf.notary.verificationPlugin";
/// Certificates in a chain that are looked at.
const LONGEST: usize = 10;

/// Who says when something was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// The signer.
    X509,
    /// An authority that signs for others.
    SigningAuthority,
}

/// How something is signed; which way depends on the key alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
}

/// An envelope that has been read, and of which nothing has been verified.
pub(super) struct Parts {
    pub(super) algorithm: Algorithm,
    /// What the signature is over.
    pub(super) message: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) payload: Vec<u8>,
    /// DER, the signer's first.
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) headers: Headers,
}

/// What is signed beside the payload.
#[derive(Default)]
pub(super) struct Headers {
    pub(super) content_type: String,
    pub(super) scheme: String,
    pub(super) time: Option<Timestamp>,
    pub(super) authentic_time: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
    pub(super) critical: Vec<String>,
    /// The names of all others.
    pub(super) others: Vec<String>,
}

/// An envelope whose signature is by the first certificate of its chain. Whether that one is trusted is another question.
pub(super) struct Signed {
    pub(super) payload: Vec<u8>,
    pub(super) scheme: Scheme,
    pub(super) at: Timestamp,
    pub(super) expiry: Option<Timestamp>,
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) validity: Vec<Validity>,
    pub(super) subject: String,
    /// The subject's parts, or why they can't be told apart.
    pub(super) subject_parts: Result<Name, String>,
    /// The first that could have been revoked.
    pub(super) revocable: Option<String>,
}

impl Algorithm {
    fn of(key: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        let curve = key.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok());
        let curve = curve.map(|oid| oid.to_id_string());
        match (key.parsed().ok()?, curve.as_deref()) {
            (PublicKey::RSA(rsa), _) => match rsa.key_size() {
                2048 => Some(Self::Ps256),
                3072 => Some(Self::Ps384),
                4096 => Some(Self::Ps512),
                _ => None,
            },
            (PublicKey::EC(_), Some("1.2.840.10045.3.1.7")) => Some(Self::Es256),
            (PublicKey::EC(_), Some("1.3.132.0.34")) => Some(Self::Es384),
            (PublicKey::EC(_), Some("1.3.132.0.35")) => Some(Self::Es512),
            _ => None,
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &RSA_PSS_2048_8192_SHA512,
            Self::Es256 => &ECDSA_P256_SHA256_FIXED,
            Self::Es384 => &ECDSA_P384_SHA384_FIXED,
            Self::Es512 => &ECDSA_P521_SHA512_FIXED,
        }
    }
}

/// Reads an envelope, and verifies that it is whole: signed by its first certificate, with a chain and headers as the
/// Notary Project wants them.
pub(super) fn open(media_type: &str, bytes: &[u8]) -> Result<Signed, Wrong> {
    let parts = match media_type {
        jws::MEDIA_TYPE => jws::read(bytes)?,
        cose::MEDIA_TYPE => cose::read(bytes)?,
        _ => return Err(Wrong::Kind),
    };
    if parts.certificates.is_empty() || parts.certificates.len() > LONGEST {
        return Err(Wrong::Damaged("it has no certificates, or too many"));
    }
    let mut certificates = Vec::new();
    for der in &parts.certificates {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|_| Wrong::Damaged("a certificate of it is none"))?;
        if !rest.is_empty() {
            return Err(Wrong::Damaged("something follows a certificate of it"));
        }
        certificates.push(certificate);
    }
    let Some(leaf) = certificates.first() else {
        return Err(Wrong::Damaged("it has no certificates"));
    };
    let key = leaf.public_key();
    if Algorithm::of(key) != Some(parts.algorithm) {
        return Err(Wrong::Chain(
            "the key is not RSA of 2048, 3072 or 4096 bits nor ECDSA on P-256, P-384 or P-521, or signs in another way than \
             such a key does"
                .to_owned(),
        ));
    }
    UnparsedPublicKey::new(parts.algorithm.verification(), key.raw)
        .verify(&parts.message, &parts.signature)
        .map_err(|_| Wrong::Signature)?;
    let (scheme, at) = parts.headers.check()?;
    chain::check(&certificates).map_err(Wrong::Chain)?;
    Ok(Signed {
        payload: parts.payload,
        scheme,
        at,
        expiry: parts.headers.expiry,
        validity: certificates.iter().map(Validity::of).collect(),
        subject: leaf.subject().to_string(),
        subject_parts: distinguished::subject(leaf.subject()),
        revocable: chain::revocable(&certificates),
        chain: parts.certificates,
    })
}

impl Headers {
    /// The scheme and the time of signing, if everything about the headers is in order.
    fn check(&self) -> Result<(Scheme, Timestamp), Wrong> {
        if self.content_type != PAYLOAD {
            return Err(Wrong::Damaged("its payload is of another type"));
        }
        let (scheme, time, other, mut needed) = match self.scheme.as_str() {
            "notary.x509" => (Scheme::X509, self.time, self.authentic_time, vec![SCHEME]),
            "notary.x509.signingAuthority" => (
                Scheme::SigningAuthority,
                self.authentic_time,
                self.time,
                vec![SCHEME, AUTHENTIC_TIME],
            ),
            _ => return Err(Wrong::Critical("its signing scheme".to_owned())),
        };
        if self.expiry.is_some() {
            needed.push(EXPIRY);
        }
        let at = time.ok_or(Wrong::Damaged("it does not say when it was signed"))?;
        if other.is_some() {
            return Err(Wrong::Damaged("it says twice when it was signed"));
        }
        if self.expiry.is_some_and(|end| end <= at) {
            return Err(Wrong::Damaged("it has expired before it was signed"));
        }
        if self.others.iter().any(|name| name == PLUGIN) {
            return Err(Wrong::Critical(
                "the verification by a plug-in that it wants".to_owned(),
            ));
        }
        for name in &self.critical {
            match needed.iter().position(|one| one == name) {
                Some(at) => drop(needed.remove(at)),
                None => {
                    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
                    return Err(Wrong::Critical(format!("its attribute '{name}'")));
                }
            }
        }
        if needed.is_empty() {
            Ok((scheme, at))
        } else {
            Err(Wrong::Damaged(
                "headers of it that are critical are not marked so",
            ))
        }
    }
}

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P521_SHA256_ASN1, ED25519,
    RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

const RSA: &str = "1.2.840.113549.1.1.1";
const EC: &str = "1.2.840.10045.2.1";
const ED: &str = "1.3.101.112";

/// A key that a tenant trusts, with the name it has in the Secret.
#[derive(Clone)]
pub struct PublicKey {
    name: String,
    kind: Kind,
    der: Vec<u8>,
}

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key {name:?} cannot be used: {message}")]
pub struct KeyError {
    /// Its name in the Secret.
    pub name: String,
    /// What is wrong with it.
    pub message: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa,
}

impl PublicKey {
    /// Reads a key in PEM, `BEGIN PUBLIC KEY`: ECDSA on P-256, P-384 or P-521, Ed25519, or RSA from 2048 bits on.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pem(name: &str, pem: &[u8]) -> Result<Self, KeyError> {
        let bad = |message| KeyError {
            name: name.to_owned(),
            message,
        };
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem)
            .map_err(|_| bad("it is not PEM that begins with 'BEGIN PUBLIC KEY'"))?;
        let (rest, info) =
            SubjectPublicKeyInfo::from_der(&der).map_err(|_| bad("its content is not a public key"))?;
        if !rest.is_empty() {
            return Err(bad("something follows it"));
        }
        let unknown = || bad("it is neither ECDSA on P-256, P-384 or P-521, nor Ed25519, nor RSA");
        let curve = info.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok());
        let kind = match (info.algorithm.algorithm.to_id_string().as_str(), curve) {
            (RSA, _) => Kind::Rsa,
            (ED, _) => Kind::Ed25519,
            (EC, Some(curve)) => match curve.to_id_string().as_str() {
                "1.2.840.10045.3.1.7" => Kind::P256,
                "1.3.132.0.34" => Kind::P384,
                "1.3.132.0.35" => Kind::P521,
                _ => return Err(unknown()),
            },
            _ => return Err(unknown()),
        };
        if kind == Kind::Rsa && info.parsed().is_ok_and(|key| key.key_size() < 2048) {
            return Err(bad("it is an RSA key of less than 2048 bits"));
        }
        Ok(Self {
            name: name.to_owned(),
            kind,
            der: der.to_vec(),
        })
    }

    /// Its name in the Secret.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the key has signed the message, as cosign signs: over its SHA-256, but for Ed25519.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match self.kind {
            Kind::P256 => &ECDSA_P256_SHA256_ASN1,
            Kind::P384 => &ECDSA_P384_SHA256_ASN1,
            Kind::P521 => &ECDSA_P521_SHA256_ASN1,
            Kind::Ed25519 => &ED25519,
            Kind::Rsa => &RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(algorithm, &self.der)
            .verify(message, signature)
            .is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.name, self.kind)
    }
}

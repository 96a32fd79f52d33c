//! Private keys of the four kinds.

use std::convert::Infallible;

use ed25519_dalek::Signer as _;
use rand_core::{TryCryptoRng, TryRng};
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _};
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sha2::{Digest as _, Sha256};

use super::{der, dsa, pem};
use crate::environment::Environment;

const RSA: &[u32] = &[1, 2, 840, 113_549, 1, 1, 1];
const SHA256_WITH_RSA: &[u32] = &[1, 2, 840, 113_549, 1, 1, 11];
const EC: &[u32] = &[1, 2, 840, 10_045, 2, 1];
const P256: &[u32] = &[1, 2, 840, 10_045, 3, 1, 7];
const ECDSA_WITH_SHA256: &[u32] = &[1, 2, 840, 10_045, 4, 3, 2];
const ED25519: &[u32] = &[1, 3, 101, 112];

/// A private key.
pub(super) enum Key {
    Rsa(Box<RsaPrivateKey>),
    Ecdsa(p256::SecretKey),
    Ed25519(ed25519_dalek::SigningKey),
    /// As it is written.
    Dsa(Vec<u8>),
}

/// The run's randomness, as the crates want it.
struct Source<'w>(&'w dyn Environment);

impl TryRng for Source<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut buffer = [0; 4];
        self.0.random(&mut buffer);
        Ok(u32::from_le_bytes(buffer))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut buffer = [0; 8];
        self.0.random(&mut buffer);
        Ok(u64::from_le_bytes(buffer))
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        self.0.random(buffer);
        Ok(())
    }
}

impl TryCryptoRng for Source<'_> {}

impl Key {
    pub(super) fn rsa(world: &dyn Environment, bits: usize) -> Result<Self, String> {
        RsaPrivateKey::new(&mut Source(world), bits)
            .map(|key| Self::Rsa(Box::new(key)))
            .map_err(|error| error.to_string())
    }

    pub(super) fn ecdsa(world: &dyn Environment) -> Result<Self, String> {
        // Nearly every number of the size is a key.
        for _ in 0..64 {
            let mut secret = [0; 32];
            world.random(&mut secret);
            if let Ok(key) = p256::SecretKey::from_slice(&secret) {
                return Ok(Self::Ecdsa(key));
            }
        }
        Err("no random numbers".into())
    }

    pub(super) fn ed25519(world: &dyn Environment) -> Self {
        let mut secret = [0; 32];
        world.random(&mut secret);
        Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&secret))
    }

    pub(super) fn dsa(world: &dyn Environment) -> Result<Self, String> {
        dsa::generate(world).map(Self::Dsa)
    }

    /// Reads a key in PEM.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let block = pem::read(text).ok_or("no PEM data in input")?;
        let data = block.data.as_slice();
        let rsa = |key| Self::Rsa(Box::new(key));
        match block.kind.as_str() {
            "PRIVATE KEY" => RsaPrivateKey::from_pkcs8_der(data)
                .map(rsa)
                .or_else(|_| p256::SecretKey::from_pkcs8_der(data).map(Self::Ecdsa))
                .or_else(|_| ed25519_dalek::SigningKey::from_pkcs8_der(data).map(Self::Ed25519))
                .map_err(|error| format!("decoding PEM as PKCS#8: {error}")),
            "RSA PRIVATE KEY" => RsaPrivateKey::from_pkcs1_der(data)
                .map(rsa)
                .map_err(|error| format!("parsing RSA private key from PEM: {error}")),
            "EC PRIVATE KEY" => p256::SecretKey::from_sec1_der(data)
                .map(Self::Ecdsa)
                .map_err(|error| format!("parsing EC private key from PEM: {error}")),
            "DSA PRIVATE KEY" => Ok(Self::Dsa(data.to_vec())),
            kind => match kind.strip_suffix(" PRIVATE KEY") {
                Some(_) => Err(format!("invalid private key type {kind}")),
                None => Err(format!("no private key data in PEM block of type {kind}")),
            },
        }
    }

    /// Writes the key in PEM, each kind in the form that Go writes it.
    pub(super) fn write(&self) -> Result<String, String> {
        Ok(match self {
            Self::Rsa(key) => {
                let data = key.to_pkcs1_der().map_err(|error| error.to_string())?;
                pem::write("RSA PRIVATE KEY", data.as_bytes())
            }
            Self::Ecdsa(key) => {
                let data = der::sequence(&[
                    der::unsigned(&[1]),
                    der::octets(&key.to_bytes()),
                    der::element(0xa0, &der::oid(P256)),
                    der::element(0xa1, &der::bits(&point(key), 0)),
                ]);
                pem::write("EC PRIVATE KEY", &data)
            }
            Self::Ed25519(key) => {
                let data = der::sequence(&[
                    der::unsigned(&[0]),
                    der::sequence(&[der::oid(ED25519)]),
                    der::octets(&der::octets(key.as_bytes())),
                ]);
                pem::write("PRIVATE KEY", &data)
            }
            Self::Dsa(data) => pem::write("DSA PRIVATE KEY", data),
        })
    }

    /// The public key: its algorithm and its bits.
    pub(super) fn public(&self) -> Result<(Vec<u8>, Vec<u8>), String> {
        Ok(match self {
            Self::Rsa(key) => {
                let data = key
                    .to_public_key()
                    .to_pkcs1_der()
                    .map_err(|error| error.to_string())?;
                (
                    der::sequence(&[der::oid(RSA), der::null()]),
                    data.as_bytes().to_vec(),
                )
            }
            Self::Ecdsa(key) => (der::sequence(&[der::oid(EC), der::oid(P256)]), point(key)),
            Self::Ed25519(key) => (
                der::sequence(&[der::oid(ED25519)]),
                key.verifying_key().to_bytes().to_vec(),
            ),
            Self::Dsa(_) => return Err(NO_SIGNER.into()),
        })
    }

    /// The algorithm of its signatures.
    pub(super) fn algorithm(&self) -> Vec<u8> {
        match self {
            Self::Rsa(_) => der::sequence(&[der::oid(SHA256_WITH_RSA), der::null()]),
            Self::Ecdsa(_) => der::sequence(&[der::oid(ECDSA_WITH_SHA256)]),
            Self::Ed25519(_) | Self::Dsa(_) => der::sequence(&[der::oid(ED25519)]),
        }
    }

    pub(super) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Rsa(key) => key
                .sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(data))
                .map_err(|error| error.to_string()),
            Self::Ecdsa(key) => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::SigningKey::from(key).sign(data);
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Self::Ed25519(key) => Ok(key.sign(data).to_bytes().to_vec()),
            Self::Dsa(_) => Err(NO_SIGNER.into()),
        }
    }
}

const NO_SIGNER: &str = "x509: certificate private key does not implement crypto.Signer";

fn point(key: &p256::SecretKey) -> Vec<u8> {
    key.public_key().to_sec1_bytes().to_vec()
}

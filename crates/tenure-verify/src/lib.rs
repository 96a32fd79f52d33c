//! Signatures of artifacts: whether one of the keys that a tenant trusts has signed exactly these bytes.
//!
//! - [`cosign::verify`] looks at what cosign 2 and 3 leave beside an artifact in a registry, and
//!   [`cosign::verify_keyless`] at the same, where a certificate takes the place of a key.
//! - [`notation::verify`] looks at what notation leaves there.
//! - [`git::Object`] looks at what Git writes into commits and tags.
//! - [`PublicKey`], [`cosign::TrustedRoot`], [`notation::TrustStore`] and [`git::Keys`] are what a tenant trusts.
//!
//! Synchronous and free of I/O: who fetches the signatures is not who verifies them. What it refuses: to read what a
//! signature says before the signature itself is verified, a signature of something else, an attestation in a
//! signature's place, keys that are too weak. Nobody is asked anything: not a log, not a list of revoked certificates.
//!
//! ```
//! use tenure_core::Digest;
//! use tenure_verify::{PublicKey, cosign};
//!
//! assert!(PublicKey::from_pem("cosign.pub", b"not a key").is_err());
//! assert!(cosign::verify(Digest::of(b"manifest"), &[], &[]).is_err());
//! ```

pub mod cosign;
pub mod git;
mod key;
pub mod notation;

pub use key::{KeyError, PublicKey};

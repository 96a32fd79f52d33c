//! Documents that sops has encrypted, in the clear: what Flux's Kustomizations need of sops, and no program.
//!
//! A [`Document`] is read, a [`Keyring`] opens its data key, and with that it becomes [`Plain`]:
//!
//! ```
//! use tenure_sops::{Document, Format, Keyring, Limits, Mac};
//!
//! let keys = Keyring::default();
//! let text = br#"{"data": "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]"}"#;
//! let found = Document::parse(text, Format::Json, &Limits::default());
//! assert!(found.is_err(), "sops has left nothing in it");
//! # fn decrypt(document: Document, keys: &Keyring) -> Result<(), tenure_sops::Error> {
//! let key = keys.data_key(&document)?;
//! let plain = document.decrypt(&key, Mac::Verify)?;
//! let text = plain.write(Format::Yaml)?;
//! # Ok(())
//! # }
//! ```
//!
//! All formats of sops, all types of values, comments, key groups, and all rules of what is encrypted.
//! Private keys are age's (X25519, and Ed25519 and RSA of SSH) and OpenPGP's. Keys of services come in
//! through [`KeyService`]; [`services`] has those of AWS, Google Cloud, Azure and Vault.
//!
//! What it refuses: to start a program, to ask for a passphrase, to ask an address that a file names with
//! a credential that was not given for it, to expand what was packed to grow, and to say in an error what a
//! value, a key or a credential is. It reads no file and opens no connection.
//!
//! Invariants: a value is authenticated with its place before anything is made of it; no input makes it
//! panic or exceed [`Limits`]; decrypted values and keys are overwritten when they go. What a caller makes
//! of them is in the caller's care.
//!
//! The oracle is sops 3.13: the tests encrypt with it and compare what both decrypt.

mod cipher;
mod document;
mod error;
mod flatten;
mod format;
mod keys;
mod limits;
mod metadata;
mod recipient;
mod rules;
pub mod services;
mod shamir;
mod store;
mod tree;

pub use cipher::DataKey;
pub use document::{Document, Mac, Plain};
pub use error::{Attempt, DataKeyError, Error, MacError};
pub use format::Format;
pub use keys::{ImportError, Imported, KeyService, Keyring};
pub use limits::Limits;
pub use recipient::{MasterKey, Recipient};

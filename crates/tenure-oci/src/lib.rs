//! OCI registries, read only: which manifest a reference is at, and one of its layers as an artifact.
//!
//! - [`resolve`] asks for a tag, a range of versions or a digest with one credential: its success is the proof that
//!   the credential opens the repository.
//! - [`fetch`] downloads one layer, and packs its files as they come from Git, or keeps it as it is.
//! - [`signatures`] collects what a verifier verifies; [`referrers`], [`manifest`] and [`small_blob`] are its parts.
//! - [`cloud`] gets the credential from ECR, Artifact Registry and ACR; [`Keyring`] finds the credential in pull Secrets.
//! - [`child`] is the protocol between a parent and the sandboxed child that does the work.
//!
//! What it refuses: bytes that do not have the digest by which they are named, more bytes than the limits, to send a
//! credential or a client certificate to a host that a redirect leads to, a token service that does not speak
//! https, plain http unless the source says `insecure`, addresses that the platform does not allow, links, devices
//! and climbing paths in a layer. No error and no `Debug` output has a secret in it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tenure_oci::{Credential, Layer, Limits, Reference, Remote, Repository};
//!
//! let repository = Repository::from_url("oci://ghcr.io/stefanprodan/manifests/podinfo")?;
//! let remote = Remote::new(repository, Credential::None);
//! let limits = Limits::default();
//! let resolved = tenure_oci::resolve(&remote, &Reference::default(), &limits).await?;
//! let out = std::path::Path::new("artifact.tar.gz");
//! let fetched = tenure_oci::fetch(&remote, &resolved, out, &Layer::default(), None, &limits).await?;
//! assert_eq!(fetched.digest.to_string().len(), 71);
//! # Ok(()) }
//! ```

mod auth;
mod blob;
pub mod child;
pub mod cloud;
mod error;
mod fetch;
mod form;
mod image;
mod keyring;
mod manifest;
mod reference;
mod referrers;
mod remote;
mod repack;
mod resolve;
mod session;
mod signatures;
mod tags;

pub use error::{Missing, OciError};
pub use fetch::{Fetched, Layer, Operation, fetch};
pub use image::{NameError, Repository};
pub use keyring::{Keyring, KeyringError};
pub use manifest::{Descriptor, Manifest};
pub use reference::{Reference, Resolved};
pub use referrers::{manifest, referrers, small_blob};
pub use remote::{Credential, Limits, Remote};
pub use resolve::resolve;
pub use signatures::{Signature, signatures};

//! Sources that are files behind HTTP: Helm repositories, their index and their charts; buckets of S3, Google
//! Cloud Storage and Azure Blob Storage.
//!
//! - [`index`] downloads and reads `index.yaml`, [`look`] only if it has changed; [`Index::select`] finds the version
//!   that a range asks for.
//! - [`chart`] downloads that version's archive; [`locate`] proves that it can be.
//! - [`bucket`] lists the objects of a bucket and packs them.
//! - [`file()`] downloads what somebody else has made, by its digest.
//! - [`child`] is the protocol between a parent and the sandboxed child that does the work.
//!
//! What it refuses: more bytes than the limits, a chart with another digest than the index says, to send the
//! credential to another origin than the repository's unless the source says so, addresses that the platform does
//! not allow. No error and no `Debug` output has a secret in it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tenure_http::{Credential, Limits, Remote};
//!
//! let remote = Remote::new("https://stefanprodan.github.io/podinfo".parse()?, Credential::None);
//! let limits = Limits::default();
//! let index = tenure_http::index(&remote, &limits).await?;
//! let version = index.select("podinfo", "6.x")?;
//! let out = std::path::Path::new("podinfo.tgz");
//! let downloaded = tenure_http::chart(&remote, version, out, &limits).await?;
//! assert!(downloaded.size > 0);
//! # Ok(()) }
//! ```

pub mod bucket;
pub mod child;
mod download;
mod error;
mod index;
mod remote;
mod transfer;
mod validators;

pub use download::{Look, chart, file, index, locate, look, reach};
pub use error::{HttpError, Missing};
pub use index::{ChartVersion, Index};
pub use remote::{Credential, Limits, Remote};
pub use transfer::Downloaded;
pub use validators::Validators;

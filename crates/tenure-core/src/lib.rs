//! The words every other crate is written in: names that cannot be empty, digests, revisions,
//! ranges of versions, durations as Kubernetes writes them, URLs and secrets that cannot be printed, and the
//! retry policy that an error carries with it.
//!
//! Synchronous and free of I/O; nothing here knows Kubernetes' client or an async runtime.
//!
//! ```
//! use tenure_core::{GoDuration, SourceUrl};
//!
//! let url: SourceUrl = "https://bob:hunter2@git.example.com/app.git".parse()?;
//! assert!(!format!("{url} {url:?}").contains("hunter2"));
//! let every: GoDuration = "1m30s".parse()?;
//! assert_eq!(every.as_duration().as_secs(), 90);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backoff;
mod classify;
mod digest;
mod duration;
pub mod frame;
mod name;
pub mod ownership;
mod range;
mod revision;
mod secret;
mod text;
mod url;

pub use backoff::Backoff;
pub use classify::{Classify, Retry};
pub use digest::{Digest, DigestError, Sha256Writer};
pub use duration::{DurationError, GoDuration};
pub use name::{Account, Name, NameError, ObjectKey};
pub use range::{Range, RangeError};
pub use revision::{Revision, RevisionError};
pub use secret::Secret;
pub use text::printable;
pub use url::{SourceUrl, UrlError, covers};

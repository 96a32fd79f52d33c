//! Artifacts: what a source controller hands to the workers, as one deterministic `tar.gz` named by its digest.
//!
//! - [`ArchiveWriter`] packs as Flux packs: no owners, no times, files `0600` (`0700` if executable), directories
//!   `0750`, in path order. The same tree gives the same bytes.
//! - [`Ignore`] decides what is left out: `.sourceignore` files, `spec.ignore`, Flux's built-in exclusions.
//! - [`unpack`] places an artifact beneath a directory handle, within a budget, and verifies its digest.
//! - [`Store`] keeps artifacts in a folder by digest.
//!
//! What it refuses: paths that are absolute or climb, links and special files, sizes that two tar readers would
//! read differently, more bytes or entries than the budget, bytes that do not have the digest they are asked for.

mod archive;
mod ignore;
mod path;
mod store;
mod unpack;

pub use archive::{ArchiveError, ArchiveWriter, Packed};
pub use ignore::Ignore;
pub use path::{PathError, check_path};
pub use store::{Store, StoreError, Stored};
pub use unpack::{UnpackError, Unpacked, unpack};

/// How much one artifact may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Budget {
    /// Bytes of file content, not compressed.
    pub bytes: u64,
    /// Files and directories together.
    pub entries: u64,
}

impl Default for Budget {
    /// 64 MiB in 50,000 entries.
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            entries: 50_000,
        }
    }
}

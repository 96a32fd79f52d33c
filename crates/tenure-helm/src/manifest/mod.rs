//! What templates print, taken apart into manifests and hooks, in the order of installation.

mod heads;
mod hook;
mod order;
mod sort;
mod split;

pub(crate) use heads::Heads;
pub use hook::{DeletePolicy, Hook, HookEvent, execution_order};
pub use order::{INSTALL_ORDER, UNINSTALL_ORDER};
pub(crate) use sort::sort;
pub use sort::{Head, ManifestError};
pub use split::split;

use serde_json::Value;

/// One document that a template printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The template, with the path from the outermost chart on.
    pub source: String,
    /// The text.
    pub content: String,
    /// The start of it.
    pub head: Head,
}

impl Manifest {
    /// The object that the text stands for; null if it is only a comment.
    ///
    /// # Errors
    /// When the text is not YAML, which sorting has already ruled out.
    pub fn object(&self) -> Result<Value, String> {
        tenure_gotmpl::read_yaml(self.content.as_bytes())
    }
}

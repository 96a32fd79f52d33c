//! Versions and constraints, as far as charts name them.

use tenure_gotmpl::semver::{Constraints, Version};

/// Whether a text is a version in the loose sense of Go's `semver.NewVersion`.
pub(crate) fn is_version(text: &str) -> bool {
    Version::parse(text).is_ok()
}

/// Whether a version fulfils a constraint; false if either is malformed.
pub(crate) fn is_compatible(constraint: &str, version: &str) -> bool {
    match (Constraints::parse(constraint), Version::parse(version)) {
        (Ok(constraint), Ok(version)) => constraint.check(&version),
        _ => false,
    }
}

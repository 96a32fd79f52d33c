//! Versions and constraints, as far as charts name them.

use tenure_gotmpl::semver::{Constraints, Version};

/// Whether a text is a version in the loose sense of Go's `semver.NewVersion`.
pub(crate) fn is_version(text: &str) -> bool {
    Version::parse(text).is_ok()
}

/// The version as Go's semver writes it, with this build metadata in place of its own; nothing if one of the two is
/// malformed.
pub(crate) fn with_build(version: &str, build: &str) -> Option<String> {
    let good = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_version(version) || !build.split('.').all(good) {
        return None;
    }
    let version = version.strip_prefix('v').unwrap_or(version);
    let (version, _) = version.split_once('+').unwrap_or((version, ""));
    let (numbers, pre) = match version.split_once('-') {
        Some((numbers, pre)) => (numbers, format!("-{pre}")),
        None => (version, String::new()),
    };
    let mut numbers: Vec<&str> = numbers.split('.').collect();
    numbers.resize(3, "0");
    Some(format!("{}{pre}+{build}", numbers.join(".")))
}

/// Whether a version fulfils a constraint; false if either is malformed.
pub(crate) fn is_compatible(constraint: &str, version: &str) -> bool {
    match (Constraints::parse(constraint), Version::parse(version)) {
        (Ok(constraint), Ok(version)) => constraint.check(&version),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_metadata_is_that_of_gos_semver() {
        for (version, build, wanted) in [
            ("6.5.4", "abc123", Some("6.5.4+abc123")),
            ("6.5.4+old.1", "2", Some("6.5.4+2")),
            ("v1.2", "a.3", Some("1.2.0+a.3")),
            ("1.0.0-rc.1", "3", Some("1.0.0-rc.1+3")),
            ("1.0.0", "a_b", None),
            ("one", "1", None),
        ] {
            assert_eq!(with_build(version, build).as_deref(), wanted, "{version} {build}");
        }
    }
}

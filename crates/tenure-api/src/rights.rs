//! The rights.

/// The resource and group of a kind that may be shared with a peer.
#[must_use]
pub fn shared_resource(kind: &str) -> Option<(&'static str, &'static str)> {
    match kind {
        "GitRepository" => Some((crate::SOURCE_GROUP, "gitrepositories")),
        "Kustomization" => Some((crate::KUSTOMIZE_GROUP, "kustomizations")),
        _ => None,
    }
}

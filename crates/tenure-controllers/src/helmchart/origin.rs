//! Where a chart comes from.

use std::sync::Arc;

use serde_json::Value;
use tenure_api::{HelmRepository, reasons};
use tenure_core::{Digest, Name, ObjectKey, Retry};
use tenure_kube::{BUCKET, GITREPOSITORY, HELMREPOSITORY};

use super::plan::Question;
use crate::Effects;
use crate::source::Failure;

/// The source of a chart, as it is now.
pub(super) enum Origin {
    /// A repository of charts.
    Repository(Box<HelmRepository>, Option<String>),
    /// An artifact with a chart in it.
    Artifact(Artifact),
}

/// An artifact with a chart in it.
pub(super) struct Artifact {
    pub(super) key: ObjectKey,
    pub(super) revision: String,
    pub(super) digest: Digest,
}

/// Finds it in the home.
pub(super) fn find(question: &Question, effects: &Arc<Effects>) -> Result<Origin, Failure> {
    let reference = &question.spec.source_ref;
    let kinds = [HELMREPOSITORY, GITREPOSITORY, BUCKET].map(|kind| kind.kind);
    if !kinds.contains(&reference.kind.as_str()) {
        let message = format!(
            "failed to get source: unsupported source kind '{}', must be one of: [{}]",
            reference.kind,
            kinds.join(" ")
        );
        return Err(Failure::fetching(reasons::UNSUPPORTED_SOURCE_KIND, message).stalled());
    }
    let unavailable = |why: String| {
        Failure::fetching(
            reasons::SOURCE_UNAVAILABLE,
            format!("failed to get source: {why}"),
        )
    };
    let name = Name::new(&reference.name).map_err(|error| unavailable(error.to_string()).stalled())?;
    let key = ObjectKey {
        kind: reference.kind.clone(),
        name,
    };
    let Some(object) = effects.snapshot.get(&key) else {
        return Err(unavailable(format!(
            "{}.source.toolkit.fluxcd.io \"{}\" not found",
            key.kind, key.name
        )));
    };
    let field = |name: &str| {
        let value = object.pointer(&format!("/status/artifact/{name}"))?;
        Some(value.as_str()?.to_owned())
    };
    let revision = field("revision");
    if key.kind == HELMREPOSITORY.kind {
        let repository: HelmRepository = crate::helmrepository::typed(&object)
            .map_err(|error| unavailable(format!("{key} can't be read: {error}")))?;
        if !repository.spec.is_oci() && revision.is_none() {
            return Err(none(&key, effects));
        }
        return Ok(Origin::Repository(Box::new(repository), revision));
    }
    let digest = field("digest").and_then(|digest| digest.parse().ok());
    match revision.zip(digest) {
        Some((revision, digest)) => Ok(Origin::Artifact(Artifact {
            key,
            revision,
            digest,
        })),
        None => Err(none(&key, effects)),
    }
}

fn none(key: &ObjectKey, effects: &Effects) -> Failure {
    let message = format!("no artifact available for {} source '{}'", key.kind, key.name);
    Failure {
        retry: Retry::After(effects.requeue_dependency),
        ..Failure::fetching(reasons::NO_SOURCE_ARTIFACT, message)
    }
}

/// The repository of the home that has this URL, for a chart that another depends on.
pub(super) fn repository_at(url: &str, effects: &Effects) -> Option<HelmRepository> {
    let all = effects.snapshot.of_kind(HELMREPOSITORY.kind).into_iter();
    let mut all: Vec<(ObjectKey, Arc<Value>)> = all.collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all.into_iter()
        .filter_map(|(_, object)| crate::helmrepository::typed(&object).ok())
        .find(|repository| same(&repository.spec.url, url))
}

/// Whether two URLs are of one repository; user and password do not count.
fn same(one: &str, other: &str) -> bool {
    let normal = |url: &str| match url.starts_with("oci://") {
        true => Some(url.trim_end_matches('/').to_owned()),
        false => Some(url.parse::<tenure_core::SourceUrl>().ok()?.remote_key()),
    };
    normal(one).is_some_and(|one| normal(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn a_repository_is_the_same_with_another_spelling_only() {
        for (one, other, equal) in [
            ("https://charts.example.com", "https://charts.example.com/", true),
            (
                "https://bob:x@charts.example.com:443/a/",
                "https://Charts.example.com/a",
                true,
            ),
            (
                "https://charts.example.com/a",
                "https://charts.example.com/b",
                false,
            ),
            ("http://charts.example.com", "https://charts.example.com", false),
            ("oci://ghcr.io/charts/", "oci://ghcr.io/charts", true),
            ("oci://ghcr.io/charts", "https://ghcr.io/charts", false),
            ("@alias", "@alias", false),
        ] {
            assert_eq!(same(one, other), equal, "{one} {other}");
        }
    }
}

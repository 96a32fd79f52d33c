//! `spec.include`: artifacts of other GitRepositories of the home, put into this one's.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tenure_api::{GitInclude, reasons};
use tenure_core::{Digest, ObjectKey, Retry};
use tenure_kube::GITREPOSITORY;

use super::plan::Question;
use crate::source::plan::Resolve;
use crate::source::{At, Failure};
use crate::{Effects, Part, Resolved, Written, chain};

/// The artifact of an included repository, as its status has it.
pub(super) struct Included {
    /// Who can fetch it; one that includes others is made here, and may include this one.
    fetched: Option<ObjectKey>,
    name: String,
    artifact: Value,
    digest: Digest,
}

/// The artifacts that are to be included, in the order of the spec.
pub(super) fn available(include: &[GitInclude], effects: &Effects) -> Result<Vec<Included>, Failure> {
    let waiting = |reason: &'static str, message: String| Failure {
        retry: Retry::After(effects.requeue_dependency),
        ..Failure::fetching(reason, message).at(At::Include)
    };
    let one = |include: &GitInclude| {
        let name = &include.repository.name;
        let key = name.parse().ok().map(|name| ObjectKey {
            kind: GITREPOSITORY.kind.into(),
            name,
        });
        let found = key.and_then(|key| effects.snapshot.get(&key).map(|object| (key, object)));
        let (key, object) = found.ok_or_else(|| {
            let message = format!(
                "could not get resource for include '{name}': GitRepository.source.toolkit.fluxcd.io \"{name}\" not found"
            );
            waiting(reasons::NOT_FOUND, message)
        })?;
        let artifact = object.pointer("/status/artifact");
        let digest = artifact.and_then(|artifact| artifact.get("digest")?.as_str()?.parse().ok());
        match (artifact, digest) {
            (Some(artifact), Some(digest)) => Ok(Included {
                fetched: match object.pointer("/spec/include").and_then(Value::as_array) {
                    Some(more) if !more.is_empty() => None,
                    _ => Some(key),
                },
                name: name.clone(),
                artifact: artifact.clone(),
                digest,
            }),
            _ => Err(waiting(
                reasons::NO_ARTIFACT,
                format!("no artifact available for include '{name}'"),
            )),
        }
    };
    include.iter().map(one).collect()
}

/// What the status says of what is included.
pub(super) fn observed(include: &[GitInclude], included: &[Included]) -> [(&'static str, Option<Value>); 2] {
    let some = !include.is_empty();
    let artifacts: Vec<&Value> = included.iter().map(|one| &one.artifact).collect();
    [
        ("includedArtifacts", some.then(|| json!(artifacts))),
        ("observedInclude", some.then(|| json!(include))),
    ]
}

/// The artifact with all that is included in it. One that was made of the same parts already is taken as it is.
pub(super) async fn compose(
    resolve: &Resolve<Question>,
    resolved: Resolved,
    included: Vec<Included>,
    object: &Value,
    effects: &Arc<Effects>,
) -> Result<Resolved, Failure> {
    let include = &resolve.question.include;
    if include.is_empty() {
        return Ok(resolved);
    }
    if let Some((digest, size)) = unchanged(object, &resolved, include, &included)
        && effects.artifacts.holds(&digest)
    {
        return Ok(Resolved {
            digest,
            size,
            ..resolved
        });
    }
    for one in &included {
        if let Some(key) = one
            .fetched
            .as_ref()
            .filter(|_| !effects.artifacts.holds(&one.digest))
        {
            Box::pin(crate::source::reconcile(key, effects)).await;
        }
    }
    let parts = include
        .iter()
        .zip(&included)
        .map(|(include, one)| Part {
            digest: one.digest,
            name: one.name.clone(),
            from: include.from_path.clone().unwrap_or_default(),
            to: include
                .to_path
                .clone()
                .filter(|path| !path.is_empty())
                .unwrap_or_else(|| one.name.clone()),
        })
        .collect();
    let (artifacts, ignore) = (effects.artifacts.clone(), resolve.ignore.clone());
    let (base, to) = (resolved.digest, effects.artifacts.incoming());
    let out = to.clone();
    let limit = effects.home.max_artifact_bytes;
    let written =
        tokio::task::spawn_blocking(move || artifacts.compose(base, parts, ignore.as_deref(), limit, &out));
    let storage = |reason: &'static str, message: String| Failure::fetching(reason, message).at(At::Storage);
    let Written { digest, size } = written
        .await
        .map_err(|error| storage(reasons::COPY_FAILURE, format!("failed to include: {error}")))?
        .map_err(|error| storage(reasons::COPY_FAILURE, chain(&error)))?;
    let composed = Resolved {
        digest,
        size,
        // the cache knows nothing of it
        link: None,
        ..resolved
    };
    accept(effects, &to, &composed)?;
    Ok(composed)
}

fn accept(effects: &Effects, from: &Path, composed: &Resolved) -> Result<(), Failure> {
    effects.artifacts.accept(from, composed).map_err(|error| {
        let message = format!("failed to keep the artifact: {}", chain(&error));
        Failure::fetching(reasons::STORAGE_OPERATION_FAILED, message).at(At::Storage)
    })
}

/// The artifact of the status, if it was made of the same commit, parts and rules.
fn unchanged(
    object: &Value,
    resolved: &Resolved,
    include: &[GitInclude],
    included: &[Included],
) -> Option<(Digest, u64)> {
    let (spec, status) = (object.get("spec")?, object.get("status")?);
    let artifact = status.get("artifact")?;
    let same = |made: &str, of: &str| {
        let none = |value: &&Value| !value.is_null() && **value != json!([]);
        status.get(made).filter(none) == spec.get(of).filter(none)
    };
    let before = status.get("includedArtifacts")?.as_array()?;
    let parts = before.len() == included.len()
        && before
            .iter()
            .zip(included)
            .all(|(old, new)| old.get("digest") == new.artifact.get("digest"));
    let holds = artifact.get("revision")?.as_str()? == resolved.revision.to_string()
        && parts
        && *status.get("observedInclude")? == json!(include)
        && same("observedIgnore", "ignore")
        && same("observedSparseCheckout", "sparseCheckout");
    if !holds {
        return None;
    }
    let digest = artifact.get("digest")?.as_str()?.parse().ok()?;
    Some((digest, artifact.get("size")?.as_u64()?))
}

//! What the kinds of source share: how a pass over one goes. A kind says what it asks for, what opens it, and in
//! which words Flux speaks of it.

pub(crate) mod plan;
mod run;
mod secrets;
mod status;

use std::sync::Arc;

use serde_json::Value;
use tenure_core::{ObjectKey, Revision};
use tenure_kube::{FluxKind, GITREPOSITORY, OCIREPOSITORY};

use crate::gitrepository::GitSource;
use crate::ocirepository::OciSource;
use crate::{Effects, Pass, Resolved, Snapshot, SourceFailure, Wanted};

pub(crate) use run::Failure;
pub(crate) use secrets::{authentication, named};

use plan::{Observed, Plan};

/// The kinds of source that are reconciled, in the order of their names.
pub const KINDS: [FluxKind; 2] = [GITREPOSITORY, OCIREPOSITORY];

/// One kind of source.
pub(crate) trait Kind {
    /// What makes sense to ask the cache, without the credential.
    type Question;

    /// How it is called.
    const FLUX: FluxKind;

    /// Decides; total and without effects.
    fn plan(observed: &Observed<'_>) -> Plan<Self::Question>;

    /// The question with what opens the remote.
    async fn wanted(question: &Self::Question, effects: &Effects) -> Result<Wanted, Failure>;

    /// What went wrong, as Flux words it.
    fn failed(question: &Self::Question, failure: SourceFailure) -> Failure;

    /// What its Ready condition says of an artifact.
    fn ready(revision: &Revision) -> String;

    /// What its event says of an artifact.
    fn news(object: &Value, resolved: &Resolved) -> String;

    /// Reason and message of the event that there is nothing new.
    fn unmoved(revision: &Revision) -> (&'static str, String);

    /// The artifact's file, in the directory of the object.
    fn file(revision: &Revision) -> String;

    /// What of `spec` made the artifact, as fields of the status; `None` takes one away.
    fn observed(spec: &Value) -> Vec<(&'static str, Option<Value>)>;

    /// Whether the status says where the latest artifact is.
    const HAS_URL: bool;

    /// The remote of an object with this `spec.url`, as the cache calls it.
    fn remote(url: &str) -> Option<String>;
}

/// One pass over the source `key`, as the snapshot has it.
pub async fn reconcile(key: &ObjectKey, effects: &Arc<Effects>) -> Pass {
    match key.kind == OciSource::FLUX.kind {
        true => pass::<OciSource>(key, effects).await,
        false => pass::<GitSource>(key, effects).await,
    }
}

async fn pass<K: Kind>(key: &ObjectKey, effects: &Arc<Effects>) -> Pass {
    let Some(object) = effects.snapshot.get(key) else {
        return Pass::gone();
    };
    let observed = Observed {
        object: &object,
        home: &effects.home,
    };
    run::run::<K>(key, K::plan(&observed), effects).await
}

/// The sources of the home whose remote is `remote_key`.
#[must_use]
pub fn with_remote(snapshot: &Snapshot, remote_key: &str) -> Vec<ObjectKey> {
    let of = |kind: FluxKind, remote: fn(&str) -> Option<String>| {
        let same = move |object: &Value| {
            let url = object.pointer("/spec/url").and_then(Value::as_str);
            url.and_then(remote).as_deref() == Some(remote_key)
        };
        let all = snapshot.of_kind(kind.kind).into_iter();
        all.filter_map(move |(key, object)| same(&object).then_some(key))
    };
    of(GitSource::FLUX, GitSource::remote)
        .chain(of(OciSource::FLUX, OciSource::remote))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::name;
    use serde_json::json;

    #[test]
    fn a_remote_that_moved_is_that_of_every_spelling_of_it() {
        let snapshot = Snapshot::default();
        let key = |kind: &str, of: &str| ObjectKey {
            kind: kind.into(),
            name: name(of),
        };
        for (kind, of, url) in [
            ("GitRepository", "git", "https://u:p@Host/app.git"),
            ("OCIRepository", "image", "oci://Host.io/app/"),
            ("OCIRepository", "other", "oci://host.io/other"),
        ] {
            snapshot.put(key(kind, of), json!({"spec": {"url": url}}));
        }
        assert_eq!(
            with_remote(&snapshot, "https://host:443/app.git"),
            [key("GitRepository", "git")]
        );
        assert_eq!(
            with_remote(&snapshot, "oci://host.io/app"),
            [key("OCIRepository", "image")]
        );
    }
}

//! What the kinds of source share: how a pass over one goes. A kind says what it asks for, what opens it, and in
//! which words Flux speaks of it.

pub(crate) mod identity;
pub(crate) mod plan;
mod run;
mod secrets;
mod status;
mod trust;
pub(crate) mod verify;

use std::sync::Arc;

use serde_json::Value;
use tenure_api::reasons;
use tenure_core::{ObjectKey, Revision};
use tenure_kube::{
    BUCKET, EXTERNALARTIFACT, FluxKind, GITREPOSITORY, HELMCHART, HELMREPOSITORY, OCIREPOSITORY,
};

use crate::bucket::BucketSource;
use crate::gitrepository::GitSource;
use crate::helmchart::ChartSource;
use crate::helmrepository::HelmSource;
use crate::ocirepository::OciSource;
use crate::pass::LEFT_ALONE;
use crate::{Effects, Pass, Resolved, Snapshot, SourceFailure, Wanted};

pub(crate) use run::{At, Failure, Notes, Obtained, ask, ask_verified, keep};
pub(crate) use secrets::{authentication, certificates, named, proxy, read_certificates, read_login};

use plan::{Observed, Plan, Refusal, Resolve};

/// The kinds of source, in the order of their names. An ExternalArtifact is reconciled by whoever makes it, and only
/// fetched here.
pub const KINDS: [FluxKind; 6] = [
    BUCKET,
    EXTERNALARTIFACT,
    GITREPOSITORY,
    HELMCHART,
    HELMREPOSITORY,
    OCIREPOSITORY,
];
/// Those that a Kustomization can be built from.
pub const BUILDABLE: [FluxKind; 4] = [BUCKET, EXTERNALARTIFACT, GITREPOSITORY, OCIREPOSITORY];

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

    /// What the question's answer is. Asks the cache, unless there is more to it.
    async fn obtain(
        resolve: &Resolve<Self::Question>,
        _object: &Value,
        effects: &Arc<Effects>,
    ) -> Result<Obtained, Failure>
    where
        Self: Sized,
    {
        ask::<Self>(resolve, effects).await.map(Obtained::from)
    }

    /// What its Ready condition says of an artifact.
    fn ready(revision: &Revision) -> String;

    /// What its event says of an artifact.
    fn news(object: &Value, resolved: &Resolved) -> String;

    /// Reason and message of the event that there is nothing new.
    fn unmoved(revision: &Revision) -> (&'static str, String);

    /// The artifact's file, in the directory of the object.
    fn file(revision: &Revision) -> String;

    /// How that file's name ends.
    const EXTENSION: &str = ".tar.gz";

    /// What the latest artifact is called.
    const LATEST: &str = "latest.tar.gz";

    /// What of `spec` made the artifact, as fields of the status; `None` takes one away.
    fn observed(spec: &Value) -> Vec<(&'static str, Option<Value>)>;

    /// Whether the status says where the latest artifact is.
    const HAS_URL: bool;

    /// The remote of an object with this `spec.url`, as the cache calls it.
    fn remote(url: &str) -> Option<String>;

    /// The remote of an object, as the cache calls it.
    fn remote_of(object: &Value) -> Option<String> {
        Self::remote(object.pointer("/spec/url")?.as_str()?)
    }
}

/// One pass over the source `key`, as the snapshot has it.
pub async fn reconcile(key: &ObjectKey, effects: &Arc<Effects>) -> Pass {
    begin(key, false, effects).await
}

/// Says of the source `key` that it is left alone, and does nothing else.
pub async fn leave_alone(key: &ObjectKey, effects: &Arc<Effects>) -> Pass {
    begin(key, true, effects).await
}

async fn begin(key: &ObjectKey, alone: bool, effects: &Arc<Effects>) -> Pass {
    // boxed: a chart's pass may begin with that of its source
    match key.kind.as_str() {
        kind if kind == EXTERNALARTIFACT.kind => {
            Box::pin(crate::externalartifact::reconcile(key, alone, effects)).await
        }
        kind if kind == BUCKET.kind => Box::pin(pass::<BucketSource>(key, alone, effects)).await,
        kind if kind == HELMCHART.kind => Box::pin(pass::<ChartSource>(key, alone, effects)).await,
        kind if kind == HELMREPOSITORY.kind => Box::pin(pass::<HelmSource>(key, alone, effects)).await,
        kind if kind == OCIREPOSITORY.kind => Box::pin(pass::<OciSource>(key, alone, effects)).await,
        _ => Box::pin(pass::<GitSource>(key, alone, effects)).await,
    }
}

async fn pass<K: Kind>(key: &ObjectKey, alone: bool, effects: &Arc<Effects>) -> Pass {
    let Some(object) = effects.snapshot.get(key) else {
        return Pass::gone();
    };
    let observed = Observed {
        object: &object,
        home: &effects.home,
    };
    let plan = match alone {
        true => Plan::Refuse(Refusal {
            reason: reasons::QUARANTINED,
            message: LEFT_ALONE.to_owned(),
            limit: None,
        }),
        false => K::plan(&observed),
    };
    run::run::<K>(key, plan, effects).await
}

/// The sources of the home that another one is part of: charts of a repository, repositories that include it.
#[must_use]
pub fn made_of(snapshot: &Snapshot, part: &ObjectKey) -> Vec<ObjectKey> {
    let named = |value: &Value| value.get("name").and_then(Value::as_str) == Some(part.name.as_str());
    let is_chart = |object: &Value| {
        let source = object.pointer("/spec/sourceRef");
        source.is_some_and(|source| {
            source.get("kind").and_then(Value::as_str) == Some(part.kind.as_str()) && named(source)
        })
    };
    let includes = |object: &Value| {
        let all = object.pointer("/spec/include").and_then(Value::as_array);
        let repositories = all.into_iter().flatten().filter_map(|one| one.get("repository"));
        part.kind == GITREPOSITORY.kind && repositories.into_iter().any(named)
    };
    let rests = |object: &Value| object.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true);
    let of = |kind: FluxKind, is: &dyn Fn(&Value) -> bool| {
        let all = snapshot.of_kind(kind.kind).into_iter();
        all.filter(|(_, object)| is(object) && !rests(object))
            .map(|(key, _)| key)
            .collect::<Vec<_>>()
    };
    let mut found = of(HELMCHART, &is_chart);
    found.extend(of(GITREPOSITORY, &includes));
    found
}

/// The sources of the home whose remote is `remote_key`.
#[must_use]
pub fn with_remote(snapshot: &Snapshot, remote_key: &str) -> Vec<ObjectKey> {
    let of = |kind: FluxKind, remote: fn(&Value) -> Option<String>| {
        let same = move |object: &Value| remote(object).as_deref() == Some(remote_key);
        let all = snapshot.of_kind(kind.kind).into_iter();
        all.filter_map(move |(key, object)| same(&object).then_some(key))
    };
    of(GitSource::FLUX, GitSource::remote_of)
        .chain(of(OciSource::FLUX, OciSource::remote_of))
        .chain(of(HelmSource::FLUX, HelmSource::remote_of))
        .chain(of(BucketSource::FLUX, BucketSource::remote_of))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::name;
    use serde_json::json;

    #[test]
    fn what_a_source_is_part_of_is_made_anew_with_it() {
        let snapshot = Snapshot::default();
        let key = |kind: &str, of: &str| ObjectKey {
            kind: kind.into(),
            name: name(of),
        };
        let chart = |kind: &str| json!({"spec": {"sourceRef": {"kind": kind, "name": "lib"}}});
        let includes = json!({"spec": {"include": [{"repository": {"name": "lib"}}]}});
        snapshot.put(key("HelmChart", "of-git"), chart("GitRepository"));
        snapshot.put(key("HelmChart", "of-bucket"), chart("Bucket"));
        snapshot.put(key("GitRepository", "app"), includes.clone());
        let mut resting = includes;
        resting["spec"]["suspend"] = json!(true);
        snapshot.put(key("GitRepository", "resting"), resting);
        assert_eq!(
            made_of(&snapshot, &key("GitRepository", "lib")),
            [key("HelmChart", "of-git"), key("GitRepository", "app")]
        );
        assert_eq!(
            made_of(&snapshot, &key("Bucket", "lib")),
            [key("HelmChart", "of-bucket")]
        );
    }

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
        snapshot.put(
            key("Bucket", "bucket"),
            json!({"spec": {"endpoint": "Host", "bucketName": "b"}}),
        );
        snapshot.put(
            key("HelmRepository", "charts"),
            json!({"spec": {"url": "https://host/charts/"}}),
        );
        assert_eq!(
            with_remote(&snapshot, "https://host:443/b"),
            [key("Bucket", "bucket")]
        );
        assert_eq!(
            with_remote(&snapshot, "https://host:443/charts"),
            [key("HelmRepository", "charts")]
        );
        assert_eq!(
            with_remote(&snapshot, "oci://host.io/app"),
            [key("OCIRepository", "image")]
        );
    }
}

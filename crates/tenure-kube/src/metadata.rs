use std::time::Duration;

use futures::stream::{BoxStream, StreamExt, unfold};
use serde::Deserialize;
use serde_json::Value;
use tenure_core::{Backoff, Name};

use crate::call::{Call, Target};
use crate::caller::{Caller, Identity};
use crate::cluster::TokenCell;
use crate::connection::Connection;
use crate::error::{Cause, KubeError};
use crate::resource::{By, FluxKind};
use crate::watch::{self, WatchEvent, WatchStream, jittered};

pub(crate) const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
pub(crate) const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// The label of Secrets and ConfigMaps whose change is to be heeded at once, as in Flux.
const WATCHED: &str = "reconcile.fluxcd.io/watch=Enabled";

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Watches the metadata, and only the metadata, of one home with that home's worker token. Used by
/// the supervisor, which must never see a spec.
#[derive(Clone, Debug)]
pub struct MetadataClient {
    caller: Caller,
    home: Name,
}

/// What is kept of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Its name.
    pub name: Box<str>,
    /// Its uid.
    pub uid: Box<str>,
    /// Changes with the spec only.
    pub generation: i64,
    /// What a person asks for with annotations: the value of `reconcile.fluxcd.io/requestedAt`, a
    /// confirmation of a prune, and what is to be done about drift.
    pub asked: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Changes with every write.
    pub resource_version: Box<str>,
}

/// What happened to the objects of one kind in one home.
#[derive(Debug)]
pub enum MetaEvent {
    /// These are all there are; forget what was known before.
    Reset(Vec<Meta>),
    /// This one is new or changed.
    Applied(Meta),
    /// This one is gone.
    Deleted(Meta),
    /// The worker's token may not list or watch the kind. Tried again with back-off.
    Forbidden(KubeError),
    /// Whoever watches for all homes may not: why, and what cures it. Tried again with back-off.
    Barred(String),
    /// The server does not serve the kind. Tried again with back-off.
    KindMissing,
    /// Anything else that went wrong. Tried again with back-off.
    Failed(KubeError),
}

/// What Flux objects refer to besides one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Referent {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

/// Never ends; dropping it ends the watch.
pub type MetaStream = BoxStream<'static, MetaEvent>;

#[derive(Deserialize)]
pub(crate) struct PartialList {
    #[serde(default)]
    pub(crate) metadata: PartialListMeta,
    /// An empty list is written as null.
    pub(crate) items: Option<Vec<Partial>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartialListMeta {
    #[serde(default)]
    pub(crate) resource_version: String,
    pub(crate) r#continue: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Partial {
    metadata: PartialMeta,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PartialMeta {
    name: Box<str>,
    namespace: Box<str>,
    uid: Box<str>,
    generation: i64,
    resource_version: Box<str>,
    deletion_timestamp: Option<String>,
    annotations: Option<Annotations>,
}

/// Only these are kept; the rest is not even allocated for.
#[derive(Deserialize, Default)]
struct Annotations {
    #[serde(rename = "reconcile.fluxcd.io/requestedAt")]
    requested_at: Option<String>,
    #[serde(rename = "tenure.dev/confirm-prune")]
    confirmed: Option<String>,
    #[serde(rename = "tenure.dev/drift")]
    drift: Option<String>,
}

impl Annotations {
    fn asked(self) -> Option<String> {
        let all = [self.requested_at, self.confirmed, self.drift];
        let all: Vec<String> = all.into_iter().flatten().collect();
        (!all.is_empty()).then(|| all.join("\n"))
    }
}

impl From<Partial> for Meta {
    fn from(partial: Partial) -> Self {
        let meta = partial.metadata;
        Self {
            name: meta.name,
            uid: meta.uid,
            generation: meta.generation,
            asked: meta.annotations.and_then(Annotations::asked),
            deleting: meta.deletion_timestamp.is_some(),
            resource_version: meta.resource_version,
        }
    }
}

impl From<Partial> for (Box<str>, Meta) {
    fn from(mut partial: Partial) -> Self {
        let namespace = std::mem::take(&mut partial.metadata.namespace);
        (namespace, partial.into())
    }
}

impl MetadataClient {
    /// Watches `home` with the token of its worker.
    #[must_use]
    pub fn new(connection: &Connection, token: TokenCell, home: Name) -> Self {
        Self {
            caller: Caller::new(
                connection,
                token,
                Identity::Supervising(format!("the worker of {home}")),
            ),
            home,
        }
    }

    /// Requests sent so far, repetitions included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.caller.requests()
    }

    /// LIST, then WATCH from there, again after every end: the stream heals itself and never ends.
    /// A streaming list is never asked for: it costs the server the whole kind, not the namespace.
    #[must_use]
    pub fn watch(&self, kind: FluxKind) -> MetaStream {
        self.run(Target::flux(kind).within(&self.home), None)
    }

    /// The same of the Secrets or ConfigMaps that have the label `reconcile.fluxcd.io/watch: Enabled`: what is in them is
    /// not asked for.
    #[must_use]
    pub fn watch_referents(&self, of: Referent) -> MetaStream {
        self.run(Target::core(of.plural()).within(&self.home), Some(WATCHED))
    }

    fn run(&self, target: Target, labels: Option<&'static str>) -> MetaStream {
        let run = Run {
            caller: self.caller.clone(),
            target,
            labels,
            version: None,
            stream: None,
            backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
            wait: None,
        };
        unfold(run, |mut run| async move { Some((run.next().await, run)) }).boxed()
    }
}

impl Referent {
    const fn plural(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::ConfigMap => "configmaps",
        }
    }
}

struct Run {
    caller: Caller,
    target: Target,
    labels: Option<&'static str>,
    /// Where to go on; `None` means a LIST is due.
    version: Option<String>,
    stream: Option<WatchStream>,
    backoff: Backoff,
    wait: Option<Duration>,
}

impl Run {
    async fn next(&mut self) -> MetaEvent {
        loop {
            if let Some(wait) = self.wait.take() {
                tokio::time::sleep(wait).await;
            }
            match self.step().await {
                Ok(Some(event)) => return event,
                Ok(None) => {}
                Err(error) if error.is_gone() => self.version = None,
                Err(error) => {
                    self.wait = Some(jittered(self.backoff.next_delay()));
                    return report(error);
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Option<MetaEvent>, KubeError> {
        let Some(version) = &self.version else {
            return self.list().await.map(Some);
        };
        let Some(stream) = &mut self.stream else {
            let call = Call::watch(self.target.clone(), self.by(), version).accept(METADATA);
            self.stream = Some(watch::open(&self.caller, call).await?);
            return Ok(None);
        };
        match stream.next().await {
            None => {
                self.stream = None;
                // An API server that ends watches at once must not be asked in a busy loop.
                self.wait = Some(jittered(FIRST_WAIT));
                Ok(None)
            }
            Some(Err(error)) => {
                self.stream = None;
                Err(error)
            }
            Some(Ok(event)) => {
                self.backoff.reset();
                self.take(event)
            }
        }
    }

    fn by(&self) -> By<'static> {
        self.labels.map_or(By::All, By::Labels)
    }

    async fn list(&mut self) -> Result<MetaEvent, KubeError> {
        self.stream = None;
        let list: PartialList = self
            .caller
            .json(&Call::list(self.target.clone(), self.by()).accept(METADATA_LIST))
            .await?;
        self.version = Some(list.metadata.resource_version);
        Ok(MetaEvent::Reset(
            list.items.into_iter().flatten().map(Meta::from).collect(),
        ))
    }

    fn take(&mut self, event: WatchEvent) -> Result<Option<MetaEvent>, KubeError> {
        let (object, make): (Value, fn(Meta) -> MetaEvent) = match event {
            WatchEvent::Bookmark(version) => {
                self.version = Some(version);
                return Ok(None);
            }
            WatchEvent::Applied(object) => (object, MetaEvent::Applied),
            WatchEvent::Deleted(object) => (object, MetaEvent::Deleted),
        };
        let meta: Meta = match serde_json::from_value::<Partial>(object) {
            Ok(partial) => partial.into(),
            Err(error) => {
                self.version = None;
                let call = Call::watch(self.target.clone(), By::All, "");
                return Err(self.caller.error(&call, Cause::Decode(error.to_string())));
            }
        };
        self.version = Some(meta.resource_version.to_string());
        Ok(Some(make(meta)))
    }
}

fn report(error: KubeError) -> MetaEvent {
    if error.is_forbidden() {
        MetaEvent::Forbidden(error)
    } else if error.is_not_found() {
        MetaEvent::KindMissing
    } else {
        MetaEvent::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

    #[test]
    fn little_is_kept_of_an_object() {
        let text = format!(
            r#"{{"metadata":{{"name":"a","uid":"u","generation":3,"resourceVersion":"9",
            "deletionTimestamp":"2026-01-01T00:00:00Z","labels":{{"x":"y"}},
            "annotations":{{"{REQUESTED_AT}":"now","kubectl":"{{}}"}}}}}}"#
        );
        let partial: Partial = serde_json::from_str(&text).expect("partial object metadata");
        let meta = Meta::from(partial);
        assert_eq!(
            (meta.generation, meta.deleting, meta.asked.as_deref()),
            (3, true, Some("now"))
        );
        let bare: Partial = serde_json::from_str(r#"{"metadata":{"name":"a"}}"#).expect("a name is enough");
        assert!(!Meta::from(bare).deleting);
    }
}

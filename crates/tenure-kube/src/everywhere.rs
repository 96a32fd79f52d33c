//! Mode `cluster`: one watch for a kind in all namespaces, as metadata, with the supervisor's own token. It needs a
//! ClusterRoleBinding, which the installation gives only where that mode is wanted.

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt, unfold};
use tenure_core::{Backoff, Name};

use crate::SupervisorClient;
use crate::call::{Call, Target};
use crate::caller::Caller;
use crate::error::{Cause, KubeError};
use crate::metadata::{METADATA, METADATA_LIST, Meta, Partial, PartialList};
use crate::resource::{By, FluxKind};
use crate::watch::{self, WatchEvent, WatchStream, jittered};

/// Objects that are asked for at once.
const PAGE: &str = "500";
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// An object and its namespace.
pub type Placed = (Box<str>, Meta);

/// What happened to the objects of one kind anywhere.
#[derive(Debug)]
pub enum EverywhereEvent {
    /// All that there are follow, in pages.
    Begins,
    /// Some of them, those of a namespace one after the other.
    Page(Vec<Placed>),
    /// These were all.
    Listed,
    /// This one is new or changed.
    Applied(Placed),
    /// This one is gone.
    Deleted(Placed),
    /// The supervisor may not list or watch the kind in all namespaces. Tried again with back-off.
    Forbidden(KubeError),
    /// The server does not serve the kind. Tried again with back-off.
    KindMissing,
    /// Anything else that went wrong. Tried again with back-off.
    Failed(KubeError),
}

/// Never ends; dropping it ends the watch.
pub type EverywhereStream = BoxStream<'static, EverywhereEvent>;

impl SupervisorClient {
    /// LIST in pages, then WATCH from there, again after every end.
    #[must_use]
    pub fn watch_everywhere(&self, kind: FluxKind) -> EverywhereStream {
        let run = Run {
            caller: self.caller().clone(),
            target: Target::flux(kind),
            version: None,
            page: None,
            listed: false,
            stream: None,
            backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
            wait: None,
        };
        unfold(run, |mut run| async move { Some((run.next().await, run)) }).boxed()
    }

    /// The objects of one kind in one namespace, with the right to list them everywhere.
    ///
    /// # Errors
    /// When the API server refuses or can't be reached.
    pub async fn list_metadata(&self, kind: FluxKind, namespace: &Name) -> Result<Vec<Meta>, KubeError> {
        let target = Target::flux(kind).within(namespace);
        let call = Call::list(target, By::All).accept(METADATA_LIST);
        let list: PartialList = self.caller().json(&call).await?;
        Ok(list.items.into_iter().flatten().map(Meta::from).collect())
    }

    /// Whether the supervisor may list a kind in all namespaces.
    ///
    /// # Errors
    /// When nobody could say.
    pub async fn may_look_everywhere(&self, kind: FluxKind) -> Result<bool, KubeError> {
        let call = Call::list(Target::flux(kind), By::All).query("limit", "1");
        match self
            .caller()
            .json::<PartialList>(&call.accept(METADATA_LIST))
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if error.is_forbidden() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

struct Run {
    caller: Caller,
    target: Target,
    /// Where to go on; `None` means a LIST is due.
    version: Option<String>,
    /// Where the next page begins, within a LIST.
    page: Option<String>,
    /// The last page was given, and that it was is not said yet.
    listed: bool,
    stream: Option<WatchStream>,
    backoff: Backoff,
    wait: Option<Duration>,
}

impl Run {
    async fn next(&mut self) -> EverywhereEvent {
        loop {
            if let Some(wait) = self.wait.take() {
                tokio::time::sleep(wait).await;
            }
            match self.step().await {
                Ok(Some(event)) => return event,
                Ok(None) => {}
                Err(error) if error.is_gone() => {
                    (self.version, self.page) = (None, None);
                }
                Err(error) => {
                    self.wait = Some(jittered(self.backoff.next_delay()));
                    // what was listed so far may be old when the server is back
                    self.page = None;
                    return report(error);
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Option<EverywhereEvent>, KubeError> {
        if std::mem::take(&mut self.listed) {
            return Ok(Some(EverywhereEvent::Listed));
        }
        let Some(version) = &self.version else {
            return self.list().await.map(Some);
        };
        let Some(stream) = &mut self.stream else {
            let call = Call::watch(self.target.clone(), By::All, version).accept(METADATA);
            self.stream = Some(watch::open(&self.caller, call).await?);
            return Ok(None);
        };
        match stream.next().await {
            None => {
                self.stream = None;
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

    /// Begins a list, or takes its next page.
    async fn list(&mut self) -> Result<EverywhereEvent, KubeError> {
        self.stream = None;
        let Some(page) = self.page.clone() else {
            self.page = Some(String::new());
            return Ok(EverywhereEvent::Begins);
        };
        let mut call = Call::list(self.target.clone(), By::All).query("limit", PAGE);
        if !page.is_empty() {
            call = call.query("continue", &page);
        }
        let list: PartialList = self.caller.json(&call.accept(METADATA_LIST)).await?;
        self.backoff.reset();
        let placed = list.items.into_iter().flatten().map(Placed::from).collect();
        self.page = list.metadata.r#continue.filter(|next| !next.is_empty());
        if self.page.is_none() {
            self.version = Some(list.metadata.resource_version);
            self.listed = true;
        }
        Ok(EverywhereEvent::Page(placed))
    }

    fn take(&mut self, event: WatchEvent) -> Result<Option<EverywhereEvent>, KubeError> {
        let (object, make): (_, fn(Placed) -> EverywhereEvent) = match event {
            WatchEvent::Bookmark(version) => {
                self.version = Some(version);
                return Ok(None);
            }
            WatchEvent::Applied(object) => (object, EverywhereEvent::Applied),
            WatchEvent::Deleted(object) => (object, EverywhereEvent::Deleted),
        };
        let placed: Placed = match serde_json::from_value::<Partial>(object) {
            Ok(partial) => partial.into(),
            Err(error) => {
                self.version = None;
                let call = Call::watch(self.target.clone(), By::All, "");
                return Err(self.caller.error(&call, Cause::Decode(error.to_string())));
            }
        };
        self.version = Some(placed.1.resource_version.to_string());
        Ok(Some(make(placed)))
    }
}

fn report(error: KubeError) -> EverywhereEvent {
    if error.is_forbidden() {
        EverywhereEvent::Forbidden(error)
    } else if error.is_not_found() {
        EverywhereEvent::KindMissing
    } else {
        EverywhereEvent::Failed(error)
    }
}

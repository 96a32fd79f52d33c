//! Mode `cluster`: one watch for a kind in all namespaces, as metadata, with the supervisor's own token. It needs a
//! ClusterRoleBinding, which the installation gives only where that mode is wanted.
//!
//! Of several supervisors each asks for its own part of the namespaces only, by ranges of their names' hashes. A server that
//! knows the feature (`ShardedListAndWatch`, KEP-5866) sends no more; another one ignores the question and sends everything. Which
//! of the two it is can't be told from the form of its answer, only from what is in it.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt, unfold};
use tenure_core::ownership::{Bucket, Buckets};
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
    /// All that there are in the namespaces of these buckets follow, in pages; perhaps more.
    Begins(Buckets),
    /// Some of them, those of a namespace one after the other.
    Page(Vec<Placed>),
    /// These were all: those of the wanted namespaces, or also others.
    Listed {
        /// Whether the server does not look at which ones are wanted.
        whole: bool,
    },
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

/// Of which namespaces objects are wanted.
pub type Wanted = Arc<dyn Fn() -> Buckets + Send + Sync>;

/// Never ends; dropping it ends the watch.
pub type EverywhereStream = BoxStream<'static, EverywhereEvent>;

impl SupervisorClient {
    /// LIST in pages, then WATCH from there, again after every end. What is `wanted` is asked at each LIST, and counts until
    /// the next; more may come.
    #[must_use]
    pub fn watch_everywhere(&self, kind: FluxKind, wanted: Wanted) -> EverywhereStream {
        let run = Run {
            wanted,
            asked: Buckets::NONE,
            selector: None,
            refused: false,
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
    wanted: Wanted,
    /// What was wanted when the last LIST began.
    asked: Buckets,
    /// How the server is told that, as long as it seems to heed it.
    selector: Option<String>,
    /// The server, or something on the way to it, does not take that question.
    refused: bool,
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
                Err(error) if self.selector.is_some() && is_about_the_question(&error) => {
                    tracing::info!(%error, "a part of the namespaces can't be asked for: all are");
                    (self.selector, self.page, self.refused) = (None, None, true);
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
            let whole = self.selector.is_none();
            return Ok(Some(EverywhereEvent::Listed { whole }));
        }
        let Some(version) = &self.version else {
            return self.list().await.map(Some);
        };
        let Some(stream) = &mut self.stream else {
            let call = self.divided(Call::watch(self.target.clone(), By::All, version));
            let call = call.accept(METADATA);
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
            self.asked = (self.wanted)();
            self.selector = selector(&self.asked).filter(|_| !self.refused);
            return Ok(EverywhereEvent::Begins(self.asked));
        };
        let mut call = self
            .divided(Call::list(self.target.clone(), By::All))
            .query("limit", PAGE);
        if !page.is_empty() {
            call = call.query("continue", &page);
        }
        let list: PartialList = self.caller.json(&call.accept(METADATA_LIST)).await?;
        self.backoff.reset();
        let placed: Vec<Placed> = list.items.into_iter().flatten().map(Placed::from).collect();
        if placed.iter().any(|(namespace, _)| !self.wants(namespace)) {
            self.selector = None;
        }
        self.page = list.metadata.r#continue.filter(|next| !next.is_empty());
        if self.page.is_none() {
            self.version = Some(list.metadata.resource_version);
            self.listed = true;
        }
        Ok(EverywhereEvent::Page(placed))
    }

    fn divided(&self, call: Call) -> Call {
        match &self.selector {
            Some(selector) => call.query("shardSelector", selector),
            None => call,
        }
    }

    fn wants(&self, namespace: &str) -> bool {
        Name::new(namespace).is_ok_and(|namespace| self.asked.contains(Bucket::of(&namespace)))
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

/// Whether a server, or a proxy before it, does not take a question so long or of that form.
fn is_about_the_question(error: &KubeError) -> bool {
    matches!(error.code(), Some(400 | 414 | 431)) || error.message().contains("shard selector")
}

/// None for everything, and for nothing.
fn selector(wanted: &Buckets) -> Option<String> {
    let all = *wanted == Buckets::ALL || wanted.is_empty();
    let range = |(start, end): (u64, u128)| {
        format!("shardRange(object.metadata.namespace,'0x{start:016x}','0x{end:016x}')")
    };
    let ranges = wanted.ranges().into_iter().map(range);
    (!all).then(|| ranges.collect::<Vec<_>>().join("||"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_asked_for_a_part_as_it_wants_to_be_asked() {
        assert_eq!(selector(&Buckets::ALL), None);
        assert_eq!(selector(&Buckets::NONE), None);
        let ends: Buckets = Bucket::all().take(1).chain(Bucket::all().last()).collect();
        assert_eq!(
            selector(&ends).as_deref(),
            Some(
                "shardRange(object.metadata.namespace,'0x0000000000000000','0x0040000000000000')||\
                 shardRange(object.metadata.namespace,'0xffc0000000000000','0x10000000000000000')"
            )
        );
    }

    #[test]
    fn the_longest_question_is_still_an_address() {
        let scattered: Buckets = Bucket::all().step_by(2).collect();
        let longest = selector(&scattered).expect("a part");
        let call = Call::list(Target::flux(FluxKind::KUSTOMIZATION), By::All);
        let path = call
            .query("shardSelector", &longest)
            .path_and_query()
            .expect("a path");
        assert!(path.parse::<http::Uri>().is_ok(), "{} bytes", path.len());
    }
}

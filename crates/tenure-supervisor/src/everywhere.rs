//! How homes' objects are watched: each home by itself with its worker's token (`namespaced`), or all of them by one watch for
//! each kind with the supervisor's own (`cluster`).
//!
//! A home's task does not know the difference: in mode `cluster` it reads a [`Feed`], which holds at most one event for each of
//! its objects. The mode may change at any time; homes open their watches anew then, and no worker notices.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{BoxStream, unfold};
use parking_lot::Mutex;
use tenure_core::Name;
use tenure_core::ownership::{Bucket, Buckets};
use tenure_kube::{EverywhereEvent, EverywhereStream, FluxKind, Meta, MetaEvent, SupervisorClient};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::home::KINDS;
use crate::membership::Ours;

/// Homes that come within this time of each other are looked at together …
const GATHER: Duration = Duration::from_millis(500);
/// … but the first of them is not kept waiting for longer: at a start they come for a while.
const GATHER_AT_MOST: Duration = Duration::from_secs(3);
/// From so many new homes on, one list of all namespaces is cheaper than a list for each.
const WORTH_A_LIST: usize = 16;
/// How often it is looked whether the right is there.
const LOOK: Duration = Duration::from_secs(30);

/// How objects are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watching {
    /// By a watch for each home and kind, with the token of the home's worker.
    Namespaced,
    /// By one watch for each kind, with the supervisor's token, which needs a ClusterRole.
    Cluster,
    /// `Cluster` while the supervisor has the right to that, else `Namespaced`.
    Auto,
}

/// The mode that is in force, and the feeds of all homes.
#[derive(Debug)]
pub(crate) struct Everywhere {
    /// Whether it is `cluster`.
    mode: watch::Sender<bool>,
    feeds: Mutex<HashMap<Name, Arc<Feed>>>,
    /// Homes that have not been told yet what there is, by kind.
    new: Mutex<BTreeMap<&'static str, BTreeSet<Name>>>,
    news: BTreeMap<&'static str, Notify>,
}

/// What happened to the objects of one home, until its task looks.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    waiting: Mutex<Waiting>,
    news: Notify,
}

type Event = (FluxKind, MetaEvent);

#[derive(Debug, Default)]
struct Waiting {
    /// By kind: these are all.
    resets: BTreeMap<&'static str, Event>,
    /// By kind and name: the last that happened since.
    changes: BTreeMap<(&'static str, Box<str>), Event>,
}

impl Feed {
    fn put(&self, kind: FluxKind, event: MetaEvent) {
        let mut waiting = self.waiting.lock();
        match &event {
            MetaEvent::Applied(meta) | MetaEvent::Deleted(meta) => {
                let key = (kind.kind, meta.name.clone());
                waiting.changes.insert(key, (kind, event));
            }
            _ => {
                waiting.changes.retain(|(changed, _), _| *changed != kind.kind);
                waiting.resets.insert(kind.kind, (kind, event));
            }
        }
        drop(waiting);
        self.news.notify_one();
    }

    fn next(&self) -> Option<Event> {
        let mut waiting = self.waiting.lock();
        let first = waiting.resets.pop_first().map(|(_, event)| event);
        first.or_else(|| waiting.changes.pop_first().map(|(_, event)| event))
    }

    /// All that happens, for ever.
    pub(crate) fn stream(self: Arc<Self>) -> BoxStream<'static, Event> {
        unfold(self, |feed| async move {
            loop {
                if let Some(event) = feed.next() {
                    return Some((event, feed));
                }
                feed.news.notified().await;
            }
        })
        .boxed()
    }
}

impl Everywhere {
    pub(crate) fn new() -> Self {
        Self {
            mode: watch::Sender::new(false),
            feeds: Mutex::default(),
            new: Mutex::default(),
            news: KINDS.iter().map(|kind| (kind.kind, Notify::new())).collect(),
        }
    }

    /// Whether homes read feeds, and when that changes.
    pub(crate) fn mode(&self) -> watch::Receiver<bool> {
        self.mode.subscribe()
    }

    /// The feed of a home, which is soon told what there is. It replaces an earlier one.
    pub(crate) fn feed(&self, home: &Name) -> Arc<Feed> {
        let feed = Arc::<Feed>::default();
        self.feeds.lock().insert(home.clone(), feed.clone());
        for kind in KINDS {
            self.new.lock().entry(kind.kind).or_default().insert(home.clone());
            if let Some(news) = self.news.get(kind.kind) {
                news.notify_one();
            }
        }
        feed
    }

    /// Nobody reads this feed any more.
    pub(crate) fn leave(&self, home: &Name, feed: &Arc<Feed>) {
        let mut feeds = self.feeds.lock();
        if feeds.get(home).is_some_and(|known| Arc::ptr_eq(known, feed)) {
            feeds.remove(home);
        }
    }

    fn tell(&self, home: &str, kind: FluxKind, event: MetaEvent) {
        let feed = Name::new(home)
            .ok()
            .and_then(|home| self.feeds.lock().get(&home).cloned());
        if let Some(feed) = feed {
            feed.put(kind, event);
        }
    }

    fn homes(&self) -> Vec<Name> {
        self.feeds.lock().keys().cloned().collect()
    }

    /// The homes that have come since the last call.
    fn take_new(&self, kind: FluxKind) -> BTreeSet<Name> {
        self.new.lock().remove(kind.kind).unwrap_or_default()
    }

    /// Keeps the mode until `stop`, and the watches while it is `cluster`.
    pub(crate) async fn keep(
        self: Arc<Self>,
        wanted: Watching,
        client: SupervisorClient,
        ours: watch::Receiver<Ours>,
        stop: CancellationToken,
    ) {
        let mut watches: Option<CancellationToken> = None;
        loop {
            let cluster = match wanted {
                Watching::Namespaced => false,
                Watching::Cluster => true,
                Watching::Auto => match client.may_look_everywhere(FluxKind::KUSTOMIZATION).await {
                    Ok(may) => may,
                    Err(error) => {
                        tracing::debug!(%error, "whether the supervisor may watch all namespaces is not known");
                        watches.is_some()
                    }
                },
            };
            if cluster != watches.is_some() {
                tracing::info!(cluster, "how objects are watched");
                if let Some(before) = watches.take() {
                    before.cancel();
                }
                if cluster {
                    let ends = stop.child_token();
                    for kind in KINDS {
                        tokio::spawn(follow(
                            self.clone(),
                            kind,
                            client.clone(),
                            ours.clone(),
                            ends.clone(),
                        ));
                    }
                    watches = Some(ends);
                }
                self.mode.send_replace(cluster);
            }
            let look = async {
                match wanted {
                    Watching::Auto => tokio::time::sleep(LOOK).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = look => {}
            }
        }
    }
}

/// Watches one kind everywhere until `stop`.
async fn follow(
    everywhere: Arc<Everywhere>,
    kind: FluxKind,
    client: SupervisorClient,
    ours: watch::Receiver<Ours>,
    stop: CancellationToken,
) {
    let mut following = Following {
        everywhere,
        kind,
        ours,
        stream: None,
        asked: Buckets::NONE,
        ignored: false,
        listing: None,
        look: None,
    };
    following.run(&client, &stop).await;
}

struct Following {
    everywhere: Arc<Everywhere>,
    kind: FluxKind,
    ours: watch::Receiver<Ours>,
    /// From the first home on.
    stream: Option<EverywhereStream>,
    /// What the stream was to tell of, and whether the server tells of everything all the same.
    asked: Buckets,
    ignored: bool,
    /// What a list that is not complete has of each home.
    listing: Option<HashMap<Box<str>, Vec<Meta>>>,
    /// When the homes that are new are looked at, and when at the latest.
    look: Option<(Instant, Instant)>,
}

impl Following {
    async fn run(&mut self, client: &SupervisorClient, stop: &CancellationToken) {
        let everywhere = self.everywhere.clone();
        let Some(news) = everywhere.news.get(self.kind.kind) else {
            return;
        };
        loop {
            let look = self.look;
            let due = async {
                match look {
                    Some((at, _)) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let event = async {
                match &mut self.stream {
                    Some(stream) => stream.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = news.notified() => self.look_soon(),
                Ok(()) = self.ours.changed() => self.look_soon(),
                () = due => self.welcome(client).await,
                Some(event) = event => self.hear(event),
            }
        }
    }

    /// A home has come: another may come with it.
    fn look_soon(&mut self) {
        let now = Instant::now();
        let latest = self.look.map_or(now + GATHER_AT_MOST, |(_, latest)| latest);
        self.look = Some(((now + GATHER).min(latest), latest));
    }

    /// Tells homes that have come what there is.
    async fn welcome(&mut self, client: &SupervisorClient) {
        self.look = None;
        let ours = self.ours.borrow().buckets();
        if ours.is_empty() {
            // the homes end, and none of them has to be told
            (self.stream, self.listing) = (None, None);
            return;
        }
        // a server that heeds what is ours has to be told when that changes; another one tells of all anyway
        if self.stream.is_some() && self.asked != ours && !self.ignored {
            return self.begin(client, ours);
        }
        if self.listing.is_some() {
            // to begin again for each that comes would never come to an end
            return;
        }
        let new = self.everywhere.take_new(self.kind);
        if new.is_empty() {
            return;
        }
        if self.stream.is_none() || new.len() > WORTH_A_LIST {
            return self.begin(client, ours);
        }
        for home in new {
            match client.list_metadata(self.kind, &home).await {
                Ok(all) => self
                    .everywhere
                    .tell(home.as_str(), self.kind, MetaEvent::Reset(all)),
                Err(error) => {
                    tracing::warn!(%home, kind = self.kind.kind, %error, "failed to list a home");
                    return self.begin(client, ours);
                }
            }
        }
    }

    fn begin(&mut self, client: &SupervisorClient, ours: Buckets) {
        let wanted = self.ours.clone();
        let wanted = Arc::new(move || wanted.borrow().buckets());
        self.stream = Some(client.watch_everywhere(self.kind, wanted));
        self.listing = None;
        (self.asked, self.ignored) = (ours, false);
    }

    fn hear(&mut self, event: EverywhereEvent) {
        let (kind, everywhere) = (self.kind, &self.everywhere);
        match event {
            EverywhereEvent::Begins(asked) => {
                self.asked = asked;
                // of others nothing is known when this is over
                let homes = everywhere.homes().into_iter();
                let homes = homes.filter(|home| asked.contains(Bucket::of(home)));
                let empty = homes.map(|home| (home.as_str().into(), Vec::new()));
                self.listing = Some(empty.collect());
            }
            EverywhereEvent::Page(objects) => {
                for (namespace, meta) in objects {
                    if let Some(of_home) = self.listing.as_mut().and_then(|all| all.get_mut(&namespace)) {
                        of_home.push(meta);
                    }
                }
            }
            EverywhereEvent::Listed { whole } => {
                self.ignored = whole && self.asked != Buckets::ALL && !self.asked.is_empty();
                for (home, all) in self.listing.take().unwrap_or_default() {
                    everywhere.tell(&home, kind, MetaEvent::Reset(all));
                }
                // of those that have come meanwhile
                self.look_soon();
            }
            EverywhereEvent::Applied((home, meta)) => everywhere.tell(&home, kind, MetaEvent::Applied(meta)),
            EverywhereEvent::Deleted((home, meta)) => everywhere.tell(&home, kind, MetaEvent::Deleted(meta)),
            EverywhereEvent::KindMissing => {
                self.listing = None;
                for home in everywhere.homes() {
                    everywhere.tell(home.as_str(), kind, MetaEvent::KindMissing);
                }
            }
            EverywhereEvent::Forbidden(error) => {
                self.listing = None;
                tracing::warn!(kind = kind.kind, %error, "the supervisor may not watch all namespaces: it needs the ClusterRole tenure:watch");
                let why = format!(
                    "{error}: with --watch=cluster the supervisor needs the ClusterRole tenure:watch and its binding (watch: cluster \
                     of the chart); --watch=auto does without"
                );
                for home in everywhere.homes() {
                    everywhere.tell(home.as_str(), kind, MetaEvent::Barred(why.clone()));
                }
            }
            EverywhereEvent::Failed(error) => {
                self.listing = None;
                tracing::warn!(kind = kind.kind, %error, "failed to watch all namespaces");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_kube::Placed;

    fn meta(name: &str, version: &str) -> Meta {
        Meta {
            name: name.into(),
            uid: "u".into(),
            generation: 1,
            asked: None,
            deleting: false,
            resource_version: version.into(),
        }
    }

    fn following() -> Following {
        Following {
            everywhere: Arc::new(Everywhere::new()),
            kind: FluxKind::KUSTOMIZATION,
            ours: watch::channel(Ours::of(Buckets::ALL)).1,
            stream: None,
            asked: Buckets::NONE,
            ignored: false,
            listing: None,
            look: None,
        }
    }

    fn said(feed: &Feed) -> Vec<String> {
        let mut all = Vec::new();
        while let Some((kind, event)) = feed.next() {
            all.push(match event {
                MetaEvent::Reset(metas) => format!("{}: {}", kind.kind, metas.len()),
                MetaEvent::Applied(meta) => format!("+{}@{}", meta.name, meta.resource_version),
                MetaEvent::Deleted(meta) => format!("-{}", meta.name),
                other => format!("{other:?}"),
            });
        }
        all
    }

    fn placed(home: &str, name: &str, version: &str) -> Placed {
        (home.into(), meta(name, version))
    }

    #[test]
    fn a_list_is_divided_among_the_homes_and_one_without_objects_hears_that_too() {
        let mut following = following();
        let home = |name: &str| Name::new(name).expect("valid");
        let [a, b] = ["a", "b"].map(|name| following.everywhere.feed(&home(name)));
        following.hear(EverywhereEvent::Begins(Buckets::ALL));
        following.hear(EverywhereEvent::Page(vec![
            placed("a", "x", "1"),
            placed("kube-system", "y", "2"),
        ]));
        following.hear(EverywhereEvent::Page(vec![placed("a", "z", "3")]));
        assert_eq!((said(&a), said(&b)), (vec![], vec![]), "it may be incomplete");
        following.hear(EverywhereEvent::Listed { whole: true });
        assert_eq!(said(&a), ["Kustomization: 2"]);
        assert_eq!(said(&b), ["Kustomization: 0"]);
        following.hear(EverywhereEvent::Applied(placed("b", "x", "4")));
        assert_eq!((said(&a), said(&b)), (vec![], vec!["+x@4".to_owned()]));
    }

    #[tokio::test(start_paused = true)]
    async fn homes_that_come_one_after_the_other_are_looked_at_together_and_none_waits_for_ever() {
        let mut following = following();
        let began = Instant::now();
        while following.look.is_none_or(|(at, _)| at > Instant::now()) {
            following.look_soon();
            tokio::time::advance(GATHER / 2).await;
        }
        assert_eq!(began.elapsed(), GATHER_AT_MOST);
        following.look = None;
        following.look_soon();
        assert_eq!(following.look.map(|(at, _)| at - Instant::now()), Some(GATHER));
    }

    #[tokio::test]
    async fn a_home_that_comes_while_all_are_listed_is_looked_at_after_that() {
        let mut following = following();
        following.hear(EverywhereEvent::Begins(Buckets::ALL));
        let late = following.everywhere.feed(&Name::new("late").expect("valid"));
        following.hear(EverywhereEvent::Page(vec![placed("late", "x", "1")]));
        following.hear(EverywhereEvent::Listed { whole: true });
        assert_eq!(
            said(&late),
            Vec::<String>::new(),
            "it has not been listed as a whole"
        );
        assert!(following.look.is_some());
        let new = following.everywhere.take_new(FluxKind::KUSTOMIZATION);
        assert_eq!(new.len(), 1);
    }

    #[test]
    fn a_home_that_was_not_asked_about_is_not_told_that_it_is_empty() {
        let mut following = following();
        let home = |name: &str| Name::new(name).expect("valid");
        let [asked, other] = ["asked", "other"].map(|name| following.everywhere.feed(&home(name)));
        let part: Buckets = [Bucket::of(&home("asked"))].into_iter().collect();
        following.hear(EverywhereEvent::Begins(part));
        following.hear(EverywhereEvent::Page(vec![placed("other", "x", "1")]));
        following.hear(EverywhereEvent::Listed { whole: true });
        assert_eq!(said(&asked), ["Kustomization: 0"]);
        assert_eq!(said(&other), Vec::<String>::new());
        assert!(following.ignored && following.look.is_some());
    }

    #[test]
    fn a_feed_holds_the_last_of_each_object_and_nothing_from_before_a_list() {
        let feed = Feed::default();
        let kind = FluxKind::KUSTOMIZATION;
        feed.put(kind, MetaEvent::Applied(meta("x", "1")));
        feed.put(kind, MetaEvent::Applied(meta("x", "2")));
        feed.put(kind, MetaEvent::Deleted(meta("y", "3")));
        assert_eq!(said(&feed), ["+x@2", "-y"]);
        feed.put(kind, MetaEvent::Applied(meta("x", "4")));
        feed.put(FluxKind::BUCKET, MetaEvent::Applied(meta("x", "5")));
        feed.put(kind, MetaEvent::Reset(vec![meta("x", "6")]));
        feed.put(kind, MetaEvent::Applied(meta("x", "7")));
        assert_eq!(said(&feed), ["Kustomization: 1", "+x@5", "+x@7"]);
    }

    #[test]
    fn a_feed_that_was_replaced_is_not_taken_away_from_its_successor() {
        let everywhere = Everywhere::new();
        let home = Name::new("a").expect("valid");
        let old = everywhere.feed(&home);
        let new = everywhere.feed(&home);
        everywhere.leave(&home, &old);
        assert_eq!(everywhere.homes(), std::slice::from_ref(&home));
        everywhere.leave(&home, &new);
        assert!(everywhere.homes().is_empty());
    }
}

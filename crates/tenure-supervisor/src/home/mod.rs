//! One home: its watches, its tokens and its worker, in one task that owns them all.

mod burden;
mod identities;
mod rights;
mod sentinels;
mod spec;
mod worker;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::stream::{SelectAll, StreamExt};
use jiff::Timestamp;
use parking_lot::Mutex;
use tenure_core::{Backoff, Name};
use tenure_kube::{Connection, FluxKind, MetaEvent, MetaStream, MetadataClient, SupervisorClient, TokenCell};
use tenure_proto::lifeline::{Audience, Replicas, down};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admin::Health;
use crate::everywhere::{Everywhere, Feed};
use crate::index::Index;
use crate::membership::Term;
use crate::movements::Inbox;
use crate::replicas;
use crate::runtime::{Runtime, Vacating};
use crate::slots::{Slots, Turn};
use crate::tenant_status::{Report, Sandboxed};
use crate::tokens::{Held, MintError};
use crate::worker_state::{State, WorkerState};

use burden::Burden;
use identities::Identities;
pub(crate) use rights::{Releaser, farewell};
use sentinels::Sentinels;
pub(crate) use spec::HomeSpec;
use worker::Worker;

/// The kinds that are watched in every home.
pub(crate) static KINDS: [FluxKind; 7] = [
    FluxKind::GITREPOSITORY,
    FluxKind::OCIREPOSITORY,
    FluxKind::HELMREPOSITORY,
    FluxKind::HELMCHART,
    FluxKind::BUCKET,
    FluxKind::EXTERNALARTIFACT,
    FluxKind::KUSTOMIZATION,
];
/// What is wrong where the supervisor may not watch all namespaces, though it is to.
const BARRED: &str = "everywhere";
/// No wait is longer, so that a clock that is set cannot make a home sleep for ever.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// What all homes share.
pub(crate) struct Shared {
    pub(crate) client: SupervisorClient,
    pub(crate) connection: Connection,
    /// How objects are watched.
    pub(crate) everywhere: Arc<Everywhere>,
    pub(crate) runtime: Box<dyn Runtime>,
    pub(crate) releaser: Releaser,
    pub(crate) health: Arc<Health>,
    pub(crate) linger: Duration,
    /// How long our Lease holds.
    pub(crate) term: Term,
    /// How many workers may be at work at once.
    pub(crate) slots: Slots,
    pub(crate) reports: mpsc::Sender<(Name, Report)>,
    /// Of the source cache.
    pub(crate) replicas: replicas::Replicas,
    /// Notified when a token was signed with a key not seen before.
    pub(crate) new_key: Arc<Notify>,
    pub(crate) seen_keys: Mutex<std::collections::HashSet<String>>,
}

/// The task of one home.
pub(crate) struct Home {
    name: Name,
    shared: Arc<Shared>,
    spec: watch::Receiver<HomeSpec>,
    moved: Arc<Inbox>,
    index: Index,
    state: WorkerState,
    api: Held,
    cache: Held,
    cell: Option<TokenCell>,
    watches: SelectAll<futures::stream::BoxStream<'static, (FluxKind, MetaEvent)>>,
    /// How many of those are watches of this home alone.
    open: i64,
    /// What the home reads instead in mode `cluster`.
    feed: Option<Arc<Feed>>,
    everywhere: watch::Receiver<bool>,
    sentinels: Sentinels,
    identities: Identities,
    replicas: watch::Receiver<Vec<String>>,
    term: watch::Receiver<Option<Instant>>,
    worker: Option<Worker>,
    /// Nothing runs that outlives its supervisor, or nothing could.
    vacant: bool,
    vacating: Option<Vacating>,
    /// What keeps its worker from starting.
    hindered: Option<String>,
    burden: Burden,
    /// To start one.
    turn: Turn,
    rights: rights::Rights,
    /// What is wrong with the onboarding, by what found it.
    trouble: BTreeMap<&'static str, String>,
    listed: std::collections::BTreeSet<&'static str>,
    /// Every kind was listed, and that was counted.
    seen: bool,
    last_error: Option<String>,
    /// Which budget it has used up, as its worker has heard.
    over_budget: Option<(String, Instant)>,
    /// Its worker holds the older right to impersonate.
    legacy: bool,
    sandbox: Option<Sandboxed>,
    reported: Option<Report>,
}

impl Home {
    pub(crate) fn new(
        name: Name,
        shared: Arc<Shared>,
        spec: watch::Receiver<HomeSpec>,
        moved: Arc<Inbox>,
    ) -> Self {
        let replicas = shared.replicas.subscribe();
        let everywhere = shared.everywhere.mode();
        let term = shared.term.changes();
        let mut index = Index::default();
        index.pace(spec.borrow().retries_per_minute);
        Self {
            name,
            shared,
            spec,
            moved,
            replicas,
            term,
            index,
            state: WorkerState::default(),
            api: Held::new(Audience::ApiServer),
            cache: Held::new(Audience::Cache),
            cell: None,
            watches: SelectAll::new(),
            open: 0,
            feed: None,
            everywhere,
            sentinels: Sentinels::default(),
            identities: Identities::default(),
            worker: None,
            vacant: false,
            vacating: None,
            hindered: None,
            burden: Burden::default(),
            turn: Turn::default(),
            rights: rights::Rights::default(),
            trouble: BTreeMap::new(),
            listed: std::collections::BTreeSet::new(),
            seen: false,
            last_error: None,
            over_budget: None,
            legacy: false,
            sandbox: None,
            reported: None,
        }
    }

    /// Serves until `cancel`.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        self.open_watches();
        loop {
            // After a pause the clock comes first.
            while self.shared.term.is_over() {
                self.end_worker(true);
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = self.shared.term.begins() => {}
                }
            }
            let began = Instant::now();
            let act = async {
                self.advance().await;
                self.report().await;
            };
            tokio::select! {
                () = cancel.cancelled() => break,
                () = act => {}
            }
            if let Some(worker) = &mut self.worker {
                worker.excuse(began.elapsed());
            }
            let sleep = tokio::time::sleep_until(self.wake_at());
            tokio::select! {
                () = cancel.cancelled() => break,
                changed = self.spec.changed() => match changed {
                    Ok(()) => self.drain(),
                    Err(_) => break,
                },
                subjects = self.moved.take() => {
                    for subject in subjects {
                        self.index.moved(&subject);
                    }
                }
                Some((kind, event)) = self.watches.next() => self.observe(kind, event),
                Ok(()) = self.term.changed(), if self.worker.is_some() => self.say_term(),
                Ok(()) = self.everywhere.changed() => self.open_watches(),
                () = self.sentinels.changed(&self.name) => self.index.referent_changed(),
                () = self.turn.come() => {}
                hindered = vacated(&mut self.vacating) => self.vacated(hindered),
                heard = worker::next(&mut self.worker) => self.hear(heard).await,
                Ok(()) = self.replicas.changed() => {
                    let urls = self.replicas.borrow_and_update().clone();
                    if let Some(worker) = self.worker.as_ref().filter(|worker| worker.is_started()) {
                        worker.send(down::Message::Replicas(Replicas { urls }));
                    }
                }
                identity = self.identities.next() => {
                    if let Some(worker) = &self.worker {
                        worker.send(down::Message::Identity(identity));
                    }
                }
                minted = self.api.minted() => self.renewed_api(minted),
                minted = self.cache.minted() => self.renewed_cache(minted),
                () = sleep => {}
            }
        }
    }

    /// Does all that can be done now: tokens, then work.
    async fn advance(&mut self) {
        let now = Instant::now();
        if self.api.renew_at() <= now {
            self.api.begin(&self.shared.client, &self.name);
        }
        if self.worker.is_some() && self.spec.borrow().has_cache() && self.cache.renew_at() <= now {
            self.cache.begin(&self.shared.client, &self.name);
        }
        self.attend();
        self.start_if_due();
        self.leave_slot(now);
        self.tell();
        self.close_if_finished();
        self.mind_rights().await;
        // Without a token nothing can be begun, and a new supervisor could not either.
        let able = self.api.good().is_some() && self.state.may_start(now);
        let waiting = self.worker.is_none() && self.wants_worker() && able;
        self.shared
            .health
            .metrics
            .due_since(&self.name, waiting.then(Timestamp::now));
    }

    fn wants_worker(&self) -> bool {
        !self.spec.borrow().suspended && self.cell.is_some() && self.index.is_due(Timestamp::now())
    }

    /// When to look again though nothing happened.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let mut wake = (now + LONGEST_SLEEP).min(self.api.renew_at());
        if self.worker.is_some() && self.spec.borrow().has_cache() {
            wake = wake.min(self.cache.renew_at());
        }
        if let Some(deadline) = self.worker.as_ref().and_then(Worker::deadline) {
            wake = wake.min(deadline);
        }
        if let Some(until) = self.worker.as_ref().and_then(Worker::slot_until) {
            wake = wake.min(until);
        }
        wake = self.look_at_rights().map_or(wake, |look| wake.min(look));
        if let Some((_, until)) = &self.over_budget {
            wake = wake.min(*until);
        }
        if let Some(until) = self.index.held_until().filter(|_| self.is_held()) {
            wake = wake.min(now + wait_for(until));
        }
        // A worker that runs says itself when there is room for more.
        let may_act = self
            .worker
            .as_ref()
            .is_none_or(|worker| worker.is_started() && worker.has_room());
        let open = !self.spec.borrow().suspended
            && self.cell.is_some()
            && self.api.good().is_some()
            && self.state.state != State::Draining
            && self.vacating.is_none()
            && !self.turn.is_asked();
        if let Some(due) = self.index.next_due().filter(|_| may_act && open) {
            let due = now + wait_for(due);
            // What is due and can't be begun now is not looked at in a busy loop.
            let earliest = self
                .state
                .not_before()
                .unwrap_or(now)
                .max(now + Duration::from_millis(5));
            wake = wake.min(due.max(earliest));
        }
        wake
    }

    /// Whether the status of the Tenant says that objects are held back.
    fn is_held(&self) -> bool {
        self.reported.as_ref().is_some_and(|report| report.held)
    }

    fn renewed_api(&mut self, minted: Result<(), MintError>) {
        match minted {
            Ok(()) => {
                self.trouble.remove("token");
                self.minted();
                self.watch();
                self.push(Audience::ApiServer);
            }
            Err(error) => {
                tracing::warn!(home = %self.name, %error, "no token for the worker");
                self.trouble.insert("token", error.to_string());
            }
        }
    }

    fn renewed_cache(&mut self, minted: Result<(), MintError>) {
        match minted {
            Ok(()) => {
                self.shared.health.metrics.tokens.inc();
                self.push(Audience::Cache);
            }
            Err(error) => tracing::warn!(home = %self.name, %error, "no cache token for the worker"),
        }
    }

    /// Says to the worker until when it may run.
    fn say_term(&mut self) {
        self.term.mark_unchanged();
        if let Some(worker) = self.worker.as_ref().filter(|worker| worker.is_started()) {
            worker.say_term(&self.shared.term);
        }
    }

    fn minted(&self) {
        self.shared.health.metrics.tokens.inc();
        let key = self.api.good().and_then(|minted| spec::key_id(&minted.token));
        if let Some(key) = key
            && self.shared.seen_keys.lock().insert(key)
        {
            self.shared.new_key.notify_one();
        }
    }

    fn push(&self, audience: Audience) {
        let held = if audience == Audience::Cache {
            &self.cache
        } else {
            &self.api
        };
        if let (Some(worker), Some(token)) = (self.worker.as_ref().filter(|w| w.is_started()), held.message())
        {
            worker.send(down::Message::Token(token));
        }
    }

    /// Gives the new token to the watches, which begin with the first one.
    fn watch(&mut self) {
        let Some(minted) = self.api.good() else { return };
        let token = minted.token.clone();
        if let Some(cell) = &self.cell {
            cell.set(token);
            return;
        }
        self.cell = Some(TokenCell::new(token));
        if self.feed.is_none() {
            self.open_watches();
        }
    }

    /// Opens the watches of the mode that is in force, in place of those that are open.
    fn open_watches(&mut self) {
        self.close_watches();
        if *self.everywhere.borrow_and_update() {
            let feed = self.shared.everywhere.feed(&self.name);
            self.watches.push(feed.clone().stream());
            self.feed = Some(feed);
            return;
        }
        let Some(cell) = &self.cell else { return };
        let client = MetadataClient::new(&self.shared.connection, cell.clone(), self.name.clone());
        for kind in KINDS {
            let stream: MetaStream = client.watch(kind);
            self.watches.push(stream.map(move |event| (kind, event)).boxed());
            self.open += 1;
        }
        self.shared.health.metrics.watches.inc_by(self.open);
    }

    fn close_watches(&mut self) {
        self.watches = SelectAll::new();
        self.shared
            .health
            .metrics
            .watches
            .dec_by(std::mem::take(&mut self.open));
        if let Some(feed) = self.feed.take() {
            self.shared.everywhere.leave(&self.name, &feed);
        }
    }

    /// Watches what objects refer to, if the Tenant allows it.
    fn attend(&mut self) {
        let Some(cell) = &self.cell else { return };
        let client = || MetadataClient::new(&self.shared.connection, cell.clone(), self.name.clone());
        self.sentinels
            .attend(self.spec.borrow().watches_referents.then(client));
    }

    fn observe(&mut self, kind: FluxKind, event: MetaEvent) {
        let trouble = match event {
            MetaEvent::Reset(all) => {
                self.index.reset(kind, all);
                self.trouble.remove(BARRED);
                self.listed.insert(kind.kind);
                if self.listed.len() == KINDS.len() && !std::mem::replace(&mut self.seen, true) {
                    self.shared.health.metrics.seen.inc();
                }
                self.rights.over = false;
                self.rights.doubt();
                None
            }
            MetaEvent::Applied(meta) => {
                self.index.apply(kind, meta);
                None
            }
            MetaEvent::Deleted(meta) => {
                self.index.delete(kind, &meta.name);
                self.rights.doubt();
                None
            }
            MetaEvent::Forbidden(_) if self.rights.over => return,
            MetaEvent::Forbidden(error) => {
                self.trouble.insert("rights", self.cure("what its watches need"));
                Some(error.to_string())
            }
            MetaEvent::Barred(why) => {
                self.trouble.insert(BARRED, why);
                return;
            }
            MetaEvent::KindMissing => Some(format!(
                "the API server does not serve {}; install its CRD",
                kind.kind
            )),
            MetaEvent::Failed(error) => {
                tracing::warn!(home = %self.name, kind = kind.kind, %error, "failed to watch");
                return;
            }
        };
        match trouble {
            Some(trouble) => self.trouble.insert(kind.kind, trouble),
            None => self.trouble.remove(kind.kind),
        };
        if self.trouble.keys().eq(["rights"].iter()) && !self.rights.over {
            self.rights.doubt();
        }
    }

    /// Tells the status of the Tenant what changed.
    async fn report(&mut self) {
        self.over_budget.take_if(|(_, until)| *until <= Instant::now());
        if self.worker.is_none() && self.index.next_due().is_none() {
            // nobody wants what did not come
            self.hindered = None;
        }
        let counts = self.index.counts();
        let phase = match self.state.state {
            _ if self.spec.borrow().suspended => "Suspended",
            State::Backoff(_) => "Failing",
            _ if counts.quarantined > 0 || !self.trouble.is_empty() => "Failing",
            State::Dormant => "Dormant",
            State::Starting | State::Awake | State::Draining => "Awake",
        };
        let report = Report {
            tenant: self.spec.borrow().tenant.clone(),
            phase,
            counts,
            onboarded: self.listed.len() == KINDS.len(),
            trouble: self.trouble.values().cloned().collect(),
            last_error: self.last_error.clone(),
            sandbox: self.sandbox.clone(),
            hindered: self.hindered.clone(),
            quarantined: self.index.quarantined(),
            held: self.index.is_held(Timestamp::now()),
            over_budget: self.over_budget.as_ref().map(|(said, _)| said.clone()),
            over_limit: self.index.over_limits(),
            legacy: self.legacy,
        };
        if self.reported.as_ref() != Some(&report) {
            self.reported = Some(report.clone());
            // Nobody listens any more only when the supervisor ends.
            self.shared.reports.send((self.name.clone(), report)).await.ok();
        }
    }
}

/// Cancel safe.
async fn vacated(vacating: &mut Option<Vacating>) -> Option<String> {
    match vacating {
        Some(pending) => pending.next().await,
        None => std::future::pending().await,
    }
}

fn wait_for(at: Timestamp) -> Duration {
    let wait = Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
    wait.min(LONGEST_SLEEP)
}

/// However its task ends, a home leaves no worker and no count behind.
impl Drop for Home {
    fn drop(&mut self) {
        self.close_watches();
        self.shared.health.metrics.due_since(&self.name, None);
        if self.seen {
            self.shared.health.metrics.seen.dec();
        }
        self.end_worker(true);
    }
}

/// Serves a home until `cancel`. What makes its task panic costs that home a restart, and nobody else.
pub(crate) async fn serve(
    name: Name,
    shared: Arc<Shared>,
    spec: watch::Receiver<HomeSpec>,
    moved: Arc<Inbox>,
    cancel: CancellationToken,
) {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));
    loop {
        let home = Home::new(name.clone(), shared.clone(), spec.clone(), moved.clone());
        let served = AssertUnwindSafe(home.run(cancel.clone())).catch_unwind().await;
        if served.is_ok() {
            return;
        }
        let wait = backoff.next_delay();
        tracing::error!(home = %name, ?wait, "the task of a home panicked; it starts anew");
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

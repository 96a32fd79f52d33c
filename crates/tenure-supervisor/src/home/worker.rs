//! The worker of a home: started, told, heard and ended.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tenure_api::reasons;
use tenure_kube::FluxKind;
use tenure_proto::lifeline::{Account, Done, Drain, Outcome, Ready, Term, down, up};
use tenure_proto::{CONSTRAINED_IMPERSONATION, WITHIN_LIMITS};
use tokio::time::Instant;

use super::{Home, KINDS};
use crate::membership;
use crate::runtime::{Progress, Started};
use crate::slots::{Slot, Turn, Who};
use crate::tenant_status::Sandboxed;
use crate::worker_state::State;

/// Nothing that a worker says of its home counts for longer, seconds.
const A_DAY: u64 = 24 * 3600;
/// A worker that is not ready by then is ended.
const READY_WITHIN: Duration = Duration::from_secs(15);
/// A worker that does not finish or leave by then is ended.
/// One that takes a while to come stays while something is due within this time.
const REMOTE_LINGER: Duration = Duration::from_secs(60);
const DRAIN_WITHIN: Duration = Duration::from_secs(30);
const LEAVE_WITHIN: Duration = Duration::from_secs(5);
/// A worker gives a sign of life every ten seconds; one that is silent for so long hangs.
const SILENT_FOR: Duration = Duration::from_secs(30);
/// Places on the lifeline that are kept for tokens and the order to end.
const KEPT_FREE: usize = 4;

/// A worker that runs. Dropping it ends it.
pub(super) struct Worker {
    started: Started,
    said_ready: bool,
    /// The lifeline ended; only the process's end is awaited.
    silent: bool,
    /// It repeated the last sequence number and had nothing left.
    idle: bool,
    /// Ended when this passes.
    deadline: Option<Instant>,
    /// Its place among those at work, while it counts.
    slot: Option<Slot>,
    /// It is on another machine, whose clock showed this when it was heard.
    remote: Option<(Duration, Instant)>,
}

/// What a worker did.
pub(super) enum Heard {
    Said(up::Message),
    Silent,
    Ended(bool, String),
    /// Of a start that takes a while.
    Began(Progress),
}

/// Waits for something from the worker; for ever when there is none. Cancel safe.
pub(super) async fn next(worker: &mut Option<Worker>) -> Heard {
    let Some(worker) = worker else {
        return std::future::pending().await;
    };
    let Started { link, process, .. } = &mut worker.started;
    if worker.silent {
        let (well, how) = process.ended().await;
        return Heard::Ended(well, how);
    }
    // What it said before it ended is heard first: the lifeline outlives the process.
    tokio::select! {
        message = link.next() => message.map_or(Heard::Silent, Heard::Said),
        progress = process.progress() => Heard::Began(progress),
    }
}

impl Worker {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// What it said while the home was busy for so long has not been heard yet.
    pub(super) fn excuse(&mut self, busy: Duration) {
        self.deadline = self.deadline.map(|deadline| deadline + busy);
    }

    /// When it counts no more among those at work.
    pub(super) fn slot_until(&self) -> Option<Instant> {
        self.slot.as_ref().map(Slot::until)
    }

    pub(super) fn is_started(&self) -> bool {
        self.said_ready
    }

    /// Its start takes a while, and may never come to an end.
    fn is_on_its_way(&self) -> bool {
        self.remote.is_some() && !self.said_ready
    }

    pub(super) fn has_room(&self) -> bool {
        !self.silent && self.started.link.room() > KEPT_FREE
    }

    pub(super) fn send(&self, message: down::Message) -> bool {
        self.started.link.send(message)
    }

    /// Says until when it may run, by its own clock.
    pub(super) fn say_term(&self, term: &membership::Term) {
        let over = match self.remote {
            Some((clock, heard)) => term.over_by(clock, heard),
            None => term.over_at(),
        };
        if let Some(monotonic_nanoseconds) = over {
            self.send(down::Message::Term(Term {
                monotonic_nanoseconds,
            }));
        }
    }

    /// What its machine's clock showed a moment ago.
    fn heard_clock(&mut self, nanoseconds: u64) {
        if let Some(remote) = &mut self.remote {
            *remote = (Duration::from_nanos(nanoseconds), Instant::now());
        }
    }
}

impl Home {
    /// Starts a worker when one is wanted and may be.
    pub(super) fn start_if_due(&mut self) {
        let now = Instant::now();
        if self.worker.is_some()
            || !self.wants_worker()
            || !self.state.may_start(now)
            || self.api.good().is_none()
        {
            return;
        }
        if self.spec.borrow().has_cache() && self.cache.is_needed(now) {
            self.cache.begin(&self.shared.client, &self.name);
            return;
        }
        let sandbox = self.spec.borrow().sandbox.clone();
        let remote = self.shared.runtime.is_remote(&sandbox);
        if !remote && !self.is_vacant() {
            return;
        }
        let who = || Who {
            tenant: self.spec.borrow().tenant.clone(),
            home: self.name.clone(),
            requested: self.index.is_requested(),
        };
        let slot = match remote {
            true => None,
            false => match self.turn.take(&self.shared.slots, who) {
                Some(slot) => Some(slot),
                None => return,
            },
        };
        let now = Instant::now();
        self.state.starting(now);
        match self.shared.runtime.start(&self.name, &sandbox) {
            Ok(started) => {
                self.shared.health.metrics.spawns.inc();
                self.shared.health.metrics.awake.inc();
                self.burden.begins(&*started.process);
                // who says what becomes of its start says also when that is given up
                let deadline = (!remote).then(|| now + READY_WITHIN);
                self.vacant &= !remote;
                self.hindered = self.hindered.take().filter(|_| remote);
                self.worker = Some(Worker {
                    started,
                    said_ready: false,
                    silent: false,
                    idle: false,
                    deadline,
                    slot,
                    remote: remote.then_some((Duration::ZERO, now)),
                });
            }
            Err(error) => {
                tracing::error!(home = %self.name, %error, "failed to start a worker");
                self.last_error = Some(error.to_string());
                self.state.ended(false, now);
            }
        }
    }

    /// Whether nothing of the home runs elsewhere; begins to see to it.
    fn is_vacant(&mut self) -> bool {
        if !self.vacant && self.vacating.is_none() {
            self.vacating = self.shared.runtime.vacate(&self.name);
            self.vacant = self.vacating.is_none();
        }
        self.vacant
    }

    /// Nothing of the home runs elsewhere any more, or something is still in the way.
    pub(super) fn vacated(&mut self, hindered: Option<String>) {
        if hindered.is_none() {
            self.vacating = None;
            self.vacant = true;
        }
        self.hindered = hindered;
    }

    /// A worker that takes long makes room for others, and whoever needs none any more waits for none.
    pub(super) fn leave_slot(&mut self, now: Instant) {
        if let Some(worker) = &mut self.worker
            && worker.slot_until().is_some_and(|until| until <= now)
        {
            worker.slot = None;
        }
        if !self.wants_worker() || self.worker.is_some() {
            self.turn = Turn::Unasked;
        }
    }

    pub(super) async fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Said(message) => self.heard(message),
            Heard::Silent => {
                if let Some(worker) = &mut self.worker {
                    worker.silent = true;
                    worker.deadline = Some(Instant::now() + LEAVE_WITHIN);
                }
            }
            Heard::Began(Progress::Hindered(why)) => self.hindered = Some(why),
            Heard::Began(Progress::Arrived) => {
                self.hindered = None;
                if let Some(worker) = self.worker.as_mut().filter(|worker| !worker.said_ready) {
                    worker.deadline = Some(Instant::now() + READY_WITHIN);
                }
            }
            Heard::Ended(well, how) => {
                let asked = self.state.state == State::Draining;
                if !(well && asked) {
                    tracing::warn!(home = %self.name, %how, "worker ended unasked");
                    let what = match self.worker.as_ref().is_some_and(Worker::is_on_its_way) {
                        true => "a worker did not start",
                        false => "a worker ended unasked",
                    };
                    self.last_error = Some(format!("{what}: {how}{}", self.hint(&how)));
                }
                self.end_worker(well && asked);
            }
        }
    }

    /// A program that gets no memory aborts or panics.
    fn hint(&self, how: &str) -> String {
        match self.spec.borrow().sandbox.memory {
            Some(memory) if matches!(how, "signal 6" | "exit code 101") => format!(
                ", as it does when it needs more than the {memory} bytes that the Tenant's spec.limits.memory allows"
            ),
            _ => String::new(),
        }
    }

    fn heard(&mut self, message: up::Message) {
        let now = Timestamp::now();
        if self.state.state == State::Awake
            && let Some(worker) = &mut self.worker
        {
            worker.deadline = Some(Instant::now() + SILENT_FOR);
            self.burden.look(&*worker.started.process);
        }
        match message {
            up::Message::Ready(ready) => self.greet(ready),
            up::Message::Done(done) => {
                if let Some(slot) = self.worker.as_mut().and_then(|worker| worker.slot.as_mut()) {
                    slot.progress();
                }
                self.measure(&done);
                self.index.done(&done, now);
                match done.outcome() {
                    Outcome::Gone => self.rights.doubt(),
                    Outcome::Failed if !waits_for_another(&done.reason) => self.rights.suspect(),
                    _ => {}
                }
                if !self.index.has_blame() {
                    self.state.forgive();
                    self.last_error = None;
                }
            }
            up::Message::Waiting(_) => {
                if let Some(worker) = &mut self.worker {
                    worker.slot = None;
                }
            }
            up::Message::Woken(woken) => self.index.woken(&woken),
            up::Message::Identify(asked) => {
                self.identities
                    .ask(&self.shared.client, &self.name, asked.audience);
            }
            up::Message::Idle(idle) => {
                let all = if self.state.state == State::Draining {
                    self.index.drained(idle.last_sequence, idle.memo)
                } else {
                    self.index.idle(idle.last_sequence, idle.memo)
                };
                if let Some(worker) = &mut self.worker {
                    worker.idle = all && !idle.watching;
                }
            }
            up::Message::Log(line) => tracing::info!(target: "worker", home = %self.name, line = line.json),
            up::Message::Usage(usage) => {
                if let Some(worker) = &mut self.worker {
                    worker.heard_clock(usage.monotonic_nanoseconds);
                }
                tracing::debug!(home = %self.name, rss = usage.rss_bytes, cpu = usage.cpu_milliseconds, "worker's use");
            }
            up::Message::Condition(report) => {
                tracing::info!(home = %self.name, condition = report.r#type, status = report.status, message = report.message, "worker reports");
                if report.r#type == WITHIN_LIMITS {
                    // that all is well again, time says: a worker that has just come has not heard of it
                    if !report.status {
                        let until = Instant::now() + Duration::from_secs(report.for_seconds.min(A_DAY));
                        self.over_budget = Some((report.message, until));
                    }
                } else if report.r#type == CONSTRAINED_IMPERSONATION {
                    self.legacy = !report.status;
                } else {
                    self.last_error = (!report.status).then_some(report.message);
                }
            }
            up::Message::Metric(_) => {}
        }
    }

    /// What is told of objects that this home does not have counts for nobody.
    fn measure(&self, done: &Done) {
        let metrics = &self.shared.health.metrics;
        metrics.passes.inc();
        let Some(object) = done.object.as_ref().filter(|object| self.index.knows(object)) else {
            return;
        };
        if done.outcome() == Outcome::Gone {
            metrics.objects.forget(&self.name, &object.kind, &object.name);
        } else {
            let took = Duration::from_millis(done.took_milliseconds);
            metrics
                .objects
                .passed(&self.name, &object.kind, &object.name, took, done.drifted);
        }
    }

    /// The first message of a worker is answered with tokens and the start message.
    fn greet(&mut self, ready: Ready) {
        let absent_kinds = self.absent_kinds();
        let Some(worker) = &mut self.worker else { return };
        if std::mem::replace(&mut worker.said_ready, true) {
            tracing::warn!(home = %self.name, "worker said twice that it is ready");
            return;
        }
        if self.state.state == State::Starting {
            worker.deadline = Some(Instant::now() + SILENT_FOR);
        }
        worker.heard_clock(ready.monotonic_nanoseconds);
        worker.say_term(&self.shared.term);
        for token in [self.api.message(), self.cache.message()].into_iter().flatten() {
            worker.send(down::Message::Token(token));
        }
        let mut start = self.spec.borrow().start.clone();
        if let Some(cache) = &mut start.cache {
            cache.urls = self.replicas.borrow_and_update().clone();
        }
        start.absent_kinds = absent_kinds;
        start.memo = self.index.memo();
        start.scratch = worker.started.scratch.display().to_string();
        let identity = self.shared.client.worker_of(&self.name);
        start.identity = Some(Account {
            namespace: identity.namespace.to_string(),
            name: identity.name.to_string(),
        });
        worker.send(down::Message::Start(start));
        let mut granted = ready.sandbox;
        granted.extend(worker.started.process.kept_in());
        self.sandbox = Some(Sandboxed {
            granted,
            missing: ready.missing,
        });
        self.state.ready();
    }

    /// Kinds whose watch has shown that there is nothing of them.
    fn absent_kinds(&self) -> Vec<String> {
        let absent = |kind: &&FluxKind| self.listed.contains(kind.kind) && !self.index.has_kind(**kind);
        KINDS
            .iter()
            .filter(absent)
            .map(|kind| kind.kind.to_owned())
            .collect()
    }

    /// Tells the worker what is due, as far as there is room.
    pub(super) fn tell(&mut self) {
        let Some(worker) = self
            .worker
            .as_mut()
            .filter(|worker| worker.said_ready && !worker.silent)
        else {
            return;
        };
        if self.state.state != State::Awake {
            return;
        }
        let room = worker.started.link.room().saturating_sub(KEPT_FREE);
        for changed in self.index.take_due(Timestamp::now(), room) {
            worker.idle = false;
            worker.send(down::Message::Changed(changed));
        }
    }

    /// Ends a worker that has nothing to do, or does not do what it was told in time.
    pub(super) fn close_if_finished(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        let now = Instant::now();
        if worker.deadline.is_some_and(|deadline| deadline <= now) {
            tracing::warn!(home = %self.name, state = ?self.state.state, "worker ended: it did not answer in time");
            self.last_error = Some("a worker did not answer in time".to_owned());
            return self.end_worker(false);
        }
        let linger = match worker.remote {
            Some(_) => self.shared.linger.max(REMOTE_LINGER),
            None => self.shared.linger,
        };
        let soon = SignedDuration::try_from(linger).unwrap_or_default();
        let horizon = Timestamp::now().saturating_add(soon).unwrap_or(Timestamp::MAX);
        let more =
            self.state.state == State::Awake && self.index.next_due().is_some_and(|due| due <= horizon);
        if worker.idle && !more && !worker.silent {
            self.state.draining();
            worker.silent = true;
            worker.deadline = Some(now + LEAVE_WITHIN);
            worker.started.link.close();
        }
    }

    /// The Tenant changed: what is under way is finished, and a new worker gets the new rules.
    pub(super) fn drain(&mut self) {
        self.spec.mark_unchanged();
        self.index.pace(self.spec.borrow().retries_per_minute);
        self.index.rules_changed();
        self.rights.changed();
        self.hindered = None;
        self.over_budget = None;
        if self.worker.as_ref().is_some_and(Worker::is_on_its_way) {
            return self.end_worker(true);
        }
        let Some(worker) = self
            .worker
            .as_mut()
            .filter(|_| self.state.state != State::Draining)
        else {
            return;
        };
        let deadline = Timestamp::now()
            .saturating_add(SignedDuration::try_from(DRAIN_WITHIN).unwrap_or_default())
            .ok()
            .map(|at| prost_types::Timestamp {
                seconds: at.as_second(),
                nanos: 0,
            });
        worker.send(down::Message::Drain(Drain { deadline }));
        worker.deadline = Some(Instant::now() + DRAIN_WITHIN);
        self.state.draining();
    }

    /// The worker is gone, or goes now.
    pub(super) fn end_worker(&mut self, well: bool) {
        let Some(worker) = self.worker.take() else { return };
        self.burden.ends(&*worker.started.process);
        drop(worker);
        self.shared.health.metrics.awake.dec();
        if !well {
            self.shared.health.metrics.restarts.inc();
        }
        self.index.worker_ended(!well);
        self.state.ended(well, Instant::now());
    }
}

/// Whether an object with this reason lacks nothing but another object of the home.
fn waits_for_another(reason: &str) -> bool {
    [
        reasons::ARTIFACT_FAILED,
        reasons::DEPENDENCY_NOT_READY,
        reasons::NO_SOURCE_ARTIFACT,
        reasons::SOURCE_UNAVAILABLE,
    ]
    .contains(&reason)
}

//! The worker's loop: messages in, passes out.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use jiff::Timestamp;
use tenure_controllers::kustomization::DriftWatches;
use tenure_controllers::{Effects, Pass, QUARANTINED, State, Wake, kustomization, source};
use tenure_core::{Name, ObjectKey};
use tenure_kube::FluxKind;
use tenure_proto::lifeline::{
    self, Cause, Down, Identify, Idle, Outcome, Ready, Start, Waiting, Woken, down, up,
};
use tenure_proto::{
    CONSTRAINED_IMPERSONATION, FETCH_BUDGET_EXCEEDED, IDENTITY, LEGACY_RIGHTS, WITHIN_LIMITS,
};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Interval, interval};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::deadline::Deadline;
use crate::identities::{self, Asked, Identities};
use crate::lifeline::{Lifeline, Way};
use crate::queue::{Job, Queue};
use crate::session::{KINDS, Session, Tokens};
use crate::source_client::Standing;
use crate::usage::{clock, usage};
use crate::{Options, WorkerError};

/// Changed objects of one kind from which on a list is cheaper than reading each.
const WORTH_A_LIST: usize = 3;
/// How often the supervisor hears from a worker at least; it waits three times as long.
const PULSE: Duration = Duration::from_secs(10);
/// A pass that waits for so long waits for something that is not this machine's work.
const LONG_WAIT: Duration = Duration::from_millis(100);

/// What people read of it in the Tenant's status. How long it takes is said where it is waited for.
const USED_UP: &str = "what may be downloaded within an hour is used up, and sources keep what they have: make what is fetched \
                       smaller or rarer, or raise spec.limits.fetchPerHour";

/// Serves one home until the lifeline closes or `cancel` fires.
///
/// # Errors
/// When the lifeline or the scratch directory cannot be used, or the start message makes no sense.
/// What goes wrong with an object is that object's status, never an error of the worker.
pub async fn run(options: Options, cancel: CancellationToken) -> Result<(), WorkerError> {
    let ready = Ready {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        sandbox: options.sandbox,
        missing: options.missing,
        monotonic_nanoseconds: clock(),
    };
    let deadline = Deadline::watch(options.over).map_err(WorkerError::Thread)?;
    let _ends = Ends(deadline.clone());
    let tokens = Tokens::none();
    // a supervisor that is dialled may never answer
    let begun = begin(options.way, ready, &tokens, &deadline);
    let Some(Some(begun)) = cancel.run_until_cancelled(Box::pin(begun)).await.transpose()? else {
        return Ok(());
    };
    let Begun {
        lifeline,
        start,
        early,
    } = begun;
    let passes = cancel.child_token();
    let (identities, asked) = identities::pair();
    let identities = Arc::new(identities);
    let session = Session::open(
        start,
        &tokens,
        identities.clone(),
        &options.scratch,
        passes.clone(),
    )?;
    let standing = session.replicas.standing();
    let mut worker = Worker {
        lifeline,
        deadline,
        tokens,
        identities,
        asked,
        session,
        queue: Queue::default(),
        left_alone: HashSet::new(),
        reviewed: false,
        unknown: None,
        running: JoinSet::new(),
        last_sequence: 0,
        idle_said: None,
        listed: false,
        draining: false,
        drift: DriftWatches::default(),
        pulse: interval(PULSE),
        look: interval(LONG_WAIT),
        waiting_said: false,
        standing,
    };
    for message in early {
        worker.accept(message)?;
    }
    // passes share one thread: a worker is small, and what is heavy in a pass runs on a thread of its own
    let local = LocalSet::new();
    let served = local.run_until(async {
        let result = tokio::select! {
            result = worker.serve() => result,
            () = cancel.cancelled() => Ok(()),
        };
        passes.cancel();
        worker.running.shutdown().await;
        result
    });
    Box::pin(served).await
}

/// What is there once the supervisor has said what to do.
struct Begun {
    lifeline: Lifeline,
    start: Start,
    /// Said before that, and about what comes after it.
    early: Vec<down::Message>,
}

/// Attaches and waits for the start message; nothing when the supervisor closes the lifeline instead.
async fn begin(
    way: Way,
    ready: Ready,
    tokens: &Tokens,
    deadline: &Deadline,
) -> Result<Option<Begun>, WorkerError> {
    let mut lifeline = Lifeline::attach(way, up::Message::Ready(ready)).await?;
    let mut early = Vec::new();
    loop {
        let Some(Down { message }) = lifeline.next().await else {
            return Ok(None);
        };
        match message {
            Some(down::Message::Start(start)) => {
                return Ok(Some(Begun {
                    lifeline,
                    start,
                    early,
                }));
            }
            Some(down::Message::Token(token)) => tokens.accept(token),
            Some(down::Message::Term(term)) => {
                deadline.set(Duration::from_nanos(term.monotonic_nanoseconds));
            }
            Some(other) => early.push(other),
            None => {}
        }
    }
}

/// A pass that has ended.
struct Ended {
    key: ObjectKey,
    /// Nothing for a kind that is none of ours.
    pass: Option<Pass>,
    /// To the API server.
    requests: u64,
    took: Duration,
    /// What the supervisor had told when it began.
    up_to: u64,
}

/// However the worker ends, nobody watches the time any more.
struct Ends(Deadline);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.end();
    }
}

struct Worker {
    lifeline: Lifeline,
    deadline: Deadline,
    tokens: Tokens,
    identities: Arc<Identities>,
    asked: Asked,
    session: Session,
    queue: Queue,
    /// Queued objects that workers died over.
    left_alone: HashSet<ObjectKey>,
    /// The API server takes the worker for who it is.
    reviewed: bool,
    /// Why that is not known yet, as it was last said.
    unknown: Option<String>,
    running: JoinSet<Ended>,
    last_sequence: u64,
    /// The sequence number last sent with `Idle`, so that it is said once.
    idle_said: Option<u64>,
    listed: bool,
    draining: bool,
    /// What is watched while there is nothing to do.
    drift: DriftWatches,
    /// A sign of life: a worker that gives none is taken for one that hangs.
    pulse: Interval,
    /// When it looks whether its passes only wait.
    look: Interval,
    /// They do, and that was said.
    waiting_said: bool,
    /// Whether the home's budget for downloads is used up.
    standing: watch::Receiver<Standing>,
}

impl Worker {
    async fn serve(&mut self) -> Result<(), WorkerError> {
        loop {
            self.start_passes().await?;
            if self.queue.is_idle() && self.idle_said != Some(self.last_sequence) {
                if !self.draining {
                    self.drift.keep(&self.session.effects);
                }
                let idle = Idle {
                    last_sequence: self.last_sequence,
                    memo: self.session.memo(),
                    watching: !self.drift.is_empty() && !self.draining,
                };
                self.lifeline.send(up::Message::Usage(usage())).await?;
                self.lifeline.send(up::Message::Idle(idle)).await?;
                self.idle_said = Some(self.last_sequence);
            }
            tokio::select! {
                _ = self.pulse.tick() => self.lifeline.send(up::Message::Usage(usage())).await?,
                message = self.lifeline.next() => {
                    let mut next = Some(message);
                    // what was said together is begun together
                    while let Some(message) = next {
                        match message {
                            Some(Down { message: Some(message) }) => self.accept(message)?,
                            Some(_) => {}
                            None => return Ok(()),
                        }
                        next = self.lifeline.next().now_or_never();
                    }
                }
                _ = self.look.tick(), if !self.waiting_said && !self.running.is_empty() => self.look().await?,
                audience = self.asked.next() => {
                    self.lifeline.send(up::Message::Identify(Identify { audience })).await?;
                }
                Ok(()) = self.standing.changed() => self.say_standing().await?,
                key = self.drift.drifted(), if !self.draining => self.wake(key).await?,
                Some(ended) = self.running.join_next() => self.ended(ended).await?,
            }
        }
    }

    /// A worker whose passes all wait says so, once, until one of them ends.
    async fn look(&mut self) -> Result<(), WorkerError> {
        let waits = self.session.effects.waits.longer_than(LONG_WAIT);
        if waits > 0 && waits >= self.running.len() {
            self.lifeline.send(up::Message::Waiting(Waiting {})).await?;
            self.waiting_said = true;
        }
        Ok(())
    }

    async fn say_standing(&mut self) -> Result<(), WorkerError> {
        let until = match *self.standing.borrow_and_update() {
            Standing::Unknown => return Ok(()),
            Standing::Kept => None,
            Standing::Used(until) => Some(until),
        };
        let report = lifeline::ConditionReport {
            r#type: WITHIN_LIMITS.to_owned(),
            status: until.is_none(),
            for_seconds: until.map_or(0, |until| {
                until.saturating_duration_since(Instant::now()).as_secs()
            }),
            reason: FETCH_BUDGET_EXCEEDED.to_owned(),
            message: until.map_or_else(String::new, |_| USED_UP.to_owned()),
        };
        self.lifeline.send(up::Message::Condition(report)).await
    }

    fn accept(&mut self, message: down::Message) -> Result<(), WorkerError> {
        match message {
            down::Message::Token(token) => self.tokens.accept(token),
            down::Message::Term(term) => {
                self.deadline
                    .set(Duration::from_nanos(term.monotonic_nanoseconds));
            }
            down::Message::Replicas(now) => {
                if let Err(error) = self.session.replicas.moved(&now.urls) {
                    tracing::warn!(%error, "the source cache can't be where the supervisor says");
                }
            }
            down::Message::Identity(identity) => {
                self.identities.keep(&identity);
                self.asked.told(&identity);
            }
            down::Message::Changed(changed) => {
                self.last_sequence = self.last_sequence.max(changed.sequence);
                let cause = changed.cause();
                let Some(object) = changed.object else {
                    return Ok(());
                };
                match Name::new(&object.name) {
                    Ok(name) => {
                        let key = ObjectKey {
                            kind: object.kind,
                            name,
                        };
                        // what was said before the home was listed is in the list
                        let seen = self
                            .session
                            .effects
                            .snapshot
                            .has_seen(&key, &changed.resource_version);
                        match cause {
                            Cause::LeftAlone => self.left_alone.insert(key.clone()),
                            _ => self.left_alone.remove(&key),
                        };
                        self.queue.push(key.clone(), self.listed && !seen);
                        if cause == Cause::Requested {
                            self.queue.hurry(&key);
                        }
                    }
                    Err(error) => {
                        tracing::warn!(kind = object.kind, %error, "the supervisor named no object")
                    }
                }
            }
            down::Message::Moved(moved) => {
                self.last_sequence = self.last_sequence.max(moved.sequence);
                for key in source::with_remote(&self.session.effects.snapshot, &moved.remote_key) {
                    self.queue.push(key, false);
                }
            }
            down::Message::Drain(_) => {
                self.draining = true;
                self.queue.drain();
            }
            down::Message::Start(_) => return Err(WorkerError::Start("it came twice".into())),
        }
        Ok(())
    }

    async fn start_passes(&mut self) -> Result<(), WorkerError> {
        if self.queue.is_idle() || self.draining {
            return Ok(());
        }
        if !self.reviewed {
            let unknown = self.session.review().await?;
            self.reviewed = unknown.is_none();
            if unknown != self.unknown {
                self.unknown.clone_from(&unknown);
                let report = lifeline::ConditionReport {
                    r#type: IDENTITY.to_owned(),
                    status: unknown.is_none(),
                    message: unknown.unwrap_or_default(),
                    ..Default::default()
                };
                self.lifeline.send(up::Message::Condition(report)).await?;
            }
            if !self.reviewed {
                return Ok(());
            }
        }
        if let Some(held) = self.session.lends_without_limits().await {
            let report = lifeline::ConditionReport {
                r#type: CONSTRAINED_IMPERSONATION.to_owned(),
                status: !held,
                reason: LEGACY_RIGHTS.to_owned(),
                ..Default::default()
            };
            self.lifeline.send(up::Message::Condition(report)).await?;
        }
        if !self.listed {
            if let Err(error) = self.session.list().await {
                // every pass reads its own object then
                tracing::warn!(%error, "failed to list the home");
            }
            self.listed = true;
        } else if self.running.is_empty() {
            self.read_again().await;
        }
        while self.running.len() < self.session.concurrency {
            let snapshot = &self.session.effects.snapshot;
            let Some(job) = self.queue.pop(|key| kustomization::needs(snapshot, key)) else {
                break;
            };
            let (effects, up_to) = (self.session.effects.clone(), self.last_sequence);
            let alone = self.left_alone.remove(&job.key);
            self.running.spawn_local(async move {
                let (began, before) = (Instant::now(), effects.own.requests());
                let span = tracing::info_span!("reconcile", kind = job.key.kind, name = %job.key.name);
                let pass = reconcile(&job, alone, &effects).instrument(span).await;
                Ended {
                    key: job.key,
                    pass,
                    requests: effects.own.requests().saturating_sub(before),
                    took: began.elapsed(),
                    up_to,
                }
            });
        }
        Ok(())
    }

    /// Many objects that changed are read with one request.
    async fn read_again(&mut self) {
        for kind in KINDS {
            if self.queue.stale(kind.kind) < WORTH_A_LIST {
                continue;
            }
            match self.session.list_kind(kind).await {
                Ok(()) => self.queue.refreshed(kind.kind),
                Err(error) => tracing::warn!(kind = kind.kind, %error, "failed to list the home again"),
            }
        }
    }

    /// Queues an object that the supervisor has not told of.
    async fn wake(&mut self, key: ObjectKey) -> Result<(), WorkerError> {
        let woken = Woken {
            object: Some(wire(&key)),
        };
        self.lifeline.send(up::Message::Woken(woken)).await?;
        // what it waits for has changed: that is worth a try
        self.left_alone.remove(&key);
        if !self.draining {
            self.queue.push(key, false);
        }
        Ok(())
    }

    async fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) -> Result<(), WorkerError> {
        let Ended {
            key,
            pass,
            requests,
            took,
            up_to,
        } = match ended {
            Ok(ended) => ended,
            // an aborted or panicking pass ends the worker: its object is known to the supervisor,
            // which starts another one and counts the crash against that object
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => return Ok(()),
        };
        self.queue.finish(&key);
        let Some(pass) = pass else { return Ok(()) };
        let effects = self.session.effects.clone();
        for sibling in pass.wake.iter().flat_map(|wake| waked_by(wake, &effects)) {
            // said before the Done, so that whoever comes after a dead worker knows of it
            self.wake(sibling).await?;
        }
        self.idle_said = None;
        self.waiting_said = false;
        tracing::debug!(object = %key, state = ?pass.state, reason = pass.reason, requests, ?took, "pass ended");
        self.lifeline
            .send(up::Message::Done(lifeline::Done {
                up_to_sequence: up_to,
                drifted: kustomization::drifted(&effects.snapshot, &key),
                ..done(&key, &pass, requests, took)
            }))
            .await
    }
}

/// One pass; `None` when the object's kind is none of ours.
async fn reconcile(job: &Job, alone: bool, effects: &Arc<Effects>) -> Option<Pass> {
    let kind = KINDS.into_iter().find(|kind| kind.kind == job.key.kind)?;
    if job.stale || effects.snapshot.get(&job.key).is_none() {
        match refresh(kind, &job.key, effects).await {
            Ok(true) => {}
            Ok(false) => return Some(Pass::gone()),
            Err(error) => {
                let pass = unreadable(&job.key, &error, effects);
                let reason = match alone {
                    true => QUARANTINED.to_owned(),
                    false => pass.reason,
                };
                return Some(Pass { reason, ..pass });
            }
        }
    }
    let mut pass = match (source::KINDS.contains(&kind), alone) {
        (true, false) => source::reconcile(&job.key, effects).await,
        (true, true) => source::leave_alone(&job.key, effects).await,
        (false, false) => kustomization::reconcile(&job.key, effects).await,
        (false, true) => kustomization::leave_alone(&job.key, effects).await,
    };
    if pass.state == State::Gone {
        effects.snapshot.remove(&job.key);
    } else if alone {
        pass.reason = QUARANTINED.to_owned();
    }
    Some(pass)
}

async fn refresh(kind: FluxKind, key: &ObjectKey, effects: &Effects) -> Result<bool, tenure_kube::KubeError> {
    match effects.own.get(kind, &key.name).await? {
        Some(object) => {
            effects.snapshot.put(key.clone(), object);
            Ok(true)
        }
        None => {
            effects.snapshot.remove(key);
            Ok(false)
        }
    }
}

fn unreadable(key: &ObjectKey, error: &tenure_kube::KubeError, effects: &Effects) -> Pass {
    tracing::warn!(object = %key, %error, "failed to read the object");
    let wait = effects.failures.lock().failed(key);
    let next_due = Timestamp::now().checked_add(wait).ok();
    Pass {
        state: State::Failed,
        reason: "Failed".to_owned(),
        next_due,
        wake: Vec::new(),
        limit: None,
    }
}

fn waked_by(wake: &Wake, effects: &Effects) -> Vec<ObjectKey> {
    match wake {
        Wake::Object(key) => vec![key.clone()],
        Wake::ConsumersOf(source) => {
            let mut all = source::made_of(&effects.snapshot, source);
            all.extend(kustomization::consumers_of(&effects.snapshot, source));
            all
        }
        Wake::DependantsOf(object) => kustomization::dependants_of(&effects.snapshot, object),
    }
}

fn done(key: &ObjectKey, pass: &Pass, requests: u64, took: Duration) -> lifeline::Done {
    let outcome = match pass.state {
        State::Ready => Outcome::Ready,
        State::Failed => Outcome::Failed,
        State::Stalled => Outcome::Stalled,
        State::Suspended => Outcome::Suspended,
        State::Gone => Outcome::Gone,
    };
    lifeline::Done {
        object: Some(wire(key)),
        outcome: outcome.into(),
        next_due: pass.next_due.map(timestamp),
        requests,
        reason: pass.reason.clone(),
        took_milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        up_to_sequence: 0,
        drifted: 0,
        limit: pass.limit.map_or("", |limit| limit.field()).to_owned(),
    }
}

fn wire(key: &ObjectKey) -> lifeline::ObjectKey {
    let group = KINDS
        .iter()
        .find(|kind| kind.kind == key.kind)
        .map_or("", |kind| kind.group);
    lifeline::ObjectKey {
        group: group.to_owned(),
        kind: key.kind.clone(),
        name: key.name.to_string(),
    }
}

fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.as_second(),
        nanos: at.subsec_nanosecond(),
    }
}

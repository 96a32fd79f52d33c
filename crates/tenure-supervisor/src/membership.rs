//! This supervisor among the others: its Lease, and which homes are its own.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use rustix::time::{ClockId, clock_gettime};
use tenure_core::Name;
use tenure_core::ownership::{Bucket, Buckets, Moment, Ownership, Record, Step, Times, Write, Written};
use tenure_kube::{KubeError, SupervisorClient};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admin::Health;

/// A request that was not answered by then has failed, so that there is time for another before we give up.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Whoever ends waits so long for its Lease to be left; the others wait for it otherwise.
const LEAVE_WITHIN: Duration = Duration::from_secs(8);
/// No wait is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The homes that are ours.
#[derive(Clone, Debug)]
pub(crate) struct Ours {
    /// Grows with each change.
    hand: u64,
    buckets: Buckets,
    /// Cancelled when everything must stop at once.
    pub(crate) fence: CancellationToken,
}

impl Ours {
    /// Whether what goes by this name is for us to do.
    pub(crate) fn has(&self, name: &Name) -> bool {
        self.buckets.contains(Bucket::of(name))
    }

    /// All that is.
    pub(crate) fn buckets(&self) -> Buckets {
        self.buckets
    }

    /// Whether something is ours that was not.
    pub(crate) fn gains(&self, before: &Self) -> bool {
        !self.buckets.without(&before.buckets).is_empty()
    }
}

#[cfg(test)]
impl Ours {
    /// These, for a test.
    pub(crate) fn of(buckets: Buckets) -> Self {
        Self {
            hand: 1,
            buckets,
            fence: CancellationToken::new(),
        }
    }
}

/// Until when what is ours may go on if nothing is renewed. A pause is noticed by looking at it.
#[derive(Clone, Debug)]
pub(crate) struct Term(watch::Receiver<Option<Instant>>);

impl Term {
    pub(crate) fn is_over(&self) -> bool {
        self.0.borrow().is_none_or(|until| until <= Instant::now())
    }

    /// When it changes.
    pub(crate) fn changes(&self) -> watch::Receiver<Option<Instant>> {
        self.0.clone()
    }

    /// Until when what is ours may run at most, in nanoseconds of the machine's monotonic clock, which workers on it share.
    pub(crate) fn over_at(&self) -> Option<u64> {
        // in this order a pause between the two makes it sooner, never later
        let clock = clock_gettime(ClockId::Monotonic);
        let now = Instant::now();
        let clock = Duration::new(
            u64::try_from(clock.tv_sec).ok()?,
            u32::try_from(clock.tv_nsec).ok()?,
        );
        self.over_by(clock, now)
    }

    /// The same by a clock that showed `clock` when it was `at` here, or before: then it is sooner, never later.
    pub(crate) fn over_by(&self, clock: Duration, at: Instant) -> Option<u64> {
        let times = Times::default();
        let over = (*self.0.borrow())? + (times.over - times.give_up);
        let left = over.checked_duration_since(at).unwrap_or_default();
        u64::try_from((clock + left).as_nanos()).ok()
    }

    /// Ends when it is not over.
    pub(crate) async fn begins(&self) {
        let mut term = self.0.clone();
        let good = |until: &Option<Instant>| until.is_some_and(|until| until > Instant::now());
        if term.wait_for(good).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Our membership, kept by a task of its own.
pub(crate) struct Membership {
    ours: watch::Receiver<Ours>,
    term: Term,
    settled: watch::Sender<Settled>,
    leave: CancellationToken,
    superseded: CancellationToken,
    task: JoinHandle<()>,
}

/// What has stopped.
#[derive(Clone, Copy, Debug)]
enum Settled {
    /// All that was not handed out under this number.
    Hand(u64),
    /// All.
    Everything,
}

impl Membership {
    /// Begins to be one of those who share the homes of a system namespace. What is ours runs until `stop`, too.
    pub(crate) fn join(
        client: SupervisorClient,
        identity: Name,
        health: Arc<Health>,
        stop: &CancellationToken,
    ) -> Self {
        let fence = stop.child_token();
        let nothing = Ours {
            hand: 0,
            buckets: Buckets::NONE,
            fence: fence.clone(),
        };
        let (ours, ours_heard) = watch::channel(nothing);
        let (term, term_heard) = watch::channel(None);
        let (settled, settled_heard) = watch::channel(Settled::Hand(0));
        let (leave, superseded) = (CancellationToken::new(), CancellationToken::new());
        let times = Times::default();
        let process = format!("{:016x}", rand::random::<u64>());
        let keeper = Keeper {
            machine: Ownership::new(identity.as_str(), process, times),
            began: Instant::now(),
            client,
            identity,
            times,
            health,
            stop: stop.clone(),
            ours,
            term,
            settled: settled_heard,
            leave: leave.clone(),
            superseded: superseded.clone(),
        };
        Self {
            ours: ours_heard,
            term: Term(term_heard),
            settled,
            leave,
            superseded,
            task: tokio::spawn(keeper.keep()),
        }
    }

    pub(crate) fn ours(&self) -> watch::Receiver<Ours> {
        self.ours.clone()
    }

    pub(crate) fn term(&self) -> Term {
        self.term.clone()
    }

    /// Nothing runs any more that was not in `ours`.
    pub(crate) fn settled(&self, ours: &Ours) {
        self.settled.send_replace(Settled::Hand(ours.hand));
    }

    /// Cancelled when somebody else runs under our identity.
    pub(crate) fn superseded(&self) -> &CancellationToken {
        &self.superseded
    }

    /// Nothing more is to be begun. The Lease is kept while things end.
    pub(crate) fn begin_to_leave(&self) {
        self.leave.cancel();
    }

    /// Nothing runs: leaves the Lease, so that others need not wait for it.
    pub(crate) async fn leave(self) {
        self.leave.cancel();
        self.settled.send_replace(Settled::Everything);
        if tokio::time::timeout(LEAVE_WITHIN, self.task).await.is_err() {
            tracing::warn!("the Lease was not left: others wait until it is over");
        }
    }
}

struct Keeper {
    machine: Ownership,
    began: Instant,
    client: SupervisorClient,
    identity: Name,
    times: Times,
    health: Arc<Health>,
    stop: CancellationToken,
    ours: watch::Sender<Ours>,
    term: watch::Sender<Option<Instant>>,
    settled: watch::Receiver<Settled>,
    leave: CancellationToken,
    superseded: CancellationToken,
}

/// What came of a request that was sent at that moment.
enum Answer {
    Wrote(Write, Moment, Option<String>),
    Looked(Moment, Option<Vec<Record>>),
    Deleted,
}

impl Keeper {
    fn now(&self) -> Moment {
        self.began.elapsed()
    }

    async fn keep(mut self) {
        let mut shown = self.client.watch_members();
        let mut asked: Option<BoxFuture<'static, Answer>> = None;
        loop {
            self.publish();
            let mut wait = LONGEST_WAIT;
            if asked.is_none() {
                asked = match self.machine.next(self.now()) {
                    Step::Wait(until) => {
                        wait = wait.min(until.saturating_sub(self.now()));
                        None
                    }
                    Step::Left => return,
                    Step::Superseded => {
                        self.ours.borrow().fence.cancel();
                        self.superseded.cancel();
                        return;
                    }
                    step => Some(self.ask(step)),
                };
            }
            if let Some(at) = self.machine.give_up_at() {
                wait = wait.min(at.saturating_sub(self.now()));
            }
            let answered = async {
                match &mut asked {
                    Some(answer) => answer.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                answer = answered => {
                    asked = None;
                    self.take(answer);
                }
                Some(record) = shown.next() => {
                    let now = self.now();
                    self.machine.heard(now, &record);
                }
                Ok(()) = self.settled.changed() => self.settle(),
                () = self.leave.cancelled(), if !self.machine.is_leaving() => self.machine.leave(),
            }
        }
    }

    /// Says what is ours, the end of it first.
    fn publish(&mut self) {
        let now = self.now();
        let (hand, buckets) = self.machine.ours(now);
        let until = self.machine.give_up_at().map(|at| self.began + at);
        let renewed = self
            .term
            .send_if_modified(|old| std::mem::replace(old, until) != until);
        // also what is not ours any more may still be ending
        let lost = renewed && until.is_none();
        let held = self.ours.borrow().buckets;
        self.ours.send_if_modified(|ours| {
            let changed = ours.hand != hand;
            if lost {
                tracing::warn!("the Lease was not renewed in time, or was lost: all workers are stopped");
                ours.fence.cancel();
                ours.fence = self.stop.child_token();
            }
            (ours.hand, ours.buckets) = (hand, buckets);
            changed
        });
        let members = i64::try_from(self.machine.members()).unwrap_or(i64::MAX);
        self.health.metrics.members.set(members);
        if held != buckets {
            tracing::info!(
                buckets = buckets.len(),
                members = self.machine.members(),
                "the homes that are ours"
            );
        }
    }

    fn settle(&mut self) {
        let settled = *self.settled.borrow_and_update();
        let hand = match settled {
            Settled::Hand(hand) => hand,
            Settled::Everything => {
                self.machine.leave();
                self.machine.ours(self.now()).0
            }
        };
        self.machine.settled(hand);
    }

    fn ask(&self, step: Step) -> BoxFuture<'static, Answer> {
        let (client, identity, lease) = (self.client.clone(), self.identity.clone(), self.times.lease);
        let sent = self.now();
        Box::pin(async move {
            match step {
                Step::Write(write) => {
                    let written = within(client.write_member(&identity, &write, lease)).await;
                    Answer::Wrote(write, sent, written)
                }
                Step::Delete { identity, version } => {
                    within(client.delete_member(&identity, &version)).await;
                    Answer::Deleted
                }
                _ => Answer::Looked(sent, within(client.members()).await),
            }
        })
    }

    fn take(&mut self, answer: Answer) {
        let now = self.now();
        match answer {
            Answer::Wrote(write, sent, Some(version)) => {
                self.machine.wrote(&write, sent, now, Written::Done(version));
            }
            Answer::Wrote(write, sent, None) => self.machine.wrote(&write, sent, now, Written::Unknown),
            Answer::Looked(sent, Some(records)) => self.machine.looked(sent, now, records),
            Answer::Looked(_, None) => self.machine.look_failed(now),
            Answer::Deleted => {}
        }
    }
}

/// The answer, if there is one in time.
async fn within<T>(request: impl Future<Output = Result<T, KubeError>>) -> Option<T> {
    match tokio::time::timeout(ANSWER_WITHIN, request).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a request about the supervisors' Leases failed");
            None
        }
        Err(_) => {
            tracing::warn!("a request about the supervisors' Leases was not answered in {ANSWER_WITHIN:?}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_term_is_over_when_its_time_is_though_nobody_says_so() {
        let (sender, term) = watch::channel(None);
        let term = Term(term);
        assert!(term.is_over());
        sender.send_replace(Some(Instant::now() + Duration::from_secs(20)));
        assert!(!term.is_over());
        term.begins().await;
        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(term.is_over());
        assert!(futures::poll!(std::pin::pin!(term.begins())).is_pending());
        let begins = term.begins();
        sender.send_replace(Some(Instant::now() + Duration::from_secs(20)));
        begins.await;
    }

    #[test]
    fn what_is_done_by_one_is_done_by_whoever_has_that_name() {
        let name: Name = "apps".parse().expect("a name");
        assert!(Ours::of(Buckets::ALL).has(&name) && !Ours::of(Buckets::NONE).has(&name));
        assert!(Ours::of([Bucket::of(&name)].into_iter().collect()).has(&name));
    }

    #[tokio::test(start_paused = true)]
    async fn on_another_machine_it_is_over_by_that_ones_clock_and_never_later_than_here() {
        let seconds = Duration::from_secs;
        let (_renewed, heard) = watch::channel(Some(Instant::now() + seconds(20)));
        let (term, times) = (Term(heard), Times::default());
        let whole = seconds(20) + (times.over - times.give_up);
        let clock = seconds(7_000);
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).ok();
        assert_eq!(
            term.over_by(clock, Instant::now()),
            nanoseconds(clock + whole),
            "what its clock showed was heard at once"
        );
        tokio::time::advance(seconds(5)).await;
        assert_eq!(
            term.over_by(clock, Instant::now()),
            nanoseconds(clock + whole - seconds(5)),
            "it was heard late: perhaps only the message took long"
        );
        tokio::time::advance(seconds(600)).await;
        assert_eq!(term.over_by(clock, Instant::now()), nanoseconds(clock));
    }
}

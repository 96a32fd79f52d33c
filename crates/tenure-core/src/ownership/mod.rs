//! Which supervisor serves which home, without anybody who decides.
//!
//! Homes are divided into [`Bucket`]s. Each supervisor keeps one Lease of its own in the cell, and a bucket belongs to
//! the live member that [weighs most](Bucket::weight) for it. [`Ownership`] is what one member knows and does about
//! it: it is told what was read and written, and when by the member's own monotonic clock, and says what to read or
//! write next and what is ours. It does no I/O and never looks at a wall clock.
//!
//! A home goes by its own name and by nothing that changes, such as the Tenant that names it: of that, two members may
//! believe different things for a while, and both would have the home.
//!
//! # The protocol
//!
//! A Lease says who holds it: an identity (one place, such as a pod, in which at most one supervisor runs) and an
//! *incarnation*, which is new for every try to join; and whom the holder has **seen**: the incarnations that it makes
//! way for, which means that at the time of writing it has stopped everything that one of them weighs more for. Only
//! its holder changes a Lease, each time on the condition that it is as the holder last knew it.
//!
//! 1. **Join.** Write the Lease with a new incarnation; when that was answered, list all Leases with a read that
//!    sees all earlier writes. The members in that list are *owed*: serve nothing until each of them says that it has
//!    seen us, or has left, or is dead.
//! 2. **Serve** what we weigh more for than every member that is not known to have left or died. Whoever appears later
//!    is made way for: what it weighs more for is stopped, and when nothing of that runs any more, it is *seen*.
//! 3. **Keep.** Renew every [`Times::renew`]. Counted from before the last renewal that was answered was sent: at
//!    [`Times::give_up`] stop everything, at [`Times::over`] nothing may run. The incarnation is then over, whatever
//!    is heard later; a new one joins when everything has stopped.
//! 4. **Dead** is a member whose Lease a read shows unchanged that was *sent* at least [`Times::lease`] after the
//!    first answer that showed it so. That it is not listed any more is no proof. Leases of the dead are deleted, on
//!    the condition that they are unchanged.
//! 5. **Leave.** Stop everything, then write a Lease without a holder: nobody waits for that one.
//!
//! # Why no home has two
//!
//! Take two incarnations that are not over, and call *first* the one whose joining list was read first. The second
//! one's Lease may not be in that list, but the first one's is in the second's: it was written before the first list
//! was read. So the second owes the first, and serves nothing until the first has seen it. From then on each counts
//! the other as a member, and of two members only one weighs more. Neither stops counting the other before it is
//! over: it would have to be dead, and then nothing that it wrote was answered which it sent within a lease before that
//! read; so it had given up, and its time was over, before the read. A request of its that arrives after that
//! changes nothing, as the incarnation is over: an answer is looked at only after the clock. Two incarnations of one
//! identity follow each other, because one joins only when what the one before it ran has stopped.
//!
//! Clocks need not agree; between any two, what the one calls [`Times::over`] must end before what the other calls
//! [`Times::lease`] (at 27 s of 30 s they may run apart by a tenth).
//!
//! # Pauses
//!
//! A supervisor that stands still and goes on finds, at whatever it looks at first, that its time is over. What it
//! runs must not need it for that: an order that it can't give is not followed. So the machine says until when what it
//! serves [may run](Ownership::over_at), and the proof holds for workers that end by then on their own, by a thread that
//! does nothing else. A pause of both, or of the machine, leaves them the moment until that thread looks. A clock that stands still
//! with the machine, as a hypervisor may make it, can't be noticed by anybody on it. For those moments it matters
//! that an apply is idempotent and that Helm's releases are locked by their Secrets.
//!
//! The simulation beside this module plays it all, with faults that these words allow and with ones that
//! they do not, which it must notice.

mod bucket;
mod machine;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use bucket::{Bucket, Buckets};
pub use machine::Ownership;

/// A moment by a member's own monotonic clock: the time since some fixed moment of its choice.
pub type Moment = Duration;

/// How long things take, by whoever's clock it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// A member whose Lease does not change for so long is dead.
    pub lease: Duration,
    /// A Lease is renewed so often.
    pub renew: Duration,
    /// So long after the last renewal everything is to be stopped.
    pub give_up: Duration,
    /// So long after the last renewal nothing may run any more.
    pub over: Duration,
    /// What failed is tried again after so long.
    pub retry: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            renew: Duration::from_secs(10),
            give_up: Duration::from_secs(20),
            over: Duration::from_secs(27),
            retry: Duration::from_secs(1),
        }
    }
}

/// One try of one supervisor to be a member, written `identity/incarnation`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Where it runs; what buckets go by.
    pub identity: String,
    /// Never the same twice.
    pub incarnation: String,
}

/// A string is no `identity/incarnation`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no member of the form <identity>/<incarnation>")]
pub struct MemberError(String);

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.identity, self.incarnation)
    }
}

impl FromStr for Member {
    type Err = MemberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((identity, incarnation)) if !identity.is_empty() && !incarnation.is_empty() => Ok(Self {
                identity: identity.to_owned(),
                incarnation: incarnation.to_owned(),
            }),
            _ => Err(MemberError(text.to_owned())),
        }
    }
}

/// A Lease as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose place it is.
    pub identity: String,
    /// Another one after each write (the `resourceVersion`).
    pub version: String,
    /// Who holds it; nobody after it was left.
    pub holder: Option<Member>,
    /// Whom the holder makes way for.
    pub seen: BTreeSet<Member>,
}

/// A write of our own Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The version that is replaced: the write must fail if it is another. `None` when there must be no Lease yet.
    pub version: Option<String>,
    /// Who holds it from then on; nobody when we leave.
    pub holder: Option<Member>,
    /// Whom we make way for.
    pub seen: BTreeSet<Member>,
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was done, and this is the new version.
    Done(String),
    /// Nothing is known: it may have been done, or may yet be.
    Unknown,
}

/// What is to be done next. One thing at a time: its answer, or that there was none, comes before the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write our Lease, then say what came of it to [`Ownership::wrote`].
    Write(Write),
    /// List all Leases of the cell with a read that sees all earlier writes, then [`Ownership::looked`].
    Look,
    /// Delete this Lease of a dead member if it still has this version. Nothing depends on it.
    Delete {
        /// Whose it is.
        identity: String,
        /// The version that was dead.
        version: String,
    },
    /// Nothing before this moment, unless something is heard.
    Wait(Moment),
    /// We have left.
    Left,
    /// Somebody else runs under our identity. Everything is to be stopped; this member is not to go on.
    Superseded,
}

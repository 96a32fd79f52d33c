//! What the home may have downloaded, and whether that is used up.

use std::time::{Duration, Instant};

use tenure_proto::source::FailureKind;
use tokio::sync::watch;

use super::SourceError;

const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How the home stands, as the cache has said last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It has said nothing.
    #[default]
    Unknown,
    /// Something was given.
    Kept,
    /// The budget is used up until then.
    Used(Instant),
}

/// The limit that goes with each question, and what was heard of it.
#[derive(Debug, Default)]
pub(super) struct Budget {
    pub(super) bytes_per_hour: u64,
    standing: watch::Sender<Standing>,
}

impl Budget {
    pub(super) fn new(bytes_per_hour: u64) -> Self {
        Self {
            bytes_per_hour,
            ..Self::default()
        }
    }

    pub(super) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// What is given while the budget is used up was there already, and says nothing of it.
    pub(super) fn heard<T>(&self, answer: &Result<T, SourceError>) {
        let now = Instant::now();
        let heard = match answer {
            Ok(_) => Standing::Kept,
            Err(SourceError::Remote {
                kind: FailureKind::OverBudget,
                retry_after,
                ..
            }) => {
                let wait = retry_after.unwrap_or_default().clamp(SHORTEST, LONGEST);
                Standing::Used(now + wait)
            }
            Err(_) => return,
        };
        self.standing.send_if_modified(|standing| {
            let stays = match (&*standing, &heard) {
                (Standing::Used(until), Standing::Kept) => *until > now,
                // of several sources each says nearly the same
                (Standing::Used(before), Standing::Used(until)) => *until < *before + SHORTEST,
                (before, heard) => before == heard,
            };
            if !stays {
                *standing = heard;
            }
            !stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(wait: Duration) -> Result<(), SourceError> {
        Err(SourceError::Remote {
            kind: FailureKind::OverBudget,
            message: "used up".to_owned(),
            hint: String::new(),
            retry_after: Some(wait),
            found: true,
        })
    }

    #[test]
    fn a_budget_that_is_used_up_is_so_until_its_time_and_that_is_said_once() {
        let budget = Budget::new(1);
        let mut standing = budget.standing();
        budget.heard(&Ok(()));
        assert_eq!(*standing.borrow_and_update(), Standing::Kept);
        budget.heard(&Ok(()));
        budget.heard(&Err::<(), _>(SourceError::NoToken));
        assert!(!standing.has_changed().expect("it is there"));
        budget.heard(&over(Duration::from_secs(600)));
        assert!(matches!(&*standing.borrow_and_update(), Standing::Used(_)));
        budget.heard(&Ok(()));
        budget.heard(&over(Duration::from_secs(600)));
        assert!(!standing.has_changed().expect("it is there"), "it is so still");
        budget.heard(&over(Duration::MAX));
        assert!(standing.has_changed().expect("it is there"), "for longer");
    }
}

//! What remotes have refused for certain just now: whoever asks the same with the same credential is told the same.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tenure_proto::source::FailureKind;

use crate::failure::Failure;
use crate::leases::Question;

/// How long a refusal counts; whoever has mended it waits no longer.
const COUNTS: Duration = Duration::from_secs(5);
/// Refusals that are remembered; more push out the oldest.
const MOST: usize = 4096;

/// The refusals of the last seconds.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<HashMap<Question, (Failure, Instant)>>);

impl Refusals {
    /// What was refused, unless it is older than the caller accepts.
    pub(crate) fn recent(&self, question: &Question, max_age: Duration) -> Option<Failure> {
        let refusals = self.0.lock();
        let (failure, at) = refusals.get(question)?;
        (at.elapsed() < max_age.min(COUNTS)).then(|| failure.clone())
    }

    /// Remembers a failure, if the remote has meant it and everybody would hear it.
    pub(crate) fn note(&self, question: Question, failure: &Failure) {
        let certain = matches!(
            failure.kind,
            FailureKind::AuthenticationFailed
                | FailureKind::HostKeyMismatch
                | FailureKind::NotFound
                | FailureKind::NoSuchChart
                | FailureKind::EmptyRepository
        );
        if !certain {
            return;
        }
        let mut refusals = self.0.lock();
        if refusals.len() >= MOST {
            let oldest = refusals.values().map(|(_, at)| *at).min();
            refusals.retain(|_, (_, at)| Some(*at) != oldest);
        }
        refusals.insert(question, (failure.clone(), Instant::now()));
    }

    /// Forgets what does not count any more.
    pub(crate) fn sweep(&self) {
        self.0.lock().retain(|_, (_, at)| at.elapsed() < COUNTS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(credential: u8) -> Question {
        Question {
            realm: "r".into(),
            reference: "branch main".into(),
            fingerprint: [credential; 32],
        }
    }

    #[test]
    fn a_refusal_counts_for_the_same_question_and_for_who_accepts_its_age() {
        let refusals = Refusals::default();
        let failure = Failure::new(FailureKind::AuthenticationFailed, "no");
        refusals.note(question(1), &failure);
        assert_eq!(refusals.recent(&question(1), COUNTS), Some(failure));
        assert_eq!(refusals.recent(&question(1), Duration::ZERO), None);
        assert_eq!(refusals.recent(&question(2), COUNTS), None);
        refusals.note(
            question(2),
            &Failure::new(FailureKind::UpstreamUnavailable, "late"),
        );
        assert_eq!(
            refusals.recent(&question(2), COUNTS),
            None,
            "another may have more patience"
        );
    }
}

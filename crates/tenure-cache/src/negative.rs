//! What remotes have refused for certain just now: whoever asks the same with the same credential is told the same.

use std::time::{Duration, Instant};

use tenure_proto::source::FailureKind;

use crate::failure::Failure;
use crate::kept::Kept;
use crate::leases::Question;

/// How long a refusal counts; whoever has mended it waits no longer.
const COUNTS: Duration = Duration::from_secs(5);

/// The refusals of the last seconds.
pub(crate) struct Refusals(Kept<Question, Failure>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Kept::new(COUNTS))
    }
}

impl Refusals {
    /// What was refused, unless it is older than the caller accepts.
    pub(crate) fn recent(&self, question: &Question, max_age: Duration) -> Option<Failure> {
        self.0.get(question, max_age)
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
        if certain {
            self.0.put(question, failure.clone(), Instant::now());
        }
    }

    /// Forgets what does not count any more.
    pub(crate) fn sweep(&self) {
        self.0.sweep();
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

//! What remotes have said in the last minute: whoever asks the same with the same credential, and accepts an answer of that age,
//! is told the same. A credential that was accepted for one home is proved for every other that brings it.

use std::time::Duration;

use crate::kept::Kept;
use crate::leases::Question;
use crate::proof::Located;
use crate::source::Found;

/// No answer is given to another home for longer.
const COUNTS: Duration = Duration::from_secs(60);
/// How long a state is remembered that the remote need not send again.
const KNOWN: Duration = Duration::from_secs(24 * 3600);

/// A longer answer is not remembered for a day, in bytes.
const LONG: usize = 8 << 10;

/// The answers of the last minute, and the last states that remotes have a name for.
pub(crate) struct Answers {
    recent: Kept<Question, Located>,
    states: Kept<Question, Found>,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            recent: Kept::new(COUNTS),
            states: Kept::new(KNOWN),
        }
    }
}

impl Answers {
    /// What was said, unless it is older than the caller accepts.
    pub(crate) fn recent(&self, question: &Question, max_age: Duration) -> Option<Located> {
        self.recent.get(question, max_age)
    }

    /// What the remote has said to the same credential before. It is true again if the remote says that its state is the
    /// same, and not sooner.
    pub(crate) fn state(&self, question: &Question) -> Option<Found> {
        self.states.get(question, KNOWN)
    }

    /// Remembers what was said, if the remote itself has named the content: else only a download proves anything.
    pub(crate) fn note(&self, question: Question, located: &Located) {
        let found = &located.found;
        match found.validators {
            Some(_) if found.content.len() <= LONG => {
                self.states.put(question.clone(), found.clone(), located.at)
            }
            _ => self.states.forget(&question),
        }
        if found.advertised {
            self.recent.put(question, located.clone(), located.at);
        }
    }

    /// The next who asks is not told what was heard before now.
    pub(crate) fn forget(&self, question: &Question) {
        self.recent.forget(question);
        self.states.forget(question);
    }

    /// Forgets what does not count any more.
    pub(crate) fn sweep(&self) {
        self.recent.sweep();
        self.states.sweep();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Instant, SystemTime};

    use tenure_core::Revision;

    use super::*;
    use crate::grant::Grants;
    use crate::source::Found;

    fn question(credential: u8) -> Question {
        Question {
            realm: "r".into(),
            reference: "branch main".into(),
            fingerprint: [credential; 32],
        }
    }

    fn located(advertised: bool) -> Located {
        let commit = "a".repeat(40);
        Located {
            found: Found {
                revision: Revision::git(Some("main"), &commit),
                content: commit,
                pointer: None,
                through: None,
                advertised,
                validators: None,
            },
            stamp: Grants::new(COUNTS).stamp(),
            at: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    #[test]
    fn an_answer_counts_for_the_same_question_and_for_who_accepts_its_age() {
        let answers = Answers::default();
        answers.note(question(1), &located(true));
        assert!(answers.recent(&question(1), COUNTS).is_some());
        assert!(answers.recent(&question(1), Duration::ZERO).is_none());
        assert!(
            answers.recent(&question(2), COUNTS).is_none(),
            "with another credential"
        );
        answers.forget(&question(1));
        assert!(answers.recent(&question(1), COUNTS).is_none());
    }

    #[test]
    fn what_only_a_download_proves_is_told_to_nobody() {
        let answers = Answers::default();
        answers.note(question(1), &located(false));
        assert!(answers.recent(&question(1), COUNTS).is_none());
    }
}

//! What remotes have said in the last minute: whoever asks the same with the same credential, and accepts an answer of that age,
//! is told the same. A credential that was accepted for one home is proved for every other that brings it.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::leases::Question;
use crate::proof::Located;

/// No answer is given to another home for longer.
const COUNTS: Duration = Duration::from_secs(60);
/// Answers that are remembered; more push out the oldest.
const MOST: usize = 4096;

/// The answers of the last minute.
#[derive(Default)]
pub(crate) struct Answers(Mutex<HashMap<Question, Located>>);

impl Answers {
    /// What was said, unless it is older than the caller accepts.
    pub(crate) fn recent(&self, question: &Question, max_age: Duration) -> Option<Located> {
        let answers = self.0.lock();
        let located = answers.get(question)?;
        (located.at.elapsed() < max_age.min(COUNTS)).then(|| located.clone())
    }

    /// Remembers what was said, if the remote itself has named the content: else only a download proves anything.
    pub(crate) fn note(&self, question: Question, located: &Located) {
        if !located.found.advertised {
            return;
        }
        let mut answers = self.0.lock();
        if answers.len() >= MOST {
            let oldest = answers.values().map(|located| located.at).min();
            answers.retain(|_, located| Some(located.at) != oldest);
        }
        answers.insert(question, located.clone());
    }

    /// The next who asks is not told what was heard before now.
    pub(crate) fn forget(&self, question: &Question) {
        self.0.lock().remove(question);
    }

    /// Forgets what does not count any more.
    pub(crate) fn sweep(&self) {
        self.0.lock().retain(|_, located| located.at.elapsed() < COUNTS);
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

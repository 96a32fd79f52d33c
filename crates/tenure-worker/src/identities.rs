//! Tokens with which the worker is known to clouds; the supervisor gives them when they are asked for.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tenure_core::Secret;
use tenure_proto::lifeline::Identity;
use tokio::sync::{mpsc, oneshot};

/// A token is not used for what may end after it.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// Questions that may wait for the worker's loop.
const WAITING: usize = 16;
/// The supervisor asks the API server, and may have no room for its answer: then whoever asks next asks it again.
const PATIENCE: Duration = Duration::from_secs(30);

type Answer = Result<Secret, String>;
type Question = (String, oneshot::Sender<Answer>);

/// Where passes ask.
pub(crate) struct Identities {
    ask: mpsc::Sender<Question>,
    kept: Mutex<HashMap<String, (Secret, Timestamp)>>,
}

/// Where the worker's loop hears it, and answers.
pub(crate) struct Asked {
    questions: mpsc::Receiver<Question>,
    waiting: HashMap<String, Vec<oneshot::Sender<Answer>>>,
}

/// Both ends.
pub(crate) fn pair() -> (Identities, Asked) {
    let (ask, questions) = mpsc::channel(WAITING);
    let identities = Identities {
        ask,
        kept: Mutex::default(),
    };
    let asked = Asked {
        questions,
        waiting: HashMap::new(),
    };
    (identities, asked)
}

impl Identities {
    /// Keeps what the supervisor has given.
    pub(crate) fn keep(&self, identity: &Identity) {
        let until = identity.expires_at.as_ref();
        let until = until.and_then(|at| Timestamp::from_second(at.seconds).ok());
        if let Some(until) = until.filter(|_| identity.refusal.is_empty()) {
            let token = Secret::from(identity.token.clone());
            self.kept.lock().insert(identity.audience.clone(), (token, until));
        }
    }

    fn kept(&self, audience: &str) -> Option<Secret> {
        let kept = self.kept.lock();
        let (token, until) = kept.get(audience)?;
        (until.duration_since(Timestamp::now()) > MARGIN).then(|| token.clone())
    }
}

#[async_trait]
impl tenure_controllers::Identities for Identities {
    async fn token(&self, audience: &str) -> Answer {
        if let Some(token) = self.kept(audience) {
            return Ok(token);
        }
        let ended = |_| "the worker ends".to_owned();
        let (answer, told) = oneshot::channel();
        let question = (audience.to_owned(), answer);
        self.ask
            .send(question)
            .await
            .map_err(|error| ended(error.to_string()))?;
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(told) => told.map_err(|error| ended(error.to_string()))?,
            Err(_) => Err("the supervisor did not answer in time".to_owned()),
        }
    }
}

impl Asked {
    /// The next audience that nobody has asked for yet; for ever when there is none. Cancel safe.
    pub(crate) async fn next(&mut self) -> String {
        loop {
            let Some((audience, answer)) = self.questions.recv().await else {
                return std::future::pending().await;
            };
            let waiting = self.waiting.entry(audience.clone()).or_default();
            waiting.retain(|other| !other.is_closed());
            waiting.push(answer);
            if waiting.len() == 1 {
                return audience;
            }
        }
    }

    /// Tells all who wait for it.
    pub(crate) fn told(&mut self, identity: &Identity) {
        for answer in self.waiting.remove(&identity.audience).into_iter().flatten() {
            let said = match identity.refusal.as_str() {
                "" => Ok(Secret::from(identity.token.clone())),
                refusal => Err(refusal.to_owned()),
            };
            // whoever has stopped waiting needs no answer
            answer.send(said).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_controllers::Identities as _;

    fn identity(seconds: i64, refusal: &str) -> Identity {
        let until = Timestamp::now().as_second() + seconds;
        Identity {
            audience: "cloud".to_owned(),
            token: "t0ken".to_owned(),
            expires_at: Some(prost_types::Timestamp {
                seconds: until,
                nanos: 0,
            }),
            refusal: refusal.to_owned(),
        }
    }

    #[tokio::test]
    async fn one_question_serves_all_who_ask_meanwhile_and_its_answer_all_who_ask_later() {
        let (identities, mut asked) = pair();
        let answered = async {
            let audience = asked.next().await;
            // the second one is taken in too, and asks nobody
            assert!(futures::poll!(Box::pin(asked.next())).is_pending());
            let given = identity(600, "");
            assert_eq!(audience, given.audience);
            identities.keep(&given);
            asked.told(&given);
        };
        let (one, two, ()) = tokio::join!(identities.token("cloud"), identities.token("cloud"), answered);
        for token in [one, two, identities.token("cloud").await] {
            assert_eq!(token.expect("a token").expose_str(), Some("t0ken"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_is_asked_for_again_by_the_next() {
        let (identities, mut asked) = pair();
        for _ in 0..2 {
            let (said, audience) = tokio::join!(identities.token("cloud"), asked.next());
            assert_eq!(audience, "cloud");
            assert!(said.expect_err("no answer").contains("did not answer"));
        }
    }

    #[tokio::test]
    async fn a_refusal_is_said_and_neither_it_nor_a_token_that_ends_is_kept() {
        let (identities, mut asked) = pair();
        for (given, expected) in [
            (identity(600, "no"), Err("no".to_owned())),
            (identity(30, ""), Ok(())),
        ] {
            let answered = async {
                asked.next().await;
                identities.keep(&given);
                asked.told(&given);
            };
            let (said, ()) = tokio::join!(identities.token("cloud"), answered);
            assert_eq!(said.map(drop), expected);
            assert!(identities.kept("cloud").is_none());
        }
    }
}

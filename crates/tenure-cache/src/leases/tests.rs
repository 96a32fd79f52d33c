use super::*;
use crate::Limits;
use crate::proof::Proofs;
use tenure_proto::source::{GitSpec, ResolveRequest, resolve_request};

const MINUTE: Duration = Duration::from_secs(60);
const RULES: Rules = Rules {
    longest: Duration::from_secs(600),
    shortest: Duration::from_secs(5),
};

fn name(text: &str) -> Name {
    Name::new(text).expect("valid")
}

fn ask(url: &str) -> Arc<Ask> {
    let spec = GitSpec {
        url: url.into(),
        ..GitSpec::default()
    };
    let request = ResolveRequest {
        spec: Some(resolve_request::Spec::Git(spec)),
        ..ResolveRequest::default()
    };
    let proofs = Proofs::new(MINUTE);
    Arc::new(Ask::read(&name("apps"), request, &Limits::default(), &proofs).expect("valid"))
}

/// A question that all who ask it with `credential` share.
fn question(ask: &Ask, credential: u8) -> Question {
    Question {
        fingerprint: [credential; 32],
        ..ask.question()
    }
}

struct Scene {
    leases: Leases,
    ask: Arc<Ask>,
}

fn scene() -> Scene {
    Scene {
        leases: Leases::new(RULES),
        ask: ask("https://host/app.git"),
    }
}

impl Scene {
    fn take(&self, home: &str, credential: u8, every: Duration) -> Option<Duration> {
        let asked = (question(&self.ask, credential), &self.ask);
        self.leases
            .take((&name(home), "GitRepository/app"), every, asked, "old".into())
    }

    fn due_in(&self, later: Duration) -> Vec<Due> {
        self.leases.due(Instant::now() + later)
    }
}

#[test]
fn a_lease_lasts_twice_the_interval_and_ten_minutes_at_most() {
    let scene = scene();
    assert_eq!(scene.take("a", 1, MINUTE), Some(MINUTE * 2));
    assert_eq!(scene.take("a", 1, MINUTE * 7), Some(MINUTE * 10));
    assert_eq!(scene.take("a", 1, MINUTE * 10), None, "it would be over first");
    assert_eq!(scene.take("a", 1, Duration::ZERO), None);
    assert_eq!(
        scene.take("a", 1, RULES.shortest / 2),
        None,
        "it is not asked so often"
    );
    assert_eq!(scene.leases.count(), 0, "and the earlier one is gone");
    let none = Leases::new(Rules {
        longest: Duration::ZERO,
        ..RULES
    });
    let asked = (question(&scene.ask, 1), &scene.ask);
    assert_eq!(none.take((&name("a"), "x"), MINUTE, asked, String::new()), None);
}

#[test]
fn equal_questions_are_asked_once_as_often_as_the_most_impatient_wants() {
    let scene = scene();
    for (home, credential, every) in [("a", 1, MINUTE * 4), ("b", 1, MINUTE), ("c", 2, MINUTE * 4)] {
        scene.take(home, credential, every);
    }
    assert!(scene.due_in(Duration::from_secs(50)).is_empty());
    let due = scene.due_in(Duration::from_secs(70));
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].homes, [name("a"), name("b")]);
    assert!(
        scene.due_in(Duration::from_secs(80)).is_empty(),
        "nobody asks while it is asked"
    );
    scene.leases.found(&due[0].question, "old");
    let due = scene.due_in(Duration::from_secs(115));
    assert!(due.is_empty(), "{} too early", due.len());
}

#[test]
fn what_moved_is_said_to_all_listeners_and_again_to_a_later_one() {
    let scene = scene();
    scene.take("a", 1, MINUTE);
    scene.take("b", 1, MINUTE);
    let question = question(&scene.ask, 1);
    let mut words = scene.leases.listen();
    scene.leases.found(&question, "old");
    assert!(words.try_recv().is_err());
    for _ in 0..2 {
        scene.leases.found(&question, "new");
    }
    let heard: Vec<String> = std::iter::from_fn(|| words.try_recv().ok())
        .map(|word| word.home)
        .collect();
    assert_eq!(heard, ["a", "b"]);
    scene.take("a", 1, MINUTE);
    let mut again = scene.leases.listen();
    // a has looked, and knows what it saw then
    assert_eq!(again.try_recv().expect("said again").home, "b");
    assert!(again.try_recv().is_err() && words.try_recv().is_err());
    scene.leases.found(&question, "newer");
    for listener in [&mut words, &mut again] {
        let heard = std::iter::from_fn(|| listener.try_recv().ok()).count();
        assert_eq!(heard, 2, "each supervisor hears of all homes");
    }
}

#[test]
fn a_hint_is_heeded_at_once_and_not_lost_while_the_remote_answers() {
    let scene = scene();
    scene.take("a", 1, MINUTE);
    scene.leases.hint("https://elsewhere:443/app.git");
    assert!(scene.due_in(Duration::ZERO).is_empty());
    scene.leases.hint(&scene.ask.name);
    let due = scene.due_in(Duration::ZERO);
    assert_eq!(due.len(), 1);
    scene.leases.hint(&scene.ask.name);
    scene.leases.found(&due[0].question, "old");
    assert!(scene.due_in(Duration::from_millis(1)).is_empty(), "not so often");
    assert_eq!(scene.due_in(BETWEEN_HINTS * 2).len(), 1);
}

#[test]
fn a_remote_that_fails_is_asked_less_often() {
    let scene = scene();
    scene.take("a", 1, MINUTE);
    let question = question(&scene.ask, 1);
    scene.leases.failed(&question, None);
    assert!(scene.due_in(Duration::from_secs(119)).is_empty());
    scene.take("a", 1, MINUTE * 4);
    scene.leases.failed(&question, Some(MINUTE * 9));
    assert!(scene.due_in(MINUTE * 7).is_empty(), "as long as it wants");
}

#[test]
fn leases_end_by_themselves_on_refusal_and_when_they_are_let_go() {
    let scene = scene();
    scene.take("a", 1, MINUTE);
    assert!(scene.due_in(MINUTE * 3).is_empty());
    assert_eq!(scene.leases.count(), 0);
    scene.take("a", 1, MINUTE);
    scene.leases.end(&name("a"), "GitRepository/app");
    assert_eq!(scene.leases.count(), 0);
    scene.take("a", 1, MINUTE);
    scene.take("b", 1, MINUTE);
    scene.leases.release(&name("a"), &scene.ask.name);
    assert_eq!(scene.leases.count(), 1);
    let mut words = scene.leases.listen();
    scene.leases.refused(&question(&scene.ask, 1));
    let word = words.try_recv().expect("b is told");
    assert!(word.home == "b" && word.revision.is_empty());
    assert_eq!((scene.leases.count(), scene.leases.next()), (0, None));
}

#[test]
fn a_home_cannot_fill_the_memory() {
    let scene = scene();
    for n in 0..PER_HOME + 5 {
        let asked = (question(&scene.ask, 1), &scene.ask);
        let subject = format!("GitRepository/{n}");
        scene
            .leases
            .take((&name("a"), &subject), MINUTE, asked, String::new());
    }
    assert_eq!(scene.leases.count(), PER_HOME);
    assert!(scene.take("b", 1, MINUTE).is_some());
}

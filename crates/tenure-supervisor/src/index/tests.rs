use super::entry::SUSPECT;
use super::*;

const KIND: FluxKind = FluxKind::KUSTOMIZATION;
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn meta(name: &str, generation: i64, resource_version: &str) -> Meta {
    Meta {
        name: name.into(),
        uid: "u".into(),
        generation,
        asked: None,
        deleting: false,
        resource_version: resource_version.into(),
    }
}

fn done(name: &str, outcome: Outcome, next_due: Option<i64>) -> Done {
    Done {
        object: Some(ObjectKey {
            group: KIND.group.into(),
            kind: KIND.kind.into(),
            name: name.into(),
        }),
        outcome: outcome.into(),
        next_due: next_due.map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
        ..Done::default()
    }
}

/// With the object `a`, which workers died over.
fn quarantined() -> Index {
    let mut index = Index::default();
    index.reset(KIND, vec![meta("a", 1, "1")]);
    for _ in 0..QUARANTINE {
        told(&mut index, NOW);
        index.worker_ended(true);
    }
    index
}

/// It says that it is left alone.
fn alone(name: &str) -> Done {
    Done {
        reason: reasons::QUARANTINED.to_owned(),
        ..done(name, Outcome::Stalled, None)
    }
}

/// What is told now, as `name:cause`.
fn told(index: &mut Index, now: Timestamp) -> Vec<String> {
    let name = |changed: Changed| {
        let cause = format!("{:?}", changed.cause());
        format!(
            "{}:{cause}",
            changed.object.map(|object| object.name).unwrap_or_default()
        )
    };
    index.take_due(now, usize::MAX).into_iter().map(name).collect()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::new(seconds, 0).expect("in range")
}

#[test]
fn an_object_is_due_when_new_changed_asked_for_or_deleted_but_not_for_its_status() {
    let mut index = Index::default();
    index.reset(KIND, vec![meta("a", 1, "1")]);
    assert_eq!(told(&mut index, NOW), ["a:Changed"], "new");
    index.done(&done("a", Outcome::Ready, None), NOW);

    index.apply(KIND, meta("a", 1, "2"));
    assert!(told(&mut index, NOW).is_empty(), "its status alone");

    for (what, changed) in [
        ("generation", meta("a", 2, "3")),
        (
            "asked for",
            Meta {
                asked: Some("x".into()),
                ..meta("a", 2, "4")
            },
        ),
        (
            "deletion",
            Meta {
                asked: Some("x".into()),
                deleting: true,
                ..meta("a", 2, "5")
            },
        ),
        (
            "another object of the same name",
            Meta {
                uid: "v".into(),
                ..meta("a", 2, "6")
            },
        ),
    ] {
        index.apply(KIND, changed);
        let cause = if what == "asked for" {
            "Requested"
        } else {
            "Changed"
        };
        assert_eq!(told(&mut index, NOW), [format!("a:{cause}")], "{what}");
        index.done(&done("a", Outcome::Ready, None), NOW);
    }
}

#[test]
fn an_object_is_due_again_when_its_time_comes_and_not_before() {
    let mut index = Index::default();
    index.apply(KIND, meta("a", 1, "1"));
    told(&mut index, NOW);
    assert_eq!(index.next_due(), None, "it is being worked on");
    index.done(&done("a", Outcome::Ready, Some(60)), NOW);
    assert_eq!(index.next_due(), Some(at(60)));
    assert!(!index.is_due(at(59)));
    assert_eq!(told(&mut index, at(60)), ["a:Due"]);
}

#[test]
fn a_time_in_the_past_does_not_make_a_busy_loop() {
    let mut index = Index::default();
    index.apply(KIND, meta("a", 1, "1"));
    told(&mut index, at(100));
    index.done(&done("a", Outcome::Failed, Some(5)), at(100));
    assert_eq!(index.next_due(), Some(at(101)));
}

#[test]
fn a_change_during_the_work_is_told_at_once_and_outlives_the_answer_to_the_first() {
    let mut index = Index::default();
    index.apply(KIND, meta("a", 1, "1"));
    told(&mut index, NOW);
    index.apply(KIND, meta("a", 2, "2"));
    index.done(&done("a", Outcome::Ready, None), NOW);
    assert_eq!(told(&mut index, NOW), ["a:Changed"]);
}

#[test]
fn idle_is_the_end_only_when_it_repeats_the_last_number() {
    let mut index = Index::default();
    index.apply(KIND, meta("a", 1, "1"));
    told(&mut index, NOW);
    index.apply(KIND, meta("b", 1, "1"));
    told(&mut index, NOW);
    assert!(!index.idle(1, b"m".to_vec()), "the second was on its way");
    assert!(index.idle(2, b"n".to_vec()));
    assert_eq!(index.memo(), b"n");
}

#[test]
fn what_a_worker_left_open_is_told_to_the_next() {
    let mut index = Index::default();
    index.reset(KIND, vec![meta("a", 1, "1"), meta("b", 1, "1")]);
    told(&mut index, NOW);
    index.done(&done("a", Outcome::Ready, None), NOW);
    index.worker_ended(true);
    assert_eq!(told(&mut index, NOW), ["b:Retry"]);
    assert_eq!(index.sequence(), 1, "numbers count per lifeline");
}

#[test]
fn an_object_that_kills_workers_is_left_alone_until_it_changes_and_the_rest_goes_on() {
    let mut index = Index::default();
    index.reset(KIND, vec![meta("bad", 1, "1"), meta("good", 1, "1")]);
    for _ in 0..SUSPECT {
        assert_eq!(told(&mut index, NOW).len(), 2, "nobody knows yet which it is");
        index.worker_ended(true);
    }
    for _ in SUSPECT..QUARANTINE {
        assert_eq!(told(&mut index, NOW), ["bad:Retry"], "alone");
        index.worker_ended(true);
    }
    assert_eq!(told(&mut index, NOW), ["bad:LeftAlone"]);
    index.done(&alone("bad"), NOW);
    assert_eq!(told(&mut index, NOW), ["good:Retry"]);
    index.done(&done("good", Outcome::Ready, None), NOW);
    assert!(!index.is_due(at(1 << 30)));
    assert_eq!(index.counts().quarantined, 1);

    index.apply(KIND, meta("bad", 2, "9"));
    assert_eq!(told(&mut index, NOW), ["bad:Changed"]);
}

#[test]
fn a_worker_is_told_of_a_deletion_but_none_is_woken_for_it() {
    let mut index = Index::default();
    index.apply(KIND, meta("a", 1, "1"));
    told(&mut index, NOW);
    index.done(&done("a", Outcome::Ready, None), NOW);
    index.reset(KIND, vec![]);
    assert!(!index.is_due(NOW));
    assert_eq!(index.next_due(), None);
    assert_eq!(index.counts().objects, 0);
    assert_eq!(told(&mut index, NOW), ["a:Changed"]);
    index.done(&done("a", Outcome::Gone, None), NOW);
    assert!(told(&mut index, NOW).is_empty());
}

#[test]
fn no_more_is_told_than_there_is_room_for() {
    let mut index = Index::default();
    index.reset(KIND, (0..10).map(|n| meta(&n.to_string(), 1, "1")).collect());
    assert_eq!(index.take_due(NOW, 4).len(), 4);
    assert!(index.is_due(NOW));
    assert_eq!(index.take_due(NOW, 100).len(), 6);
}

#[test]
fn what_a_drained_worker_did_not_begin_is_told_to_the_next() {
    let mut index = Index::default();
    index.reset(KIND, vec![meta("a", 1, "1"), meta("b", 1, "1")]);
    told(&mut index, NOW);
    index.done(&done("a", Outcome::Ready, None), NOW);
    assert!(index.drained(2, vec![]));
    index.worker_ended(false);
    assert_eq!(told(&mut index, NOW), ["b:Retry"]);
    assert!(!index.has_blame(), "an orderly end blames nobody");
}

#[test]
fn an_answer_to_the_first_of_two_messages_does_not_answer_the_second() {
    let mut index = Index::default();
    index.apply(KIND, meta("a", 1, "1"));
    told(&mut index, NOW);
    index.apply(KIND, meta("a", 2, "2"));
    told(&mut index, NOW);
    index.done(&done("a", Outcome::Ready, None), NOW);
    index.worker_ended(true);
    assert_eq!(told(&mut index, NOW), ["a:Retry"]);
}

#[test]
fn what_must_wait_for_a_suspect_is_not_waited_for_in_a_loop() {
    let mut index = Index::default();
    index.reset(KIND, vec![meta("bad", 1, "1")]);
    for _ in 0..SUSPECT {
        told(&mut index, NOW);
        index.worker_ended(true);
    }
    told(&mut index, NOW);
    index.apply(KIND, meta("good", 1, "1"));
    assert!(told(&mut index, NOW).is_empty());
    assert_eq!(index.next_due(), None, "the suspect's answer is the next event");
}

fn woken(name: &str) -> Woken {
    Woken {
        object: done(name, Outcome::Unspecified, None).object,
    }
}

#[test]
fn what_a_worker_took_up_by_itself_is_told_to_the_next_one_when_it_dies() {
    let mut index = Index::default();
    index.reset(KIND, vec![meta("a", 1, "1"), meta("b", 1, "1")]);
    told(&mut index, NOW);
    index.done(&done("b", Outcome::Ready, None), NOW);
    index.woken(&woken("b"));
    index.done(&done("a", Outcome::Ready, None), NOW);
    index.worker_ended(true);
    assert_eq!(told(&mut index, NOW), ["b:Retry"], "and only that");
}

#[test]
fn what_a_worker_took_up_and_ended_is_not_told_again() {
    let mut index = Index::default();
    index.reset(KIND, vec![meta("a", 1, "1")]);
    told(&mut index, NOW);
    index.woken(&woken("a"));
    index.woken(&woken("a"));
    index.done(&done("a", Outcome::Ready, None), NOW);
    assert!(index.idle(index.sequence(), Vec::new()), "nothing is left of it");
    index.worker_ended(false);
    assert!(told(&mut index, NOW).is_empty());
}

#[test]
fn other_rules_make_everything_due_and_forgive_the_quarantined() {
    let mut index = quarantined();
    assert_eq!(index.quarantined(), ["Kustomization/a"]);
    assert_eq!(told(&mut index, NOW), ["a:LeftAlone"]);
    index.done(&alone("a"), NOW);
    assert!(told(&mut index, NOW).is_empty());
    index.rules_changed();
    assert_eq!(told(&mut index, NOW), ["a:Changed"]);
}

#[test]
fn what_is_left_alone_is_told_once_to_say_so_and_stays_alone_whatever_comes_of_that() {
    for dies in [false, true] {
        let mut index = quarantined();
        assert!(index.is_due(NOW), "it is worth a worker");
        assert_eq!(told(&mut index, NOW), ["a:LeftAlone"]);
        match dies {
            true => index.worker_ended(true),
            false => index.done(&alone("a"), NOW),
        }
        assert!(told(&mut index, NOW).is_empty(), "dies: {dies}");
        assert_eq!(index.quarantined(), ["Kustomization/a"], "dies: {dies}");
        let mut asked = meta("a", 1, "2");
        asked.asked = Some("now".into());
        index.apply(KIND, asked);
        assert_eq!(told(&mut index, NOW), ["a:Requested"], "dies: {dies}");
    }
}

#[test]
fn what_is_left_alone_says_so_later_if_it_can_t_now_and_is_not_forgiven_for_that() {
    let mut index = quarantined();
    told(&mut index, NOW);
    let unwritten = Done {
        next_due: Some(prost_types::Timestamp {
            seconds: 60,
            nanos: 0,
        }),
        ..alone("a")
    };
    index.done(&unwritten, NOW);
    assert!(told(&mut index, at(59)).is_empty());
    assert_eq!(told(&mut index, at(60)), ["a:LeftAlone"]);
    index.worker_ended(false);
    assert_eq!(told(&mut index, at(61)), ["a:LeftAlone"], "nobody had begun it");
    index.done(&alone("a"), at(61));
    assert!(told(&mut index, at(1 << 30)).is_empty());
    assert_eq!(index.quarantined(), ["Kustomization/a"]);
}

#[test]
fn what_is_left_alone_has_one_more_try_if_its_source_moved_while_a_worker_died_over_it() {
    let woken = |index: &mut Index| {
        let object = done("a", Outcome::Ready, None).object;
        index.woken(&Woken { object });
    };
    let mut index = quarantined();
    told(&mut index, NOW);
    index.done(&alone("a"), NOW);
    woken(&mut index);
    index.worker_ended(true);
    assert!(told(&mut index, NOW).is_empty(), "that was its try");
    woken(&mut index);
    woken(&mut index);
    index.worker_ended(true);
    assert_eq!(told(&mut index, NOW), ["a:Retry"]);
    index.worker_ended(true);
    assert_eq!(index.quarantined(), ["Kustomization/a"]);
    woken(&mut index);
    index.done(&done("a", Outcome::Ready, None), NOW);
    assert!(index.quarantined().is_empty());
}

#[test]
fn what_somebody_waits_for_is_told_before_all_else() {
    let mut index = Index::default();
    index.apply(KIND, meta("z", 1, "1"));
    told(&mut index, NOW);
    index.done(&done("z", Outcome::Ready, None), NOW);
    for name in ["a", "b", "c"] {
        index.apply(KIND, meta(name, 1, "1"));
    }
    for name in ["z", "c"] {
        let mut asked = meta(name, 1, "2");
        asked.asked = Some("now".into());
        index.apply(KIND, asked);
    }
    assert!(index.is_requested());
    let order = ["c:Requested", "z:Requested", "a:Changed", "b:Changed"];
    assert_eq!(told(&mut index, NOW), order);
    assert!(!index.is_requested());
}

#[test]
fn an_object_over_a_limit_is_named_until_it_is_not() {
    let mut index = Index::default();
    index.reset(KIND, (0..7).map(|n| meta(&n.to_string(), 1, "1")).collect());
    let over = |name: &str, limit: &str| Done {
        limit: limit.to_owned(),
        ..done(name, Outcome::Failed, None)
    };
    for name in 0..7 {
        index.done(&over(&name.to_string(), "spec.limits.objects"), NOW);
    }
    let named = index.over_limits();
    assert_eq!(named.len(), 6);
    assert_eq!(
        (&*named[0], &*named[5]),
        ("Kustomization/0: spec.limits.objects", "2 more")
    );
    for name in 1..6 {
        index.done(&done(&name.to_string(), Outcome::Ready, None), NOW);
    }
    index.delete(KIND, "6");
    index.done(&over("0", "no field of a Tenant"), NOW);
    assert!(index.over_limits().is_empty(), "a worker makes up no limits");
}

#[test]
fn an_answer_to_what_was_told_before_does_not_stand_for_what_was_told_since() {
    let mut index = Index::default();
    index.apply(KIND, meta("app", 1, "1"));
    assert_eq!(told(&mut index, NOW), ["app:Changed"]);
    let first = index.sequence();
    // deleted, and made again under the same name
    index.delete(KIND, "app");
    let mut again = meta("app", 1, "5");
    again.uid = "v".into();
    index.apply(KIND, again);
    assert_eq!(told(&mut index, NOW), ["app:Changed"]);
    let gone = Done {
        up_to_sequence: first,
        ..done("app", Outcome::Gone, None)
    };
    index.done(&gone, NOW);
    index.worker_ended(true);
    assert_eq!(
        told(&mut index, NOW),
        ["app:Retry"],
        "nobody has looked at the new one"
    );
}

#[test]
fn thousands_that_fail_wait_for_each_other_and_what_changes_waits_for_none_of_them() {
    let mut index = Index::default();
    index.reset(KIND, (0..5000).map(|n| meta(&n.to_string(), 1, "1")).collect());
    assert_eq!(told(&mut index, NOW).len(), 5000, "the first time is for all");
    for name in 0..5000 {
        index.done(&done(&name.to_string(), Outcome::Failed, Some(0)), NOW);
    }
    assert!(!index.is_held(NOW));

    let mut now = at(60);
    assert_eq!(told(&mut index, now).len(), 51, "a burst");
    assert!(index.is_held(now));
    assert!(!index.is_due(now));
    assert_eq!(index.next_due(), Some(now + SignedDuration::from_millis(200)));
    let mut again = 0;
    for _ in 0..100 {
        now += SignedDuration::from_millis(100);
        let names = told(&mut index, now);
        again += names.len();
    }
    assert_eq!(again, 50, "five a second");

    index.apply(KIND, meta("new", 1, "9"));
    assert_eq!(told(&mut index, now), ["new:Changed"]);
    index.pace(6000);
    assert_eq!(told(&mut index, now).len(), 51, "another pace begins anew");
    assert_eq!(told(&mut index, now + SignedDuration::from_millis(100)).len(), 10);
    assert!(
        !index.is_held(at(1000)),
        "it is over when nothing was held back for a minute"
    );
}

#[test]
fn other_rules_let_all_that_is_well_be_looked_at_at_once_and_what_fails_in_its_turn() {
    let mut index = Index::default();
    index.reset(KIND, (0..200).map(|n| meta(&n.to_string(), 1, "1")).collect());
    told(&mut index, NOW);
    for name in 0..200 {
        let outcome = if name < 100 {
            Outcome::Ready
        } else {
            Outcome::Failed
        };
        index.done(&done(&name.to_string(), outcome, None), NOW);
    }
    index.rules_changed();
    assert_eq!(told(&mut index, at(60)).len(), 100 + 51);
    // one that is changed itself waits for no turn
    index.apply(KIND, meta("199", 2, "2"));
    assert_eq!(told(&mut index, at(60)), ["199:Changed"]);
}

#[test]
fn what_is_ready_may_be_looked_at_ten_times_as_often() {
    let mut index = Index::default();
    index.reset(KIND, (0..5000).map(|n| meta(&n.to_string(), 1, "1")).collect());
    told(&mut index, NOW);
    for name in 0..5000 {
        index.done(&done(&name.to_string(), Outcome::Ready, Some(0)), NOW);
    }
    assert_eq!(told(&mut index, at(60)).len(), 501);
    assert_eq!(told(&mut index, at(70)).len(), 500);
}

#[test]
fn whoever_asks_for_one_object_all_the_time_gets_it_once_a_second() {
    let mut index = Index::default();
    index.apply(KIND, meta("a", 1, "1"));
    let mut begun = 0;
    for tick in 0..6000_i32 {
        let now = NOW + SignedDuration::from_millis(20) * tick;
        let asked = Meta {
            asked: Some(tick.to_string()),
            ..meta("a", 1, "1")
        };
        index.apply(KIND, asked);
        begun += told(&mut index, now).len();
        index.done(&done("a", Outcome::Ready, None), now);
        if tick == 5 {
            assert_eq!(begun, 6, "as often as a person does, at once");
        }
    }
    assert!((130..=150).contains(&begun), "{begun} times in two minutes");
    assert!(index.is_held(at(120)));
    // the last request is not lost
    let next = index.next_due().expect("it is asked for");
    assert!(next <= at(122), "{next}");
    assert_eq!(told(&mut index, next).len(), 1);
}

/// Resident memory of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("a number");
    pages * 4096
}

/// In a process of its own: what other tests use must not count.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test, which starts itself")]
fn ninety_two_thousand_objects_in_ten_thousand_homes_take_at_most_32_mib() {
    const ALONE: &str = "TENURE_TEST_ALONE";
    let name = "index::tests::ninety_two_thousand_objects_in_ten_thousand_homes_take_at_most_32_mib";
    if std::env::var_os(ALONE).is_none() {
        let program = std::env::current_exe().expect("known");
        let output = std::process::Command::new(program)
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env(ALONE, "1")
            .output()
            .expect("started");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let before = resident();
    let mut homes = Vec::with_capacity(10_000);
    for home in 0..10_000_u64 {
        let mut index = Index::default();
        for object in 0..(if home % 5 == 0 { 10 } else { 9 }) {
            let number = home * 10 + object;
            let name = format!("application-{object}");
            let of = Meta {
                uid: format!("6ba7b810-9dad-11d1-80b4-{number:012x}").into(),
                resource_version: (1_000_000 + number).to_string().into(),
                ..meta(&name, 1, "1")
            };
            index.apply(KIND, of);
        }
        told(&mut index, NOW);
        for object in 0..10 {
            let name = format!("application-{object}");
            index.done(&done(&name, Outcome::Ready, Some(600)), NOW);
        }
        index.idle(index.sequence(), Vec::new());
        homes.push(index);
    }
    let objects: i64 = homes.iter().map(|index| index.counts().objects).sum();
    assert_eq!(objects, 92_000);
    let used = resident().saturating_sub(before);
    assert!(used > 8 << 20, "{used} bytes can't be all");
    assert!(used <= 32 << 20, "{used} bytes");
}

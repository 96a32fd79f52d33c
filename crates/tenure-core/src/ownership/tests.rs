use super::*;

fn seconds(seconds: u64) -> Moment {
    Duration::from_secs(seconds)
}

fn record(identity: &str, version: &str, seen: &[&str]) -> Record {
    Record {
        identity: identity.to_owned(),
        version: version.to_owned(),
        holder: format!("{identity}/x-0").parse().ok(),
        seen: seen.iter().filter_map(|member| member.parse().ok()).collect(),
    }
}

fn write_of(step: Step) -> Write {
    match step {
        Step::Write(write) => write,
        step => panic!("{step:?} instead of a write"),
    }
}

/// Joins at `now`, whom these others have seen or not.
fn join(now: Moment, others: &[Record]) -> Ownership {
    let mut us = Ownership::new("us", "p", Times::default());
    assert_eq!(us.next(now), Step::Look);
    us.looked(now, now, others.to_vec());
    let write = write_of(us.next(now));
    assert_eq!(write.version, None);
    us.wrote(&write, now, now, Written::Done("1".to_owned()));
    assert_eq!(us.next(now), Step::Look);
    us
}

fn renew(us: &mut Ownership, now: Moment, version: &str) {
    let write = write_of(us.next(now));
    us.wrote(&write, now, now, Written::Done(version.to_owned()));
}

/// A list with our own Lease in it.
fn list(own: &str, others: &[Record]) -> Vec<Record> {
    let mut all = others.to_vec();
    let mut own = record("us", own, &[]);
    own.holder = "us/p-0".parse().ok();
    all.push(own);
    all
}

#[test]
fn a_newcomer_has_nothing_until_everybody_has_seen_it() {
    let others = [record("a", "7", &[]), record("b", "8", &["us/p-0"])];
    let mut us = join(seconds(0), &others);
    us.looked(seconds(0), seconds(0), list("1", &others));
    assert_eq!(us.owed().map(Member::to_string).collect::<Vec<_>>(), ["a/x-0"]);
    assert!(us.ours(seconds(0)).1.is_empty());
    assert_eq!((us.members(), us.next(seconds(0))), (3, Step::Wait(seconds(1))));
    let others = [record("a", "9", &["us/p-0"]), others[1].clone()];
    us.heard(seconds(0), &others[0]);
    assert_eq!(us.next(seconds(0)), Step::Look);
    us.looked(seconds(0), seconds(0), list("1", &others));
    let ours = us.ours(seconds(0)).1;
    let theirs = Buckets::preferring("a", "us").and(&Buckets::preferring("b", "us"));
    assert_eq!(ours, Buckets::ALL.without(&theirs));
}

#[test]
fn a_newcomer_is_seen_when_what_it_gets_has_stopped() {
    let mut us = join(seconds(0), &[]);
    us.looked(seconds(0), seconds(0), list("1", &[]));
    let (all, _) = us.ours(seconds(0));
    let others = [record("a", "7", &[])];
    us.heard(seconds(1), &others[0]);
    assert_eq!(us.next(seconds(1)), Step::Look);
    us.looked(seconds(1), seconds(1), list("1", &others));
    let (less, ours) = us.ours(seconds(1));
    assert_eq!(ours, Buckets::preferring("us", "a"));
    us.settled(all);
    assert!(matches!(us.next(seconds(1)), Step::Wait(_)), "it still stops");
    us.settled(less);
    let write = write_of(us.next(seconds(1)));
    assert_eq!(
        write.seen.iter().map(Member::to_string).collect::<Vec<_>>(),
        ["a/x-0"]
    );
}

#[test]
fn a_member_is_dead_when_a_read_that_was_sent_a_lease_later_shows_no_change() {
    let others = [record("a", "7", &[])];
    // whether it is listed makes no difference
    for listed in [&others[..], &[]] {
        let mut us = join(seconds(100), &others);
        us.looked(seconds(100), seconds(100), list("1", &others));
        for (at, version) in [(110, "2"), (120, "3")] {
            renew(&mut us, seconds(at), version);
        }
        us.looked(seconds(129), seconds(135), list("3", listed));
        assert_eq!(us.owed().count(), 1, "that was read too early");
        us.looked(seconds(130), seconds(136), list("3", listed));
        assert_eq!((us.owed().count(), us.members()), (0, 1));
        assert_eq!(us.ours(seconds(136)).1, Buckets::ALL);
    }
}

#[test]
fn a_lease_is_unchanged_since_a_watch_showed_it() {
    let mut us = join(seconds(100), &[record("a", "7", &[])]);
    us.heard(seconds(105), &record("a", "8", &[]));
    let others = [record("a", "8", &[])];
    us.looked(seconds(110), seconds(110), list("1", &others));
    for (at, version) in [(111, "2"), (122, "3"), (133, "4")] {
        renew(&mut us, seconds(at), version);
    }
    us.looked(seconds(134), seconds(134), list("4", &others));
    assert_eq!(us.owed().count(), 1, "that was read too early");
    us.looked(seconds(135), seconds(135), list("4", &others));
    assert_eq!(us.owed().count(), 0);
}

#[test]
fn whoever_gave_up_is_not_brought_back_by_an_answer() {
    let mut us = join(seconds(0), &[]);
    us.looked(seconds(0), seconds(0), list("1", &[]));
    let (_, ours) = us.ours(seconds(0));
    assert_eq!((ours, us.over_at()), (Buckets::ALL, Some(seconds(27))));
    let renew = write_of(us.next(seconds(19)));
    // the time of that renewal is not over, but there was a while without one
    us.wrote(&renew, seconds(19), seconds(38), Written::Done("2".to_owned()));
    let (nothing, ours) = us.ours(seconds(38));
    assert!(ours.is_empty());
    us.looked(seconds(38), seconds(38), list("2", &[]));
    assert!(
        matches!(us.next(seconds(38)), Step::Wait(_)),
        "something may still run"
    );
    us.settled(nothing);
    let write = write_of(us.next(seconds(38)));
    assert_eq!(write.holder.map(|us| us.to_string()).as_deref(), Some("us/p-1"));
}

#[test]
fn whose_lease_was_deleted_has_nothing_any_more() {
    let mut us = join(seconds(0), &[]);
    us.looked(seconds(0), seconds(0), list("1", &[]));
    assert_eq!(us.ours(seconds(0)).1, Buckets::ALL);
    // whoever joins now does not see it
    us.looked(seconds(5), seconds(5), []);
    assert!(us.ours(seconds(5)).1.is_empty() && us.over_at().is_none());
}

#[test]
fn an_incarnation_whose_first_write_was_not_answered_is_not_used_again() {
    let mut us = Ownership::new("us", "p", Times::default());
    us.looked(seconds(0), seconds(0), []);
    let write = write_of(us.next(seconds(0)));
    us.wrote(&write, seconds(0), seconds(3), Written::Unknown);
    assert_eq!(us.next(seconds(3)), Step::Wait(seconds(4)));
    us.looked(seconds(4), seconds(4), list("1", &[]));
    let again = write_of(us.next(seconds(4)));
    assert_eq!(again.version.as_deref(), Some("1"));
    assert_ne!(again.holder, write.holder);
}

#[test]
fn whoever_leaves_keeps_its_lease_until_everything_has_stopped() {
    let mut us = join(seconds(0), &[]);
    us.looked(seconds(0), seconds(0), list("1", &[]));
    us.ours(seconds(0));
    us.leave();
    let (nothing, ours) = us.ours(seconds(1));
    assert!(ours.is_empty());
    us.looked(seconds(10), seconds(10), list("1", &[]));
    let renew = write_of(us.next(seconds(10)));
    assert!(renew.holder.is_some());
    us.wrote(&renew, seconds(10), seconds(10), Written::Done("2".to_owned()));
    us.settled(nothing);
    let leave = write_of(us.next(seconds(11)));
    assert_eq!((leave.version.as_deref(), &leave.holder), (Some("2"), &None));
    us.wrote(&leave, seconds(11), seconds(11), Written::Done("3".to_owned()));
    assert_eq!(us.next(seconds(11)), Step::Left);
}

#[test]
fn whoever_has_not_begun_to_join_has_nothing_to_leave() {
    let mut us = Ownership::new("us", "p", Times::default());
    us.look_failed(seconds(0));
    assert_eq!(us.next(seconds(0)), Step::Wait(seconds(1)));
    us.leave();
    assert_eq!(us.next(seconds(0)), Step::Left);
}

#[test]
fn two_of_one_identity_are_noticed_by_the_first() {
    let mut us = join(seconds(0), &[]);
    us.looked(seconds(0), seconds(0), list("1", &[]));
    us.looked(seconds(5), seconds(5), [record("us", "2", &[])]);
    assert_eq!(us.next(seconds(5)), Step::Superseded);
    assert!(us.ours(seconds(5)).1.is_empty());
}

#[test]
fn a_member_is_written_as_it_is_read() {
    let member: Member = "pod-1/abc-3".parse().expect("a member");
    assert_eq!(member.to_string(), "pod-1/abc-3");
    for wrong in ["", "pod", "/x", "pod/"] {
        assert_eq!(wrong.parse::<Member>(), Err(MemberError(wrong.to_owned())));
    }
}

use tenure_api::{ConditionStatus, get};

use super::*;

fn tenant(spec: serde_json::Value) -> Tenant {
    let value = serde_json::json!({"metadata": {"name": "dev-team", "generation": 2}, "spec": spec});
    serde_json::from_value(value).expect("a tenant")
}

fn report() -> Report {
    Report {
        tenant: "dev-team".into(),
        phase: "Dormant",
        counts: Counts::default(),
        onboarded: true,
        trouble: Vec::new(),
        last_error: None,
        sandbox: Some(Sandboxed {
            granted: vec!["no_new_privs".into(), "landlock:7".into()],
            missing: Vec::new(),
        }),
        hindered: None,
        quarantined: Vec::new(),
        held: false,
        over_budget: None,
        over_limit: Vec::new(),
        legacy: false,
    }
}

fn of(tenant: &Tenant, reports: &[Report], lost: Vec<Lost>, now: Timestamp) -> TenantStatus {
    let home: Name = "home".parse().expect("a name");
    let reports = reports
        .iter()
        .map(|report| (home.clone(), report.clone()))
        .collect();
    with_at(tenant, &reports, lost, vec![], now)
}

fn with(
    tenant: &Tenant,
    reports: &BTreeMap<Name, Report>,
    lost: Vec<Lost>,
    strays: Vec<Lost>,
) -> TenantStatus {
    with_at(tenant, reports, lost, strays, Timestamp::UNIX_EPOCH)
}

fn with_at(
    tenant: &Tenant,
    reports: &BTreeMap<Name, Report>,
    lost: Vec<Lost>,
    strays: Vec<Lost>,
    now: Timestamp,
) -> TenantStatus {
    status(
        &Facts {
            tenant,
            lost,
            strays,
            unread: None,
            reports,
            minor: 36,
            constrained: true,
            tasks: false,
            pods: false,
        },
        now,
    )
}

fn ready(status: &TenantStatus) -> (ConditionStatus, String) {
    let ready = get(&status.conditions, READY).expect("always said");
    (ready.status, ready.reason.clone())
}

#[test]
fn ready_says_the_first_thing_that_is_in_the_way() {
    let plain = serde_json::json!({"namespaces": ["home"]});
    let suspended = serde_json::json!({"namespaces": ["home"], "suspend": true});
    let invalid = serde_json::json!({"namespaces": []});
    let trouble = Report {
        trouble: vec!["no right to list".into()],
        ..report()
    };
    let failing = Report {
        phase: "Failing",
        last_error: Some("signal 9".into()),
        ..report()
    };
    let waiting = Report {
        onboarded: false,
        ..report()
    };
    let lost = Lost {
        home: "home".parse().expect("a name"),
        to: "older".into(),
    };
    for (what, spec, reports, lost, expected, reason) in [
        (
            "all is well",
            &plain,
            vec![report()],
            vec![],
            ConditionStatus::True,
            "Served",
        ),
        (
            "nothing heard yet",
            &plain,
            vec![],
            vec![],
            ConditionStatus::Unknown,
            "Progressing",
        ),
        (
            "not listed yet",
            &plain,
            vec![waiting],
            vec![],
            ConditionStatus::Unknown,
            "Progressing",
        ),
        (
            "a right is missing",
            &plain,
            vec![trouble],
            vec![],
            ConditionStatus::False,
            "NotOnboarded",
        ),
        (
            "another has the home",
            &plain,
            vec![],
            vec![lost],
            ConditionStatus::False,
            "NotOnboarded",
        ),
        (
            "a worker fails",
            &plain,
            vec![failing],
            vec![],
            ConditionStatus::False,
            "WorkerFailed",
        ),
        (
            "suspended",
            &suspended,
            vec![report()],
            vec![],
            ConditionStatus::False,
            "TenantSuspended",
        ),
        (
            "no home",
            &invalid,
            vec![],
            vec![],
            ConditionStatus::False,
            "Invalid",
        ),
    ] {
        let status = of(&tenant(spec.clone()), &reports, lost, Timestamp::UNIX_EPOCH);
        assert_eq!(ready(&status), (expected, reason.to_owned()), "{what}");
    }
}

#[test]
fn a_status_is_the_same_while_nothing_changes_though_workers_come_and_go() {
    let mut tenant = tenant(serde_json::json!({"namespaces": ["home"]}));
    let first = of(&tenant, &[report()], vec![], Timestamp::UNIX_EPOCH);
    tenant.status = Some(first.clone());
    let later = Timestamp::new(1000, 0).expect("in range");
    let awake = Report {
        phase: "Awake",
        ..report()
    };
    assert_eq!(of(&tenant, &[awake], vec![], later), first);
}

#[test]
fn isolation_is_true_only_with_all_that_is_asked_of_the_kernel() {
    let tenant = tenant(serde_json::json!({"namespaces": ["home"]}));
    let bare = Report {
        sandbox: Some(Sandboxed {
            granted: vec!["no_new_privs".into()],
            missing: vec!["landlock: NotImplemented".into()],
        }),
        ..report()
    };
    for (report, expected) in [(report(), ConditionStatus::True), (bare, ConditionStatus::False)] {
        let status = of(&tenant, &[report], vec![], Timestamp::UNIX_EPOCH);
        assert_eq!(
            get(&status.conditions, "Isolation").expect("known").status,
            expected
        );
    }
}

#[test]
fn a_limit_that_is_gone_over_is_named_and_taken_back_and_nobody_else_hears_of_it() {
    let mut tenant = tenant(serde_json::json!({"namespaces": ["home"]}));
    let within = |status: &TenantStatus| {
        get(&status.conditions, "WithinLimits")
            .map(|condition| (condition.status, condition.message.contains("home: ")))
    };
    let of = |tenant: &Tenant, held| {
        of(
            tenant,
            &[Report { held, ..report() }],
            vec![],
            Timestamp::UNIX_EPOCH,
        )
    };
    assert_eq!(within(&of(&tenant, false)), None);
    let over = of(&tenant, true);
    assert_eq!(within(&over), Some((ConditionStatus::False, true)));
    assert_eq!(
        get(&over.conditions, READY).expect("known").status,
        ConditionStatus::True
    );
    tenant.status = Some(over);
    assert_eq!(within(&of(&tenant, false)), Some((ConditionStatus::True, false)));
}

#[test]
fn objects_over_a_limit_are_named_by_home_and_readiness_is_not_theirs() {
    let tenant = tenant(serde_json::json!({"namespaces": ["home"]}));
    let report = Report {
        over_limit: vec!["Kustomization/app: spec.limits.objects".into()],
        held: true,
        ..report()
    };
    let status = of(&tenant, &[report], vec![], Timestamp::UNIX_EPOCH);
    let within = get(&status.conditions, "WithinLimits").expect("it is said");
    assert_eq!(
        (within.status, &*within.reason),
        (ConditionStatus::False, "LimitExceeded")
    );
    assert!(
        within
            .message
            .ends_with("home: Kustomization/app: spec.limits.objects"),
        "{}",
        within.message
    );
    assert_eq!(ready(&status).0, ConditionStatus::True);
}

#[test]
fn a_right_that_has_no_limits_is_no_constrained_impersonation() {
    let tenant = tenant(serde_json::json!({"namespaces": ["home"]}));
    for (legacy, reason) in [(false, "Supported"), (true, "LegacyRightsHeld")] {
        let report = Report { legacy, ..report() };
        let status = of(&tenant, &[report], vec![], Timestamp::UNIX_EPOCH);
        let said = get(&status.conditions, "ConstrainedImpersonation").expect("it is said");
        assert_eq!(said.reason, reason);
        assert_eq!(said.message.contains("in home, "), legacy, "{}", said.message);
    }
}

#[test]
fn what_the_kernel_of_one_home_lacks_is_said_whatever_the_others_have() {
    let tenant = tenant(serde_json::json!({"namespaces": ["a", "b"]}));
    let bare = Sandboxed {
        granted: vec!["no_new_privs".into()],
        missing: vec!["landlock: NotImplemented".into()],
    };
    let second = Report {
        sandbox: Some(bare),
        ..report()
    };
    let names = ["a", "b"].map(|name| name.parse().expect("a name"));
    let reports = names.into_iter().zip([report(), second]).collect();
    let status = with(&tenant, &reports, vec![], vec![]);
    let said = get(&status.conditions, "Isolation").expect("it is said");
    assert_eq!((said.status, &*said.reason), (ConditionStatus::False, "Partial"));
    assert!(
        said.message.contains("b: landlock: NotImplemented"),
        "{}",
        said.message
    );
}

#[test]
fn a_target_that_is_anothers_home_is_named_until_it_is_none() {
    let mut tenant = tenant(serde_json::json!({"namespaces": ["home"], "targets": ["theirs"]}));
    let reports = BTreeMap::from([("home".parse().expect("a name"), report())]);
    let apart = |status: &TenantStatus| {
        get(&status.conditions, "TargetsApart")
            .map(|said| (said.status, said.message.contains("theirs of Tenant other")))
    };
    assert_eq!(apart(&with(&tenant, &reports, vec![], vec![])), None);
    let stray = Lost {
        home: "theirs".parse().expect("a name"),
        to: "other".into(),
    };
    let said = with(&tenant, &reports, vec![], vec![stray]);
    assert_eq!(apart(&said), Some((ConditionStatus::False, true)));
    tenant.status = Some(said);
    assert_eq!(
        apart(&with(&tenant, &reports, vec![], vec![])),
        Some((ConditionStatus::True, false))
    );
}

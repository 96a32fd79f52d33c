use std::collections::BTreeMap;

use serde::Deserialize;
use tenure_core::Digest;

use super::{Candidate, Identity, RootError, Signer, TrustedRoot, verify_keyless};
use crate::cosign::VerifyError;

/// What was signed with Sigstore's own libraries, and what cosign says of it; see `tests/fixtures/keyless`.
#[derive(Deserialize)]
struct Made {
    roots: BTreeMap<String, serde_json::Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    root: String,
    identities: Vec<Allowed>,
    candidate: Held,
    /// Why cosign refuses it; empty if it does not.
    cosign: String,
}

#[derive(Deserialize)]
struct Allowed {
    issuer: String,
    subject: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    media_type: String,
    annotations: BTreeMap<String, String>,
    payload: String,
}

impl Held {
    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            media_type: &self.media_type,
            annotations: &self.annotations,
            payload: self.payload.as_bytes(),
        }
    }
}

impl Made {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../../tests/fixtures/keyless.json")).expect("the fixture")
    }

    fn root(&self, name: &str) -> TrustedRoot {
        let root = self.roots.get(name).expect("a root of that name");
        TrustedRoot::from_json(root.to_string().as_bytes()).expect("a trusted root")
    }

    fn case(&self, name: &str) -> &Case {
        let mut cases = self.cases.iter();
        cases.find(|case| case.name == name).expect("a case of that name")
    }

    fn verify(&self, case: &Case) -> Result<Signer, VerifyError> {
        let identities: Vec<_> = case.identities.iter().map(Allowed::identity).collect();
        verify_keyless(
            signed(),
            &[case.candidate.candidate()],
            &self.root(&case.root),
            &identities,
        )
    }
}

impl Allowed {
    fn identity(&self) -> Identity {
        Identity::new(&self.issuer, &self.subject).expect("expressions")
    }
}

fn signed() -> Digest {
    Digest::of(include_bytes!("../../../tests/fixtures/manifest.json"))
}

/// What is wrong with each case, in our words; of what is not here, nothing is.
const REFUSED: &[(&str, &str)] = &[
    ("wrong subject, cosign 2", "matchOIDCIdentity"),
    ("wrong issuer, cosign 2", "matchOIDCIdentity"),
    ("each half of two, cosign 2", "matchOIDCIdentity"),
    ("wrong subject, cosign 3", "matchOIDCIdentity"),
    ("wrong issuer, cosign 3", "matchOIDCIdentity"),
    ("each half of two, cosign 3", "matchOIDCIdentity"),
    ("expired, cosign 2", "CertExpired"),
    ("too early, cosign 2", "CertNotValidYet"),
    ("expired, cosign 3", "CertExpired"),
    ("expired, cosign 3, new log", "CertExpired"),
    (
        "the authority's time is over",
        "no trusted certificate authority is valid",
    ),
    ("the log's time is over", "logs of the trusted root"),
    ("the authority's certificate had expired", "was valid at"),
    (
        "the authority's certificate had expired, cosign 3",
        "was valid at",
    ),
    (
        "no entry, cosign 2",
        "entry of a transparency log is missing: was it signed with a key?",
    ),
    ("no entry, cosign 3", "damaged"),
    ("entry of another signature, cosign 2", "log entry does not match"),
    (
        "entry of another signature, cosign 3",
        "does not match any signature in Rekor entry",
    ),
    ("entry of another signature, new log", "log entry does not match"),
    (
        "another certificate than the entry's",
        "not by the key of its certificate",
    ),
    ("promise altered, cosign 2", "SET verification failed"),
    ("time altered, cosign 2", "SET verification failed"),
    ("time altered, cosign 3", "SET verification failed"),
    ("promise by another key, cosign 2", "SET verification failed"),
    ("an unknown log, cosign 2", "logs of the trusted root"),
    (
        "no promise and no timestamp, cosign 3",
        "nobody that the trusted root believes says when",
    ),
    ("no proof, cosign 3", "damaged"),
    ("proof altered, cosign 3", "inclusion proof"),
    ("checkpoint by another key, cosign 3", "checkpoint"),
    (
        "new log without a timestamp",
        "nobody that the trusted root believes says when",
    ),
    (
        "a timestamp by another authority",
        "nobody that the trusted root believes says when",
    ),
    (
        "a timestamp of another signature",
        "nobody that the trusted root believes says when",
    ),
    ("no SCT, cosign 2", "none of the certificate logs"),
    ("no SCT, cosign 3", "none of the certificate logs"),
    ("SCT by another key, cosign 2", "none of the certificate logs"),
    ("SCT by another key, cosign 3", "none of the certificate logs"),
    (
        "not for signing code, cosign 2",
        "no authority of the trusted root has issued it",
    ),
    (
        "not for signing code, cosign 3",
        "no authority of the trusted root has issued it",
    ),
    (
        "another authority, cosign 2",
        "no authority of the trusted root has issued it",
    ),
    (
        "another authority, cosign 3",
        "no authority of the trusted root has issued it",
    ),
    ("another manifest, cosign 2", "signs something else"),
    ("another manifest, cosign 3", "signs something else"),
    ("another manifest, itself", "signs something else"),
    ("another statement, cosign 3", "another statement about it"),
    (
        "signed by another key, cosign 2",
        "not by the key of its certificate",
    ),
    (
        "signed by another key, new log",
        "not by the key of its certificate",
    ),
];
/// Where cosign says otherwise: it takes one identity for a bundle, neither none nor several, and takes any statement
/// about a manifest for a signature of it.
const OTHERWISE: &[&str] = &[
    "anybody, cosign 3",
    "the second of two, cosign 3",
    "another statement, cosign 3",
];

#[test]
fn a_signature_counts_where_it_counts_for_cosign() {
    let made = Made::read();
    for case in &made.cases {
        let ours = made.verify(case).is_ok();
        let agreed = ours == case.cosign.is_empty();
        let otherwise = OTHERWISE.contains(&case.name.as_str());
        assert_ne!(
            agreed, otherwise,
            "{}: ours {ours}, cosign: {:?}",
            case.name, case.cosign
        );
    }
}

#[test]
fn what_does_not_count_says_why() {
    let made = Made::read();
    let refused: BTreeMap<_, _> = REFUSED.iter().copied().collect();
    let mut odd = Vec::new();
    for case in &made.cases {
        match (made.verify(case), refused.get(case.name.as_str())) {
            (Ok(_), None) => {}
            (Err(error), Some(part)) if error.to_string().contains(part) => {}
            (found, expected) => odd.push(format!("{}: {found:?}, expected {expected:?}", case.name)),
        }
    }
    assert!(odd.is_empty(), "{}", odd.join("\n"));
    for (name, _) in REFUSED {
        made.case(name);
    }
}

#[test]
fn the_signer_is_told_as_the_certificate_names_it() {
    let made = Made::read();
    for (case, subject, issuer) in [
        (
            "a person, cosign 2",
            "alice@tenure.example",
            "https://accounts.example",
        ),
        (
            "a machine, cosign 3",
            "https://git.example/app/.ci/release.yaml@refs/tags/v1",
            "https://ci.example",
        ),
        (
            "another kind of name, cosign 2",
            "bob!tenure.example",
            "https://accounts.example",
        ),
        (
            "another kind of name, cosign 3",
            "bob!tenure.example",
            "https://accounts.example",
        ),
    ] {
        let signer = made.verify(made.case(case)).expect(case);
        assert_eq!(
            (signer.subject.as_str(), signer.issuer.as_str()),
            (subject, issuer),
            "{case}"
        );
        assert_eq!(signer.at.to_string(), "2025-06-01T12:01:00Z", "{case}");
    }
}

#[test]
fn one_good_signature_among_bad_ones_counts_and_all_reasons_are_told() {
    let made = Made::read();
    let bad = [
        &made.case("no SCT, cosign 2").candidate,
        &made.case("another statement, cosign 3").candidate,
    ];
    let mut held: Vec<_> = bad.iter().map(|held| held.candidate()).collect();
    let root = made.root("here");
    let error = verify_keyless(signed(), &held, &root, &[]).expect_err("none counts");
    let error = error.to_string();
    assert!(error.contains("none of 2 signatures"), "{error}");
    assert!(
        error.contains("certificate logs") && error.contains("another statement"),
        "{error}"
    );
    held.push(made.case("a machine, cosign 3").candidate.candidate());
    verify_keyless(signed(), &held, &root, &[]).expect("the third one counts");
    let none = VerifyError::NoSignature { digest: signed() };
    assert_eq!(verify_keyless(signed(), &[], &root, &[]), Err(none));
}

#[test]
fn nothing_that_is_changed_by_a_byte_counts() {
    let made = Made::read();
    for name in ["a person, cosign 2", "a machine, cosign 3"] {
        let case = made.case(name);
        let root = made.root("here");
        let whole = &case.candidate;
        for at in (0..whole.payload.len()).step_by(7) {
            let mut held = whole.clone();
            let byte = held.payload.as_bytes()[at];
            let other = if byte == b'A' { "B" } else { "A" };
            held.payload.replace_range(at..=at, other);
            let found = verify_keyless(signed(), &[held.candidate()], &root, &[]);
            // fields that are hints, and base64 with bits to spare, may change without another meaning
            if let Ok(signer) = found {
                let first = made.verify(case).expect("it is good");
                assert_eq!(signer, first, "{name}: {byte} at {at}");
                assert_ne!(
                    whole.media_type, "application/vnd.dev.cosign.simplesigning.v1+json",
                    "at {at}"
                );
            }
        }
    }
}

#[test]
fn garbage_is_refused_and_nothing_breaks() {
    let made = Made::read();
    let root = made.root("here");
    let good = &made.case("a person, cosign 2").candidate;
    for name in good.annotations.keys() {
        for garbage in [
            "",
            "{}",
            "null",
            "\u{0}",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            let mut held = good.clone();
            held.annotations.insert(name.clone(), garbage.to_owned());
            let found = verify_keyless(signed(), &[held.candidate()], &root, &[]);
            // the authorities that come along are not asked
            assert_eq!(
                found.is_ok(),
                name.ends_with("/chain"),
                "{name} {garbage:?}: {found:?}"
            );
        }
    }
    for garbage in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}"#,
    ] {
        let mut held = made.case("a machine, cosign 3").candidate.clone();
        held.payload = garbage.to_owned();
        assert!(
            verify_keyless(signed(), &[held.candidate()], &root, &[]).is_err(),
            "{garbage}"
        );
    }
}

#[test]
fn a_trusted_root_without_authorities_or_logs_is_none() {
    let made = Made::read();
    let whole = made.roots.get("here").expect("a root");
    for part in ["certificateAuthorities", "tlogs", "ctlogs"] {
        let mut less = whole.clone();
        less.as_object_mut().expect("a map").remove(part);
        let error = TrustedRoot::from_json(less.to_string().as_bytes())
            .err()
            .expect(part);
        assert!(error.message.contains(part), "{error}");
    }
    for garbage in ["", "{}", "[]", "\u{fffd}"] {
        let error: Option<RootError> = TrustedRoot::from_json(garbage.as_bytes()).err();
        let error = error.expect(garbage).to_string();
        assert!(error.contains("trusted root"), "{error}");
    }
}

#[test]
fn expressions_are_read_as_go_reads_them() {
    let made = Made::read();
    let case = |issuer: &str, subject: &str| {
        let identity = Identity::new(issuer, subject).expect("expressions");
        let held = &made.case("a machine, cosign 3").candidate;
        verify_keyless(signed(), &[held.candidate()], &made.root("here"), &[identity]).is_ok()
    };
    assert!(case("ci", r"\Qrelease.yaml\E@refs/tags/v\d$"));
    assert!(!case("ci", "^release"));
    assert!(!case("^ci$", "release"));
    // in Go a class with a hyphen, two ampersands and letters; elsewhere an intersection that is empty
    assert!(case("^https://[a-c&&i.]+", "release"));
    for (issuer, subject, field) in [
        ("", ".*", "issuer"),
        (".*", "", "subject"),
        ("(", ".*", "issuer"),
        (".*", "(?<=a)b", "subject"),
    ] {
        let error = Identity::new(issuer, subject).expect_err("no expression");
        assert_eq!(error.field, field);
    }
}

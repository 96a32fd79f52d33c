use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use tenure_core::Digest;

use super::{Candidate, NotationError, Outcome, Target, TrustPolicy, TrustStore, verify};

const ARTIFACT: &str = "registry.example/team/app";

/// What is signed.
const MANIFEST: &[u8] = include_bytes!("../../tests/fixtures/manifest.json");

/// What notation's own libraries have signed, and what notation says of it; see `tests/fixtures/notation`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    name: String,
    media_type: String,
    payload: String,
    policy: serde_json::Value,
    roots: Vec<String>,
    /// `verified`, `ignored`, or why notation refuses it.
    notation: String,
}

impl Made {
    fn envelope(&self) -> Vec<u8> {
        STANDARD.decode(&self.payload).expect("base64")
    }

    fn store(&self) -> TrustStore {
        let mut store = TrustStore::default();
        for root in &self.roots {
            store.add("root.crt", root.as_bytes()).expect("a certificate");
        }
        store
    }

    fn verify(&self) -> Result<Outcome, String> {
        self.verify_as(&self.envelope())
    }

    fn verify_as(&self, envelope: &[u8]) -> Result<Outcome, String> {
        let policy = TrustPolicy::from_json(self.policy.to_string().as_bytes()).map_err(|e| e.to_string())?;
        let candidate = Candidate {
            media_type: &self.media_type,
            envelope,
        };
        verify(&target(), ARTIFACT, &[candidate], &policy, &self.store(), now()).map_err(|e| e.to_string())
    }
}

fn made() -> Vec<Made> {
    serde_json::from_str(include_str!("../../tests/fixtures/notation.json")).expect("the fixture")
}

fn case<'a>(all: &'a [Made], name: &str) -> &'a Made {
    all.iter()
        .find(|one| one.name == name)
        .expect("a case of that name")
}

fn target() -> Target<'static> {
    Target {
        digest: Digest::of(MANIFEST),
        size: MANIFEST.len() as u64,
        media_type: "application/vnd.oci.image.manifest.v1+json",
    }
}

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

fn word(found: &Result<Outcome, String>) -> &str {
    match found {
        Ok(Outcome::Verified { .. }) => "verified",
        Ok(Outcome::Ignored { .. }) => "ignored",
        Err(_) => "refused",
    }
}

/// What is wrong, in our words. Whatever is not here is verified or ignored.
const REFUSED: &[(&str, &str)] = &[
    (
        "by a signing authority that is a mere CA, JWS",
        "'signingAuthority' vouches for",
    ),
    (
        "by a signing authority that is a mere CA, COSE",
        "'signingAuthority' vouches for",
    ),
    ("another root, JWS", "none of the certificates of the trust store"),
    (
        "another root, COSE",
        "none of the certificates of the trust store",
    ),
    (
        "another root, permissive",
        "none of the certificates of the trust store",
    ),
    ("another manifest, JWS", "signs something else"),
    ("another manifest, COSE", "signs something else"),
    ("another manifest, permissive", "signs something else"),
    ("another manifest, audit", "signs something else"),
    ("another size, JWS", "signs something else"),
    ("another size, COSE", "signs something else"),
    ("another media type, JWS", "signs something else"),
    ("another media type, COSE", "signs something else"),
    ("another payload, JWS", "payload is of another type"),
    ("another payload, COSE", "payload is of another type"),
    ("expired, JWS", "expired at 2025-06-01T13:00:00Z"),
    ("expired, COSE", "expired at 2025-06-01T13:00:00Z"),
    (
        "an unknown critical attribute, JWS",
        "'unknown' is not understood",
    ),
    (
        "an unknown critical attribute, COSE",
        "'unknown' is not understood",
    ),
    ("a plugin, JWS", "plug-in"),
    ("a plugin, COSE", "plug-in"),
    (
        "certificate expired since",
        "valid from 2025-06-01T11:00:00Z to 2025-06-01T13:00:00Z",
    ),
    (
        "certificate expired then, signing authority",
        "not at 2025-06-01T14:00:00Z",
    ),
    ("a timestamp is wanted and there is none", "wants a timestamp"),
    ("leaf is an authority", "is an authority"),
    ("leaf without key usage", "no critical key usage"),
    (
        "leaf that also signs certificates",
        "something else than digital signatures",
    ),
    ("leaf for servers", "something else than code"),
    ("root is no authority", "is no authority"),
    ("root may not sign certificates", "may not issue certificates"),
    ("P-224", "P-256, P-384 or P-521"),
    ("revocable", "is revoked is not asked"),
    ("revocable by OCSP", "is revoked is not asked"),
    ("chain of strangers", "is not issued by"),
    ("chain that ends early", "does not issue itself"),
    ("payload altered", "not by the key of its certificate"),
    ("headers altered", "not by the key of its certificate"),
    ("algorithm none", "signed in a way"),
    ("signature of another", "not by the key of its certificate"),
    ("weaker hash than the key's", "signs in another way"),
    ("scheme not critical", "not marked so"),
    ("expiry not critical", "not marked so"),
    ("critical and absent", "'absent' is not understood"),
    ("no signing time", "does not say when"),
    ("unknown scheme", "signing scheme"),
    ("both times", "says twice"),
    (
        "identity, other name",
        "none of the statement's trustedIdentities",
    ),
    (
        "identity, another kind only",
        "none of the statement's trustedIdentities",
    ),
    ("identity with two organisations", "more than one O"),
    ("scope of others", "registryScopes"),
    ("policy: no version", "version"),
    ("policy: another version", "version is '2.0'"),
    ("policy: no statement", "no statement"),
    ("policy: the same name twice", "two statements 'one'"),
    ("policy: the same scope twice", "the scope '*' is in it twice"),
    ("policy: no name", "the name is missing"),
    ("policy: no scope", "registryScopes are missing"),
    ("policy: wildcard and more", "'*' is among other registryScopes"),
    ("policy: wildcard within", "'registry.example/*' is not like"),
    (
        "policy: scope without a repository",
        "'registry.example' is not like",
    ),
    ("policy: unknown level", "unknown variant `lax`"),
    ("policy: integrity overridden", "'integrity' is overridden"),
    (
        "policy: authenticity skipped",
        "something else than 'revocation' is skipped",
    ),
    ("policy: unknown check", "unknown variant `other`"),
    ("policy: unknown action", "unknown variant `maybe`"),
    ("policy: no store", "trustStores or trustedIdentities are missing"),
    ("policy: unknown store", "the store 'other:x' is none"),
    ("policy: store without a name", "the store 'ca' is none"),
    (
        "policy: no identity",
        "trustStores or trustedIdentities are missing",
    ),
    (
        "policy: everybody and more",
        "'*' is among other trustedIdentities",
    ),
    ("policy: identity without an organisation", "it has no O"),
    ("policy: identity twice", "overlap"),
    ("policy: identity that is none", "the identity 'Tenure' is none"),
    ("policy: odd option for timestamps", "unknown variant `never`"),
];
/// Where notation says otherwise: it passes over what it does not know, even if that is marked critical.
const STRICTER: &[&str] = &[
    "an unknown critical attribute, JWS",
    "an unknown critical attribute, COSE",
];

#[test]
fn a_signature_counts_where_it_counts_for_notation() {
    let mut odd = Vec::new();
    for one in &made() {
        let found = one.verify();
        let theirs = match one.notation.as_str() {
            word @ ("verified" | "ignored") => word,
            _ => "refused",
        };
        let agreed = word(&found) == theirs;
        if agreed == STRICTER.contains(&one.name.as_str()) {
            odd.push(format!("{}: {found:?}, notation: {}", one.name, one.notation));
        }
    }
    assert!(odd.is_empty(), "{}", odd.join("\n"));
}

#[test]
fn what_does_not_count_says_why() {
    let all = made();
    let refused: BTreeMap<_, _> = REFUSED.iter().copied().collect();
    let mut odd = Vec::new();
    for one in &all {
        match (one.verify(), refused.get(one.name.as_str())) {
            (Ok(_), None) => {}
            (Err(error), Some(part)) if error.contains(part) => {}
            (found, expected) => odd.push(format!("{}: {found:?}, expected {expected:?}", one.name)),
        }
    }
    assert!(odd.is_empty(), "{}", odd.join("\n"));
    for (name, _) in REFUSED {
        case(&all, name);
    }
}

#[test]
fn what_the_policy_only_logs_is_told() {
    let all = made();
    for (name, part) in [
        ("expired, permissive, JWS", "expired"),
        ("certificate expired since, permissive", "valid from"),
        ("revocable, permissive", "revoked"),
    ] {
        let Ok(Outcome::Verified { told, .. }) = case(&all, name).verify() else {
            panic!("{name} counts");
        };
        assert!(told.iter().any(|one| one.contains(part)), "{name}: {told:?}");
    }
    let Ok(Outcome::Verified { subject, at, told }) = case(&all, "p256, COSE").verify() else {
        panic!("it counts");
    };
    assert_eq!(at.to_string(), "2025-06-01T12:00:00Z");
    assert!(
        subject.contains("CN=signer") && told.is_empty(),
        "{subject} {told:?}"
    );
}

#[test]
fn whom_a_policy_trusts_nobody_for_passes_unverified_and_says_so() {
    let all = made();
    for (name, part) in [
        (
            "another root, audit",
            "none of the certificates of the trust store",
        ),
        ("good, skip", "skips verification"),
    ] {
        let Ok(Outcome::Ignored { why }) = case(&all, name).verify() else {
            panic!("{name} is let pass");
        };
        assert!(why.contains(part), "{name}: {why}");
    }
}

#[test]
fn nothing_that_is_changed_by_a_byte_counts() {
    let all = made();
    for name in ["p256, JWS", "p256, COSE", "rsa2048, COSE"] {
        let one = case(&all, name);
        let good = one.verify().expect("it counts");
        let whole = one.envelope();
        for at in 0..whole.len() {
            let mut envelope = whole.clone();
            envelope[at] ^= 1;
            // the agent's name and the names of what is not signed may change without another meaning
            if let Ok(found) = one.verify_as(&envelope) {
                assert_eq!(found, good, "{name} at {at}");
            }
            assert!(one.verify_as(&whole[..at]).is_err(), "{name} ends at {at}");
        }
    }
}

#[test]
fn one_good_signature_among_bad_ones_counts_and_all_reasons_are_told() {
    let all = made();
    let (good, bad) = (case(&all, "p256, JWS"), case(&all, "another manifest, JWS"));
    let policy = TrustPolicy::from_json(good.policy.to_string().as_bytes()).expect("a policy");
    let envelopes = [bad.envelope(), good.envelope()];
    let look =
        |candidates: &[Candidate<'_>]| verify(&target(), ARTIFACT, candidates, &policy, &good.store(), now());
    let candidate = |at: usize, media_type| Candidate {
        media_type,
        envelope: &envelopes[at],
    };
    let jose = "application/jose+json";
    let error = look(&[candidate(0, jose), candidate(1, "text/plain")]).expect_err("none counts");
    let error = error.to_string();
    assert!(
        error.contains("none of 2 signatures") && error.contains("'one'"),
        "{error}"
    );
    assert!(
        error.contains("something else") && error.contains("not understood"),
        "{error}"
    );
    look(&[candidate(0, jose), candidate(1, jose)]).expect("the second one counts");
    let none = NotationError::NoSignature {
        digest: target().digest,
    };
    assert_eq!(look(&[]), Err(none));
}

#[test]
fn garbage_is_refused_and_nothing_breaks() {
    let all = made();
    let one = case(&all, "p256, JWS");
    for garbage in [
        "",
        "{}",
        "null",
        r#"{"payload":"","protected":"","signature":"","header":{"x5c":[]}}"#,
    ] {
        assert!(one.verify_as(garbage.as_bytes()).is_err(), "{garbage}");
    }
    let mut store = TrustStore::default();
    assert!(store.is_empty());
    for garbage in [
        "",
        "CANARY",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let error = store.add("root.crt", garbage.as_bytes()).expect_err(garbage);
        assert!(
            error.to_string().contains("root.crt") && !error.to_string().contains("CANARY"),
            "{error}"
        );
    }
    assert!(TrustPolicy::from_json(b"{\"version\": \"1.0\", \"more\": 1}").is_err());
}

#[test]
fn a_store_takes_several_certificates_of_a_file_and_der() {
    let all = made();
    let one = case(&all, "p256, JWS");
    let other = case(&all, "p384, JWS");
    let mut store = TrustStore::default();
    let both = format!("{}{}", other.roots.join(""), one.roots.join(""));
    store.add("both.pem", both.as_bytes()).expect("two certificates");
    let policy = TrustPolicy::from_json(one.policy.to_string().as_bytes()).expect("a policy");
    let envelope = one.envelope();
    let candidate = [Candidate {
        media_type: "application/jose+json",
        envelope: &envelope,
    }];
    verify(&target(), ARTIFACT, &candidate, &policy, &store, now()).expect("the second one is trusted");
    let text: String = one
        .roots
        .concat()
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let mut store = TrustStore::default();
    store
        .add("root.crt", &STANDARD.decode(text).expect("base64"))
        .expect("DER");
    verify(&target(), ARTIFACT, &candidate, &policy, &store, now()).expect("it is trusted");
}

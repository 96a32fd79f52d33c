use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tenure_core::Digest;

use super::{Candidate, VerifyError, bundle, simple, verify};
use crate::PublicKey;

/// What one key has signed, made with Sigstore's library; see `tests/fixtures/make`.
#[derive(Deserialize)]
struct Made {
    name: String,
    key: String,
    /// Base64, as are the bundles.
    payload: String,
    simple: String,
    bundle: String,
    attestation: String,
}

/// A candidate that owns what it consists of.
struct Held {
    media_type: &'static str,
    annotations: BTreeMap<String, String>,
    payload: Vec<u8>,
}

impl Held {
    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            media_type: self.media_type,
            annotations: &self.annotations,
            payload: &self.payload,
        }
    }
}

impl Made {
    fn key(&self) -> PublicKey {
        PublicKey::from_pem(&self.name, self.key.as_bytes()).expect("a key")
    }

    fn simple(&self) -> Held {
        Held {
            media_type: simple::MEDIA_TYPE,
            annotations: BTreeMap::from([(
                "dev.cosignproject.cosign/signature".to_owned(),
                self.simple.clone(),
            )]),
            payload: STANDARD.decode(&self.payload).expect("base64"),
        }
    }

    fn bundle(&self, text: &str) -> Held {
        Held {
            media_type: "application/vnd.dev.sigstore.bundle.v0.3+json",
            annotations: BTreeMap::new(),
            payload: STANDARD.decode(text).expect("base64"),
        }
    }
}

fn made() -> Vec<Made> {
    let text = include_str!("../../tests/fixtures/signatures.json");
    serde_json::from_str(text).expect("the fixture")
}

fn signed() -> Digest {
    Digest::of(b"manifest")
}

fn reasons(digest: Digest, held: &Held, keys: &[PublicKey]) -> String {
    verify(digest, &[held.candidate()], keys)
        .expect_err("it does not count")
        .to_string()
}

#[test]
fn a_signature_by_every_kind_of_key_counts_old_and_new() {
    let all = made();
    let keys: Vec<_> = all.iter().map(Made::key).collect();
    for one in &all {
        for held in [one.simple(), one.bundle(&one.bundle)] {
            let good = verify(signed(), &[held.candidate()], &keys);
            let by = good
                .unwrap_or_else(|e| panic!("{} {}: {e}", one.name, held.media_type))
                .key;
            assert_eq!(by, one.name);
        }
    }
}

#[test]
fn a_signature_of_something_else_or_by_another_key_does_not_count() {
    let all = made();
    for (one, other) in all.iter().zip(all.iter().cycle().skip(1)) {
        for held in [one.simple(), one.bundle(&one.bundle)] {
            let error = reasons(signed(), &held, &[other.key()]);
            assert!(error.contains("not by one of the keys"), "{}: {error}", one.name);
            let error = reasons(Digest::of(b"other"), &held, &[one.key()]);
            assert!(error.contains("something else"), "{}: {error}", one.name);
        }
    }
}

#[test]
fn a_signature_with_one_byte_changed_does_not_count() {
    for one in &made() {
        let mut held = one.simple();
        held.payload.push(b' ');
        let error = reasons(signed(), &held, &[one.key()]);
        assert!(error.contains("not by one of the keys"), "{error}");
        let text = String::from_utf8(one.bundle(&one.bundle).payload).expect("JSON");
        let mut json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        json["dsseEnvelope"]["payloadType"] = "text/plain".into();
        let mut held = one.bundle(&one.bundle);
        held.payload = json.to_string().into_bytes();
        let error = reasons(signed(), &held, &[one.key()]);
        assert!(
            error.contains("not by one of the keys"),
            "the type is signed too: {error}"
        );
    }
}

#[test]
fn an_attestation_is_no_signature() {
    for one in &made() {
        let error = reasons(signed(), &one.bundle(&one.attestation), &[one.key()]);
        assert!(error.contains("another statement"), "{error}");
    }
}

#[test]
fn one_good_signature_among_bad_ones_counts() {
    let all = made();
    let (Some(first), Some(second)) = (all.first(), all.get(1)) else {
        panic!("the fixture has several keys");
    };
    let odd = Held {
        media_type: "text/plain",
        ..first.simple()
    };
    let held = [odd, first.simple(), second.bundle(&second.bundle)];
    let candidates: Vec<_> = held.iter().map(Held::candidate).collect();
    let good = verify(signed(), &candidates, &[second.key()]).expect("one counts");
    assert_eq!(good.key, second.name);
}

#[test]
fn what_is_missing_is_said() {
    let all = made();
    let keys: Vec<_> = all.iter().map(Made::key).collect();
    assert_eq!(verify(signed(), &[], &[]), Err(VerifyError::NoKey));
    let none = VerifyError::NoSignature { digest: signed() };
    assert_eq!(verify(signed(), &[], &keys), Err(none));
    for garbage in [
        "",
        "{}",
        "[]",
        r#"{"dsseEnvelope":{"payload":"!","payloadType":"","signatures":[]}}"#,
    ] {
        let held = Held {
            media_type: "application/vnd.dev.sigstore.bundle.v0.3+json",
            annotations: BTreeMap::new(),
            payload: garbage.as_bytes().to_vec(),
        };
        assert!(verify(signed(), &[held.candidate()], &keys).is_err(), "{garbage}");
    }
    assert!("application/vnd.dev.sigstore.bundle.v0.3+json".starts_with(bundle::MEDIA_TYPE));
}

#[test]
fn what_is_no_key_is_refused_by_name() {
    for bad in [
        "",
        "no pem",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ] {
        let error = PublicKey::from_pem("cosign.pub", bad.as_bytes()).expect_err(bad);
        assert!(error.to_string().contains("cosign.pub"), "{error}");
    }
}

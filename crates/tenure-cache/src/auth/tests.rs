use std::fs;
use std::time::Duration;

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::KeyPair;
use serde_json::{Value, json};
use tenure_core::{Account, Name};
use tonic::metadata::{MetadataMap, MetadataValue};

use tenure_serve::IssuerKeys;

use super::{Authenticator, Refusal};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://kubernetes.default.svc";

struct Key {
    kid: &'static str,
    algorithm: Algorithm,
    signing: EncodingKey,
    jwk: Jwk,
}

fn key(kid: &'static str, algorithm: Algorithm) -> Key {
    let kind = match algorithm {
        Algorithm::RS256 => &rcgen::PKCS_RSA_SHA256,
        _ => &rcgen::PKCS_ECDSA_P256_SHA256,
    };
    let pem = KeyPair::generate_for(kind).expect("a new key").serialize_pem();
    let signing = match algorithm {
        Algorithm::RS256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
        _ => EncodingKey::from_ec_pem(pem.as_bytes()),
    }
    .expect("the key that was just written");
    let mut jwk = Jwk::from_encoding_key(&signing, algorithm).expect("a public half");
    jwk.common.key_id = Some(kid.into());
    Key {
        kid,
        algorithm,
        signing,
        jwk,
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "system:serviceaccount:tenure-workers:apps", "aud": ["tenure-cache"],
        "exp": NOW + 600, "nbf": NOW, "iat": NOW,
        "kubernetes.io": {"namespace": "tenure-workers", "serviceaccount": {"name": "apps", "uid": "1"}},
    })
}

fn with(path: &str, value: Value) -> Value {
    let mut claims = claims();
    *claims.pointer_mut(path).expect("a claim") = value;
    claims
}

fn without(claim: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(claim);
    claims
}

fn sign(key: &Key, claims: &Value) -> String {
    let mut header = Header::new(key.algorithm);
    header.kid = Some(key.kid.into());
    encode(&header, claims, &key.signing).expect("signs")
}

fn write(path: &std::path::Path, keys: &[&Key]) {
    let set = JwkSet {
        keys: keys.iter().map(|key| key.jwk.clone()).collect(),
    };
    fs::write(path, serde_json::to_vec(&set).expect("serialises")).expect("writable");
}

fn authenticator(keys: &[&Key]) -> (Authenticator, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("jwks.json");
    write(&path, keys);
    let keys = IssuerKeys::with_min_reread(path, Duration::ZERO);
    let workers = Name::new("tenure-workers").expect("valid");
    let supervisor = Account {
        namespace: Name::new("tenure-system").expect("valid"),
        name: Name::new("tenure-supervisor").expect("valid"),
    };
    (
        Authenticator::new(keys, Some(ISSUER.into()), workers, supervisor),
        dir,
    )
}

#[test]
fn a_token_of_a_worker_stands_for_its_home() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256] {
        let key = key("k1", algorithm);
        let (authenticator, _dir) = authenticator(&[&key]);
        for accepted in [
            claims(),
            with("/aud", json!("tenure-cache")),
            with("/aud", json!(["other", "tenure-cache"])),
            with("/nbf", json!(NOW + 5)),
            with("/iat", json!(NOW + 5)),
        ] {
            let home = authenticator.home_at(&sign(&key, &accepted), NOW);
            assert_eq!(
                home.as_ref().map(Name::as_str),
                Ok("apps"),
                "{algorithm:?} {accepted}"
            );
        }
        let token = sign(&key, &claims());
        assert!(
            authenticator.home_at(&token, NOW + 605).is_ok(),
            "clocks differ a little"
        );
        assert_eq!(authenticator.home_at(&token, NOW + 610), Err(Refusal::Time));
    }
}

#[test]
fn a_token_that_says_anything_else_is_refused() {
    let key = key("k1", Algorithm::ES256);
    let (authenticator, _dir) = authenticator(&[&key]);
    let tenant = json!({"namespace": "apps", "serviceaccount": {"name": "apps"}});
    for (claims, refusal) in [
        (with("/exp", json!(NOW - 60)), Refusal::Time),
        (with("/exp", json!(0)), Refusal::Time),
        (with("/nbf", json!(NOW + 60)), Refusal::Time),
        (with("/iat", json!(NOW + 60)), Refusal::Time),
        (with("/iss", json!("https://elsewhere")), Refusal::Issuer),
        (with("/iss", json!("")), Refusal::Issuer),
        (with("/aud", json!([])), Refusal::Audience),
        (with("/aud", json!([ISSUER])), Refusal::Audience),
        (with("/aud", json!(["tenure-cache-control"])), Refusal::Audience),
        (with("/aud", json!("tenure-cache ")), Refusal::Audience),
        (with("/kubernetes.io", tenant), Refusal::Identity),
        (
            with("/sub", json!("system:serviceaccount:apps:apps")),
            Refusal::Identity,
        ),
        (
            with("/sub", json!("system:serviceaccount:tenure-workers:other")),
            Refusal::Identity,
        ),
        (
            with("/kubernetes.io/serviceaccount/name", json!("other")),
            Refusal::Identity,
        ),
        (
            with("/kubernetes.io/serviceaccount/name", json!("")),
            Refusal::Identity,
        ),
        (without("exp"), Refusal::Malformed),
        (without("nbf"), Refusal::Malformed),
        (without("iat"), Refusal::Malformed),
        (without("aud"), Refusal::Malformed),
        (without("iss"), Refusal::Issuer),
        (without("sub"), Refusal::Malformed),
        (without("kubernetes.io"), Refusal::Malformed),
    ] {
        assert_eq!(
            authenticator.home_at(&sign(&key, &claims), NOW),
            Err(refusal),
            "{claims}"
        );
    }
}

#[test]
fn a_token_that_another_hand_touched_is_refused() {
    let key1 = key("k1", Algorithm::ES256);
    let stranger = key("k1", Algorithm::ES256);
    let rsa = key("k1", Algorithm::RS256);
    let (authenticator, _dir) = authenticator(&[&key1]);
    let good = sign(&key1, &claims());
    let parts: Vec<_> = good.split('.').collect();
    let other = sign(&key1, &with("/kubernetes.io/serviceaccount/name", json!("other")));
    let none = base64::Engine::encode(
        &base64::prelude::BASE64_URL_SAFE_NO_PAD,
        br#"{"alg":"none","kid":"k1"}"#,
    );
    let mut hmac = Header::new(Algorithm::HS256);
    hmac.kid = Some("k1".into());
    let public = serde_json::to_vec(&key1.jwk).expect("serialises");
    let mut no_kid = Header::new(Algorithm::ES256);
    no_kid.kid = None;
    for (token, refusal) in [
        (sign(&stranger, &claims()), Refusal::Signature),
        (sign(&rsa, &claims()), Refusal::Algorithm),
        (
            encode(&hmac, &claims(), &EncodingKey::from_secret(&public)).expect("signs"),
            Refusal::Algorithm,
        ),
        (
            format!(
                "{}.{}.{}",
                parts[0],
                other.split('.').nth(1).expect("claims"),
                parts[2]
            ),
            Refusal::Signature,
        ),
        (format!("{none}.{}.", parts[1]), Refusal::Malformed),
        (format!("{none}.{}.{}", parts[1], parts[2]), Refusal::Malformed),
        (format!("{}.{}.", parts[0], parts[1]), Refusal::Signature),
        (
            encode(&no_kid, &claims(), &key1.signing).expect("signs"),
            Refusal::Malformed,
        ),
        ("not.a.token".into(), Refusal::Malformed),
        ("..".into(), Refusal::Malformed),
    ] {
        assert_eq!(authenticator.home_at(&token, NOW), Err(refusal), "{token}");
    }
}

#[test]
fn exactly_one_bearer_token_is_read() {
    let key = key("k1", Algorithm::ES256);
    let (authenticator, _dir) = authenticator(&[&key]);
    let token = sign(&key, &claims());
    let value = |text: String| MetadataValue::try_from(text).expect("ascii");
    for values in [
        vec![],
        vec![value(String::new())],
        vec![value("Bearer".into())],
        vec![value("Bearer ".into())],
        vec![value(format!("Basic {token}"))],
        vec![value(token.clone())],
        vec![value(format!("Bearer {token}")), value(format!("Bearer {token}"))],
    ] {
        let mut metadata = MetadataMap::new();
        for value in values {
            metadata.append("authorization", value);
        }
        assert_eq!(
            authenticator.home(&metadata),
            Err(Refusal::Missing),
            "{metadata:?}"
        );
    }
}

#[test]
fn a_new_key_is_taken_into_use_at_once_and_an_old_one_until_it_is_gone() {
    let (old, new) = (key("old", Algorithm::ES256), key("new", Algorithm::RS256));
    let (authenticator, dir) = authenticator(&[&old]);
    let path = dir.path().join("jwks.json");
    assert_eq!(
        authenticator.home_at(&sign(&new, &claims()), NOW),
        Err(Refusal::UnknownKey)
    );
    write(&path, &[&old, &new]);
    assert!(authenticator.home_at(&sign(&new, &claims()), NOW).is_ok());
    assert!(authenticator.home_at(&sign(&old, &claims()), NOW).is_ok());
    write(&path, &[&new]);
    authenticator.keys().refresh();
    assert_eq!(
        authenticator.home_at(&sign(&old, &claims()), NOW),
        Err(Refusal::UnknownKey)
    );
    fs::write(&path, "{").expect("writable");
    authenticator.keys().refresh();
    assert!(
        authenticator.home_at(&sign(&new, &claims()), NOW).is_ok(),
        "a broken file withdraws nothing"
    );
    fs::remove_file(&path).expect("was there");
    authenticator.keys().refresh();
    assert!(authenticator.keys().ready());
}

#[test]
fn unknown_keys_do_not_make_the_file_be_read_over_and_over() {
    let (old, new) = (key("old", Algorithm::ES256), key("new", Algorithm::ES256));
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("jwks.json");
    write(&path, &[&old]);
    let keys = IssuerKeys::with_min_reread(path.clone(), Duration::from_secs(3600));
    let token = sign(&new, &claims());
    assert_eq!(keys.claims(&token).err(), Some(Refusal::UnknownKey));
    write(&path, &[&old, &new]);
    assert_eq!(keys.claims(&token).err(), Some(Refusal::UnknownKey));
    keys.refresh();
    assert!(keys.claims(&token).is_ok());
}

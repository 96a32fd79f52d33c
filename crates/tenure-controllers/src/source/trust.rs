//! Whose signatures count: read from the home's Secrets, and held against what was found.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tenure_api::OciVerification;
use tenure_core::{Digest, Secret};
use tenure_oci::Signature;
use tenure_verify::PublicKey;
use tenure_verify::cosign::{self, Identity, TrustedRoot};
use tenure_verify::notation::{self, Outcome, Target, TrustPolicy, TrustStore};

use super::named;
use crate::Effects;

/// How the name of a public key's entry ends in a Secret.
const KEY: &str = ".pub";
/// How those of certificates do.
const CERTIFICATES: [&str; 2] = [".crt", ".pem"];
const ROOT: &str = "trusted_root.json";
const POLICY: &str = "trustpolicy.json";

/// Whose signatures count.
pub(super) enum Trust {
    /// Of who has one of these keys.
    Keys(Vec<PublicKey>),
    /// Of who has a certificate of the root's authorities, and one of these names.
    Root(Box<TrustedRoot>, Vec<Identity>),
    /// Of whom notation's policy trusts.
    Policy(TrustPolicy, TrustStore),
}

impl Trust {
    /// Reads the Secrets that the wish names; `what` is to be verified.
    pub(super) async fn read(wish: &OciVerification, what: &str, effects: &Effects) -> Result<Self, String> {
        let secret = async |name: &str, keys: &str| {
            let data = named(effects, name, what, keys).await;
            data.map_err(|failure| failure.message)
        };
        match (&wish.secret_ref, &wish.trusted_root_secret_ref) {
            (Some(of), _) if wish.provider == "notation" => {
                let data = secret(
                    &of.name,
                    "'trustpolicy.json', and some that end in '.crt' or '.pem'",
                )
                .await?;
                let (policy, store) = policy(&of.name, &data)?;
                Ok(Self::Policy(policy, store))
            }
            (Some(of), _) => {
                let data = secret(&of.name, "that end in '.pub'").await?;
                Ok(Self::Keys(keys(&of.name, &data)?))
            }
            (None, Some(of)) => {
                let data = secret(&of.name, "'trusted_root.json'").await?;
                let root = root(&of.name, &data)?;
                Ok(Self::Root(Box::new(root), identities(wish)?))
            }
            (None, None) => Err("neither secretRef nor trustedRootSecretRef is set".to_owned()),
        }
    }

    /// Whether one of those has signed the manifest of `artifact`, registry and repository. False where a policy lets it
    /// pass and vouches for nothing.
    pub(super) fn vouches(
        &self,
        digest: Digest,
        artifact: &str,
        found: &[Signature],
        now: Timestamp,
    ) -> Result<bool, String> {
        let (itself, found): (Vec<_>, Vec<_>) =
            found.iter().partition(|one| Digest::of(&one.payload) == digest);
        let cosign: Vec<_> = found
            .iter()
            .map(|one| cosign::Candidate {
                media_type: &one.media_type,
                annotations: &one.annotations,
                payload: &one.payload,
            })
            .collect();
        match self {
            Self::Keys(keys) => {
                cosign::verify(digest, &cosign, keys).map_err(|error| error.to_string())?;
                Ok(true)
            }
            Self::Root(root, identities) => {
                let signer = cosign::verify_keyless(digest, &cosign, root, identities);
                let signer = signer.map_err(|error| error.to_string())?;
                tracing::debug!(artifact, %digest, subject = signer.subject, issuer = signer.issuer, "verified");
                Ok(true)
            }
            Self::Policy(policy, store) => {
                let candidates: Vec<_> = found
                    .iter()
                    .filter(|one| notation::is_envelope(&one.media_type))
                    .map(|one| notation::Candidate {
                        media_type: &one.media_type,
                        envelope: &one.payload,
                    })
                    .collect();
                let target = Target {
                    digest,
                    size: itself
                        .first()
                        .map_or(0, |one| u64::try_from(one.payload.len()).unwrap_or_default()),
                    media_type: itself.first().map_or("", |one| one.media_type.as_str()),
                };
                let outcome = notation::verify(&target, artifact, &candidates, policy, store, now);
                match outcome.map_err(|error| error.to_string())? {
                    Outcome::Verified { subject, told, .. } => {
                        for what in told {
                            tracing::info!(artifact, %digest, subject, "the trust policy only logs that {what}");
                        }
                        Ok(true)
                    }
                    Outcome::Ignored { why } => {
                        tracing::info!(artifact, %digest, "not verified, as the trust policy has it: {why}");
                        Ok(false)
                    }
                }
            }
        }
    }
}

fn keys(name: &str, data: &BTreeMap<String, Secret>) -> Result<Vec<PublicKey>, String> {
    let entries = data.iter().filter(|(entry, _)| entry.ends_with(KEY));
    let keys = entries.map(|(entry, pem)| {
        PublicKey::from_pem(entry, pem.expose())
            .map_err(|error| format!("the Secret '{name}' can't be used: {error}"))
    });
    keys.collect()
}

fn root(name: &str, data: &BTreeMap<String, Secret>) -> Result<TrustedRoot, String> {
    let text = entry(name, data, ROOT)?;
    TrustedRoot::from_json(text.expose())
        .map_err(|error| format!("the Secret '{name}' can't be used: {error}"))
}

fn identities(wish: &OciVerification) -> Result<Vec<Identity>, String> {
    let all = wish.match_oidc_identity.iter().flatten();
    all.map(|one| Identity::new(&one.issuer, &one.subject).map_err(|error| error.to_string()))
        .collect()
}

fn policy(name: &str, data: &BTreeMap<String, Secret>) -> Result<(TrustPolicy, TrustStore), String> {
    let bad = |error: String| format!("the Secret '{name}' can't be used: {error}");
    let text = entry(name, data, POLICY)?;
    let policy = TrustPolicy::from_json(text.expose()).map_err(|error| bad(error.to_string()))?;
    let mut store = TrustStore::default();
    for (entry, pem) in data {
        if CERTIFICATES.iter().any(|end| entry.ends_with(end)) {
            store
                .add(entry, pem.expose())
                .map_err(|error| bad(error.to_string()))?;
        }
    }
    if store.is_empty() {
        return Err(bad("no entry of it ends in '.crt' or '.pem'".to_owned()));
    }
    Ok((policy, store))
}

fn entry<'d>(name: &str, data: &'d BTreeMap<String, Secret>, key: &str) -> Result<&'d Secret, String> {
    data.get(key)
        .ok_or_else(|| format!("the Secret '{name}' has no '{key}'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use tenure_api::OidcIdentity;

    /// What the fixtures sign.
    const MANIFEST: &[u8] = include_bytes!("../../../tenure-verify/tests/fixtures/manifest.json");

    fn data(name: &str, text: &str) -> BTreeMap<String, Secret> {
        BTreeMap::from([(name.to_owned(), Secret::from(text.to_owned()))])
    }

    #[test]
    fn only_what_ends_in_pub_is_a_key_and_one_that_is_none_is_named() {
        assert_eq!(keys("keys", &data("note", "CANARY")).expect("none").len(), 0);
        let error = keys("keys", &data("cosign.pub", "CANARY")).expect_err("no key");
        assert!(error.contains("'keys'") && !error.contains("CANARY"), "{error}");
    }

    #[test]
    fn what_is_missing_in_a_secret_is_named() {
        let error = root("sigstore", &data("note", "CANARY")).err().expect("no root");
        assert!(error.contains("'sigstore' has no 'trusted_root.json'"), "{error}");
        let error = policy("notation", &data("note", "CANARY")).expect_err("no policy");
        assert!(error.contains("'notation' has no 'trustpolicy.json'"), "{error}");
        let skip = r#"{"version": "1.0", "trustPolicies": [
            {"name": "all", "registryScopes": ["*"], "signatureVerification": {"level": "skip"}}]}"#;
        let mut secret = data("trustpolicy.json", skip);
        let error = policy("notation", &secret).expect_err("no certificate");
        assert!(error.contains("'.crt' or '.pem'"), "{error}");
        secret.insert("root.crt".to_owned(), Secret::from("CANARY".to_owned()));
        let error = policy("notation", &secret).expect_err("no certificate");
        assert!(
            error.contains("\"root.crt\"") && !error.contains("CANARY"),
            "{error}"
        );
    }

    #[test]
    fn an_expression_that_is_none_is_told_with_its_field() {
        let wish = OciVerification {
            match_oidc_identity: Some(vec![OidcIdentity {
                issuer: ".*".into(),
                subject: "(".into(),
            }]),
            ..OciVerification::default()
        };
        let error = identities(&wish).expect_err("no expression");
        assert!(error.contains("subject '('"), "{error}");
    }

    #[test]
    fn a_policy_that_skips_lets_pass_and_vouches_for_nothing() {
        let skip = br#"{"version": "1.0", "trustPolicies": [
            {"name": "all", "registryScopes": ["*"], "signatureVerification": {"level": "skip"}}]}"#;
        let trust = Trust::Policy(
            TrustPolicy::from_json(skip).expect("a policy"),
            TrustStore::default(),
        );
        let vouches = trust.vouches(
            Digest::of(b"manifest"),
            "registry.example/app",
            &[],
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(vouches, Ok(false));
    }

    /// What Sigstore's and notation's own libraries have signed, all of it the manifest of the fixtures.
    fn signed(file: &str, name: &str) -> serde_json::Value {
        let all: serde_json::Value = serde_json::from_str(file).expect("a fixture");
        let cases = all
            .get("cases")
            .unwrap_or(&all)
            .as_array()
            .expect("cases")
            .clone();
        let mut found = cases.into_iter().filter(|case| case["name"] == name);
        found.next().expect("a case of that name")
    }

    fn text(value: &serde_json::Value) -> String {
        value.as_str().expect("text").to_owned()
    }

    #[test]
    fn a_keyless_signature_counts_by_its_root_and_identity() {
        let file = include_str!("../../../tenure-verify/tests/fixtures/keyless.json");
        let all: serde_json::Value = serde_json::from_str(file).expect("a fixture");
        let secret = data("trusted_root.json", &all["roots"]["here"].to_string());
        let found = signed(file, "a machine, cosign 3");
        let found = [Signature {
            media_type: text(&found["candidate"]["mediaType"]),
            annotations: BTreeMap::new(),
            payload: text(&found["candidate"]["payload"]).into_bytes(),
        }];
        let vouches = |subject: &str| {
            let root = root("sigstore", &secret).expect("a root");
            let identity = Identity::new("^https://ci.example$", subject).expect("expressions");
            let trust = Trust::Root(Box::new(root), vec![identity]);
            trust.vouches(
                Digest::of(MANIFEST),
                "registry.example/team/app",
                &found,
                Timestamp::now(),
            )
        };
        assert_eq!(vouches("/release.yaml@refs/tags/"), Ok(true));
        let error = vouches("/other.yaml@").expect_err("somebody else");
        assert!(error.contains("matchOIDCIdentity"), "{error}");
    }

    #[test]
    fn a_signature_of_notation_counts_for_a_manifest_of_that_size_and_type() {
        let file = include_str!("../../../tenure-verify/tests/fixtures/notation.json");
        let made = signed(file, "p256, JWS");
        let mut secret = data("trustpolicy.json", &made["policy"].to_string());
        secret.insert("root.crt".to_owned(), Secret::from(text(&made["roots"][0])));
        let (policy, store) = policy("notation", &secret).expect("a policy");
        let trust = Trust::Policy(policy, store);
        let entry = |media_type: &str, payload: Vec<u8>| Signature {
            media_type: media_type.to_owned(),
            annotations: BTreeMap::new(),
            payload,
        };
        let envelope = base64::engine::general_purpose::STANDARD
            .decode(text(&made["payload"]))
            .expect("base64");
        let envelope = entry("application/jose+json", envelope);
        let vouches = |found: &[Signature]| {
            trust.vouches(
                Digest::of(MANIFEST),
                "registry.example/team/app",
                found,
                Timestamp::now(),
            )
        };
        let itself = entry("application/vnd.oci.image.manifest.v1+json", MANIFEST.to_vec());
        assert_eq!(vouches(&[envelope.clone(), itself]), Ok(true));
        let odd = entry("application/vnd.oci.image.index.v1+json", MANIFEST.to_vec());
        for found in [vec![envelope.clone(), odd], vec![envelope]] {
            let error = vouches(&found).expect_err("something else");
            assert!(error.contains("something else"), "{error}");
        }
    }
}

//! Who signed the commit or the tag, by the keys of a Secret of the home. The worker reads the objects itself: that a
//! signature is good is nobody else's word.

use jiff::Timestamp;
use tenure_api::reasons;
use tenure_verify::git::{Keys, Object, ObjectKind};

use super::plan::Verify;
use crate::source::{At, Failure, named};
use crate::{Effects, GitObject, GitReference, Resolved};

/// What the condition says of who signed.
pub(super) async fn verify(
    verify: &Verify,
    reference: &GitReference,
    resolved: &Resolved,
    effects: &Effects,
) -> Result<String, Failure> {
    let what = "the keys of signers";
    let secret = named(
        effects,
        &verify.secret,
        what,
        "'*.asc' for PGP, '*.sshpub' for SSH",
    )
    .await
    .map_err(|failure| {
        let message = format!("public keys secret error: {}", failure.message);
        Failure::fetching(reasons::VERIFICATION_ERROR, message).at(At::Verify)
    })?;
    let keys = Keys::of(secret.iter().map(|(name, value)| (name.as_str(), value.expose())));
    signed(
        verify,
        tag_name(reference, resolved),
        resolved,
        &keys,
        Timestamp::now(),
    )
}

fn signed(
    verify: &Verify,
    tag: Option<&str>,
    resolved: &Resolved,
    keys: &Keys,
    now: Timestamp,
) -> Result<String, Failure> {
    let refuse = |reason: &'static str, message: String| Failure::fetching(reason, message).at(At::Verify);
    let commit = resolved.revision.hex();
    let mut said = "verified signature of".to_owned();
    if verify.tag {
        let tag = match (tag, resolved.objects.iter().find(|object| object.is_tag)) {
            (None, _) => {
                let message =
                    "cannot verify tag object's signature if a tag reference is not specified".to_owned();
                return Err(refuse(reasons::INVALID_VERIFICATION_MODE, message).stalled());
            }
            (Some(name), None) => {
                let message = format!("cannot verify signature of tag '{name}' since it is not signed");
                return Err(refuse(reasons::INVALID_GIT_OBJECT, message));
            }
            (Some(name), Some(tag)) => (format!("{name}@{}", tag.id), tag),
        };
        let (shown, raw) = tag;
        let object = read(ObjectKind::Tag, raw)?;
        if object.target() != Some(commit) {
            let message = format!("the tag '{shown}' does not name commit '{commit}'");
            return Err(refuse(reasons::INVALID_GIT_OBJECT, message));
        }
        if !object.is_signed() {
            let message = format!("cannot verify signature of tag '{shown}' since it is not signed");
            return Err(refuse(reasons::INVALID_GIT_OBJECT, message));
        }
        let who = object.verify(keys, now).map_err(|error| {
            let message = format!("signature verification of tag '{shown}' failed: {error}");
            refuse(reasons::INVALID_TAG_SIGNATURE, message)
        })?;
        said.push_str(&format!("\n\t- tag '{shown}' with key '{who}'"));
    }
    if verify.head {
        let raw = resolved
            .objects
            .iter()
            .find(|object| !object.is_tag && object.id == commit);
        let raw = raw.ok_or_else(|| {
            let message = format!("the commit '{commit}' is too large to be verified");
            refuse(reasons::INVALID_GIT_OBJECT, message)
        })?;
        let who = read(ObjectKind::Commit, raw)?
            .verify(keys, now)
            .map_err(|error| {
                let message = format!("signature verification of commit '{commit}' failed: {error}");
                refuse(reasons::INVALID_COMMIT_SIGNATURE, message)
            })?;
        said.push_str(&format!("\n\t- commit '{commit}' with key '{who}'"));
    }
    Ok(said)
}

fn read(kind: ObjectKind, raw: &GitObject) -> Result<Object, Failure> {
    Object::read(kind, &raw.id, &raw.data)
        .map_err(|error| Failure::fetching(reasons::INVALID_GIT_OBJECT, error.to_string()).at(At::Verify))
}

/// The tag that was followed; nothing if it was something else.
fn tag_name<'a>(reference: &'a GitReference, resolved: &'a Resolved) -> Option<&'a str> {
    match reference {
        GitReference::Tag(name) => Some(name),
        GitReference::Semver(_) => resolved.revision.pointer(),
        GitReference::Name(name) => name.strip_prefix("refs/tags/"),
        GitReference::Branch(_) | GitReference::Commit { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_core::{Digest, Revision, Secret};

    const COMMIT: &str = "b566aa44588d1bae636b7a2757f77606137f5f62";

    fn resolved(objects: Vec<GitObject>) -> Resolved {
        Resolved {
            revision: Revision::git(Some("v1"), COMMIT),
            digest: Digest::of(b"x"),
            size: 1,
            subject: String::new(),
            metadata: Vec::new(),
            objects,
            grant: Secret::new(*b"g"),
            leased_for: None,
            signatures: Vec::new(),
            link: None,
        }
    }

    fn mode(tag: bool, head: bool) -> Verify {
        Verify {
            mode: "Tag",
            tag,
            head,
            secret: "keys".into(),
        }
    }

    fn refused(verify: &Verify, tag: Option<&str>, objects: Vec<GitObject>) -> Failure {
        signed(
            verify,
            tag,
            &resolved(objects),
            &Keys::default(),
            Timestamp::UNIX_EPOCH,
        )
        .expect_err("refused")
    }

    #[test]
    fn a_tag_is_verified_only_where_one_is_followed() {
        let branch = refused(&mode(true, false), None, Vec::new());
        assert_eq!(branch.reason, "InvalidVerificationMode");
        assert_eq!(branch.retry, tenure_core::Retry::Stalled);
        let light = refused(&mode(true, false), Some("v1"), Vec::new());
        assert_eq!(
            (light.reason, light.message.as_str()),
            (
                "InvalidGitObject",
                "cannot verify signature of tag 'v1' since it is not signed"
            )
        );
    }

    #[test]
    fn bytes_that_are_not_the_commit_are_no_commit() {
        let forged = GitObject {
            id: COMMIT.into(),
            is_tag: false,
            data: b"tree x".to_vec(),
        };
        let failure = refused(&mode(false, true), None, vec![forged]);
        assert_eq!((failure.reason, failure.at), ("InvalidGitObject", At::Verify));
        let missing = refused(&mode(false, true), None, Vec::new());
        assert!(missing.message.contains("too large"));
    }

    #[test]
    fn the_tag_is_the_one_that_the_reference_leads_to() {
        let resolved = resolved(Vec::new());
        let name = |reference| tag_name(&reference, &resolved).map(str::to_owned);
        assert_eq!(name(GitReference::Tag("a".into())), Some("a".into()));
        assert_eq!(name(GitReference::Semver("1.x".into())), Some("v1".into()));
        assert_eq!(name(GitReference::Name("refs/tags/b".into())), Some("b".into()));
        assert_eq!(name(GitReference::Name("refs/heads/b".into())), None);
        assert_eq!(name(GitReference::Branch("v1".into())), None);
    }
}

//! Grants: the right of one home to read one artifact for a while.
//!
//! A grant is a MAC over who may read what, under a key that lives as long as the process. It says
//! nothing to whoever holds it, and is worth nothing to another home.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use sha2::Sha256;
use tenure_core::{Digest, Name, Revision};
use zeroize::Zeroizing;

/// A home's relation to one remote: what a refused credential revokes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    pub(crate) home: Name,
    pub(crate) remote: String,
}

/// A point in the order of proofs and revocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(u64);

/// The grant is not one for this home and this artifact now. It says no more, so that nobody learns
/// which artifacts exist.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Denied;

/// Issues and checks grants.
pub(crate) struct Grants {
    key: Zeroizing<[u8; 32]>,
    boot: Instant,
    ttl: Duration,
    clock: AtomicU64,
    revoked: Mutex<HashMap<[u8; 16], Revoked>>,
    /// Until when somebody may read an artifact.
    held: Mutex<HashMap<Digest, Instant>>,
}

struct Revoked {
    upto: Stamp,
    at: Instant,
}

const TAG: usize = 32;

/// The part of a grant that is not the MAC: expiry, the artifact's size, stamp, hash of the scope,
/// hash of the revision.
struct Body {
    expires: u64,
    size: u64,
    stamp: Stamp,
    scope: [u8; 16],
    revision: [u8; 16],
}

impl Grants {
    /// Grants that last `ttl`, under a new random key.
    pub(crate) fn new(ttl: Duration) -> Self {
        Self {
            key: Zeroizing::new(rand::random()),
            boot: Instant::now(),
            ttl,
            clock: AtomicU64::new(1),
            revoked: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// Now, in the order of proofs and revocations: taken before the remote is asked, so that a
    /// refusal that comes meanwhile wins.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp(self.clock.fetch_add(1, Ordering::SeqCst))
    }

    /// A grant for the artifact `digest` of `size` bytes, and when it ends.
    pub(crate) fn issue(
        &self,
        scope: &Scope,
        (digest, size): (Digest, u64),
        revision: &Revision,
        stamp: Stamp,
    ) -> (Vec<u8>, SystemTime) {
        let expires = (self.boot.elapsed() + self.ttl).as_millis();
        let body = Body {
            expires: u64::try_from(expires).unwrap_or(u64::MAX),
            size,
            stamp,
            scope: self.id(scope),
            revision: self.short(b"revision", &[revision.to_string().as_bytes()]),
        };
        let mut grant = body.write();
        let tag = self.mac(&scope.home, digest, &grant).finalize().into_bytes();
        grant.extend_from_slice(&tag);
        self.held.lock().insert(digest, Instant::now() + self.ttl);
        (grant, SystemTime::now() + self.ttl)
    }

    /// The artifact's size, if `grant` lets `home` read `digest` now.
    pub(crate) fn check(&self, home: &Name, digest: Digest, grant: &[u8]) -> Result<u64, Denied> {
        let (body, tag) = grant
            .len()
            .checked_sub(TAG)
            .and_then(|at| grant.split_at_checked(at))
            .ok_or(Denied)?;
        self.mac(home, digest, body)
            .verify_slice(tag)
            .map_err(|_| Denied)?;
        let body = Body::read(body).ok_or(Denied)?;
        if u128::from(body.expires) <= self.boot.elapsed().as_millis() {
            return Err(Denied);
        }
        match self.ended(&body.scope, body.stamp) {
            true => Err(Denied),
            false => Ok(body.size),
        }
    }

    /// Whether what was asked at `stamp` came before a refusal of `scope`.
    pub(crate) fn is_revoked(&self, scope: &Scope, stamp: Stamp) -> bool {
        self.ended(&self.id(scope), stamp)
    }

    fn ended(&self, scope: &[u8; 16], stamp: Stamp) -> bool {
        let revoked = self.revoked.lock();
        revoked.get(scope).is_some_and(|revoked| stamp <= revoked.upto)
    }

    /// Ends every grant that `scope` has so far.
    pub(crate) fn revoke(&self, scope: &Scope) {
        let entry = Revoked {
            upto: self.stamp(),
            at: Instant::now(),
        };
        self.revoked.lock().insert(self.id(scope), entry);
    }

    /// The artifacts that somebody may still read: grants for them have not ended.
    pub(crate) fn held(&self) -> HashSet<Digest> {
        let now = Instant::now();
        let mut held = self.held.lock();
        held.retain(|_, until| now < *until);
        held.keys().copied().collect()
    }

    /// Forgets revocations that no grant outlives; a Resolve may run for `longest` before it issues one.
    pub(crate) fn sweep(&self, longest: Duration) {
        let keep = self.ttl + longest;
        self.revoked
            .lock()
            .retain(|_, revoked| revoked.at.elapsed() <= keep);
    }

    fn id(&self, scope: &Scope) -> [u8; 16] {
        self.short(
            b"scope",
            &[scope.home.as_str().as_bytes(), scope.remote.as_bytes()],
        )
    }

    fn short(&self, domain: &[u8], parts: &[&[u8]]) -> [u8; 16] {
        let full = keyed(&self.key, domain, parts).finalize().into_bytes();
        let mut short = [0; 16];
        short
            .iter_mut()
            .zip(full.iter())
            .for_each(|(to, from)| *to = *from);
        short
    }

    fn mac(&self, home: &Name, digest: Digest, body: &[u8]) -> Hmac<Sha256> {
        keyed(
            &self.key,
            b"grant",
            &[home.as_str().as_bytes(), digest.as_bytes(), body],
        )
    }
}

/// HMAC-SHA256 over `parts`, each with its length, so that no two lists give the same bytes.
pub(crate) fn keyed(key: &[u8; 32], domain: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in [domain].iter().chain(parts) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

impl Body {
    const SIZE: usize = 8 + 8 + 8 + 16 + 16;

    fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::SIZE + TAG);
        bytes.extend_from_slice(&self.expires.to_be_bytes());
        bytes.extend_from_slice(&self.size.to_be_bytes());
        bytes.extend_from_slice(&self.stamp.0.to_be_bytes());
        bytes.extend_from_slice(&self.scope);
        bytes.extend_from_slice(&self.revision);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (expires, rest) = bytes.split_first_chunk::<8>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (stamp, rest) = rest.split_first_chunk::<8>()?;
        let (scope, rest) = rest.split_first_chunk::<16>()?;
        let revision: &[u8; 16] = rest.try_into().ok()?;
        Some(Self {
            expires: u64::from_be_bytes(*expires),
            size: u64::from_be_bytes(*size),
            stamp: Stamp(u64::from_be_bytes(*stamp)),
            scope: *scope,
            revision: *revision,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(home: &str) -> Scope {
        Scope {
            home: name(home),
            remote: "https://host:443/app.git".into(),
        }
    }

    fn name(name: &str) -> Name {
        Name::new(name).expect("valid")
    }

    fn issue(grants: &Grants, home: &str, digest: Digest) -> Vec<u8> {
        let revision = Revision::git(Some("main"), &"a".repeat(40));
        grants
            .issue(&scope(home), (digest, 3), &revision, grants.stamp())
            .0
    }

    #[test]
    fn a_grant_opens_one_artifact_to_one_home() {
        let grants = Grants::new(Duration::from_secs(60));
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        let grant = issue(&grants, "alice", one);
        assert_eq!(grants.check(&name("alice"), one, &grant), Ok(3));
        assert_eq!(grants.check(&name("bob"), one, &grant), Err(Denied));
        assert_eq!(grants.check(&name("alice"), two, &grant), Err(Denied));
    }

    #[test]
    fn a_changed_grant_is_none() {
        let grants = Grants::new(Duration::from_secs(60));
        let digest = Digest::of(b"one");
        let grant = issue(&grants, "alice", digest);
        for at in 0..grant.len() {
            let mut changed = grant.clone();
            changed[at] ^= 1;
            assert_eq!(
                grants.check(&name("alice"), digest, &changed),
                Err(Denied),
                "byte {at}"
            );
            assert_eq!(
                grants.check(&name("alice"), digest, &grant[..at]),
                Err(Denied),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn a_grant_ends_with_its_time_and_with_the_process() {
        let ended = Grants::new(Duration::ZERO);
        let digest = Digest::of(b"one");
        let grant = issue(&ended, "alice", digest);
        assert_eq!(ended.check(&name("alice"), digest, &grant), Err(Denied));
        let (before, after) = (
            Grants::new(Duration::from_secs(60)),
            Grants::new(Duration::from_secs(60)),
        );
        let grant = issue(&before, "alice", digest);
        assert_eq!(after.check(&name("alice"), digest, &grant), Err(Denied));
    }

    #[test]
    fn what_somebody_may_read_is_held_until_the_last_grant_has_ended() {
        let digest = Digest::of(b"one");
        for (ttl, held) in [(Duration::ZERO, false), (Duration::from_secs(60), true)] {
            let grants = Grants::new(ttl);
            issue(&grants, "alice", digest);
            assert_eq!(grants.held().contains(&digest), held);
        }
    }

    #[test]
    fn a_revocation_ends_what_was_proved_before_it_and_nothing_else() {
        let grants = Grants::new(Duration::from_secs(60));
        let digest = Digest::of(b"one");
        let (alice, bob) = (issue(&grants, "alice", digest), issue(&grants, "bob", digest));
        let asked_before = grants.stamp();
        grants.revoke(&scope("alice"));
        let revision = Revision::git(Some("main"), &"a".repeat(40));
        let (late, _) = grants.issue(&scope("alice"), (digest, 3), &revision, asked_before);
        assert_eq!(grants.check(&name("alice"), digest, &alice), Err(Denied));
        assert_eq!(grants.check(&name("alice"), digest, &late), Err(Denied));
        assert_eq!(grants.check(&name("bob"), digest, &bob), Ok(3));
        let again = issue(&grants, "alice", digest);
        assert_eq!(grants.check(&name("alice"), digest, &again), Ok(3));
        assert!(grants.is_revoked(&scope("alice"), asked_before));
        assert!(!grants.is_revoked(&scope("alice"), grants.stamp()));
        assert!(!grants.is_revoked(&scope("bob"), asked_before));
    }
}

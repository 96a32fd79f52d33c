//! Proofs: that a remote has accepted a home's credential for a revision, and when.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tenure_core::Name;
use zeroize::Zeroizing;

use crate::grant::{Scope, Stamp, keyed};
use crate::source::Found;

/// References that are remembered for one home; more push out the oldest.
const PER_HOME: usize = 512;

/// A credential's keyed hash: tells whether two are the same, and nothing to whoever reads memory dumps.
pub(crate) type Fingerprint = [u8; 32];

/// What a remote said to a home's credential.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) found: Found,
    /// Order among proofs and revocations: when the question was asked.
    pub(crate) stamp: Stamp,
    /// When the question was asked.
    pub(crate) at: Instant,
    /// The same, for the caller.
    pub(crate) wall: SystemTime,
}

impl Proof {
    /// What an answer proves to whoever asked with the credential.
    pub(crate) fn of(located: &Located, fingerprint: Fingerprint) -> Self {
        Self {
            fingerprint,
            found: located.found.clone(),
            stamp: located.stamp,
            at: located.at,
            wall: located.wall,
        }
    }
}

/// Where a remote has said that a reference is, and when it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub(crate) found: Found,
    pub(crate) stamp: Stamp,
    pub(crate) at: Instant,
    pub(crate) wall: SystemTime,
}

/// The proofs of all homes, in memory only.
pub(crate) struct Proofs {
    key: Zeroizing<[u8; 32]>,
    longest: Duration,
    homes: Mutex<HashMap<Name, HashMap<Question, Proof>>>,
}

#[derive(PartialEq, Eq, Hash)]
struct Question {
    remote: String,
    reference: String,
}

impl Proofs {
    /// No proof yet; none will be used once it is older than `longest`, whatever a caller accepts.
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            key: Zeroizing::new(rand::random()),
            longest,
            homes: Mutex::default(),
        }
    }

    /// The fingerprint of a credential, given as the parts that make it up.
    pub(crate) fn fingerprint(&self, parts: &[&[u8]]) -> Fingerprint {
        use hmac::Mac as _;
        keyed(&self.key, b"credential", parts)
            .finalize()
            .into_bytes()
            .into()
    }

    /// Remembers a proof.
    pub(crate) fn record(&self, scope: &Scope, reference: &str, proof: Proof) {
        let mut homes = self.homes.lock();
        let of_home = homes.entry(scope.home.clone()).or_default();
        if of_home.len() >= PER_HOME {
            let oldest = of_home.values().map(|proof| proof.at).min();
            of_home.retain(|_, proof| Some(proof.at) != oldest);
        }
        of_home.insert(
            Question {
                remote: scope.remote.clone(),
                reference: reference.to_owned(),
            },
            proof,
        );
    }

    /// The home's own proof, by the same credential, no older than `max_age`.
    pub(crate) fn fresh(
        &self,
        scope: &Scope,
        reference: &str,
        fingerprint: &Fingerprint,
        max_age: Duration,
    ) -> Option<Proof> {
        let question = Question {
            remote: scope.remote.clone(),
            reference: reference.to_owned(),
        };
        let homes = self.homes.lock();
        let proof = homes.get(&scope.home)?.get(&question)?;
        let young = proof.at.elapsed() < max_age.min(self.longest);
        (young && proof.fingerprint == *fingerprint).then(|| proof.clone())
    }

    /// Forgets what `scope` has proved.
    pub(crate) fn forget(&self, scope: &Scope) {
        if let Some(of_home) = self.homes.lock().get_mut(&scope.home) {
            of_home.retain(|question, _| question.remote != scope.remote);
        }
    }

    /// Forgets proofs that are too old to be used.
    pub(crate) fn sweep(&self) {
        self.homes.lock().retain(|_, of_home| {
            of_home.retain(|_, proof| proof.at.elapsed() < self.longest);
            !of_home.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::Grants;
    use tenure_core::Revision;

    const LONG: Duration = Duration::from_secs(300);

    fn scope(home: &str) -> Scope {
        Scope {
            home: Name::new(home).expect("valid"),
            remote: "https://host:443/app.git".into(),
        }
    }

    fn proof(fingerprint: Fingerprint) -> Proof {
        Proof {
            fingerprint,
            found: Found {
                revision: Revision::git(Some("main"), &"a".repeat(40)),
                content: "a".repeat(40),
                pointer: None,
                through: None,
                advertised: true,
                validators: None,
            },
            stamp: Grants::new(LONG).stamp(),
            at: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    #[test]
    fn a_proof_serves_its_home_credential_and_reference_only() {
        let proofs = Proofs::new(LONG);
        let (mine, other) = (proofs.fingerprint(&[b"mine"]), proofs.fingerprint(&[b"other"]));
        proofs.record(&scope("alice"), "branch main", proof(mine));
        assert!(
            proofs
                .fresh(&scope("alice"), "branch main", &mine, LONG)
                .is_some()
        );
        assert!(
            proofs
                .fresh(&scope("alice"), "branch main", &other, LONG)
                .is_none()
        );
        assert!(proofs.fresh(&scope("alice"), "branch dev", &mine, LONG).is_none());
        assert!(proofs.fresh(&scope("bob"), "branch main", &mine, LONG).is_none());
    }

    #[test]
    fn nobody_who_wants_a_new_answer_gets_an_old_one() {
        let proofs = Proofs::new(LONG);
        let mine = proofs.fingerprint(&[b"mine"]);
        proofs.record(&scope("alice"), "branch main", proof(mine));
        assert!(
            proofs
                .fresh(&scope("alice"), "branch main", &mine, Duration::ZERO)
                .is_none()
        );
        let strict = Proofs::new(Duration::ZERO);
        strict.record(&scope("alice"), "branch main", proof(mine));
        assert!(
            strict
                .fresh(&scope("alice"), "branch main", &mine, LONG)
                .is_none()
        );
    }

    #[test]
    fn a_forgotten_proof_serves_nobody() {
        let proofs = Proofs::new(LONG);
        let mine = proofs.fingerprint(&[b"mine"]);
        proofs.record(&scope("alice"), "branch main", proof(mine));
        proofs.forget(&scope("alice"));
        assert!(
            proofs
                .fresh(&scope("alice"), "branch main", &mine, LONG)
                .is_none()
        );
    }

    #[test]
    fn a_home_cannot_fill_the_memory() {
        let proofs = Proofs::new(LONG);
        let mine = proofs.fingerprint(&[b"mine"]);
        for n in 0..PER_HOME + 10 {
            proofs.record(&scope("alice"), &format!("branch {n}"), proof(mine));
        }
        assert!(
            proofs
                .homes
                .lock()
                .values()
                .all(|of_home| of_home.len() <= PER_HOME)
        );
        assert!(
            proofs
                .fresh(&scope("alice"), &format!("branch {}", PER_HOME + 9), &mine, LONG)
                .is_some()
        );
    }
}

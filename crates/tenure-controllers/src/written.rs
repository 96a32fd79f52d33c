use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenure_apply::Fingerprints;
use tenure_core::{Account, Digest, Name, ObjectKey};

use crate::retry::after;

/// How the user name of a ServiceAccount begins.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// What Kustomizations have written, so that what is still so need not be written or dry-run again.
/// Travels in the memo; one that is lost is made again by the next whole pass.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct WrittenObjects(HashMap<String, WrittenSet>);

/// What one Kustomization has written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WrittenSet {
    /// The generation of the Kustomization.
    generation: i64,
    /// Who wrote it.
    account: String,
    /// Of what was built.
    built: String,
    /// What the objects looked like.
    pub(crate) prints: Fingerprints,
    /// When somebody looked last whether they still do.
    checked: Timestamp,
}

/// What a set is written for.
#[derive(Debug, Clone)]
pub(crate) struct WrittenFor {
    pub(crate) generation: i64,
    pub(crate) account: Account,
    pub(crate) built: Digest,
}

impl WrittenObjects {
    /// What `key` has written, if it was for the same.
    pub(crate) fn get(&self, key: &ObjectKey, wanted: &WrittenFor) -> Option<WrittenSet> {
        let set = self.0.get(&key.to_string())?;
        let same = set.is_of(wanted) && set.built == wanted.built.to_string();
        same.then(|| set.clone())
    }

    /// How `key` wrote objects last, if it was for the same, whatever was built.
    pub(crate) fn prints(&self, key: &ObjectKey, wanted: &WrittenFor) -> Fingerprints {
        let set = self.0.get(&key.to_string());
        let same = set.filter(|set| set.is_of(wanted));
        same.map(|set| set.prints.clone()).unwrap_or_default()
    }

    /// What `key` wrote last, and who wrote it.
    pub(crate) fn last(&self, key: &ObjectKey) -> Option<(Account, &Fingerprints)> {
        let set = self.0.get(&key.to_string())?;
        let (namespace, name) = set.account.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
        let account = Account {
            namespace: Name::new(namespace).ok()?,
            name: Name::new(name).ok()?,
        };
        Some((account, &set.prints))
    }

    /// Keeps what `key` wrote just now.
    pub(crate) fn keep(
        &mut self,
        key: &ObjectKey,
        written: &WrittenFor,
        prints: Fingerprints,
        now: Timestamp,
    ) {
        let set = WrittenSet {
            generation: written.generation,
            account: written.account.username(),
            built: written.built.to_string(),
            prints,
            checked: now,
        };
        self.0.insert(key.to_string(), set);
    }

    /// Notes that what `key` wrote was looked at just now.
    pub(crate) fn looked_at(&mut self, key: &ObjectKey, now: Timestamp) {
        if let Some(set) = self.0.get_mut(&key.to_string()) {
            set.checked = now;
        }
    }

    /// Forgets what `key` wrote: nobody knows any more.
    pub(crate) fn forget(&mut self, key: &ObjectKey) {
        self.0.remove(&key.to_string());
    }
}

impl WrittenSet {
    /// Whether the same Kustomization wrote it as the same account.
    fn is_of(&self, wanted: &WrittenFor) -> bool {
        self.generation == wanted.generation && self.account == wanted.account.username()
    }

    /// When it is to be looked at again.
    pub(crate) fn due(&self, interval: Duration) -> Timestamp {
        after(self.checked, interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::name;

    #[test]
    fn a_set_counts_for_what_it_was_written_for_only() {
        let key = ObjectKey {
            kind: "Kustomization".into(),
            name: name("app"),
        };
        let account = |text: &str| Account {
            namespace: name("apps"),
            name: name(text),
        };
        let written = WrittenFor {
            generation: 2,
            account: account("tenant"),
            built: Digest::of(b"a"),
        };
        let mut all = WrittenObjects::default();
        let print = serde_json::from_value(serde_json::json!({"live": "a", "wanted": "b"}));
        let prints = Fingerprints::from([("apps_cm__ConfigMap".to_owned(), print.expect("a print"))]);
        all.keep(&key, &written, prints, Timestamp::UNIX_EPOCH);
        let found = all.get(&key, &written).expect("the same");
        let minute = Duration::from_mins(1);
        assert_eq!(found.due(minute), Timestamp::from_second(60).expect("in range"));
        for other in [
            WrittenFor {
                generation: 3,
                ..written.clone()
            },
            WrittenFor {
                account: account("other"),
                ..written.clone()
            },
            WrittenFor {
                built: Digest::of(b"b"),
                ..written.clone()
            },
        ] {
            assert!(all.get(&key, &other).is_none());
            let same = other.generation == written.generation && other.account == written.account;
            assert_eq!(all.prints(&key, &other).is_empty(), !same);
        }
        all.forget(&key);
        assert!(all.get(&key, &written).is_none());
    }
}

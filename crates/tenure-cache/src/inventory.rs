//! What is cached, for people: which artifact came from where, and which homes may read it. In memory only: after a
//! restart an artifact is listed again when somebody asks for it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;
use tenure_core::{Digest, Name};
use tenure_proto::source::{Cached, Inventory as Listed};
use tokio::sync::watch;

use crate::grant::Scope;

/// Artifacts that are listed; of more the most recently asked for.
const MOST: usize = 500;
/// Readers that are named for each.
const NAMED: usize = 16;
/// Questions that are remembered for each home.
const PER_HOME: usize = 512;

/// What has been made of what remote.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Place {
    remote: String,
    digest: Digest,
}

/// What is said of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The kind of source that asked for it.
    pub(crate) kind: &'static str,
    pub(crate) revision: String,
    /// Bytes.
    pub(crate) size: u64,
    /// When it was made.
    pub(crate) made: SystemTime,
}

/// The artifacts that homes have been given.
pub(crate) struct Inventory {
    table: Mutex<Table>,
    changed: Mutex<Option<watch::Sender<()>>>,
}

#[derive(Default)]
struct Table {
    items: HashMap<Place, (Item, Instant)>,
    /// What each home has got last for each of its questions: a remote, and what was asked of it.
    homes: BTreeMap<Name, HashMap<(String, String), Place>>,
}

impl Default for Inventory {
    fn default() -> Self {
        Self {
            table: Mutex::default(),
            changed: Mutex::new(Some(watch::Sender::default())),
        }
    }
}

impl Inventory {
    /// A home was given an artifact in answer to a question.
    pub(crate) fn note(&self, scope: &Scope, question: String, digest: Digest, item: Item) {
        let place = Place {
            remote: scope.remote.clone(),
            digest,
        };
        let question = (scope.remote.clone(), question);
        let mut table = self.table.lock();
        let before = table.items.insert(place.clone(), (item.clone(), Instant::now()));
        let mut changed = before.is_none_or(|(before, _)| before != item);
        let questions = table.homes.entry(scope.home.clone()).or_default();
        if questions.len() < PER_HOME || questions.contains_key(&question) {
            let before = questions.insert(question, place.clone());
            changed |= before.as_ref() != Some(&place);
        }
        drop(table);
        self.say(changed);
    }

    /// What a home had from a remote is not open to it any more.
    pub(crate) fn forget(&self, scope: &Scope) {
        let mut table = self.table.lock();
        let Some(questions) = table.homes.get_mut(&scope.home) else {
            return;
        };
        let before = questions.len();
        questions.retain(|_, place| place.remote != scope.remote);
        let changed = questions.len() != before;
        drop(table);
        self.say(changed);
    }

    /// Forgets artifacts that are not on disk any more.
    pub(crate) fn keep(&self, present: &HashSet<Digest>) {
        let mut table = self.table.lock();
        let before = table.items.len();
        table.items.retain(|place, _| present.contains(&place.digest));
        for questions in table.homes.values_mut() {
            questions.retain(|_, place| present.contains(&place.digest));
        }
        table.homes.retain(|_, questions| !questions.is_empty());
        let changed = table.items.len() != before;
        drop(table);
        self.say(changed);
    }

    /// The list as it is now, by remote and revision.
    pub(crate) fn list(&self) -> Listed {
        let table = self.table.lock();
        let mut readers: HashMap<&Place, BTreeSet<&Name>> = HashMap::new();
        for (home, questions) in &table.homes {
            for place in questions.values() {
                readers.entry(place).or_default().insert(home);
            }
        }
        let mut all: Vec<_> = table.items.iter().collect();
        all.sort_by_key(|(_, (_, asked))| std::cmp::Reverse(*asked));
        let left_out = all.len().saturating_sub(MOST);
        all.truncate(MOST);
        all.sort_by_key(|(place, (item, _))| (&place.remote, &item.revision, place.digest));
        let cached = |place: &Place, item: &Item| {
            let homes = readers.get(place);
            let named = homes.into_iter().flatten().take(NAMED);
            Cached {
                kind: item.kind.to_owned(),
                url: place.remote.clone(),
                revision: item.revision.clone(),
                digest: place.digest.to_string(),
                size: item.size,
                made_at: Some(item.made.into()),
                readers: homes.map_or(0, |homes| u32::try_from(homes.len()).unwrap_or(u32::MAX)),
                homes: named.map(ToString::to_string).collect(),
            }
        };
        Listed {
            artifacts: all
                .into_iter()
                .map(|(place, (item, _))| cached(place, item))
                .collect(),
            left_out: u32::try_from(left_out).unwrap_or(u32::MAX),
        }
    }

    /// Says when the list has changed; closed when the service ends.
    pub(crate) fn changes(&self) -> Option<watch::Receiver<()>> {
        self.changed.lock().as_ref().map(watch::Sender::subscribe)
    }

    /// The service ends: nobody hears of changes any more.
    pub(crate) fn close(&self) {
        self.changed.lock().take();
    }

    fn say(&self, changed: bool) {
        if changed && let Some(sender) = &*self.changed.lock() {
            sender.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(home: &str, remote: &str) -> Scope {
        Scope {
            home: Name::new(home).expect("valid"),
            remote: remote.into(),
        }
    }

    fn item(revision: &str) -> Item {
        Item {
            kind: "GitRepository",
            revision: revision.into(),
            size: 3,
            made: SystemTime::UNIX_EPOCH,
        }
    }

    fn listed(inventory: &Inventory) -> Vec<(String, String, Vec<String>)> {
        let list = inventory.list().artifacts.into_iter();
        list.map(|cached| (cached.url, cached.revision, cached.homes))
            .collect()
    }

    fn row(url: &str, revision: &str, homes: &[&str]) -> (String, String, Vec<String>) {
        let homes = homes.iter().map(|home| (*home).to_owned()).collect();
        (url.to_owned(), revision.to_owned(), homes)
    }

    #[test]
    fn an_artifact_names_the_homes_that_were_given_it_last() {
        let inventory = Inventory::default();
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        for home in ["bob", "alice"] {
            inventory.note(&scope(home, "https://h/a"), "main".into(), one, item("main@1"));
        }
        inventory.note(&scope("bob", "https://h/b"), "main".into(), one, item("main@9"));
        let expected = [
            row("https://h/a", "main@1", &["alice", "bob"]),
            row("https://h/b", "main@9", &["bob"]),
        ];
        assert_eq!(listed(&inventory), expected);
        inventory.note(&scope("bob", "https://h/a"), "main".into(), two, item("main@2"));
        inventory.forget(&scope("bob", "https://h/b"));
        let expected = [
            row("https://h/a", "main@1", &["alice"]),
            row("https://h/a", "main@2", &["bob"]),
            row("https://h/b", "main@9", &[]),
        ];
        assert_eq!(listed(&inventory), expected);
        inventory.keep(&HashSet::from([two]));
        assert_eq!(listed(&inventory), [row("https://h/a", "main@2", &["bob"])]);
    }

    #[test]
    fn changes_are_said_and_the_same_again_is_none() {
        let inventory = Inventory::default();
        let mut changes = inventory.changes().expect("it is open");
        let note = || {
            inventory.note(
                &scope("bob", "https://h/a"),
                "main".into(),
                Digest::of(b"one"),
                item("main@1"),
            )
        };
        note();
        assert!(changes.has_changed().expect("it is open"));
        changes.mark_unchanged();
        note();
        assert!(!changes.has_changed().expect("it is open"));
        inventory.close();
        assert!(changes.has_changed().is_err() && inventory.changes().is_none());
    }

    #[test]
    fn of_too_many_the_last_are_listed_and_the_others_counted() {
        let inventory = Inventory::default();
        for number in 0..MOST + 3 {
            let digest = Digest::of(&number.to_be_bytes());
            let home = scope(&format!("home-{number}"), "https://h/a");
            inventory.note(&home, "main".into(), digest, item(&number.to_string()));
        }
        let list = inventory.list();
        assert_eq!((list.artifacts.len(), list.left_out), (MOST, 3));
    }
}

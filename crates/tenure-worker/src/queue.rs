//! Which object is next: synchronous, fed by hand in tests.
//!
//! One object is never worked on twice at once. Sources go before what consumes them, and an object
//! waits while something it needs is queued or under way, so that a cold start does not begin with
//! "not ready" statuses. A cycle does not stop the queue: when nothing else can run, the first goes.

use std::collections::BTreeMap;
use std::collections::HashMap;

use tenure_core::ObjectKey;

/// The queue of one worker.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    slots: HashMap<ObjectKey, Slot>,
    order: BTreeMap<Turn, ObjectKey>,
    arrivals: u64,
}

/// When a queued object's turn is: first what somebody waits for, then by rank of the kind and order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    unasked: bool,
    rank: u8,
    arrival: u64,
}

#[derive(Debug)]
enum Slot {
    Queued { at: Turn, stale: bool },
    Running { again: Option<Again> },
}

/// It is queued again when it ends.
#[derive(Debug, Clone, Copy, Default)]
struct Again {
    stale: bool,
    asked: bool,
}

/// An object to work on now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) key: ObjectKey,
    /// What the snapshot holds may be older than the event: read it again first.
    pub(crate) stale: bool,
}

impl Queue {
    /// Queues an object. One that is under way is queued again when it ends.
    pub(crate) fn push(&mut self, key: ObjectKey, stale: bool) {
        match self.slots.get_mut(&key) {
            Some(Slot::Queued { stale: known, .. }) => *known |= stale,
            Some(Slot::Running { again }) => again.get_or_insert_default().stale |= stale,
            None => {
                self.arrivals += 1;
                let at = Turn {
                    unasked: true,
                    rank: rank(&key.kind),
                    arrival: self.arrivals,
                };
                self.order.insert(at, key.clone());
                self.slots.insert(key, Slot::Queued { at, stale });
            }
        }
    }

    /// Somebody waits for an object: if it is queued, it goes before the others.
    pub(crate) fn hurry(&mut self, key: &ObjectKey) {
        match self.slots.get_mut(key) {
            Some(Slot::Queued { at, .. }) => {
                if let Some(queued) = self.order.remove(at) {
                    at.unasked = false;
                    self.order.insert(*at, queued);
                }
            }
            Some(Slot::Running { again: Some(again) }) => again.asked = true,
            _ => {}
        }
    }

    /// Takes the next object whose needs are neither queued nor under way.
    pub(crate) fn pop(&mut self, needs: impl Fn(&ObjectKey) -> Vec<ObjectKey>) -> Option<Job> {
        let blocked = |key: &ObjectKey| {
            needs(key)
                .iter()
                .any(|need| need != key && self.slots.contains_key(need))
        };
        let free = self.order.values().find(|key| !blocked(key)).cloned();
        let key = match free {
            Some(key) => key,
            None if self.running() == 0 => self.order.values().next()?.clone(),
            None => return None,
        };
        let Some(Slot::Queued { at, stale }) = self.slots.insert(key.clone(), Slot::Running { again: None })
        else {
            return None;
        };
        self.order.remove(&at);
        Some(Job { key, stale })
    }

    /// Queued objects of `kind` that are to be read again.
    pub(crate) fn stale(&self, kind: &str) -> usize {
        let stale = |key: &&ObjectKey| matches!(self.slots.get(*key), Some(Slot::Queued { stale: true, .. }));
        self.order
            .values()
            .filter(|key| key.kind == kind)
            .filter(stale)
            .count()
    }

    /// All objects of `kind` were read: none that is queued needs it any more.
    pub(crate) fn refreshed(&mut self, kind: &str) {
        for key in self.order.values().filter(|key| key.kind == kind) {
            if let Some(Slot::Queued { stale, .. }) = self.slots.get_mut(key) {
                *stale = false;
            }
        }
    }

    /// An object's pass has ended.
    pub(crate) fn finish(&mut self, key: &ObjectKey) {
        if let Some(Slot::Running { again: Some(again) }) = self.slots.remove(key) {
            self.push(key.clone(), again.stale);
            if again.asked {
                self.hurry(key);
            }
        }
    }

    /// Whether nothing is queued and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many passes are under way.
    pub(crate) fn running(&self) -> usize {
        self.slots.len() - self.order.len()
    }

    /// Forgets what is queued; what is under way goes on.
    pub(crate) fn drain(&mut self) {
        for key in std::mem::take(&mut self.order).into_values() {
            self.slots.remove(&key);
        }
    }
}

fn rank(kind: &str) -> u8 {
    match kind {
        "Kustomization" => 2,
        // a source that is made of another
        "HelmChart" => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_core::Name;

    fn key(kind: &str, name: &str) -> ObjectKey {
        ObjectKey {
            kind: kind.into(),
            name: Name::new(name).expect("valid"),
        }
    }

    fn alone(_: &ObjectKey) -> Vec<ObjectKey> {
        Vec::new()
    }

    #[test]
    fn sources_go_first() {
        let mut queue = Queue::default();
        queue.push(key("Kustomization", "app"), false);
        queue.push(key("GitRepository", "repo"), false);
        assert_eq!(
            queue.pop(alone).map(|job| job.key),
            Some(key("GitRepository", "repo"))
        );
    }

    #[test]
    fn what_somebody_waits_for_goes_first() {
        let mut queue = Queue::default();
        for name in ["a", "b", "c"] {
            queue.push(key("Kustomization", name), false);
        }
        queue.hurry(&key("Kustomization", "b"));
        queue.hurry(&key("Kustomization", "unknown"));
        let next = |queue: &mut Queue| queue.pop(alone).map(|job| job.key.name.to_string());
        assert_eq!(next(&mut queue).as_deref(), Some("b"));
        queue.push(key("Kustomization", "b"), false);
        queue.hurry(&key("Kustomization", "b"));
        queue.finish(&key("Kustomization", "b"));
        let rest: Vec<_> = std::iter::from_fn(|| next(&mut queue)).collect();
        assert_eq!(rest, ["b", "a", "c"]);
    }

    #[test]
    fn an_object_is_never_worked_on_twice_at_once() {
        let mut queue = Queue::default();
        queue.push(key("Kustomization", "app"), false);
        queue.push(key("Kustomization", "app"), true);
        assert_eq!(
            queue.pop(alone),
            Some(Job {
                key: key("Kustomization", "app"),
                stale: true
            })
        );
        queue.push(key("Kustomization", "app"), true);
        assert_eq!(queue.pop(alone), None);
        queue.finish(&key("Kustomization", "app"));
        assert_eq!(
            queue.pop(alone),
            Some(Job {
                key: key("Kustomization", "app"),
                stale: true
            })
        );
        queue.finish(&key("Kustomization", "app"));
        assert!(queue.is_idle());
    }

    #[test]
    fn a_consumer_waits_for_its_source() {
        let mut queue = Queue::default();
        let needs = |of: &ObjectKey| {
            if of.kind == "Kustomization" {
                vec![key("GitRepository", "repo")]
            } else {
                Vec::new()
            }
        };
        queue.push(key("Kustomization", "app"), false);
        queue.push(key("GitRepository", "repo"), false);
        assert!(queue.pop(needs).is_some());
        assert_eq!(queue.pop(needs), None, "the source is under way");
        queue.finish(&key("GitRepository", "repo"));
        assert_eq!(
            queue.pop(needs).map(|job| job.key),
            Some(key("Kustomization", "app"))
        );
    }

    #[test]
    fn a_cycle_does_not_stop_the_queue() {
        let mut queue = Queue::default();
        let needs = |of: &ObjectKey| {
            vec![key(
                "Kustomization",
                if of.name.as_str() == "a" { "b" } else { "a" },
            )]
        };
        queue.push(key("Kustomization", "a"), false);
        queue.push(key("Kustomization", "b"), false);
        assert_eq!(
            queue.pop(needs).map(|job| job.key),
            Some(key("Kustomization", "a"))
        );
        assert_eq!(queue.pop(needs), None);
        queue.finish(&key("Kustomization", "a"));
        assert_eq!(
            queue.pop(needs).map(|job| job.key),
            Some(key("Kustomization", "b"))
        );
    }

    #[test]
    fn one_list_stands_for_reading_each_object_of_a_kind() {
        let mut queue = Queue::default();
        queue.push(key("Kustomization", "a"), true);
        queue.push(key("Kustomization", "b"), true);
        queue.push(key("Kustomization", "c"), false);
        queue.push(key("GitRepository", "repo"), true);
        assert_eq!(
            (queue.stale("Kustomization"), queue.stale("GitRepository")),
            (2, 1)
        );
        queue.refreshed("Kustomization");
        assert_eq!(
            (queue.stale("Kustomization"), queue.stale("GitRepository")),
            (0, 1)
        );
        assert_eq!(
            queue.pop(alone),
            Some(Job {
                key: key("GitRepository", "repo"),
                stale: true
            })
        );
        assert_eq!(
            queue.pop(alone),
            Some(Job {
                key: key("Kustomization", "a"),
                stale: false
            })
        );
    }

    #[test]
    fn draining_forgets_what_has_not_begun() {
        let mut queue = Queue::default();
        queue.push(key("GitRepository", "a"), false);
        queue.push(key("GitRepository", "b"), false);
        assert!(queue.pop(alone).is_some());
        queue.drain();
        assert_eq!((queue.running(), queue.pop(alone)), (1, None));
        queue.finish(&key("GitRepository", "a"));
        assert!(queue.is_idle());
    }
}

use std::collections::BTreeMap;

use super::release::release;
use super::{Str, Value};

/// Most members that are moved to make room for another, or to close a gap.
const FEW: usize = 64;

/// What a map holds, in the order of the keys. Most maps are small: one after the other their members take a
/// fraction of the room of a tree, and of the time to walk it.
pub(super) enum Table {
    Few(Vec<(Str, Value)>),
    Many(BTreeMap<Str, Value>),
}

impl Default for Table {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Table {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(members) => members.len(),
            Self::Many(members) => members.len(),
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Value> {
        match self {
            Self::Few(members) => {
                let at = place(members, key).ok()?;
                members.get(at).map(|(_, value)| value)
            }
            Self::Many(members) => members.get(key),
        }
    }

    /// Sets a key and gives back what it was before.
    pub(super) fn insert(&mut self, key: Str, value: Value) -> Option<Value> {
        if let Self::Few(members) = self {
            match place(members, key.as_bytes()) {
                Ok(at) => {
                    let held = members.get_mut(at)?;
                    return Some(std::mem::replace(&mut held.1, value));
                }
                Err(at) if members.len() < FEW || at == members.len() => {
                    members.insert(at, (key, value));
                    return None;
                }
                Err(_) => {}
            }
        }
        self.grown(|members| members.insert(key, value))
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Value> {
        if let Self::Few(members) = self {
            let at = place(members, key).ok()?;
            if members.len() <= FEW {
                return Some(members.remove(at).1);
            }
        }
        self.grown(|members| members.remove(key))
    }

    /// Works on the tree that it becomes, if it is not one yet.
    fn grown<R>(&mut self, work: impl FnOnce(&mut BTreeMap<Str, Value>) -> R) -> R {
        let mut members = match std::mem::take(self) {
            Self::Few(members) => members.into_iter().collect(),
            Self::Many(members) => members,
        };
        let result = work(&mut members);
        *self = Self::Many(members);
        result
    }

    pub(super) fn entries(&self) -> Vec<(Str, Value)> {
        match self {
            Self::Few(members) => members.clone(),
            Self::Many(members) => members.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        }
    }

    pub(super) fn each<E>(&self, mut look: impl FnMut(&Str, &Value) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Few(members) => members.iter().try_for_each(|(key, value)| look(key, value)),
            Self::Many(members) => members.iter().try_for_each(|(key, value)| look(key, value)),
        }
    }

    pub(super) fn keys(&self) -> Vec<Str> {
        match self {
            Self::Few(members) => members.iter().map(|(key, _)| key.clone()).collect(),
            Self::Many(members) => members.keys().cloned().collect(),
        }
    }

    pub(super) fn values(&self) -> Vec<Value> {
        match self {
            Self::Few(members) => members.iter().map(|(_, value)| value.clone()).collect(),
            Self::Many(members) => members.values().cloned().collect(),
        }
    }

    /// Lets go of everything, however deep.
    pub(super) fn release(self) {
        match self {
            Self::Few(members) => release(members.into_iter().map(|(_, value)| value)),
            Self::Many(members) => release(members.into_values()),
        }
    }
}

fn place(members: &[(Str, Value)], key: &[u8]) -> Result<usize, usize> {
    members.binary_search_by(|(held, _)| held.as_bytes().cmp(key))
}

impl FromIterator<(Str, Value)> for Table {
    /// Of members under the same key the last one counts.
    fn from_iter<I: IntoIterator<Item = (Str, Value)>>(members: I) -> Self {
        let mut members: Vec<_> = members.into_iter().collect();
        if !members.is_sorted_by(|(a, _), (b, _)| a < b) {
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            members.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    std::mem::swap(&mut later.1, &mut earlier.1);
                }
                same
            });
        }
        Self::Few(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small and large tables do the same as a tree.
    #[test]
    fn a_table_is_a_sorted_map_whatever_its_size() {
        for most in [5_u32, 100, 1_000] {
            let (mut table, mut tree) = (Table::default(), BTreeMap::new());
            let mut state = 1_u32;
            for turn in 0..4_000_i64 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let key = Str::from(((state >> 8) % most).to_string());
                let (ours, theirs) = if state >> 30 == 0 {
                    (table.remove(key.as_bytes()), tree.remove(&key))
                } else {
                    (
                        table.insert(key.clone(), turn.into()),
                        tree.insert(key.clone(), turn),
                    )
                };
                let number = |value: Option<&Value>| match value {
                    Some(Value::Int(number)) => Some(*number),
                    _ => None,
                };
                assert_eq!(number(ours.as_ref()), theirs, "{key}");
                assert_eq!(
                    number(table.get(key.as_bytes())),
                    tree.get(&key).copied(),
                    "{key}"
                );
            }
            assert_eq!(table.len(), tree.len());
            assert_eq!(table.keys(), tree.keys().cloned().collect::<Vec<_>>());
        }
    }

    #[test]
    fn of_members_under_the_same_key_the_last_one_counts() {
        let members = [("b", 1), ("a", 2), ("b", 3), ("a", 4)];
        let table: Table = members
            .into_iter()
            .map(|(k, v)| (k.into(), Value::Int(v)))
            .collect();
        assert!(matches!(table.get(b"a"), Some(Value::Int(4))));
        assert!(matches!(table.get(b"b"), Some(Value::Int(3))));
        assert_eq!(table.len(), 2);
    }
}

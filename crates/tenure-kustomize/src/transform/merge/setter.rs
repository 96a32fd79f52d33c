//! Lists in which elements lack keys that others have. What the tool makes of them follows from how it
//! searches, step by step, so the same steps are taken here (`walk/associative_sequence.go`, and
//! `ElementSetter` and `ElementMatcher` in `fns.go`@kyaml v0.21.1).

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::list::{Other, Texts, text, texts};
use super::{Fault, Kept, Merge};
use crate::schema::Schema;

/// How many comparisons one object may cost.
const STEPS: usize = 1 << 24;
/// What a copied node costs. Elements that lack several keys are doubled at every level.
const COPY: usize = 64;

/// The elements of both lists, which move between the lists by their numbers.
struct Arena {
    nodes: Vec<Value>,
    target: Vec<usize>,
    /// The patch's elements; nothing if the list is merged with itself.
    patch: Option<Vec<usize>>,
}

impl<'a> Merge<'a> {
    pub(super) fn join_by_search(
        &self,
        schema: Option<Schema<'a>>,
        keys: &[&str],
        items: &mut Vec<Value>,
        other: Other<'_>,
    ) -> Result<(), Fault> {
        let mut nodes = std::mem::take(items);
        let target: Vec<usize> = (0..nodes.len()).collect();
        let patch = match other {
            Other::List(patch) => {
                nodes.append(patch);
                Some((target.len()..nodes.len()).collect())
            }
            Other::Nothing => Some(Vec::new()),
            Other::Same => None,
        };
        let size = nodes.len();
        self.steps
            .set(self.steps.get().saturating_add(size.saturating_mul(size)));
        if self.steps.get() > STEPS {
            return Err(Fault::new("too many elements of the list lack a merge key"));
        }
        let mut arena = Arena { nodes, target, patch };
        let keys = if keys.is_empty() { &[""] } else { keys };
        let result = self.search(schema, keys, &mut arena)?;
        let mut left: HashMap<usize, usize> = HashMap::new();
        for id in &result {
            *left.entry(*id).or_default() += 1;
        }
        for id in result {
            let (Some(node), Some(left)) = (arena.nodes.get_mut(id), left.get_mut(&id)) else {
                continue;
            };
            *left -= 1;
            if *left == 0 {
                items.push(node.take());
            } else {
                self.charge(size_of(node).saturating_mul(COPY))?;
                items.push(node.clone());
            }
        }
        Ok(())
    }

    fn charge(&self, steps: usize) -> Result<(), Fault> {
        self.steps.set(self.steps.get().saturating_add(steps));
        if self.steps.get() > STEPS {
            return Err(Fault::new("too many elements of the list lack a merge key"));
        }
        Ok(())
    }

    fn search(
        &self,
        schema: Option<Schema<'a>>,
        keys: &[&str],
        arena: &mut Arena,
    ) -> Result<Vec<usize>, Fault> {
        let rows = arena.rows(keys);
        let used: Vec<&str> = keys
            .iter()
            .enumerate()
            .filter(|(i, _)| rows.iter().any(|row| row.get(*i).is_some_and(|t| !t.is_empty())))
            .map(|(_, key)| *key)
            .collect();
        let used: &[&str] = if used.is_empty() { keys } else { &used };
        let mut out = Vec::new();
        for row in &rows {
            let values: Texts = keys
                .iter()
                .zip(row)
                .filter(|(key, _)| used.contains(key))
                .map(|(_, value)| value.clone())
                .collect();
            match self.element(schema, used, &values, arena)? {
                None => arena.target = set(&arena.nodes, &arena.target, None, used, &values)?,
                some => out = set(&arena.nodes, &out, some, used, &values)?,
            }
        }
        if rows.is_empty() {
            return Ok(std::mem::take(&mut arena.target));
        }
        arena.append(out, used)
    }

    /// Merges the elements of these values, and says which one holds the result.
    fn element(
        &self,
        schema: Option<Schema<'a>>,
        keys: &[&str],
        values: &[String],
        arena: &mut Arena,
    ) -> Result<Option<usize>, Fault> {
        let given: Vec<(&str, &str)> = {
            let pairs = || keys.iter().copied().zip(values.iter().map(String::as_str));
            let given: Vec<_> = pairs().filter(|(_, value)| !value.is_empty()).collect();
            if given.is_empty() {
                pairs().collect()
            } else {
                given
            }
        };
        let old = arena.find(&arena.target, &given);
        let new = match &arena.patch {
            Some(patch) => arena.find(patch, &given),
            None => old,
        };
        let own = arena.patch.is_none();
        let mut take = |id: Option<usize>| id.and_then(|id| arena.nodes.get_mut(id)).map(Value::take);
        let mut target = take(old);
        let mut patch = if own { None } else { take(new) };
        let kept = match &mut target {
            Some(node) if own => self.own(schema, node).map(|k| Kept::of(k, Kept::Target)),
            None if patch.is_none() => Ok(Kept::Nothing),
            _ => self.node(schema, target.as_mut(), patch.as_mut()),
        };
        for (id, value) in [(old, target), (new, patch)] {
            if let (Some(slot), Some(value)) = (id.and_then(|id| arena.nodes.get_mut(id)), value) {
                *slot = value;
            }
        }
        let result = match kept? {
            Kept::Nothing => None,
            Kept::Target => old,
            Kept::Patch => new,
        };
        Ok(result.filter(|id| arena.nodes.get(*id).is_some_and(|v| !is_empty(v))))
    }
}

impl Arena {
    /// The distinct key texts of all elements, the patch's first; a text that is missing in one and
    /// present in another that is the same otherwise is filled in.
    fn rows(&self, keys: &[&str]) -> Vec<Texts> {
        let mut seen = HashSet::new();
        let ids = self.patch.iter().flatten().chain(&self.target);
        let mut rows: Vec<Texts> = Vec::new();
        for value in ids.filter_map(|id| self.nodes.get(*id)) {
            let row = if keys == [""] {
                vec![text(value)]
            } else {
                texts(value, keys)
            };
            if seen.insert(row.clone()) {
                rows.push(row);
            }
        }
        for i in 0..rows.len() {
            // As it was before this round, even where the round changes it.
            let Some(one) = rows.get(i).cloned() else {
                continue;
            };
            for j in 0..rows.len() {
                if let Some(both) = rows.get(j).and_then(|other| joined(&one, other)) {
                    for at in [i, j] {
                        if let Some(row) = rows.get_mut(at) {
                            row.clone_from(&both);
                        }
                    }
                }
            }
        }
        rows
    }

    /// The first element that has all these values.
    fn find(&self, ids: &[usize], given: &[(&str, &str)]) -> Option<usize> {
        let hit = |value: &Value| match given {
            [("", wanted)] => text(value) == *wanted,
            given => {
                let fits = |(key, wanted): &(&str, &str)| value.get(*key).is_some_and(|v| text(v) == *wanted);
                value.is_object() && given.iter().all(fits)
            }
        };
        ids.iter()
            .copied()
            .find(|id| self.nodes.get(*id).is_some_and(hit))
    }

    /// Puts the target's elements into `out`, in the place of those with the same keys or at the end.
    fn append(&mut self, mut out: Vec<usize>, keys: &[&str]) -> Result<Vec<usize>, Fault> {
        for id in std::mem::take(&mut self.target) {
            let Some(value) = self.nodes.get(id) else {
                continue;
            };
            if keys == [""] {
                out = set(&self.nodes, &out, Some(id), keys, &[text(value)])?;
                continue;
            }
            let mut values = Vec::new();
            for key in keys {
                if !value.is_object() && !value.is_null() {
                    return Err(no_mapping(value, key));
                }
                match value.get(*key) {
                    Some(found) => values.push(text(found)),
                    None => out.push(id),
                }
            }
            if keys.len() > 1 {
                out = set(&self.nodes, &out, None, keys, &values)?;
            }
            out = set(&self.nodes, &out, Some(id), keys, &values)?;
        }
        Ok(out)
    }
}

/// Two rows as one, if they have a text in common and differ only where one has none.
fn joined(a: &Texts, b: &Texts) -> Option<Texts> {
    let common = a.iter().zip(b).any(|(a, b)| a == b);
    let one = |(a, b): (&String, &String)| match (a.as_str(), b.as_str()) {
        (x, y) if x == y => Some(a.clone()),
        ("", _) => Some(b.clone()),
        (_, "") => Some(a.clone()),
        _ => None,
    };
    let both: Option<Texts> = a.iter().zip(b).map(one).collect();
    both.filter(|_| common)
}

/// The list with `element` in the place of those with the values, or at its end; without them if there is none.
/// Where fewer values are given than keys, those that are missing do not count; without any, nothing is kept.
fn set(
    nodes: &[Value],
    list: &[usize],
    element: Option<usize>,
    keys: &[&str],
    values: &[String],
) -> Result<Vec<usize>, Fault> {
    let mut out = Vec::with_capacity(list.len() + 1);
    let mut found = false;
    let mappings =
        keys.first().is_some_and(|k| !k.is_empty()) && values.first().is_some_and(|v| !v.is_empty());
    for id in list {
        let Some(value) = nodes.get(*id).filter(|v| !is_empty(v)) else {
            continue;
        };
        if mappings && !value.is_object() {
            out.push(*id);
        } else if !has_values(value, keys, values)? {
            out.extend((!values.is_empty()).then_some(*id));
        } else {
            found = true;
            out.extend(element);
        }
    }
    if !found {
        out.extend(element.filter(|id| nodes.get(*id).is_some_and(|v| !v.is_null())));
    }
    Ok(out)
}

fn has_values(value: &Value, keys: &[&str], values: &[String]) -> Result<bool, Fault> {
    for (key, wanted) in keys.iter().zip(values) {
        let hit = match (*key, value) {
            ("", Value::Object(_) | Value::Array(_)) => {
                return Err(Fault::new("a list of plain values has an element that is none"));
            }
            ("", scalar) => text(scalar) == *wanted,
            (key, Value::Object(map)) => map
                .get(key)
                .is_some_and(|v| wanted.is_empty() || text(v) == *wanted),
            (key, other) => return Err(no_mapping(other, key)),
        };
        if !hit {
            return Ok(false);
        }
    }
    Ok(!values.is_empty())
}

fn no_mapping(value: &Value, key: &str) -> Fault {
    Fault::new(format!(
        "an element of the list must be a mapping with the field {key}, not {value}"
    ))
}

/// The number of nodes.
fn size_of(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.values().map(size_of).sum::<usize>() + 1,
        Value::Array(items) => items.iter().map(size_of).sum::<usize>() + 1,
        _ => 1,
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}

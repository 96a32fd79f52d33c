//! Lists that merge by the keys of their elements, or as sets of plain values.

use std::collections::HashMap;

use serde_json::Value;

use super::{Directive, Fault, Kept, Merge};
use crate::object::scalar;
use crate::schema::Schema;

/// What a list is merged with.
pub(super) enum Other<'a> {
    Nothing,
    /// With itself: it came from the patch, and has no counterpart.
    Same,
    List(&'a mut Vec<Value>),
}

/// The texts of an element's keys.
pub(super) type Texts = Vec<String>;

/// The text of a node as the tool compares it: that of a scalar, nothing for anything else.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        other => scalar(other).unwrap_or_default(),
    }
}

/// An element's texts under `keys`; nothing where one is missing or empty.
pub(super) fn texts(element: &Value, keys: &[&str]) -> Texts {
    let one = |key: &&str| element.get(*key).and_then(scalar).unwrap_or_default();
    keys.iter().map(one).collect()
}

impl<'a> Merge<'a> {
    pub(super) fn lists(
        &self,
        schema: Option<Schema<'a>>,
        target: &mut Vec<Value>,
        patch: &mut Vec<Value>,
    ) -> Result<Kept, Fault> {
        let (Some(schema), Some(keys)) = (schema, schema.and_then(Schema::merge_keys)) else {
            return Ok(Kept::Patch);
        };
        match directive(patch)? {
            Directive::Delete => Ok(Kept::Nothing),
            Directive::Replace => {
                self.join(schema.elements(), &keys, patch, Other::Same)?;
                Ok(Kept::Patch)
            }
            Directive::Merge => {
                self.join(schema.elements(), &keys, target, Other::List(patch))?;
                Ok(Kept::Target)
            }
        }
    }

    /// A list of the target that the patch does not name.
    pub(super) fn own_list(&self, schema: Option<Schema<'a>>, items: &mut Vec<Value>) -> Result<(), Fault> {
        match (schema, schema.and_then(Schema::merge_keys)) {
            (Some(schema), Some(keys)) => self.join(schema.elements(), &keys, items, Other::Nothing),
            _ => Ok(()),
        }
    }

    /// A list inside of what a patch adds; whether it is kept.
    pub(super) fn own_marked_list(
        &self,
        schema: Option<Schema<'a>>,
        items: &mut Vec<Value>,
    ) -> Result<bool, Fault> {
        let (Some(schema), Some(keys)) = (schema, schema.and_then(Schema::merge_keys)) else {
            return Ok(true);
        };
        if directive(items)? == Directive::Delete {
            return Ok(false);
        }
        self.join(schema.elements(), &keys, items, Other::Same)?;
        Ok(true)
    }

    /// Merges `other` into `items`.
    pub(super) fn join(
        &self,
        schema: Option<Schema<'a>>,
        keys: &[&str],
        items: &mut Vec<Value>,
        other: Other<'_>,
    ) -> Result<(), Fault> {
        let sound = {
            let patch = match &other {
                Other::List(patch) => patch.as_slice(),
                Other::Nothing | Other::Same => &[],
            };
            index(keys, items, patch)
        };
        match sound {
            Some(index) => self.join_by_hash(schema, index, items, other),
            None => self.join_by_search(schema, keys, items, other),
        }
    }

    /// The usual case: each element has its keys, so it is found without searching.
    fn join_by_hash(
        &self,
        schema: Option<Schema<'a>>,
        index: Index,
        items: &mut Vec<Value>,
        other: Other<'_>,
    ) -> Result<(), Fault> {
        let same = matches!(other, Other::Same);
        let mut target: Vec<Value> = std::mem::take(items);
        let mut patch: Vec<Value> = match other {
            Other::List(patch) => std::mem::take(patch),
            Other::Nothing | Other::Same => Vec::new(),
        };
        let mut first = Vec::new();
        let mut rest = Vec::new();
        for slot in index.slots {
            let mut old = slot.first.and_then(|at| target.get_mut(at));
            let mut new = slot.patch.and_then(|at| patch.get_mut(at));
            let kept = match &mut old {
                Some(node) if same => Kept::of(self.own(schema, node)?, Kept::Target),
                _ => self.node(schema, old, new.as_deref_mut())?,
            };
            if kept == Kept::Nothing {
                continue;
            }
            // The target's element wins, even over one that is to replace it; of several, the last.
            match (slot.last.and_then(|at| target.get_mut(at).map(|v| (at, v))), new) {
                (Some((at, old)), _) if index.several => rest.push((at, old.take())),
                (Some((_, old)), _) => first.push(old.take()),
                (None, Some(new)) => first.push(new.take()),
                (None, None) => {}
            }
        }
        rest.sort_by_key(|(at, _)| *at);
        first.extend(rest.into_iter().map(|(_, value)| value));
        first.shrink_to_fit();
        *items = first;
        Ok(())
    }
}

/// Where the elements of one key are.
#[derive(Default)]
struct Slot {
    patch: Option<usize>,
    first: Option<usize>,
    last: Option<usize>,
}

struct Index {
    slots: Vec<Slot>,
    /// Whether more than one key counts; then the target's elements keep their order.
    several: bool,
}

/// The elements by their keys, those of the patch first; nothing if one lacks a key that others have.
fn index(keys: &[&str], target: &[Value], patch: &[Value]) -> Option<Index> {
    let all = || patch.iter().chain(target);
    let used: Vec<&str> = if keys.is_empty() {
        Vec::new()
    } else {
        let has = |v: &Value, key: &str| v.get(key).and_then(scalar).is_some_and(|t| !t.is_empty());
        let used = keys.iter().filter(|key| all().any(|v| has(v, key)));
        used.copied().collect()
    };
    let several = used.len() > 1;
    let mut index = Index {
        slots: Vec::new(),
        several,
    };
    let mut known: HashMap<Texts, usize> = HashMap::new();
    let mut slot = |value: &Value| {
        let found = if keys.is_empty() {
            vec![scalar(value)?]
        } else {
            let found = texts(value, &used);
            (!found.is_empty() && found.iter().all(|t| !t.is_empty())).then_some(found)?
        };
        let next = known.len();
        Some(*known.entry(found).or_insert(next))
    };
    for (i, value) in patch.iter().enumerate() {
        let at = slot(value)?;
        index
            .slots
            .resize_with(index.slots.len().max(at + 1), Slot::default);
        let slot = index.slots.get_mut(at)?;
        slot.patch.get_or_insert(i);
    }
    for (i, value) in target.iter().enumerate() {
        let at = slot(value)?;
        index
            .slots
            .resize_with(index.slots.len().max(at + 1), Slot::default);
        let slot = index.slots.get_mut(at)?;
        slot.first.get_or_insert(i);
        slot.last = Some(i);
    }
    Some(index)
}

/// Takes the directive for the whole list out of it: the first element that has one, if it has nothing else.
fn directive(patch: &mut Vec<Value>) -> Result<Directive, Fault> {
    let marked = patch
        .iter()
        .find_map(|v| v.as_object().filter(|m| m.contains_key("$patch")));
    let Some(value) = marked
        .filter(|m| m.len() == 1)
        .and_then(|m| m.get("$patch"))
        .cloned()
    else {
        return Ok(Directive::Merge);
    };
    let directive = Directive::read(&value)?;
    // Elements with the same directive of their own go with it, and so do empty ones.
    patch.retain(|v| match v {
        Value::Null => false,
        Value::Object(map) => !map.is_empty() && map.get("$patch") != Some(&value),
        _ => true,
    });
    Ok(directive)
}

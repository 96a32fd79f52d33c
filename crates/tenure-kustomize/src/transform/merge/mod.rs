//! Strategic merge of untyped objects, as kustomize does it.
//!
//! The rules are kyaml's (`yaml/merge2`, `yaml/walk`@v0.21.1 with `MergeOptionsListPrepend`), among them
//! some that surprise. They are kept, as manifests rely on the outcome; `tests.rs` holds each of them:
//!
//! * Only `$patch` is a directive. `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…`
//!   are data like any other field and end up in the object.
//! * The whole target is walked, not only what the patch names. So elements of one key in any list that
//!   merges become one, the last.
//! * A list that does not merge is taken from the patch as it is, with nulls and directives in it.
//! * Where target and patch differ in kind (mapping, list, scalar), the patch is refused.
//!
//! What depends on how a text was written cannot be seen in values. A quoted string in the target stays a
//! string whatever the patch puts there; it counts as quoted if it would not be a string without. A null of
//! the target outside of the patch stays, unless it was written as nothing at all.

mod bare;
mod list;
mod selected;
mod setter;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use serde_json::{Map, Value};

pub(crate) use selected::for_selected;

use crate::Error;
use crate::meter::Meter;
use crate::object::{copy, make_room, scalar};
use crate::schema::{Schema, Schemas};

/// Merges `patch` into `target`; nothing is left if the patch deletes it.
///
/// The schema is that of the target's apiVersion and kind, or else of the patch's. `bare` are pointers
/// to the target's nulls that were written as nothing.
pub(crate) fn object(
    schemas: &Schemas,
    mut target: Value,
    mut patch: Value,
    bare: &[String],
    meter: &Meter,
) -> Result<Option<Value>, Error> {
    let merge = Merge {
        schemas,
        meter,
        steps: Cell::new(0),
    };
    for pointer in bare {
        merge.drop_bare(&mut target, pointer);
    }
    let kept = merge.node(None, Some(&mut target), Some(&mut patch));
    Ok(match kept.map_err(Fault::into_error)? {
        Kept::Nothing => None,
        // To replace a whole object does nothing: the tool looks for the result in the target.
        Kept::Target | Kept::Patch => Some(target),
    })
}

struct Merge<'a> {
    schemas: &'a Schemas,
    meter: &'a Meter,
    /// How much was spent on lists that have to be searched element by element.
    steps: Cell<usize>,
}

/// Which of the two nodes holds the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Nothing,
    Target,
    Patch,
}

impl Kept {
    const fn of(anything: bool, there: Self) -> Self {
        if anything { there } else { Self::Nothing }
    }
}

/// What cannot be merged, and where.
#[derive(Debug)]
struct Fault {
    path: Vec<String>,
    error: Error,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let path = Vec::new();
        Self { path, error }
    }
}

impl Fault {
    fn new(text: impl Into<String>) -> Self {
        Error::invalid(text).into()
    }

    fn under(mut self, name: &str) -> Self {
        self.path.push(name.to_owned());
        self
    }

    fn into_error(mut self) -> Error {
        self.path.reverse();
        match self.path.as_slice() {
            [] => self.error,
            path => self.error.about(path.join(".")),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

impl Directive {
    fn read(value: &Value) -> Result<Self, Fault> {
        match value.as_str() {
            Some("merge") => Ok(Self::Merge),
            Some("replace") => Ok(Self::Replace),
            Some("delete") => Ok(Self::Delete),
            _ => Err(Fault::new(format!(
                "unknown $patch directive {value}; use delete, replace or merge"
            ))),
        }
    }

    /// Takes the directive out of a mapping.
    fn take(map: &mut Map<String, Value>) -> Result<Self, Fault> {
        let Some(value) = map.get("$patch") else {
            return Ok(Self::Merge);
        };
        let directive = Self::read(value)?;
        map.shift_remove("$patch");
        Ok(directive)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Mapping,
    List,
    Scalar,
}

impl Shape {
    const fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Object(_) => Some(Self::Mapping),
            Value::Array(_) => Some(Self::List),
            _ => Some(Self::Scalar),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Mapping => "a mapping",
            Self::List => "a list",
            Self::Scalar => "a scalar",
        }
    }
}

impl<'a> Merge<'a> {
    /// Merges two nodes, of which either may be missing.
    fn node(
        &self,
        schema: Option<Schema<'a>>,
        target: Option<&mut Value>,
        patch: Option<&mut Value>,
    ) -> Result<Kept, Fault> {
        self.meter.step()?;
        let own = || {
            let nodes = [target.as_deref(), patch.as_deref()];
            nodes.into_iter().flatten().find_map(|n| self.own_schema(n))
        };
        let schema = schema.or_else(own);
        let shapes = [&target, &patch].map(|n| n.as_deref().and_then(Shape::of));
        match shapes {
            [Some(target), Some(patch)] if target != patch => Err(Fault::new(format!(
                "the patch has {} where the object has {}",
                patch.name(),
                target.name()
            ))),
            [None, None] if patch.is_none() && target.is_some() => Ok(Kept::Target),
            [None, None] => Ok(Kept::Nothing),
            [None, Some(_)] => match patch {
                Some(patch) => Ok(Kept::of(self.added(schema, patch)?, Kept::Patch)),
                None => Ok(Kept::Nothing),
            },
            _ => match (target, patch) {
                (_, Some(Value::Null)) => Ok(Kept::Nothing),
                (Some(Value::Object(target)), Some(Value::Object(patch))) => match Directive::take(patch)? {
                    Directive::Delete => Ok(Kept::Nothing),
                    Directive::Replace => self.own_fields(schema, patch).map(|()| Kept::Patch),
                    Directive::Merge => self.fields(schema, target, Some(patch)).map(|()| Kept::Target),
                },
                (Some(Value::Object(target)), None) => {
                    self.fields(schema, target, None).map(|()| Kept::Target)
                }
                (Some(Value::Array(target)), Some(Value::Array(patch))) => self.lists(schema, target, patch),
                (Some(Value::Array(target)), None) => {
                    self.own_list(schema, target)?;
                    Ok(Kept::Target)
                }
                (_, Some(_)) => Ok(Kept::Patch),
                (_, None) => Ok(Kept::Target),
            },
        }
    }

    /// The schema that a node asks for by its own apiVersion and kind.
    fn own_schema(&self, node: &Value) -> Option<Schema<'a>> {
        let text = |key| node.get(key).and_then(scalar).filter(|t| !t.is_empty());
        self.schemas.object(&text("apiVersion")?, &text("kind")?)
    }

    fn fields(
        &self,
        schema: Option<Schema<'a>>,
        target: &mut Map<String, Value>,
        mut patch: Option<&mut Map<String, Value>>,
    ) -> Result<(), Fault> {
        let mut added: Vec<String> = match &patch {
            Some(patch) => patch
                .keys()
                .filter(|k| !target.contains_key(*k))
                .cloned()
                .collect(),
            None => Vec::new(),
        };
        let mut gone = false;
        for (name, old) in target.iter_mut() {
            let mut new = patch.as_mut().and_then(|p| p.get_mut(name));
            let of = schema.and_then(|s| s.field(name));
            let kept = self.node(of, Some(&mut *old), new.as_deref_mut());
            match (kept.map_err(|e| e.under(name))?, new) {
                (Kept::Nothing, _) => {
                    *old = Value::Null;
                    gone = true;
                }
                (Kept::Patch, Some(new)) => replace(old, copy(new)),
                _ => {}
            }
        }
        if gone && let Some(patch) = &patch {
            // What the patch names and is null now was cleared; a null of the target's own stays.
            target.retain(|name, value| !value.is_null() || !patch.contains_key(name));
        }
        added.sort_unstable();
        make_room(target, added.len());
        for name in added {
            let Some(new) = patch.as_mut().and_then(|p| p.get_mut(&name)) else {
                continue;
            };
            let of = schema.and_then(|s| s.field(&name));
            if self.node(of, None, Some(&mut *new)).map_err(|e| e.under(&name))? == Kept::Patch {
                target.insert(name, copy(new));
            }
        }
        Ok(())
    }

    /// Tidies a part of the patch that has no counterpart; whether anything is left of it.
    fn added(&self, schema: Option<Schema<'a>>, node: &mut Value) -> Result<bool, Fault> {
        match node {
            Value::Object(map) => {
                // An unknown directive is data here.
                if Directive::take(map).is_ok_and(|d| d == Directive::Delete) {
                    return Ok(false);
                }
                self.own_fields(schema, map).map(|()| true)
            }
            Value::Array(items) => {
                if let (Some(keys), Some(schema)) = (schema.and_then(Schema::merge_keys), schema) {
                    self.join(schema.elements(), &keys, items, list::Other::Same)?;
                }
                Ok(true)
            }
            Value::Null => Ok(false),
            _ => Ok(true),
        }
    }

    /// The same for a node inside of such a part, which counts as target and patch at once.
    fn own(&self, schema: Option<Schema<'a>>, node: &mut Value) -> Result<bool, Fault> {
        self.meter.step()?;
        let schema = schema.or_else(|| self.own_schema(node));
        match node {
            Value::Null => Ok(false),
            Value::Object(map) => match Directive::take(map)? {
                Directive::Delete => Ok(false),
                Directive::Merge | Directive::Replace => self.own_fields(schema, map).map(|()| true),
            },
            Value::Array(items) => self.own_marked_list(schema, items),
            _ => Ok(true),
        }
    }

    fn own_fields(&self, schema: Option<Schema<'a>>, map: &mut Map<String, Value>) -> Result<(), Fault> {
        let mut gone = false;
        for (name, value) in map.iter_mut() {
            let of = schema.and_then(|s| s.field(name));
            if !self.own(of, value).map_err(|e| e.under(name))? {
                *value = Value::Null;
                gone = true;
            }
        }
        if gone {
            map.retain(|_, value| !value.is_null());
        }
        Ok(())
    }
}

/// Puts `new` in the place of `old`, which stays a string if it must have been written in quotes.
fn replace(old: &mut Value, new: Value) {
    let quoted = |text: &str| {
        let plain = tenure_yaml::parse_one(text.as_bytes(), &tenure_yaml::Options::kustomize());
        plain.map_or(true, |plain| plain != *text)
    };
    *old = match (&*old, scalar(&new)) {
        (Value::String(text), Some(shown)) if !new.is_string() && quoted(text) => Value::String(shown),
        _ => new,
    };
}

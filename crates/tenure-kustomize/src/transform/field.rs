//! Writing at the path of a field specification.

use serde_json::{Map, Value};

use crate::config::FieldSpec;
use crate::meter::{Meter, levels_fit};
use crate::packed::Packed;
use crate::resource::Resource;
use crate::shared::Shared;
use crate::{Error, object};

/// What to put where a path with `create` ends in nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Create {
    Nothing,
    Mapping,
    Scalar,
}

/// The parts of a path between slashes; `\/` is a slash inside a part.
pub(crate) fn split(path: &str, delimiter: char) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut glue = false;
    for part in plain(path, delimiter) {
        let (part, ends) = match part.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (part, false),
        };
        match parts.last_mut() {
            Some(last) if glue => {
                last.push(delimiter);
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
        glue = ends;
    }
    if glue && let Some(last) = parts.last_mut() {
        last.push('\\');
    }
    parts
}

/// Calls `change` with every node of the object at each of the specifications that select it.
pub(crate) fn each<'s>(
    resource: &mut Resource,
    specs: impl IntoIterator<Item = &'s FieldSpec>,
    create: Create,
    meter: &Meter,
    change: &mut dyn FnMut(&mut Value) -> Result<(), Error>,
) -> Result<(), Error> {
    let gvk = resource.gvk();
    for spec in specs.into_iter().filter(|s| s.selects(&gvk)) {
        visit_object(&mut resource.value, spec, create, meter, change)
            .map_err(|e| e.about(format_args!("field {} of {}", spec.path, resource.id())))?;
    }
    Ok(())
}

/// As [`visit`]; only what the path leads through is unpacked.
pub(crate) fn visit_object(
    object: &mut Packed,
    spec: &FieldSpec,
    create: Create,
    meter: &Meter,
    change: &mut dyn FnMut(&mut Value) -> Result<(), Error>,
) -> Result<(), Error> {
    let create = if spec.create { create } else { Create::Nothing };
    edit(object, spec, create, |value| {
        visit(value, spec, create, meter, change)
    })
}

/// Unpacks what a specification's path leads through, if it leads anywhere.
fn edit(
    object: &mut Packed,
    spec: &FieldSpec,
    create: Create,
    change: impl FnOnce(&mut Value) -> Result<(), Error>,
) -> Result<(), Error> {
    if spec.path.contains('\\') {
        return change(object.open());
    }
    if create == Create::Nothing && !object.leads(plain(&spec.path, '/')) {
        return Ok(());
    }
    let first = plain(&spec.path, '/').next().unwrap_or_default();
    object.edit(first.strip_suffix("[]").unwrap_or(first), change)
}

/// Calls `change` with every node at the specification's path, whatever kind of object it is.
pub(crate) fn visit(
    value: &mut Value,
    spec: &FieldSpec,
    create: Create,
    meter: &Meter,
    change: &mut dyn FnMut(&mut Value) -> Result<(), Error>,
) -> Result<(), Error> {
    visit_at(value, spec, create, meter, &mut |node, _| change(node))
}

/// The same, with the way to the node as a JSON pointer.
fn visit_at(
    value: &mut Value,
    spec: &FieldSpec,
    create: Create,
    meter: &Meter,
    change: &mut Change<'_>,
) -> Result<(), Error> {
    meter.step()?;
    let create = if spec.create { create } else { Create::Nothing };
    let unescaped;
    let parts: Vec<&str> = if spec.path.contains('\\') {
        unescaped = split(&spec.path, '/');
        unescaped.iter().map(String::as_str).collect()
    } else {
        plain(&spec.path, '/').collect()
    };
    levels_fit(parts.len())?;
    walk(value, &parts, create, &mut String::new(), meter, change)
}

type Change<'a> = dyn FnMut(&mut Value, &str) -> Result<(), Error> + 'a;

/// The parts of a path that has no escapes.
fn plain(path: &str, delimiter: char) -> impl Iterator<Item = &str> + Clone {
    match path.strip_prefix(delimiter) {
        Some(rest) if !rest.is_empty() => rest,
        _ => path,
    }
    .split(delimiter)
}

fn walk(
    value: &mut Value,
    path: &[&str],
    create: Create,
    way: &mut String,
    meter: &Meter,
    change: &mut Change<'_>,
) -> Result<(), Error> {
    let Some((part, rest)) = path.split_first() else {
        return change(value, way);
    };
    match value {
        Value::Null => Ok(()),
        Value::Array(items) => items.iter_mut().enumerate().try_for_each(|(at, item)| {
            let end = way.len();
            object::point_at(way, &at.to_string());
            let done = walk(item, path, create, way, meter, change);
            way.truncate(end);
            done
        }),
        Value::Object(map) => {
            let name = part.strip_suffix("[]").unwrap_or(part);
            if name.is_empty() {
                return Err(Error::invalid("a part of the path is empty"));
            }
            let is_list = name.len() != part.len();
            if is_list && let Some(null) = map.get_mut(name).filter(|v| v.is_null()) {
                *null = Value::Array(Vec::new());
            }
            // What is missing cannot become a list.
            let make = if is_list {
                Create::Nothing
            } else if rest.is_empty() || create == Create::Nothing {
                create
            } else {
                Create::Mapping
            };
            let fresh = || match make {
                Create::Nothing => Value::Null,
                Create::Mapping => Value::Object(Map::new()),
                Create::Scalar => Value::from(""),
            };
            if make != Create::Nothing {
                if !map.contains_key(name) {
                    meter.member(name)?;
                    object::make_room(map, 1);
                }
                let slot = map.entry(name.to_owned()).or_insert_with(fresh);
                if slot.is_null() {
                    *slot = fresh();
                }
            }
            let Some(next) = map.get_mut(name) else {
                return Ok(());
            };
            let end = way.len();
            object::point_at(way, name);
            let done = walk(next, rest, create, way, meter, change);
            way.truncate(end);
            done
        }
        other => Err(Error::invalid(format!(
            "expected a mapping or a list before {part:?}, not {}",
            kind(other)
        ))),
    }
}

/// What a value is, for messages; never the value itself.
pub(crate) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// Replaces a scalar.
pub(crate) fn set(node: &mut Value, new: Value, meter: &Meter) -> Result<(), Error> {
    let length = |value: &Value| value.as_str().map_or(0, str::len);
    meter.grow(length(node), length(&new))?;
    if node.is_object() || node.is_array() {
        return Err(Error::invalid(format!("expected a scalar, not {}", kind(node))));
    }
    *node = new;
    Ok(())
}

/// Sets members of the mappings that the specifications select, as labels and annotations are set.
/// A member that is new in several places stays one, see [`Shared`].
pub(crate) fn set_members(
    resource: &mut Resource,
    specs: &[FieldSpec],
    pairs: &[(String, String)],
    meter: &Meter,
) -> Result<(), Error> {
    let gvk = resource.gvk();
    let specs: Vec<&FieldSpec> = specs.iter().filter(|s| s.selects(&gvk)).collect();
    if specs.len() > 1 {
        resource.shared.reserve_exact(pairs.len());
    }
    for (key, text) in pairs {
        let new = Value::String(text.clone());
        let mut places = Vec::new();
        for spec in &specs {
            let create = if spec.create {
                Create::Mapping
            } else {
                Create::Nothing
            };
            let done = edit(&mut resource.value, spec, create, |object| {
                visit_at(object, spec, create, meter, &mut |node, way| {
                    if node.is_null() {
                        *node = Value::Object(Map::new());
                    }
                    let Some(map) = node.as_object_mut() else {
                        return Err(Error::invalid(format!("expected a mapping, not {}", kind(node))));
                    };
                    if let Some(old) = map.get(key) {
                        meter.grow(old.as_str().map_or(0, str::len), text.len())?;
                    } else {
                        object::plain_key(key)?;
                        meter.member(key)?;
                        meter.take(text.len() + way.len())?;
                        places.push(way.into());
                        object::make_room(map, 1);
                    }
                    map.insert(key.clone(), new.clone());
                    Ok(())
                })
            });
            done.map_err(|e| e.about(format_args!("field {} of {}", spec.path, resource.id())))?;
        }
        resource.sync();
        resource.shared.extend(Shared::new(key, new, places));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn an_escaped_delimiter_is_part_of_a_name() {
        let cases: [(&str, &[&str]); 5] = [
            ("a/b", &["a", "b"]),
            ("/a/b", &["a", "b"]),
            (r"metadata/annotations/x\/y", &["metadata", "annotations", "x/y"]),
            (r"a\/b\/c/d", &["a/b/c", "d"]),
            ("a", &["a"]),
        ];
        for (path, parts) in cases {
            assert_eq!(split(path, '/'), parts, "{path}");
        }
    }
}

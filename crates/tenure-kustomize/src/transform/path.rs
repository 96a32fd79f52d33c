//! Paths of replacements and variables: member names, list places and `[name=value]`.

use serde_json::{Map, Value};

use super::field::{kind, split};
use crate::Error;
use crate::meter::Meter;
use crate::object::{self, plain};
use crate::select::pattern;

/// The parts of a path between dots. Brackets keep what is inside together, and stay where they
/// select an element by `=`.
pub(crate) fn parts(path: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut pieces = split(path, '.').into_iter();
    while let Some(piece) = pieces.next() {
        if !piece.starts_with('[') || piece.ends_with(']') {
            out.push(piece);
            continue;
        }
        let mut whole = piece;
        for more in pieces.by_ref() {
            whole.push('.');
            whole.push_str(&more);
            if more.ends_with(']') {
                break;
            }
        }
        out.push(if whole.contains('=') {
            whole
        } else {
            whole.trim_matches(['[', ']']).to_owned()
        });
    }
    out
}

/// What one part of a path asks for.
enum Part<'a> {
    Member(&'a str),
    Place(usize),
    Every,
    /// The elements whose member, or which themselves if it is empty, have a value.
    Where(&'a str, &'a str),
}

fn part(text: &str) -> Result<Part<'_>, Error> {
    if text == "*" {
        return Ok(Part::Every);
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text
            .parse()
            .map(Part::Place)
            .map_err(|_| Error::invalid(format!("{text} is no place in a list")));
    }
    match text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        None => Ok(Part::Member(text)),
        Some(inner) => inner
            .split_once('=')
            .map(|(name, value)| Part::Where(name, value))
            .ok_or_else(|| Error::invalid(format!("{text:?} must be [name=value]"))),
    }
}

/// The node at a path. Nothing if a member is missing.
pub(crate) fn lookup<'a>(value: &'a Value, parts: &[String]) -> Result<Option<&'a Value>, Error> {
    Ok(lookup_at(value, parts)?.map(|(_, node)| node))
}

/// The same, with the way to the node: member names and places in lists.
pub(crate) fn lookup_at<'a>(
    value: &'a Value,
    parts: &[String],
) -> Result<Option<(Vec<String>, &'a Value)>, Error> {
    let mut at = value;
    let mut way = Vec::new();
    for text in parts.iter().map(|p| p.trim()).filter(|p| !p.is_empty()) {
        if at.is_null() {
            return Ok(None);
        }
        let place = |i: Option<usize>| i.map(|i| i.to_string());
        let next = match (part(text)?, at) {
            (Part::Member("-"), Value::Array(items)) => place(items.len().checked_sub(1)),
            (Part::Member(name), Value::Object(_)) => Some(name.to_owned()),
            (Part::Place(i), Value::Array(_)) => place(Some(i)),
            (Part::Where(name, wanted), Value::Array(items)) => place(items.iter().position(|item| {
                let text = if name.is_empty() {
                    object::scalar(item)
                } else {
                    item.get(name).and_then(object::scalar)
                };
                text.as_deref() == Some(wanted)
            })),
            (Part::Every, _) => return Err(Error::invalid("* cannot be used here")),
            (_, other) => {
                return Err(Error::invalid(format!("{text:?} leads into {}", kind(other))));
            }
        };
        let found = next.and_then(|step| Some((object::step(at, &step)?, step)));
        let Some((node, step)) = found else {
            return Ok(None);
        };
        at = node;
        way.push(step);
    }
    Ok(Some((way, at)))
}

/// What a path creates at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// Null, which [`super::replacement`] fills as plain YAML.
    Scalar,
    Mapping,
    List,
}

impl Made {
    pub(crate) const fn like(value: &Value) -> Self {
        match value {
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Mapping,
            _ => Self::Scalar,
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Scalar => Value::Null,
            Self::Mapping => Value::Object(Map::new()),
            Self::List => Value::Array(Vec::new()),
        }
    }

    /// What must stand before the next part of a path.
    fn before(next: Option<&String>, end: Self) -> Self {
        match next.map(|n| part(n.trim())) {
            None => end,
            Some(Ok(Part::Place(_) | Part::Where(..))) => Self::List,
            Some(_) => Self::Mapping,
        }
    }
}

type Change<'a> = dyn FnMut(&mut Value, bool) -> Result<(), Error> + 'a;

/// Calls `change` with every node that a path finds or, with `made`, creates, and whether it was
/// created. Returns how many.
pub(crate) fn each(
    value: &mut Value,
    parts: &[String],
    made: Option<Made>,
    meter: &Meter,
    change: &mut Change<'_>,
) -> Result<usize, Error> {
    walk((value, false), parts, made, meter, change)
}

fn walk(
    (value, is_new): (&mut Value, bool),
    parts: &[String],
    made: Option<Made>,
    meter: &Meter,
    change: &mut Change<'_>,
) -> Result<usize, Error> {
    let Some((text, rest)) = parts.split_first() else {
        change(value, is_new)?;
        return Ok(1);
    };
    let wrong = |value: &Value| Error::invalid(format!("{text:?} leads into {}", kind(value)));
    match part(text)? {
        Part::Member(name) => {
            let Value::Object(map) = value else {
                return Err(wrong(value));
            };
            let is_new = !map.contains_key(name);
            if let Some(made) = made.filter(|_| is_new) {
                meter.member(name)?;
                map.insert(name.to_owned(), Made::before(rest.first(), made).value());
            }
            match map.get_mut(name) {
                Some(next) => walk((next, is_new), rest, made, meter, change),
                None => Ok(0),
            }
        }
        Part::Place(i) => {
            let Value::Array(items) = value else {
                return Err(wrong(value));
            };
            let is_new = items.len() == i;
            if let Some(made) = made.filter(|_| is_new) {
                meter.member("")?;
                items.push(Made::before(rest.first(), made).value());
            }
            let count = items.len();
            let item = items
                .get_mut(i)
                .ok_or_else(|| Error::invalid(format!("there is no element {i} of {count}")))?;
            walk((item, is_new), rest, made, meter, change)
        }
        Part::Every => match value {
            Value::Array(items) => items.iter_mut().try_fold(0, |n, item| {
                Ok(n + walk((item, false), rest, made, meter, change)?)
            }),
            other => Err(wrong(other)),
        },
        Part::Where(name, wanted) => {
            let Value::Array(items) = value else {
                return Err(wrong(value));
            };
            let found = matching(items, (name, wanted), rest, made, meter, change)?;
            if found > 0 || made.is_none() {
                return Ok(found);
            }
            meter.member(name)?;
            meter.take(wanted.len())?;
            items.push(if name.is_empty() {
                Value::from(wanted)
            } else {
                Value::Object(Map::from_iter([(name.to_owned(), plain(wanted))]))
            });
            matching(items, (name, wanted), rest, made, meter, change)
        }
    }
}

/// The value is a pattern that may match anywhere, as the tool has it.
fn matching(
    items: &mut [Value],
    (name, wanted): (&str, &str),
    rest: &[String],
    made: Option<Made>,
    meter: &Meter,
    change: &mut Change<'_>,
) -> Result<usize, Error> {
    meter.check()?;
    let regex = pattern(wanted)?;
    let mut found = 0;
    for item in items {
        let text = if name.is_empty() {
            object::scalar_or_null(item)
        } else {
            item.get(name).and_then(object::scalar_or_null)
        };
        meter.step()?;
        if text.map_or(Ok(false), |text| regex.is_match(text.trim()))? {
            found += if name.is_empty() {
                change(item, false)?;
                1
            } else {
                walk((item, false), rest, made, meter, change)?
            };
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{lookup, parts};

    #[test]
    fn brackets_keep_dots_and_select_elements() {
        let cases: [(&str, &[&str]); 4] = [
            ("metadata.name", &["metadata", "name"]),
            (
                "metadata.annotations.[a.b/c]",
                &["metadata", "annotations", "a.b/c"],
            ),
            (
                "spec.containers.[name=a.b].image",
                &["spec", "containers", "[name=a.b]", "image"],
            ),
            (r"data.file\.txt", &["data", "file.txt"]),
        ];
        for (path, wanted) in cases {
            assert_eq!(parts(path), wanted, "{path}");
        }
    }

    #[test]
    fn a_lookup_follows_members_places_and_selections() {
        let value = json!({"a": [{"name": "x", "v": 1}, {"name": "y", "v": [2, 3]}]});
        let cases = [
            ("a.0.v", Some(json!(1))),
            ("a.[name=y].v.1", Some(json!(3))),
            ("a.[name=y].v.-", Some(json!(3))),
            ("a.[name=z].v", None),
            ("b.c", None),
        ];
        for (path, wanted) in cases {
            let found = lookup(&value, &parts(path)).expect("well-formed");
            assert_eq!(found, wanted.as_ref(), "{path}");
        }
        assert!(lookup(&value, &parts("a.0.v.w")).is_err());
    }
}

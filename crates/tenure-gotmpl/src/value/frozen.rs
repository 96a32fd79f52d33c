use serde_json::{Map as JsonMap, Number, Value as Json};

use super::{List, Map, Str, Value};

/// A value that no run changes: it can be kept and sent between threads, and a run takes a copy of its own, which
/// shares the texts.
#[derive(Debug, Clone, PartialEq)]
pub enum Frozen {
    /// An untyped nil.
    Nil,
    /// A `bool`.
    Bool(bool),
    /// An `int64`.
    Int64(i64),
    /// A `float64`.
    Float(f64),
    /// A `string`.
    String(Str),
    /// A list of anything.
    List(Box<[Self]>),
    /// A map, in the order of its keys.
    Map(Box<[(Str, Self)]>),
}

impl Frozen {
    /// As [`Value::from_json`].
    #[must_use]
    pub fn from_json(json: &Json) -> Self {
        Self::read(json, &|number| Self::Float(number.as_f64().unwrap_or_default()))
    }

    /// A table as [`Value::from_json_with_integers`] makes it.
    #[must_use]
    pub fn from_table_with_integers(table: &JsonMap<String, Json>) -> Self {
        Self::read_map(table, &|number| match number.as_i64() {
            Some(whole) => Self::Int64(whole),
            None => Self::Float(number.as_f64().unwrap_or_default()),
        })
    }

    fn read(json: &Json, number: &impl Fn(&Number) -> Self) -> Self {
        match json {
            Json::Null => Self::Nil,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(value) => number(value),
            Json::String(text) => Self::String(text.as_str().into()),
            Json::Array(items) => Self::List(items.iter().map(|item| Self::read(item, number)).collect()),
            Json::Object(members) => Self::read_map(members, number),
        }
    }

    fn read_map(members: &JsonMap<String, Json>, number: &impl Fn(&Number) -> Self) -> Self {
        let members = members.iter();
        let mut members: Box<[(Str, Self)]> = members
            .map(|(key, value)| (key.as_str().into(), Self::read(value, number)))
            .collect();
        members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Self::Map(members)
    }

    /// A value as it is now. What has no form in JSON becomes nil.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(number) | Value::Int64(number) => Self::Int64(*number),
            Value::Float(number) => Self::Float(*number),
            Value::String(text) => Self::String(text.clone()),
            Value::List(list) => Self::List(list.to_vec().iter().map(Self::of).collect()),
            Value::Map(map) => {
                let members = map.entries();
                Self::Map(
                    members
                        .into_iter()
                        .map(|(key, value)| (key, Self::of(&value)))
                        .collect(),
                )
            }
            _ => Self::Nil,
        }
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        let inside: usize = match self {
            Self::String(text) => text.len(),
            Self::List(items) => items.iter().map(Self::size).sum(),
            Self::Map(members) => members.iter().map(|(key, value)| key.len() + value.size()).sum(),
            _ => 0,
        };
        size_of::<Self>() + inside
    }

    /// A copy whose maps and lists nobody else holds.
    #[must_use]
    pub fn thaw(&self) -> Value {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int64(number) => Value::Int64(*number),
            Self::Float(number) => Value::Float(*number),
            Self::String(text) => Value::String(text.clone()),
            Self::List(items) => Value::List(List::new(items.iter().map(Self::thaw).collect())),
            Self::Map(members) => Value::Map(thawed(members)),
        }
    }

    /// The same of a map; nothing if it is another value.
    #[must_use]
    pub fn thaw_map(&self) -> Option<Map> {
        match self {
            Self::Map(members) => Some(thawed(members)),
            _ => None,
        }
    }
}

fn thawed(members: &[(Str, Frozen)]) -> Map {
    let members = members.iter();
    members.map(|(key, value)| (key.clone(), value.thaw())).collect()
}

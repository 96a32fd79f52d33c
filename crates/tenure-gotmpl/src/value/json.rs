use serde_json::{Number, Value as Json};

use super::Value;

impl Value {
    /// What Go's JSON decoder makes of it: every number becomes a `float64`.
    #[must_use]
    pub fn from_json(json: &Json) -> Self {
        Self::read(json, &|number| Self::Float(number.as_f64().unwrap_or_default()))
    }

    /// The same, with whole numbers as `int64`, as `--set` and Helm's own YAML reader keep them.
    #[must_use]
    pub fn from_json_with_integers(json: &Json) -> Self {
        Self::read(json, &|number| match number.as_i64() {
            Some(whole) => Self::Int64(whole),
            None => Self::Float(number.as_f64().unwrap_or_default()),
        })
    }

    fn read(json: &Json, number: &impl Fn(&Number) -> Self) -> Self {
        match json {
            Json::Null => Self::Nil,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(value) => number(value),
            Json::String(text) => text.as_str().into(),
            Json::Array(items) => items
                .iter()
                .map(|item| Self::read(item, number))
                .collect::<Vec<_>>()
                .into(),
            Json::Object(members) => members
                .iter()
                .map(|(key, value)| (key.as_str(), Self::read(value, number)))
                .collect(),
        }
    }
}

//! JSON into the fields of `Chart.yaml` and of a manifest's head, as Go's decoder does it: names match
//! in any case, and where text is wanted, numbers and booleans are text.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tenure_yaml::go_float;

use crate::values::json_kind;

/// A field that holds something else than its type, in Go's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go {place} of type {wanted}"
)]
pub struct TypeError {
    found: &'static str,
    place: String,
    wanted: &'static str,
}

/// A mapping and where it stands.
pub(crate) struct Fields<'a> {
    members: &'a Map<String, Value>,
    path: String,
}

impl<'a> Fields<'a> {
    /// The members of `value`, which must be a mapping of the named type; null has none.
    pub(crate) fn of(value: &'a Value, type_name: &'static str) -> Result<Option<Self>, TypeError> {
        match value {
            Value::Object(members) => Ok(Some(Self {
                members,
                path: type_name.rsplit('.').next().unwrap_or(type_name).to_owned(),
            })),
            Value::Null => Ok(None),
            other => Err(TypeError {
                found: json_kind(other),
                place: "value".to_owned(),
                wanted: type_name,
            }),
        }
    }

    /// The value of a field that is not null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        let exact = self.members.get(name);
        let found = exact.or_else(|| {
            let mut names: Vec<&String> = self.members.keys().collect();
            names.sort_unstable();
            let last = names.into_iter().rfind(|key| key.eq_ignore_ascii_case(name))?;
            self.members.get(last)
        });
        found.filter(|value| !value.is_null())
    }

    fn wrong(&self, name: &str, value: &Value, wanted: &'static str) -> TypeError {
        TypeError {
            found: json_kind(value),
            place: format!("struct field {}.{name}", self.path),
            wanted,
        }
    }

    fn text_of(&self, name: &str, value: &Value) -> Result<String, TypeError> {
        as_text(value).ok_or_else(|| self.wrong(name, value, "string"))
    }

    /// Sets a text field, if it is given.
    pub(crate) fn text(&self, name: &str, field: &mut String) -> Result<(), TypeError> {
        if let Some(value) = self.get(name) {
            *field = self.text_of(name, value)?;
        }
        Ok(())
    }

    /// Sets a boolean field, if it is given.
    pub(crate) fn boolean(&self, name: &str, field: &mut bool) -> Result<(), TypeError> {
        if let Some(value) = self.get(name) {
            *field = value.as_bool().ok_or_else(|| self.wrong(name, value, "bool"))?;
        }
        Ok(())
    }

    /// Sets a list of texts, if it is given.
    pub(crate) fn texts(&self, name: &str, field: &mut Vec<String>) -> Result<(), TypeError> {
        if let Some(items) = self.list(name, "[]string")? {
            *field = items
                .iter()
                .map(|item| match item {
                    Value::Null => Ok(String::new()),
                    item => self.text_of(name, item),
                })
                .collect::<Result<_, _>>()?;
        }
        Ok(())
    }

    /// A list, if it is given.
    pub(crate) fn list(
        &self,
        name: &str,
        type_name: &'static str,
    ) -> Result<Option<&'a Vec<Value>>, TypeError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(self.wrong(name, other, type_name)),
        }
    }

    /// Sets a mapping of texts, if it is given.
    pub(crate) fn text_map(
        &self,
        name: &str,
        field: &mut Option<BTreeMap<String, String>>,
    ) -> Result<(), TypeError> {
        match self.get(name) {
            None => Ok(()),
            Some(Value::Object(members)) => {
                let field = field.get_or_insert_default();
                for (key, value) in members {
                    let text = match value {
                        Value::Null => String::new(),
                        value => self.text_of(name, value)?,
                    };
                    field.insert(key.clone(), text);
                }
                Ok(())
            }
            Some(other) => Err(self.wrong(name, other, "map[string]string")),
        }
    }

    /// The fields of a member that is a mapping itself.
    pub(crate) fn inner(
        &self,
        name: &str,
        value: &'a Value,
        type_name: &'static str,
    ) -> Result<Option<Self>, TypeError> {
        match value {
            Value::Null => Ok(None),
            Value::Object(members) => Ok(Some(Self {
                members,
                path: format!("{}.{name}", self.path),
            })),
            other => Err(self.wrong(name, other, type_name)),
        }
    }
}

/// A scalar as Go's YAML package turns it into text where text is wanted.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) if number.is_f64() => number.as_f64().map(go_float),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

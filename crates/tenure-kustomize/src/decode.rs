//! Values into types the way Go's JSON does it: member names in any case, unknown ones ignored,
//! numbers and booleans taken for the strings that a type asks for.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;
use crate::file::fold;

/// One value; null is the type's default.
pub(crate) fn one<T: DeserializeOwned + Default>(value: &Value) -> Result<T, Error> {
    if value.is_null() {
        return Ok(T::default());
    }
    read(value)
}

/// A list; null is none.
pub(crate) fn list<T: DeserializeOwned>(value: &Value) -> Result<Vec<T>, Error> {
    match value {
        Value::Null => Ok(Vec::new()),
        value => read(value),
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Error> {
    let mut value = value.clone();
    fold(&mut value);
    serde_json::from_value(value).map_err(|e| Error::invalid(e.to_string()))
}

/// The member of a mapping, whatever the case of its name.
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    const NONE: &Value = &Value::Null;
    let Some(map) = value.as_object() else {
        return NONE;
    };
    map.get(name)
        .or_else(|| {
            map.iter()
                .find(|(k, _)| k.eq_ignore_ascii_case(name))
                .map(|(_, v)| v)
        })
        .unwrap_or(NONE)
}

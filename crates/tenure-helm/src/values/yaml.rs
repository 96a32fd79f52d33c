use serde_json::{Map, Value};
use tenure_gotmpl::read_yaml;

use super::{as_go_json, go_type, merge};

/// Why values were not read, in Helm's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValuesError {
    /// The text is not YAML.
    #[error("cannot unmarshal yaml document: {0}")]
    Syntax(String),
    /// A document is something else than a mapping.
    #[error(
        "cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {0} into Go value of type map[string]interface {{}}"
    )]
    NotATable(&'static str),
    /// Something follows `---` on its line.
    #[error("error reading yaml document: invalid Yaml document separator: {0}")]
    Separator(String),
}

/// Reads values: one or more YAML documents, later ones laid over earlier ones.
///
/// # Errors
/// When a document is malformed or no mapping.
pub fn read_values(text: &[u8]) -> Result<Map<String, Value>, ValuesError> {
    let mut values = Map::new();
    for document in documents(text)? {
        match as_go_json(read_yaml(&document).map_err(ValuesError::Syntax)?) {
            Value::Null => {}
            Value::Object(table) => merge(&mut values, table),
            other => return Err(ValuesError::NotATable(json_kind(&other))),
        }
    }
    Ok(values)
}

/// Cuts at lines that start with `---`, as Kubernetes' reader does, which ends every line with a break.
fn documents(text: &[u8]) -> Result<Vec<Vec<u8>>, ValuesError> {
    let mut documents = Vec::new();
    let mut current: Vec<u8> = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if let Some(rest) = line.strip_prefix(b"---") {
            let rest = String::from_utf8_lossy(rest);
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(ValuesError::Separator(rest.to_owned()));
            }
            if !current.is_empty() {
                documents.push(std::mem::take(&mut current));
                continue;
            }
        }
        match line.strip_suffix(b"\n") {
            Some(line) => current.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line)),
            None => current.extend_from_slice(line),
        }
        current.push(b'\n');
    }
    if !current.is_empty() {
        documents.push(current);
    }
    Ok(documents)
}

/// What Go's JSON decoder calls a value.
pub(crate) fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => go_type(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_laid_over_each_other_and_numbers_are_floats() {
        let values = read_values(b"# c\n---\na: 1\nb: {c: x}\n---\nb: {d: yes}\n--- # end\n").expect("reads");
        assert_eq!(
            Value::Object(values),
            json!({"a": 1.0, "b": {"c": "x", "d": true}})
        );
        assert_eq!(read_values(b"").expect("reads"), Map::new());
        let cut = read_values(b"a: |\n  b").expect("reads");
        assert_eq!(Value::Object(cut), json!({"a": "b\n"}));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert_eq!(read_values(b"- a").err(), Some(ValuesError::NotATable("array")));
        assert_eq!(
            read_values(b"a: 1\n---x\n").err(),
            Some(ValuesError::Separator("x".into()))
        );
        assert!(matches!(read_values(b"a: b: c"), Err(ValuesError::Syntax(_))));
    }
}

//! Post-build substitution: `${name}` and its operators in the text of each object.
//!
//! Values may be secrets: no error and no log shows one, only names of variables.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expression::{self, Limits};
use crate::meter::{Meter, written};
use crate::{Budget, Error, Objects, object};

/// The label or annotation that keeps an object as it is, with the value `disabled`.
const SWITCH: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// Bytes that one object may have after substitution.
const LARGEST: usize = 16 << 20;

/// Replaces the variables in every object. Line breaks are taken out of values. With `strict`, a
/// variable that is not set and has no default is an error.
///
/// # Errors
/// When a name is not legal, an expression is malformed, a variable is missing, or the result is no
/// YAML; the message names the object.
pub fn substitute(
    objects: &mut Objects,
    variables: &BTreeMap<String, String>,
    strict: bool,
) -> Result<(), Error> {
    substitute_within(objects, variables, strict, Budget::default())
}

/// The same within the time and memory of another budget.
///
/// # Errors
/// As [`substitute`].
pub fn substitute_within(
    objects: &mut Objects,
    variables: &BTreeMap<String, String>,
    strict: bool,
    budget: Budget,
) -> Result<(), Error> {
    let meter = Meter::new(budget);
    for name in variables.keys() {
        if !is_name(name) {
            return Err(Error::invalid(format!(
                "{name:?} is not a legal variable name: use letters, digits and underscores, no digit first"
            )));
        }
    }
    let variables: BTreeMap<&str, String> = variables
        .iter()
        .map(|(k, v)| (k.as_str(), v.replace('\n', "")))
        .collect();
    objects.try_change(|value| {
        if is_disabled(value) {
            return Ok(());
        }
        meter.output(written(value, 0))?;
        if !mentions(value) {
            return Ok(());
        }
        let text = tenure_yaml::to_string(value);
        let shown = shown(value);
        let limits = Limits {
            bytes: LARGEST,
            strict,
        };
        let done = expression::expand(&text, &variables, &limits)
            .map_err(|e| Error::invalid(format!("substitution in {shown}: {e}")))?;
        meter.check()?;
        // The parser's message may show the value, so only the place is kept.
        *value = tenure_yaml::parse_one(done.as_bytes(), &tenure_yaml::Options::helm()).map_err(|e| {
            Error::invalid(format!(
                "substitution in {shown}: the result is not valid YAML at line {} of the object",
                e.location.line
            ))
        })?;
        meter.value(value, 0)
    })
}

/// Whether there is anything to replace: an expression, or a dollar sign that is written twice.
fn mentions(value: &Value) -> bool {
    let in_text = |text: &str| text.contains("${") || text.contains("$$");
    match value {
        Value::String(text) => in_text(text),
        Value::Array(items) => items.iter().any(mentions),
        Value::Object(map) => map.iter().any(|(key, value)| in_text(key) || mentions(value)),
        _ => false,
    }
}

/// Whether variables are to be replaced in any of the objects.
#[must_use]
pub fn takes_variables(objects: &Objects) -> bool {
    objects.iter().any(|object| !is_disabled(&object))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_disabled(value: &Value) -> bool {
    ["labels", "annotations"]
        .iter()
        .any(|field| object::text(value, &["metadata", field, SWITCH]) == Some("disabled"))
}

fn shown(value: &Value) -> String {
    let field = |path: &[&str]| object::text(value, path).unwrap_or_default().to_owned();
    format!(
        "{} {}/{}",
        field(&["kind"]),
        field(&["metadata", "namespace"]),
        field(&["metadata", "name"])
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(value: Value, strict: bool) -> Result<Value, String> {
        let variables = BTreeMap::from([
            ("n".to_owned(), "3".to_owned()),
            ("multi".to_owned(), "a\nb".to_owned()),
        ]);
        let mut objects = Objects::from_iter([value]);
        substitute(&mut objects, &variables, strict).map_err(|e| e.to_string())?;
        Ok(objects.into_vec().remove(0))
    }

    #[test]
    fn values_become_scalars_of_their_own_type() {
        assert_eq!(
            run(json!({"a": "${n}", "b": "x${n}", "c": "${multi}"}), true),
            Ok(json!({"a": 3, "b": "x3", "c": "ab"}))
        );
    }

    #[test]
    fn objects_can_opt_out() {
        let object = json!({"metadata": {"labels": {SWITCH: "disabled"}}, "a": "${n} ${gone}"});
        assert_eq!(run(object.clone(), true), Ok(object.clone()));
        assert!(!takes_variables(&Objects::from_iter([object.clone()])));
        assert!(takes_variables(&Objects::from_iter([object, json!({})])));
        assert!(!takes_variables(&Objects::default()));
    }

    #[test]
    fn two_dollar_signs_are_one_also_where_no_variable_is() {
        assert_eq!(run(json!({"a": "5$$"}), true), Ok(json!({"a": "5$"})));
    }

    #[test]
    fn a_missing_variable_is_an_error_only_when_strict() {
        let object = json!({"kind": "K", "metadata": {"name": "x"}, "a": "v${gone}"});
        assert_eq!(
            run(object.clone(), true),
            Err("substitution in K /x: variable not set (strict mode): \"gone\"".into())
        );
        assert_eq!(run(object, false).map(|v| v["a"].clone()), Ok(json!("v")));
    }
}

//! What an object is and should not be.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Lists whose order says nothing.
const SETS: [&str; 2] = ["inventory", "managers"];

/// One field that is not as wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where it is.
    pub path: String,
    /// What should be there; nothing when that is null.
    pub wanted: Value,
    /// What is there.
    pub found: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "it" } else { &self.path };
        match &self.found {
            None => write!(f, "{path}: wanted {}, found nothing", self.wanted),
            Some(found) if self.wanted.is_null() => write!(f, "{path}: wanted nothing, found {found}"),
            Some(found) => write!(f, "{path}: wanted {}, found {found}", self.wanted),
        }
    }
}

/// How an object differs from a partial one. Fields that are not wanted are not looked at, a field that is wanted as null
/// must not be there, conditions are found by their type, and a list must be as long as the wanted one. Texts may have
/// `<any>`, `<duration>` and `<generation>` in them.
///
/// Three fields are not in the object but are made of it: `inventory`, the ids of its inventory; `managers`, who owns
/// fields, and how; `text`, its data decoded.
#[must_use]
pub fn differences(wanted: &Value, found: &Value) -> Vec<Difference> {
    let mut all = Vec::new();
    let seen = seen(found);
    let generation = found["metadata"]["generation"].to_string();
    walk(String::new(), wanted, Some(&seen), &generation, &mut all);
    all
}

fn seen(found: &Value) -> Value {
    let mut object = found.as_object().cloned().unwrap_or_default();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let inventory = list(&found["status"]["inventory"]["entries"]);
    let ids: Vec<Value> = inventory.iter().map(|entry| entry["id"].clone()).collect();
    let managers: Vec<Value> = list(&found["metadata"]["managedFields"])
        .iter()
        .map(|entry| {
            let words = [&entry["manager"], &entry["operation"], &entry["subresource"]].map(part);
            json!(words.join(" ").trim_end())
        })
        .collect();
    let decoded: Map<String, Value> = found["data"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| {
            let bytes = STANDARD.decode(value.as_str()?).ok()?;
            Some((key.clone(), json!(String::from_utf8_lossy(&bytes))))
        })
        .collect();
    object.insert("inventory".to_owned(), sorted(ids));
    object.insert("managers".to_owned(), sorted(managers));
    object.insert("text".to_owned(), Value::Object(decoded));
    Value::Object(object)
}

fn sorted(mut list: Vec<Value>) -> Value {
    list.sort_by_key(ToString::to_string);
    Value::Array(list)
}

fn walk(path: String, wanted: &Value, found: Option<&Value>, generation: &str, all: &mut Vec<Difference>) {
    let found = found.filter(|found| !found.is_null());
    let same = match (wanted, found) {
        (Value::Null, None) => true,
        (Value::Object(wanted), Some(Value::Object(found))) => {
            for (key, value) in wanted {
                walk(below(&path, key), value, found.get(key), generation, all);
            }
            true
        }
        (Value::Object(wanted), None) if !wanted.is_empty() => {
            for (key, value) in wanted {
                walk(below(&path, key), value, None, generation, all);
            }
            true
        }
        (Value::Array(wanted), found) if path.ends_with("conditions") => {
            for condition in wanted {
                let kind = condition["type"].as_str().unwrap_or_default();
                let found = found.and_then(Value::as_array).into_iter().flatten();
                let found = found.into_iter().find(|found| found["type"] == kind);
                walk_condition(&format!("{path}[{kind}]"), condition, found, generation, all);
            }
            true
        }
        (Value::Array(list), Some(found)) if SETS.contains(&path.as_str()) => sorted(list.clone()) == *found,
        (Value::Array(wanted), Some(Value::Array(found))) if wanted.len() == found.len() => {
            for (number, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                walk(format!("{path}[{number}]"), wanted, Some(found), generation, all);
            }
            true
        }
        (Value::String(wanted), Some(Value::Number(found))) => {
            wanted == "<generation>" && found.to_string() == generation
        }
        (Value::String(wanted), Some(Value::String(found))) => matches(wanted, found),
        (wanted, Some(found)) => wanted == found,
        (_, None) => false,
    };
    if !same {
        all.push(Difference {
            path,
            wanted: wanted.clone(),
            found: found.cloned(),
        });
    }
}

/// A condition that is not there is one without any field.
fn walk_condition(
    path: &str,
    wanted: &Value,
    found: Option<&Value>,
    generation: &str,
    all: &mut Vec<Difference>,
) {
    for (key, value) in wanted
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| *key != "type")
    {
        walk(
            below(path, key),
            value,
            found.and_then(|found| found.get(key)),
            generation,
            all,
        );
    }
}

fn below(path: &str, key: &str) -> String {
    let plain = key
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_');
    match (path.is_empty(), plain) {
        (true, _) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (false, false) => format!("{path}[{key:?}]"),
    }
}

/// Whether a text is as the wanted one, in which `<any>` stands for any text and `<duration>` for a time as Go writes it.
pub(super) fn matches(wanted: &str, found: &str) -> bool {
    let pattern = regex::escape(wanted)
        .replace("<any>", ".*")
        .replace("<duration>", r"(?:\d+(?:\.\d+)?(?:h|ms|µs|ns|m|s))+");
    regex::Regex::new(&format!("(?s)^{pattern}$")).is_ok_and(|pattern| pattern.is_match(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(wanted: &Value, found: &Value) -> Vec<String> {
        differences(wanted, found)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn what_is_not_wanted_is_not_looked_at() {
        let found = json!({"metadata": {"name": "a", "labels": {"x": "1", "y": "2"}}, "data": {"key": "v"}});
        assert!(said(&json!({"metadata": {"labels": {"x": "1"}}}), &found).is_empty());
    }

    #[test]
    fn a_difference_names_the_field_and_both_sides() {
        let found = json!({"metadata": {"annotations": {"a.b/c": "1"}}, "data": {"key": "v"}});
        let wanted = json!({"metadata": {"annotations": {"a.b/c": "2"}}, "data": {"key": "v", "other": "w"}});
        let all = [
            r#"metadata.annotations["a.b/c"]: wanted "2", found "1""#,
            r#"data.other: wanted "w", found nothing"#,
        ];
        assert_eq!(said(&wanted, &found), all);
    }

    #[test]
    fn null_is_wanted_where_nothing_is() {
        let found = json!({"data": {"key": "v"}});
        assert!(said(&json!({"data": {"other": null}, "spec": {"other": null}}), &found).is_empty());
        assert_eq!(
            said(&json!({"data": {"key": null}}), &found),
            [r#"data.key: wanted nothing, found "v""#]
        );
    }

    #[test]
    fn conditions_are_found_by_their_type_and_may_be_wanted_absent() {
        let found = json!({"status": {"conditions": [
            {"type": "Reconciling", "status": "True"}, {"type": "Ready", "status": "False", "reason": "X"},
        ]}});
        let wanted =
            |kind: &str, status: Value| json!({"status": {"conditions": [{"type": kind, "status": status}]}});
        assert!(said(&wanted("Ready", json!("False")), &found).is_empty());
        assert!(said(&wanted("Stalled", Value::Null), &found).is_empty());
        let stays = ["status.conditions[Reconciling].status: wanted nothing, found \"True\""];
        assert_eq!(said(&wanted("Reconciling", Value::Null), &found), stays);
        let none = ["status.conditions[Ready].status: wanted \"True\", found nothing"];
        assert_eq!(said(&wanted("Ready", json!("True")), &json!({})), none);
    }

    #[test]
    fn a_list_is_as_long_as_the_wanted_one() {
        let found = json!({"spec": {"ports": [{"port": 80, "protocol": "TCP"}]}});
        assert!(said(&json!({"spec": {"ports": [{"port": 80}]}}), &found).is_empty());
        assert_eq!(said(&json!({"spec": {"ports": []}}), &found).len(), 1);
        assert_eq!(said(&json!({"spec": {"ports": [{"port": 81}]}}), &found).len(), 1);
    }

    #[test]
    fn an_inventory_is_exact_in_any_order() {
        let found =
            json!({"status": {"inventory": {"entries": [{"id": "b", "v": "v1"}, {"id": "a", "v": "v1"}]}}});
        assert!(said(&json!({"inventory": ["a", "b"]}), &found).is_empty());
        assert_eq!(
            said(&json!({"inventory": ["a"]}), &found),
            [r#"inventory: wanted ["a"], found ["a","b"]"#]
        );
        assert!(said(&json!({"inventory": []}), &json!({})).is_empty());
    }

    #[test]
    fn managers_and_decoded_data_are_made_of_the_object() {
        let found = json!({
            "metadata": {"managedFields": [
                {"manager": "x", "operation": "Update", "subresource": "status"}, {"manager": "k", "operation": "Apply"},
            ]},
            "data": {"password": "c2VjcmV0"},
        });
        let wanted = json!({"managers": ["x Update status", "k Apply"], "text": {"password": "secret"}});
        assert!(said(&wanted, &found).is_empty(), "{:?}", said(&wanted, &found));
    }

    #[test]
    fn texts_may_leave_times_and_other_parts_open() {
        for (wanted, found, same) in [
            (
                "in <duration>, next in <duration>",
                "in 1m2.5s, next in 10m0s",
                true,
            ),
            ("in <duration>", "in a while", false),
            ("<any>b.yaml<any>", "line one\nb.yaml: bad (x)", true),
            ("a.yaml", "a-yaml", false),
        ] {
            assert_eq!(matches(wanted, found), same, "{wanted} and {found}");
        }
        let found = json!({"metadata": {"generation": 3}, "status": {"observedGeneration": 3}});
        assert!(said(&json!({"status": {"observedGeneration": "<generation>"}}), &found).is_empty());
        let found = json!({"metadata": {"generation": 3}, "status": {"observedGeneration": 2}});
        assert_eq!(
            said(&json!({"status": {"observedGeneration": "<generation>"}}), &found).len(),
            1
        );
    }
}

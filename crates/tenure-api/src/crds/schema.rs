//! A few words to write a structural schema with.

use serde_json::{Map, Value, json};

/// A property: its name, whether it must be there, its schema.
pub(super) type Field = (&'static str, bool, Value);

pub(super) fn must(name: &'static str, schema: Value, about: &str) -> Field {
    (name, true, described(schema, about))
}

pub(super) fn may(name: &'static str, schema: Value, about: &str) -> Field {
    (name, false, described(schema, about))
}

fn described(mut schema: Value, about: &str) -> Value {
    if !about.is_empty() {
        schema["description"] = json!(about);
    }
    schema
}

pub(super) fn object(fields: Vec<Field>) -> Value {
    let required: Vec<_> = fields
        .iter()
        .filter(|field| field.1)
        .map(|field| field.0)
        .collect();
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| (field.0.to_owned(), field.2.clone()))
        .collect();
    let mut schema = json!({"type": "object"});
    // the API server drops an empty one
    if !properties.is_empty() {
        schema["properties"] = Value::Object(properties);
    }
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

pub(super) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

pub(super) fn text() -> Value {
    json!({"type": "string"})
}

pub(super) fn sized(min: u32, max: u32) -> Value {
    json!({"type": "string", "minLength": min, "maxLength": max})
}

pub(super) fn one_of(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

pub(super) fn pattern(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

pub(super) fn flag() -> Value {
    json!({"type": "boolean"})
}

pub(super) fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

pub(super) fn count() -> Value {
    json!({"type": "integer", "format": "int64"})
}

pub(super) fn texts() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "string"}})
}

pub(super) fn with_default(mut schema: Value, default: Value) -> Value {
    schema["default"] = default;
    schema
}

pub(super) fn with_rules(mut schema: Value, rules: &[(&str, &str)]) -> Value {
    let rules: Vec<_> = rules
        .iter()
        .map(|(rule, message)| json!({"message": message, "rule": rule}))
        .collect();
    schema["x-kubernetes-validations"] = json!(rules);
    schema
}

/// Any value: kept as it is, because its shape is another kind's.
pub(super) fn anything() -> Value {
    json!({"x-kubernetes-preserve-unknown-fields": true})
}

/// An interval: hours allowed.
pub(super) fn duration() -> Value {
    pattern(r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$")
}

/// A timeout of a source: no hours.
pub(super) fn short_duration() -> Value {
    pattern(r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$")
}

pub(super) fn local_reference() -> Value {
    object(vec![must("name", text(), "Name of the object.")])
}

pub(super) fn conditions() -> Value {
    let type_ = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$";
    list(object(vec![
        must(
            "lastTransitionTime",
            time(),
            "When status, reason or message last changed.",
        ),
        must(
            "message",
            json!({"type": "string", "maxLength": crate::MAX_MESSAGE}),
            "For people.",
        ),
        may(
            "observedGeneration",
            json!({"type": "integer", "format": "int64", "minimum": 0}),
            "Generation that it speaks of.",
        ),
        must(
            "reason",
            json!({"type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"}),
            "For machines.",
        ),
        must(
            "status",
            one_of(&["True", "False", "Unknown"]),
            "Whether it is so.",
        ),
        must(
            "type",
            json!({"type": "string", "maxLength": 316, "pattern": type_}),
            "What it speaks of.",
        ),
    ]))
}

pub(super) fn artifact() -> Value {
    object(vec![
        must(
            "digest",
            pattern("^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$"),
            "Digest of the stored file.",
        ),
        must("lastUpdateTime", time(), "When it was stored."),
        may("metadata", texts(), "Annotations from upstream."),
        must("path", text(), "Path in the store."),
        must("revision", text(), "Revision in the source's own terms."),
        may("size", count(), "Bytes."),
        must("url", text(), "Where it is offered."),
    ])
}

/// `spec.interval` of a source.
pub(super) fn interval() -> Field {
    must("interval", duration(), "How often to look for a new revision.")
}

/// `spec.timeout` of a source.
pub(super) fn timeout(of: &str) -> Field {
    may("timeout", with_default(short_duration(), json!("60s")), of)
}

/// `spec.suspend`
pub(super) fn suspend() -> Field {
    may("suspend", flag(), "No reconciliation while true.")
}

/// `spec.accessFrom`
pub(super) fn access_from(about: &str) -> Field {
    let selector = object(vec![may("matchLabels", texts(), "Labels of a namespace.")]);
    let access = object(vec![must(
        "namespaceSelectors",
        list(selector),
        "Namespaces that were meant.",
    )]);
    may("accessFrom", access, about)
}

/// The status of a source: what all have, and `more`.
pub(super) fn source_status(more: Vec<Field>) -> Value {
    let mut fields = vec![
        may("artifact", artifact(), "What was fetched last."),
        may("conditions", conditions(), "How it fares."),
        may(
            "lastHandledReconcileAt",
            text(),
            "Last handled request to reconcile.",
        ),
        may(
            "observedGeneration",
            count(),
            "Generation that the status speaks of.",
        ),
        may("url", text(), "Where the latest artifact is offered."),
    ];
    fields.extend(more);
    object(fields)
}

/// `verify` of what is in a registry, with `more`.
pub(super) fn verification(more: Vec<Field>) -> Value {
    let identity = object(vec![
        must("issuer", text(), "Regular expression for the issuer."),
        must("subject", text(), "Regular expression for the subject."),
    ]);
    let mut fields = vec![
        may(
            "matchOIDCIdentity",
            list(identity),
            "Whose keyless signatures count.",
        ),
        must(
            "provider",
            with_default(one_of(&["cosign", "notation"]), json!("cosign")),
            "What it was signed with.",
        ),
        may(
            "secretRef",
            local_reference(),
            "The Secret with trusted public keys.",
        ),
    ];
    fields.extend(more);
    object(fields)
}

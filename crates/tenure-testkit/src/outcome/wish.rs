//! What must come to be.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Kinds that need no version when they are named.
const KINDS: &[(&str, &[&str])] = &[
    (
        "v1",
        &[
            "ConfigMap",
            "Secret",
            "Service",
            "ServiceAccount",
            "Pod",
            "Namespace",
            "PersistentVolumeClaim",
        ],
    ),
    ("apps/v1", &["Deployment", "StatefulSet"]),
    ("batch/v1", &["Job", "CronJob"]),
    (
        "rbac.authorization.k8s.io/v1",
        &["Role", "RoleBinding", "ClusterRole"],
    ),
    ("apiextensions.k8s.io/v1", &["CustomResourceDefinition"]),
    ("kustomize.toolkit.fluxcd.io/v1", &["Kustomization"]),
    ("source.toolkit.fluxcd.io/v1", &["GitRepository"]),
];

/// `Kind/name`, or `Kind/namespace/name`, or `Kind.version.group/…` for a kind that is not one of the usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

impl Reference {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none, or its kind needs a version.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts[..] {
            [kind, name] => (kind, None, name),
            [kind, namespace, name] => (kind, Some(namespace.to_owned()), name),
            _ => bail!("{text:?} is no Kind/name or Kind/namespace/name"),
        };
        ensure!(!name.is_empty(), "{text:?} has no name");
        let (api_version, kind) = match kind.split_once('.') {
            Some((kind, version)) => {
                let group = version.split_once('.');
                (
                    group.map_or_else(
                        || version.to_owned(),
                        |(version, group)| format!("{group}/{version}"),
                    ),
                    kind,
                )
            }
            None => {
                let known = KINDS.iter().find(|(_, kinds)| kinds.contains(&kind));
                let (version, _) =
                    known.with_context(|| format!("write {kind}.<version>.<group>/… in {text:?}"))?;
                ((*version).to_owned(), kind)
            }
        };
        Ok(Self {
            api_version,
            kind: kind.to_owned(),
            namespace,
            name: name.to_owned(),
        })
    }
}

/// An event about an object.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Event {
    /// About which object.
    pub(super) of: String,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    /// Its reason.
    pub(super) reason: Option<String>,
    /// Its message.
    pub(super) message: String,
    /// Annotations of it, among others.
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

/// What must come to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wish {
    /// A Kustomization is Ready and has applied the newest commit.
    Applied(String),
    /// An object has these fields.
    Object(String, Value),
    /// An object is not there.
    Absent(String),
    /// There is an event.
    Event(Event),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failed {
    failed: String,
    of: Option<String>,
    message: Option<String>,
}

impl Wish {
    fn read(value: Value) -> anyhow::Result<Self> {
        if value == "applied" {
            return Ok(Self::Applied("app".to_owned()));
        }
        let Value::Object(mut fields) = value else {
            bail!("{value} is nothing to wish for");
        };
        if fields.contains_key("failed") {
            return Failed::deserialize(Value::Object(fields))
                .map(Self::failed)
                .context("read `failed`");
        }
        for word in ["applied", "absent"] {
            if let Some(name) = fields.remove(word) {
                let name = name.as_str().with_context(|| format!("`{word}` wants a name"))?;
                ensure!(
                    fields.is_empty(),
                    "`{word}` stands alone, but there is {:?}",
                    fields.keys()
                );
                return Ok(match word {
                    "applied" => Self::Applied(name.to_owned()),
                    _ => Self::Absent(name.to_owned()),
                });
            }
        }
        if let Some(event) = fields.remove("event") {
            ensure!(
                fields.is_empty(),
                "`event` stands alone, but there is {:?}",
                fields.keys()
            );
            return Ok(Self::Event(
                serde_json::from_value(event).context("read `event`")?,
            ));
        }
        Self::object(fields)
    }

    fn object(mut fields: Map<String, Value>) -> anyhow::Result<Self> {
        let object = fields.remove("object").with_context(|| {
            format!(
                "neither `object`, `absent`, `applied`, `failed` nor `event` is in {:?}",
                fields.keys()
            )
        })?;
        let object = object.as_str().context("`object` wants Kind/name")?.to_owned();
        let known = [
            "metadata",
            "spec",
            "data",
            "text",
            "inventory",
            "managers",
            "status",
            "rules",
            "subjects",
            "roleRef",
            "immutable",
            "type",
            "stringData",
        ];
        let unknown: Vec<_> = fields
            .keys()
            .filter(|key| !known.contains(&key.as_str()))
            .collect();
        ensure!(unknown.is_empty(), "no object of a scenario has {unknown:?}");
        Ok(Self::Object(object, Value::Object(fields)))
    }

    fn failed(failed: Failed) -> Self {
        let mut condition = json!({"type": "Ready", "status": "False", "reason": failed.failed});
        if let Some(message) = failed.message {
            condition["message"] = json!(message);
        }
        let of = failed.of.unwrap_or_else(|| "Kustomization/app".to_owned());
        Self::Object(of, json!({"status": {"conditions": [condition]}}))
    }
}

impl<'de> Deserialize<'de> for Wish {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::read(value).map_err(|error| serde::de::Error::custom(format!("{error:#}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(value: Value) -> Result<Wish, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn references_name_kind_and_version_and_maybe_the_namespace() {
        let read = |text: &str| Reference::read(text).map(|r| (r.api_version, r.kind, r.namespace, r.name));
        let is = |version: &str, kind: &str, namespace: Option<&str>, name: &str| {
            (
                version.to_owned(),
                kind.to_owned(),
                namespace.map(str::to_owned),
                name.to_owned(),
            )
        };
        assert_eq!(
            read("ConfigMap/a").expect("short"),
            is("v1", "ConfigMap", None, "a")
        );
        assert_eq!(
            read("Secret/ns/a").expect("elsewhere"),
            is("v1", "Secret", Some("ns"), "a")
        );
        assert_eq!(
            read("Widget.v1.x.example.com/a").expect("long"),
            is("x.example.com/v1", "Widget", None, "a")
        );
        for bad in ["ConfigMap", "Widget/a", "ConfigMap/", "a/b/c/d"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn short_words_stand_for_what_is_wished_most() {
        assert_eq!(wish(json!("applied")), Ok(Wish::Applied("app".to_owned())));
        assert_eq!(
            wish(json!({"applied": "top"})),
            Ok(Wish::Applied("top".to_owned()))
        );
        let condition =
            json!({"type": "Ready", "status": "False", "reason": "BuildFailed", "message": "<any>x"});
        assert_eq!(
            wish(json!({"failed": "BuildFailed", "message": "<any>x"})),
            Ok(Wish::Object(
                "Kustomization/app".to_owned(),
                json!({"status": {"conditions": [condition]}})
            ))
        );
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (value, part) in [
            (json!("aplied"), "aplied"),
            (json!({"obejct": "ConfigMap/a"}), "obejct"),
            (json!({"object": "ConfigMap/a", "dta": {}}), "dta"),
            (json!({"failed": "X", "mesage": "y"}), "mesage"),
            (json!({"absent": "ConfigMap/a", "data": {}}), "stands alone"),
            (
                json!({"event": {"of": "Kustomization/app", "message": "x", "resaon": "y"}}),
                "resaon",
            ),
        ] {
            let error = wish(value.clone()).expect_err("it is wrong");
            assert!(error.contains(part), "{value}: {error}");
        }
    }
}

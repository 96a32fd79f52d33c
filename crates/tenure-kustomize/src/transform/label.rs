//! Labels, selectors and annotations.

use serde_json::{Map, Value};

use super::field::{Spec, visit};
use super::strings;
use crate::Error;
use crate::file::{KustFile, Labels};
use crate::resource::{Id, Resource};

const fn spec(group: &'static str, kind: &'static str, path: &'static str, create: bool) -> Spec {
    Spec {
        group,
        kind,
        path,
        create,
    }
}

/// Pod templates and what they are stamped from.
const TEMPLATES: &[(&str, &str, &str)] = &[
    ("", "ReplicationController", "spec/template/metadata/"),
    ("", "Deployment", "spec/template/metadata/"),
    ("", "ReplicaSet", "spec/template/metadata/"),
    ("", "DaemonSet", "spec/template/metadata/"),
    ("apps", "StatefulSet", "spec/template/metadata/"),
    ("batch", "Job", "spec/template/metadata/"),
    ("batch", "CronJob", "spec/jobTemplate/metadata/"),
    ("batch", "CronJob", "spec/jobTemplate/spec/template/metadata/"),
];

const SELECTORS: &[Spec] = &[
    spec("", "Service", "spec/selector", true),
    spec("", "ReplicationController", "spec/selector", true),
    spec("", "Deployment", "spec/selector/matchLabels", true),
    spec("", "ReplicaSet", "spec/selector/matchLabels", true),
    spec("", "DaemonSet", "spec/selector/matchLabels", true),
    spec("apps", "StatefulSet", "spec/selector/matchLabels", true),
    spec(
        "apps",
        "StatefulSet",
        "spec/volumeClaimTemplates[]/metadata/labels",
        true,
    ),
    spec("batch", "Job", "spec/selector/matchLabels", false),
    spec(
        "batch",
        "CronJob",
        "spec/jobTemplate/spec/selector/matchLabels",
        false,
    ),
    spec(
        "policy",
        "PodDisruptionBudget",
        "spec/selector/matchLabels",
        false,
    ),
    spec(
        "networking.k8s.io",
        "NetworkPolicy",
        "spec/podSelector/matchLabels",
        false,
    ),
    spec(
        "networking.k8s.io",
        "NetworkPolicy",
        "spec/ingress/from/podSelector/matchLabels",
        false,
    ),
    spec(
        "networking.k8s.io",
        "NetworkPolicy",
        "spec/egress/to/podSelector/matchLabels",
        false,
    ),
];

/// Selectors inside the pod templates of Deployments and StatefulSets.
const SPREAD: &[&str] = &[
    "spec/template/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "spec/template/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels",
];

/// `labels` and `commonLabels`.
pub(crate) fn labels(file: &KustFile, all: &mut [Resource]) -> Result<(), Error> {
    for (i, labels) in file.labels.iter().enumerate() {
        apply(labels, all).map_err(|e| file.place(&format!("labels/{i}"), e))?;
    }
    let common = Labels {
        pairs: file.common_labels.clone(),
        include_selectors: true,
        ..Labels::default()
    };
    apply(&common, all).map_err(|e| file.place("commonLabels", e))
}

fn apply(labels: &Labels, all: &mut [Resource]) -> Result<(), Error> {
    let pairs = strings(&labels.pairs)?;
    if pairs.is_empty() {
        return Ok(());
    }
    for resource in all {
        let id = resource.id();
        let value = &mut resource.value;
        set(value, "metadata/labels", true, &pairs)?;
        if labels.include_selectors || labels.include_templates {
            templates(value, &id, "labels", &pairs)?;
        }
        if labels.include_selectors {
            selectors(value, &id, &pairs)?;
        } else if labels.include_templates && id.kind == "StatefulSet" {
            set(value, "spec/volumeClaimTemplates[]/metadata/labels", true, &pairs)?;
        }
        for spec in labels.fields.iter().filter(|s| s.selects(&id)) {
            set(value, &spec.path, spec.create, &pairs)?;
        }
    }
    Ok(())
}

fn selectors(value: &mut Value, id: &Id, pairs: &[(String, String)]) -> Result<(), Error> {
    for spec in SELECTORS
        .iter()
        .filter(|s| s.selects(id) && (s.kind != "Service" || id.group.is_empty()))
    {
        set(value, spec.path, spec.create, pairs)?;
    }
    if id.group == "apps" && (id.kind == "Deployment" || id.kind == "StatefulSet") {
        SPREAD
            .iter()
            .try_for_each(|path| set(value, path, false, pairs))?;
    }
    Ok(())
}

/// `commonAnnotations`.
pub(crate) fn annotations(file: &KustFile, all: &mut [Resource]) -> Result<(), Error> {
    let pairs = strings(&file.common_annotations).map_err(|e| file.place("commonAnnotations", e))?;
    if pairs.is_empty() {
        return Ok(());
    }
    for resource in all {
        let id = resource.id();
        let done = set(&mut resource.value, "metadata/annotations", true, &pairs);
        done.and_then(|()| templates(&mut resource.value, &id, "annotations", &pairs))
            .map_err(|e| file.place("commonAnnotations", e))?;
    }
    Ok(())
}

fn templates(value: &mut Value, id: &Id, field: &str, pairs: &[(String, String)]) -> Result<(), Error> {
    for (group, kind, path) in TEMPLATES {
        if *kind == id.kind && (group.is_empty() || *group == id.group) {
            set(value, &format!("{path}{field}"), true, pairs)?;
        }
    }
    Ok(())
}

fn set(value: &mut Value, path: &str, create: bool, pairs: &[(String, String)]) -> Result<(), Error> {
    visit(value, path, create, &mut |at| {
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        let Some(map) = at.as_object_mut() else {
            return Err(Error::invalid(format!("{path} is not a mapping")));
        };
        for (key, text) in pairs {
            map.insert(key.clone(), Value::String(text.clone()));
        }
        Ok(())
    })
}

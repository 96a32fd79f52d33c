//! The CustomResourceDefinitions.

use serde_json::{Value, json};

mod artifact;
mod bucket;
mod external_artifact;
mod git_repository;
mod helm_chart;
mod helm_repository;
mod kustomization;
mod oci_repository;
mod schema;
mod tenant;
#[cfg(test)]
mod tests;

use schema::{may, object, text};

struct Kind {
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
    categories: &'static [&'static str],
    columns: &'static [Column],
    /// Served versions, the stored one first; the others are deprecated.
    versions: &'static [&'static str],
    part_of: &'static str,
    about: &'static str,
    spec: fn() -> Value,
    status: fn() -> Value,
    /// Whether the status is written apart from the rest, since others write the rest.
    apart: bool,
}

/// Name, type and JSON path.
type Column = (&'static str, &'static str, &'static str);

const URL: Column = ("URL", "string", ".spec.url");
const AGE: Column = ("Age", "date", ".metadata.creationTimestamp");
const READY: Column = (
    "Ready",
    "string",
    ".status.conditions[?(@.type==\"Ready\")].status",
);
const STATUS: Column = (
    "Status",
    "string",
    ".status.conditions[?(@.type==\"Ready\")].message",
);

const SOURCES: &[&str] = &["all", "fluxcd", "fluxcd-sources"];
const TWO: &[&str] = &["v1", "v1beta2"];

const KINDS: [Kind; 9] = [
    Kind {
        group: crate::SOURCE_GROUP,
        kind: "GitRepository",
        plural: "gitrepositories",
        short: &["gitrepo"],
        categories: SOURCES,
        columns: &[URL, AGE, READY, STATUS],
        versions: TWO,
        part_of: "flux",
        about: "A Git repository to build from.",
        spec: git_repository::spec,
        status: git_repository::status,
        apart: true,
    },
    Kind {
        group: crate::SOURCE_GROUP,
        kind: "OCIRepository",
        plural: "ocirepositories",
        short: &["ocirepo"],
        categories: SOURCES,
        columns: &[URL, READY, STATUS, AGE],
        versions: TWO,
        part_of: "flux",
        about: "An artifact of an OCI registry to build from.",
        spec: oci_repository::spec,
        status: oci_repository::status,
        apart: true,
    },
    Kind {
        group: crate::SOURCE_GROUP,
        kind: "HelmRepository",
        plural: "helmrepositories",
        short: &["helmrepo"],
        categories: SOURCES,
        columns: &[URL, AGE, READY, STATUS],
        versions: TWO,
        part_of: "flux",
        about: "A repository of Helm charts.",
        spec: helm_repository::spec,
        status: helm_repository::status,
        apart: true,
    },
    Kind {
        group: crate::SOURCE_GROUP,
        kind: "HelmChart",
        plural: "helmcharts",
        short: &["hc"],
        categories: SOURCES,
        columns: &[
            ("Chart", "string", ".spec.chart"),
            ("Version", "string", ".spec.version"),
            ("Source Kind", "string", ".spec.sourceRef.kind"),
            ("Source Name", "string", ".spec.sourceRef.name"),
            AGE,
            READY,
            STATUS,
        ],
        versions: TWO,
        part_of: "flux",
        about: "A Helm chart of a repository, or made of another source.",
        spec: helm_chart::spec,
        status: helm_chart::status,
        apart: true,
    },
    Kind {
        group: crate::SOURCE_GROUP,
        kind: "Bucket",
        plural: "buckets",
        short: &[],
        categories: SOURCES,
        columns: &[("Endpoint", "string", ".spec.endpoint"), AGE, READY, STATUS],
        versions: TWO,
        part_of: "flux",
        about: "A bucket of an object store to build from.",
        spec: bucket::spec,
        status: bucket::status,
        apart: true,
    },
    Kind {
        group: crate::SOURCE_GROUP,
        kind: "ExternalArtifact",
        plural: "externalartifacts",
        short: &["ea"],
        categories: SOURCES,
        columns: &[AGE, READY, STATUS, ("Source", "string", ".spec.sourceRef.name")],
        versions: &["v1"],
        part_of: "flux",
        about: "An artifact that somebody else makes and keeps.",
        spec: external_artifact::spec,
        status: external_artifact::status,
        apart: true,
    },
    Kind {
        group: crate::KUSTOMIZE_GROUP,
        kind: "Kustomization",
        plural: "kustomizations",
        short: &["ks"],
        categories: &["all", "fluxcd", "fluxcd-appliers"],
        columns: &[AGE, READY, STATUS],
        versions: TWO,
        part_of: "flux",
        about: "A directory of a source, built and applied.",
        spec: kustomization::spec,
        status: kustomization::status,
        apart: true,
    },
    Kind {
        group: crate::TENURE_GROUP,
        kind: "Tenant",
        plural: "tenants",
        short: &[],
        categories: &[],
        columns: &[("Phase", "string", ".status.phase"), AGE, READY, STATUS],
        versions: &["v1alpha1"],
        part_of: "tenure",
        about: "Who reconciles where, as whom and within what limits.",
        spec: tenant::spec,
        status: tenant::status,
        apart: true,
    },
    Kind {
        group: crate::TENURE_GROUP,
        kind: "Artifact",
        plural: "artifacts",
        short: &[],
        categories: &[],
        columns: &[
            ("Kind", "string", ".status.kind"),
            ("URL", "string", ".status.url"),
            ("Revision", "string", ".status.revision"),
            ("Size", "integer", ".status.size"),
            ("Readers", "integer", ".status.readers"),
            ("Age", "date", ".status.madeAt"),
        ],
        versions: &["v1alpha1"],
        part_of: "tenure",
        about: "Something that is cached, and who may read it; written by the supervisor, for people.",
        spec: artifact::spec,
        status: artifact::status,
        apart: false,
    },
];

/// The CustomResourceDefinitions of every kind that is served, ready to apply.
#[must_use]
pub fn crds() -> Vec<Value> {
    KINDS.iter().map(crd).collect()
}

fn crd(kind: &Kind) -> Value {
    let mut names = json!({
        "kind": kind.kind, "listKind": format!("{}List", kind.kind),
        "plural": kind.plural, "singular": kind.kind.to_lowercase(),
    });
    for (key, words) in [("shortNames", kind.short), ("categories", kind.categories)] {
        if !words.is_empty() {
            names[key] = json!(words);
        }
    }
    let versions: Vec<_> = kind.versions.iter().map(|name| version(kind, name)).collect();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{}.{}", kind.plural, kind.group),
            "labels": {
                "app.kubernetes.io/instance": crate::SYSTEM_NAMESPACE,
                "app.kubernetes.io/managed-by": "tenure",
                crate::PART_OF: kind.part_of,
                "app.kubernetes.io/version": crate::FLUX_VERSION,
            },
            "annotations": {crate::SUBSTITUTE: "disabled"},
        },
        "spec": {"group": kind.group, "names": names, "scope": "Namespaced", "versions": versions},
    })
}

fn version(kind: &Kind, name: &str) -> Value {
    let mut status = (kind.status)();
    if status["properties"].get("observedGeneration").is_some() {
        status["default"] = json!({"observedGeneration": -1});
    }
    status["description"] = json!("What is.");
    let mut spec = (kind.spec)();
    spec["description"] = json!("What is wanted.");
    let mut whole = object(vec![
        may("apiVersion", text(), "Version of this representation."),
        may("kind", text(), "Kind of the object."),
        may("metadata", json!({"type": "object"}), ""),
        may("spec", spec, ""),
        may("status", status, ""),
    ]);
    whole["description"] = json!(kind.about);
    let stored = kind.versions.first() == Some(&name);
    let mut version = json!({"name": name, "served": true, "storage": stored});
    if !stored {
        version["deprecated"] = json!(true);
        version["deprecationWarning"] = json!(format!("{name} {} is deprecated, upgrade to v1", kind.kind));
    }
    version["additionalPrinterColumns"] = columns(kind);
    version["schema"] = json!({"openAPIV3Schema": whole});
    if kind.apart {
        version["subresources"] = json!({"status": {}});
    }
    version
}

fn columns(kind: &Kind) -> Value {
    let columns = kind.columns.iter();
    columns
        .map(|(name, kind, path)| json!({"name": name, "type": kind, "jsonPath": path}))
        .collect()
}

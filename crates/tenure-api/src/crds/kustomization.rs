use serde_json::{Value, json};

use super::schema::*;

fn selector() -> Value {
    object(vec![
        may("annotationSelector", text(), "A label selector over annotations."),
        may("group", text(), "API group."),
        may("kind", text(), "Kind."),
        may("labelSelector", text(), "A label selector."),
        may("name", text(), "Name, as an anchored regular expression."),
        may(
            "namespace",
            text(),
            "Namespace, as an anchored regular expression.",
        ),
        may("version", text(), "API version."),
    ])
}

fn build_fields() -> Vec<Field> {
    let patch = object(vec![
        must("patch", text(), "A strategic merge or JSON 6902 patch, inline."),
        may("target", selector(), "Which objects."),
    ]);
    let operation = object(vec![
        may("from", text(), "JSON pointer to move or copy from."),
        must(
            "op",
            one_of(&["test", "remove", "add", "replace", "move", "copy"]),
            "Operation.",
        ),
        must("path", text(), "JSON pointer."),
        may("value", anything(), "Any value."),
    ]);
    let json6902 = object(vec![
        must("patch", list(operation), "Operations."),
        must("target", selector(), "Which objects."),
    ]);
    let image = object(vec![
        may("digest", text(), "New digest; wins over the tag."),
        must("name", text(), "Image without a tag."),
        may("newName", text(), "New name."),
        may("newTag", text(), "New tag."),
    ]);
    let metadata = object(vec![
        may("annotations", texts(), "Annotations."),
        may("labels", texts(), "Labels."),
    ]);
    vec![
        may(
            "buildMetadata",
            list(one_of(&["originAnnotations", "transformerAnnotations"])),
            "Annotations that the build adds.",
        ),
        may(
            "commonMetadata",
            metadata,
            "Labels and annotations for everything built.",
        ),
        may(
            "components",
            list(text()),
            "Kustomize components, as local paths.",
        ),
        may(
            "ignoreMissingComponents",
            flag(),
            "Whether an absent component is skipped.",
        ),
        may("images", list(image), "Images to replace."),
        may("namePrefix", sized(1, 200), "Prefix of every name."),
        may("nameSuffix", sized(1, 200), "Suffix of every name."),
        may("patches", list(patch), "Patches, after the file's own."),
        may("patchesJson6902", list(json6902), "Of v1beta2; still honoured."),
        may(
            "patchesStrategicMerge",
            list(anything()),
            "Of v1beta2; still honoured.",
        ),
        may("path", text(), "Directory in the artifact; its root when absent."),
        may("targetNamespace", sized(1, 63), "Namespace for everything built."),
    ]
}

fn process_fields() -> Vec<Field> {
    let from = object(vec![
        must("kind", one_of(&["Secret", "ConfigMap"]), "Kind."),
        must("name", sized(1, 253), "Name."),
        may(
            "optional",
            with_default(flag(), json!(false)),
            "Whether its absence is fine.",
        ),
    ]);
    let post_build = object(vec![
        may("substitute", texts(), "Inline variables."),
        may(
            "substituteFrom",
            list(from),
            "ConfigMaps and Secrets with variables; later ones win.",
        ),
        may(
            "substituteStrategy",
            one_of(&["WithVariables", "Always"]),
            "Whether to substitute without any variable.",
        ),
    ]);
    let decryption = object(vec![
        must("provider", one_of(&["sops"]), "How it is encrypted."),
        may("secretRef", local_reference(), "The Secret with keys."),
        may(
            "serviceAccountName",
            text(),
            "ServiceAccount for a cloud's key service.",
        ),
    ]);
    let secret = object(vec![
        may("key", text(), "Key in the Secret."),
        must("name", text(), "Name of the Secret."),
    ]);
    let message =
        "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified";
    let kube_config = with_rules(
        object(vec![
            may(
                "configMapRef",
                local_reference(),
                "A ConfigMap that describes workload identity.",
            ),
            may("secretRef", secret, "A Secret with a kubeconfig."),
        ]),
        &[
            ("has(self.configMapRef) || has(self.secretRef)", message),
            ("!has(self.configMapRef) || !has(self.secretRef)", message),
        ],
    );
    vec![
        may("decryption", decryption, "How to decrypt the source."),
        may("kubeConfig", kube_config, "A remote cluster to apply to."),
        may(
            "postBuild",
            post_build,
            "Variables to substitute after the build.",
        ),
        may(
            "serviceAccountName",
            text(),
            "ServiceAccount of this namespace to act as.",
        ),
        may(
            "validation",
            one_of(&["none", "client", "server"]),
            "Of v1beta2; has no effect.",
        ),
    ]
}

fn apply_fields() -> Vec<Field> {
    let depends = object(vec![
        must("name", text(), "Name."),
        may("namespace", text(), "Namespace; this one when absent."),
        may("readyExpr", text(), "CEL expression for readiness."),
    ]);
    let expressions = object(vec![
        must("apiVersion", text(), "API version."),
        must("current", text(), "True when healthy."),
        may("failed", text(), "True when failed."),
        may("inProgress", text(), "True when on its way."),
        may("kind", text(), "Kind; every kind of the group when absent."),
    ]);
    let check = object(vec![
        may("apiVersion", text(), "API version."),
        must("kind", text(), "Kind."),
        must("name", text(), "Name."),
        may("namespace", text(), "Namespace."),
    ]);
    let ignore = object(vec![
        must("paths", list(text()), "JSON pointers."),
        may("target", selector(), "Which objects; all when absent."),
    ]);
    let source = object(vec![
        may("apiVersion", text(), "API version."),
        must(
            "kind",
            one_of(&["OCIRepository", "GitRepository", "Bucket", "ExternalArtifact"]),
            "Kind of source.",
        ),
        must("name", text(), "Name."),
        may("namespace", text(), "Namespace; this one when absent."),
    ]);
    vec![
        may(
            "deletionPolicy",
            one_of(&["MirrorPrune", "Delete", "WaitForTermination", "Orphan"]),
            "What happens to what was applied when this object goes.",
        ),
        may(
            "dependsOn",
            list(depends),
            "Kustomizations that must be ready first.",
        ),
        may(
            "force",
            with_default(flag(), json!(false)),
            "Whether to recreate when an immutable field changes.",
        ),
        may(
            "healthCheckExprs",
            list(expressions),
            "Health of kinds that say it their own way.",
        ),
        may(
            "healthChecks",
            list(check),
            "What must become healthy; ignored when wait is true.",
        ),
        may("ignore", list(ignore), "Fields left to other managers."),
        must("interval", duration(), "How often to apply."),
        must("prune", flag(), "Whether what left the source is deleted."),
        may(
            "retryInterval",
            duration(),
            "Wait after a failure; the interval when absent.",
        ),
        must("sourceRef", source, "What to build from."),
        may("suspend", flag(), "No reconciliation while true."),
        may("timeout", duration(), "Longest health check."),
        may("wait", flag(), "Whether everything applied must become healthy."),
    ]
}

pub(super) fn spec() -> Value {
    let mut fields = [build_fields(), process_fields(), apply_fields()].concat();
    fields.sort_by_key(|field| field.0);
    object(fields)
}

pub(super) fn status() -> Value {
    let entry = object(vec![
        must("id", text(), "Namespace, name, group and kind."),
        must("v", text(), "API version."),
    ]);
    let history = object(vec![
        must("digest", text(), "Digest of what was built."),
        must("firstReconciled", time(), "First time."),
        must("lastReconciled", time(), "Last time."),
        must("lastReconciledDuration", text(), "How long the last one took."),
        must("lastReconciledStatus", text(), "Reason of the Ready condition."),
        may("metadata", texts(), "Revisions."),
        must("totalReconciliations", count(), "How often."),
    ]);
    object(vec![
        may("conditions", conditions(), "How it fares."),
        may("history", list(history), "Last results, newest first."),
        may(
            "inventory",
            object(vec![must("entries", list(entry), "One per object.")]),
            "What is applied.",
        ),
        may(
            "lastAppliedOriginRevision",
            text(),
            "Origin of the applied revision.",
        ),
        may(
            "lastAppliedRevision",
            text(),
            "Revision that is applied and healthy.",
        ),
        may("lastAttemptedRevision", text(), "Revision that was tried last."),
        may(
            "lastHandledReconcileAt",
            text(),
            "Last handled request to reconcile.",
        ),
        may(
            "observedGeneration",
            count(),
            "Generation that last became ready.",
        ),
    ])
}

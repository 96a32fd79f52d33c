use serde_json::{Value, json};

use super::schema::*;

fn layer_selector() -> Value {
    object(vec![
        may(
            "mediaType",
            text(),
            "The first layer of this media type; the first of all when absent.",
        ),
        may(
            "operation",
            one_of(&["extract", "copy"]),
            "Whether its files are taken out, or it is kept as it is.",
        ),
    ])
}

fn verify() -> Value {
    let identity = object(vec![
        must("issuer", text(), "Regular expression for the issuer."),
        must("subject", text(), "Regular expression for the subject."),
    ]);
    object(vec![
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
        may(
            "trustedRootSecretRef",
            local_reference(),
            "The Secret with a trusted_root.json.",
        ),
    ])
}

pub(super) fn spec() -> Value {
    let reference = object(vec![
        may("digest", text(), "A manifest; wins over all others."),
        may(
            "semver",
            text(),
            "A range of versions; the highest tag in it counts.",
        ),
        may(
            "semverFilter",
            text(),
            "Regular expression: only tags that it finds count for semver.",
        ),
        may("tag", text(), "A tag; latest when nothing is said."),
    ]);
    object(vec![
        may(
            "certSecretRef",
            local_reference(),
            "The Secret with the registry's authority and a client certificate.",
        ),
        may(
            "ignore",
            text(),
            "Ignore rules in gitignore syntax, after the artifact's own.",
        ),
        may("insecure", flag(), "Whether the registry may speak plain http."),
        must("interval", duration(), "How often to look for a new revision."),
        may(
            "layerSelector",
            layer_selector(),
            "Which layer becomes the artifact.",
        ),
        may(
            "provider",
            with_default(one_of(&["generic", "aws", "azure", "gcp"]), json!("generic")),
            "Where the credential comes from.",
        ),
        may(
            "proxySecretRef",
            local_reference(),
            "The Secret with a proxy's address.",
        ),
        may("ref", reference, "What to pull."),
        may("secretRef", local_reference(), "The Secret with a docker config."),
        may(
            "serviceAccountName",
            text(),
            "ServiceAccount whose pull Secrets count too.",
        ),
        may("suspend", flag(), "No reconciliation while true."),
        may(
            "timeout",
            with_default(short_duration(), json!("60s")),
            "Longest pull and verification.",
        ),
        must("url", pattern("^oci://.*$"), "The repository's address."),
        may("verify", verify(), "Signatures to require."),
    ])
}

pub(super) fn status() -> Value {
    object(vec![
        may("artifact", artifact(), "What was pulled last."),
        may("conditions", conditions(), "How it fares."),
        may("contentConfigChecksum", text(), "Of v1beta2."),
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
        may("observedIgnore", text(), "spec.ignore of the artifact."),
        may(
            "observedLayerSelector",
            layer_selector(),
            "spec.layerSelector of the artifact.",
        ),
        may("url", text(), "Where the latest artifact is offered."),
    ])
}

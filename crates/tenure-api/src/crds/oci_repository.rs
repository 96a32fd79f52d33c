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
    verification(vec![may(
        "trustedRootSecretRef",
        local_reference(),
        "The Secret with a trusted_root.json.",
    )])
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
        interval(),
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
        suspend(),
        timeout("Longest pull and verification."),
        must("url", pattern("^oci://.*$"), "The repository's address."),
        may("verify", verify(), "Signatures to require."),
    ])
}

pub(super) fn status() -> Value {
    source_status(vec![
        may("contentConfigChecksum", text(), "Of v1beta2."),
        may("observedIgnore", text(), "spec.ignore of the artifact."),
        may(
            "observedLayerSelector",
            layer_selector(),
            "spec.layerSelector of the artifact.",
        ),
    ])
}

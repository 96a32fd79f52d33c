use serde_json::{Value, json};

use super::schema::*;

pub(super) fn spec() -> Value {
    object(vec![
        access_from("Has no effect."),
        may(
            "certSecretRef",
            local_reference(),
            "The Secret with the server's authority and a client certificate.",
        ),
        may(
            "insecure",
            flag(),
            "Whether a registry may speak plain http; for type oci only.",
        ),
        may("interval", duration(), "How often to look for a new index."),
        may(
            "passCredentials",
            flag(),
            "Whether hosts to which the index leads are shown the credential too.",
        ),
        may(
            "provider",
            with_default(one_of(&["generic", "aws", "azure", "gcp"]), json!("generic")),
            "Where the credential comes from; for type oci only.",
        ),
        may("secretRef", local_reference(), "The Secret with the credential."),
        suspend(),
        may(
            "timeout",
            short_duration(),
            "Longest download; 60s when nothing is said.",
        ),
        may(
            "type",
            one_of(&["default", "oci"]),
            "Whether there is an index, or the charts are in a registry.",
        ),
        must(
            "url",
            pattern("^(http|https|oci)://.*$"),
            "The repository's address.",
        ),
    ])
}

pub(super) fn status() -> Value {
    source_status(Vec::new())
}

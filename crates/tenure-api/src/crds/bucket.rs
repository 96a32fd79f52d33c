use serde_json::{Value, json};

use super::schema::*;

/// Flux's rules, to the letter.
const RULES: [(&str, &str); 7] = [
    (
        "self.provider == 'aws' || self.provider == 'generic' || !has(self.sts)",
        "STS configuration is only supported for the 'aws' and 'generic' Bucket providers",
    ),
    (
        "self.provider != 'aws' || !has(self.sts) || self.sts.provider == 'aws'",
        "'aws' is the only supported STS provider for the 'aws' Bucket provider",
    ),
    (
        "self.provider != 'generic' || !has(self.sts) || self.sts.provider == 'ldap'",
        "'ldap' is the only supported STS provider for the 'generic' Bucket provider",
    ),
    (
        "!has(self.sts) || self.sts.provider != 'aws' || !has(self.sts.secretRef)",
        "spec.sts.secretRef is not required for the 'aws' STS provider",
    ),
    (
        "!has(self.sts) || self.sts.provider != 'aws' || !has(self.sts.certSecretRef)",
        "spec.sts.certSecretRef is not required for the 'aws' STS provider",
    ),
    (
        "self.provider != 'generic' || !has(self.serviceAccountName)",
        "ServiceAccountName is not supported for the 'generic' Bucket provider",
    ),
    (
        "!has(self.secretRef) || !has(self.serviceAccountName)",
        "cannot set both .spec.secretRef and .spec.serviceAccountName",
    ),
];

pub(super) fn spec() -> Value {
    let sts = object(vec![
        may(
            "certSecretRef",
            local_reference(),
            "The Secret with its authority and a client certificate.",
        ),
        must("endpoint", pattern("^(http|https)://.*$"), "Its URL."),
        must("provider", one_of(&["aws", "ldap"]), "What it speaks."),
        may(
            "secretRef",
            local_reference(),
            "The Secret with user and password.",
        ),
    ]);
    with_rules(
        object(vec![
            access_from("Of v1beta2; has no effect."),
            must("bucketName", text(), "The bucket."),
            may(
                "certSecretRef",
                local_reference(),
                "The Secret with the store's authority and a client certificate.",
            ),
            must("endpoint", text(), "The store's host, with an optional port."),
            may(
                "ignore",
                text(),
                "Ignore rules in gitignore syntax, after the bucket's own.",
            ),
            may("insecure", flag(), "Whether the store speaks plain http."),
            interval(),
            may("prefix", text(), "Only keys that start so."),
            may(
                "provider",
                with_default(one_of(&["generic", "aws", "gcp", "azure"]), json!("generic")),
                "What the store speaks, and where the credential comes from.",
            ),
            may(
                "proxySecretRef",
                local_reference(),
                "The Secret with a proxy's address.",
            ),
            may("region", text(), "The store's region."),
            may("secretRef", local_reference(), "The Secret with the credential."),
            may(
                "serviceAccountName",
                text(),
                "ServiceAccount for workload identity.",
            ),
            may("sts", sts, "Where short-lived keys come from."),
            suspend(),
            timeout("Longest download."),
        ]),
        &RULES,
    )
}

pub(super) fn status() -> Value {
    source_status(vec![may(
        "observedIgnore",
        text(),
        "spec.ignore of the artifact.",
    )])
}

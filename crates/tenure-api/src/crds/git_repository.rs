use serde_json::{Value, json};

use super::schema::*;

fn includes() -> Value {
    list(object(vec![
        may("fromPath", text(), "Directory to copy; all of it when absent."),
        must("repository", local_reference(), "The other GitRepository."),
        may("toPath", text(), "Where to; the repository's name when absent."),
    ]))
}

pub(super) fn spec() -> Value {
    let reference = object(vec![
        may("branch", text(), "A branch; master when nothing is said."),
        may("commit", text(), "A commit id; wins over all others."),
        may("name", text(), "A full reference name."),
        may(
            "semver",
            text(),
            "A range of versions; the highest tag in it counts.",
        ),
        may("tag", text(), "A tag."),
    ]);
    let verify = object(vec![
        may(
            "mode",
            with_default(one_of(&["head", "HEAD", "Tag", "TagAndHEAD"]), json!("HEAD")),
            "What must be signed.",
        ),
        must(
            "secretRef",
            local_reference(),
            "The Secret with trusted public keys.",
        ),
    ]);
    with_rules(
        object(vec![
            access_from("Of v1beta2; has no effect."),
            may(
                "gitImplementation",
                one_of(&["go-git", "libgit2"]),
                "Of v1beta2; has no effect.",
            ),
            may(
                "ignore",
                text(),
                "Ignore rules in gitignore syntax, after the repository's own.",
            ),
            may(
                "include",
                includes(),
                "Artifacts of other GitRepositories to copy in.",
            ),
            interval(),
            may(
                "provider",
                one_of(&["generic", "aws", "azure", "github"]),
                "Where the credential comes from.",
            ),
            may(
                "proxySecretRef",
                local_reference(),
                "The Secret with a proxy's address; not used for ssh.",
            ),
            may("recurseSubmodules", flag(), "Whether submodules are fetched too."),
            may("ref", reference, "What to check out."),
            may("secretRef", local_reference(), "The Secret with the credential."),
            may(
                "serviceAccountName",
                text(),
                "ServiceAccount for workload identity.",
            ),
            may(
                "sparseCheckout",
                list(text()),
                "Directories to check out; all when absent.",
            ),
            suspend(),
            timeout("Longest fetch and verification."),
            must(
                "url",
                pattern("^(http|https|ssh)://.*$"),
                "The repository's address.",
            ),
            may("verify", verify, "Signatures to require."),
        ]),
        &[(
            "!has(self.serviceAccountName) || (has(self.provider) && (self.provider == 'azure' || self.provider == 'aws'))",
            "serviceAccountName can only be set when provider is 'azure' or 'aws'",
        )],
    )
}

pub(super) fn status() -> Value {
    source_status(vec![
        may("contentConfigChecksum", text(), "Of v1beta2."),
        may("includedArtifacts", list(artifact()), "What was copied in."),
        may("observedIgnore", text(), "spec.ignore of the artifact."),
        may("observedInclude", includes(), "spec.include of the artifact."),
        may(
            "observedRecurseSubmodules",
            flag(),
            "spec.recurseSubmodules of the artifact.",
        ),
        may(
            "observedSparseCheckout",
            list(text()),
            "spec.sparseCheckout of the artifact.",
        ),
        may("sourceVerificationMode", text(), "What was verified."),
    ])
}

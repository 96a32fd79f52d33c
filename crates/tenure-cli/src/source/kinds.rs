use tenure_api::SOURCE_GROUP;

/// A kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
    names: &'static [&'static str],
}

pub(super) const GROUP: &str = SOURCE_GROUP;

pub(super) const KINDS: [Kind; 6] = [
    Kind {
        kind: "GitRepository",
        plural: "gitrepositories",
        names: &["gitrepo", "git"],
    },
    Kind {
        kind: "OCIRepository",
        plural: "ocirepositories",
        names: &["ocirepo", "oci"],
    },
    Kind {
        kind: "HelmRepository",
        plural: "helmrepositories",
        names: &["helmrepo"],
    },
    Kind {
        kind: "HelmChart",
        plural: "helmcharts",
        names: &["hc", "chart"],
    },
    Kind {
        kind: "Bucket",
        plural: "buckets",
        names: &[],
    },
    Kind {
        kind: "ExternalArtifact",
        plural: "externalartifacts",
        names: &["ea"],
    },
];

/// The kind that a person means.
pub(super) fn named(name: &str) -> Option<Kind> {
    let name = name.to_lowercase();
    KINDS.into_iter().find(|kind| {
        kind.plural == name || kind.kind.to_lowercase() == name || kind.names.contains(&name.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_goes_by_every_name_that_people_give_it() {
        for name in ["gitrepository", "GitRepositories", "gitrepo", "git"] {
            assert_eq!(named(name).map(|kind| kind.kind), Some("GitRepository"), "{name}");
        }
        assert_eq!(named("kustomization"), None);
    }
}

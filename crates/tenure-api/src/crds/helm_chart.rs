use serde_json::{Value, json};

use super::schema::*;

pub(super) fn spec() -> Value {
    let source = object(vec![
        may("apiVersion", text(), "Its API version."),
        must(
            "kind",
            one_of(&["HelmRepository", "GitRepository", "Bucket"]),
            "Its kind.",
        ),
        must("name", text(), "Its name."),
    ]);
    with_rules(
        object(vec![
            access_from("Of v1beta2; has no effect."),
            must(
                "chart",
                text(),
                "The chart's name in a repository, or its path in another source.",
            ),
            may(
                "ignoreMissingValuesFiles",
                flag(),
                "Whether a file of valuesFiles may be missing.",
            ),
            interval(),
            may(
                "reconcileStrategy",
                with_default(one_of(&["ChartVersion", "Revision"]), json!("ChartVersion")),
                "Whether a new revision of the source makes a new artifact, or a new version of the chart only.",
            ),
            must("sourceRef", source, "Where the chart comes from."),
            suspend(),
            may("valuesFile", text(), "Of v1beta2; goes before valuesFiles."),
            may(
                "valuesFiles",
                list(text()),
                "Files that together replace the chart's values.yaml; the last one counts most.",
            ),
            may("verify", verification(Vec::new()), "Signatures to require."),
            may(
                "version",
                with_default(text(), json!("*")),
                "A version or a range; for charts in a repository only.",
            ),
        ]),
        &[(
            "!has(self.verify) || self.sourceRef.kind == 'HelmRepository'",
            "spec.verify is only supported when spec.sourceRef.kind is 'HelmRepository'",
        )],
    )
}

pub(super) fn status() -> Value {
    source_status(vec![
        may("observedChartName", text(), "The chart's own name."),
        may(
            "observedSourceArtifactRevision",
            text(),
            "Revision of the source that the chart was made of.",
        ),
        may(
            "observedValuesFiles",
            list(text()),
            "The files of valuesFiles that were there.",
        ),
    ])
}

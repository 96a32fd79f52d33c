use std::collections::BTreeMap;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

/// A part of an artifact: its configuration or a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What is pushed under one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its configuration.
    pub config: Part,
    /// Its layers.
    pub layers: Vec<Part>,
    /// What its maker says of it.
    pub annotations: BTreeMap<String, String>,
    /// What kind it is.
    pub artifact_type: Option<String>,
    /// The manifest that it refers to: media type, digest and size.
    pub subject: Option<(String, String, usize)>,
}

impl Artifact {
    /// As `flux push artifact` makes it: one layer with files, and where they come from.
    #[must_use]
    pub fn flux(files: &[(&str, &str)], source: &str, revision: &str) -> Self {
        let note = |key: &str, value: &str| (format!("org.opencontainers.image.{key}"), value.to_owned());
        Self {
            config: Part::new("application/vnd.cncf.flux.config.v1+json", b"{}"),
            layers: vec![Part::new(
                "application/vnd.cncf.flux.content.v1.tar+gzip",
                tar_gz(files),
            )],
            annotations: BTreeMap::from([
                note("created", "2026-01-02T03:04:05Z"),
                note("source", source),
                note("revision", revision),
            ]),
            artifact_type: None,
            subject: None,
        }
    }

    /// As `helm push` makes it: the chart's archive, and its `Chart.yaml` as JSON.
    #[must_use]
    pub fn chart(name: &str, version: &str, files: &[(&str, &str)]) -> Self {
        let chart = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
        let mut all = vec![(format!("{name}/Chart.yaml"), chart.as_str())];
        all.extend(files.iter().map(|(path, content)| (format!("{name}/{path}"), *content)));
        let all: Vec<(&str, &str)> = all.iter().map(|(path, content)| (path.as_str(), *content)).collect();
        let config = serde_json::json!({"apiVersion": "v2", "name": name, "version": version});
        Self {
            config: Part::new("application/vnd.cncf.helm.config.v1+json", config.to_string()),
            layers: vec![Part::new(
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                tar_gz(&all),
            )],
            annotations: BTreeMap::from([
                ("org.opencontainers.image.title".to_owned(), name.to_owned()),
                ("org.opencontainers.image.version".to_owned(), version.to_owned()),
            ]),
            artifact_type: None,
            subject: None,
        }
    }
}

impl Part {
    /// A part.
    pub fn new(media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            media_type: media_type.to_owned(),
            bytes: bytes.into(),
        }
    }
}

/// Files as a `tar.gz`, without a time in it.
fn tar_gz(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in files {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, path, content.as_bytes())
            .expect("a Vec takes everything");
    }
    let gzip = tar.into_inner().expect("a Vec takes everything");
    gzip.finish().expect("a Vec takes everything")
}

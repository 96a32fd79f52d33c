use anyhow::{Context as _, ensure};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Artifact, Login, PUSHER, Part, Registry};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the manifest, `sha256:…`.
    pub digest: String,
    /// The bytes of the manifest.
    pub size: usize,
    /// The media type of the manifest.
    pub media_type: String,
    /// The digests of the layers.
    pub layers: Vec<String>,
}

impl Registry {
    /// Pushes an artifact; `reference` is a tag, or empty for none.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub async fn push(
        &self,
        repository: &str,
        reference: &str,
        artifact: &Artifact,
    ) -> anyhow::Result<Pushed> {
        let config = self.blob(repository, &artifact.config).await?;
        let mut layers = Vec::new();
        for layer in &artifact.layers {
            layers.push(self.blob(repository, layer).await?);
        }
        let digests = layers
            .iter()
            .filter_map(|l| l["digest"].as_str())
            .map(ToOwned::to_owned)
            .collect();
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
            "annotations": artifact.annotations,
        });
        if let Some(kind) = &artifact.artifact_type {
            manifest["artifactType"] = json!(kind);
        }
        if let Some((kind, digest, size)) = &artifact.subject {
            manifest["subject"] = json!({"mediaType": kind, "digest": digest, "size": size});
        }
        let pushed = self.put(repository, reference, MANIFEST, &manifest).await?;
        Ok(Pushed {
            layers: digests,
            ..pushed
        })
    }

    /// Pushes an index of manifests, each for a platform as `linux/arm64`, or for none if empty.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub async fn push_index(
        &self,
        repository: &str,
        reference: &str,
        manifests: &[(&str, &Pushed)],
    ) -> anyhow::Result<Pushed> {
        let list: Vec<Value> = manifests
            .iter()
            .map(|(platform, pushed)| {
                let mut one =
                    json!({"mediaType": pushed.media_type, "digest": pushed.digest, "size": pushed.size});
                if let Some((os, architecture)) = platform.split_once('/') {
                    one["platform"] = json!({"os": os, "architecture": architecture});
                }
                one
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": list});
        self.put(repository, reference, INDEX, &index).await
    }

    /// Pushes a manifest as it is written, and the blobs that it names.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub async fn push_manifest(
        &self,
        repository: &str,
        reference: &str,
        manifest: &[u8],
        blobs: &[&[u8]],
    ) -> anyhow::Result<Pushed> {
        for blob in blobs {
            self.blob(repository, &Part::new("application/octet-stream", *blob))
                .await?;
        }
        self.put_bytes(repository, reference, MANIFEST, manifest.to_vec())
            .await
    }

    /// Pushes the index of what refers to a manifest, each with its kind of artifact.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub async fn push_referrers(
        &self,
        repository: &str,
        tag: &str,
        referrers: &[(&str, &Pushed)],
    ) -> anyhow::Result<Pushed> {
        let list: Vec<Value> = referrers
            .iter()
            .map(|(kind, pushed)| {
                json!({
                    "mediaType": pushed.media_type, "digest": pushed.digest, "size": pushed.size,
                    "artifactType": kind,
                })
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": list});
        self.put(repository, tag, INDEX, &index).await
    }

    /// Removes a tag or a manifest.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn delete(&self, repository: &str, reference: &str) -> anyhow::Result<()> {
        let path = format!("{}/v2/{repository}/manifests/{reference}", self.origin());
        self.send(repository, self.client.request(Method::DELETE, path))
            .await
            .map(drop)
    }

    async fn blob(&self, repository: &str, part: &Part) -> anyhow::Result<Value> {
        let digest = sha256(&part.bytes);
        let start = format!("{}/v2/{repository}/blobs/uploads/", self.origin());
        let started = self.send(repository, self.client.post(start)).await?;
        let place = started
            .headers()
            .get(LOCATION)
            .context("no place to upload to")?
            .to_str()?;
        let mut url = started.url().join(place)?;
        url.query_pairs_mut().append_pair("digest", &digest);
        let upload = self
            .client
            .put(url)
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(part.bytes.clone());
        self.send(repository, upload).await?;
        let mut described = json!({"mediaType": part.media_type, "digest": digest, "size": part.bytes.len()});
        if !part.annotations.is_empty() {
            described["annotations"] = json!(part.annotations);
        }
        Ok(described)
    }

    async fn put(
        &self,
        repository: &str,
        reference: &str,
        kind: &str,
        manifest: &Value,
    ) -> anyhow::Result<Pushed> {
        let bytes = serde_json::to_vec(manifest)?;
        self.put_bytes(repository, reference, kind, bytes).await
    }

    async fn put_bytes(
        &self,
        repository: &str,
        reference: &str,
        kind: &str,
        bytes: Vec<u8>,
    ) -> anyhow::Result<Pushed> {
        let (digest, size) = (sha256(&bytes), bytes.len());
        let reference = if reference.is_empty() { &digest } else { reference };
        let url = format!("{}/v2/{repository}/manifests/{reference}", self.origin());
        let request = self.client.put(url).header(CONTENT_TYPE, kind).body(bytes);
        self.send(repository, request).await?;
        Ok(Pushed {
            digest,
            size,
            media_type: kind.to_owned(),
            layers: Vec::new(),
        })
    }

    async fn send(&self, repository: &str, request: RequestBuilder) -> anyhow::Result<Response> {
        let request = match (self.login, &self.token) {
            (Login::Password, _) => request.basic_auth(PUSHER.0, Some(PUSHER.1)),
            (Login::Token, Some(token)) => {
                request.bearer_auth(token.mint(PUSHER.0, repository, &["pull", "push", "delete"])?)
            }
            _ => request,
        };
        let response = request.send().await?;
        let status = response.status();
        ensure!(
            status.is_success(),
            "the registry answers {status}: {}",
            response.text().await?
        );
        Ok(response)
    }
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

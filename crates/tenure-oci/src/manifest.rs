//! Manifests and indexes of manifests, of OCI and of Docker.

use std::collections::BTreeMap;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use tenure_core::Digest;

use crate::session::{Ask, Session, body};
use crate::{Missing, OciError};

/// What a registry may answer with.
pub(crate) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";
/// The header that names a manifest's digest.
pub(crate) const DIGEST: &str = "docker-content-digest";
/// Indexes within indexes.
const DEPTH: usize = 2;
/// What is taken of an index, as Flux does.
const PLATFORM: (&str, &str) = ("linux", "amd64");

/// Something that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// What its maker says of it.
    #[serde(default, deserialize_with = "maybe_null")]
    pub annotations: BTreeMap<String, String>,
    /// What kind of artifact a manifest describes.
    #[serde(default)]
    pub artifact_type: Option<String>,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

/// The manifest of one image or artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The digest of its bytes.
    pub digest: Digest,
    /// What kind of artifact it describes.
    pub artifact_type: Option<String>,
    /// Its configuration.
    pub config: Option<Descriptor>,
    /// Its layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// What its maker says of it.
    pub annotations: BTreeMap<String, String>,
    /// Its bytes as the registry sent them.
    pub raw: Vec<u8>,
}

/// As it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    #[serde(default)]
    schema_version: u64,
    #[serde(default)]
    pub(crate) media_type: Option<String>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    pub(crate) manifests: Option<Vec<Descriptor>>,
    #[serde(default, deserialize_with = "maybe_null")]
    annotations: BTreeMap<String, String>,
}

fn maybe_null<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Session<'_> {
    /// The image's manifest; of an index the one for `linux/amd64`. Every step is verified by its digest.
    pub(crate) async fn manifest(&self, digest: Digest) -> Result<Manifest, OciError> {
        let mut digest = digest;
        for _ in 0..=DEPTH {
            let (raw, kind) = self.manifest_bytes(&digest).await?;
            let document = self.document(&raw, kind.as_deref())?;
            match document.manifests {
                None => {
                    return Ok(Manifest {
                        digest,
                        artifact_type: document.artifact_type,
                        config: document.config,
                        layers: document.layers.unwrap_or_default(),
                        annotations: document.annotations,
                        raw,
                    });
                }
                Some(manifests) => {
                    let chosen = manifests.into_iter().find(|m| {
                        let platform = m.platform.as_ref();
                        platform.is_none_or(|p| (p.os.as_str(), p.architecture.as_str()) == PLATFORM)
                    });
                    digest = chosen.ok_or_else(|| self.missing(Missing::Platform))?.digest;
                }
            }
        }
        Err(self.malformed("its index lists indexes that list indexes"))
    }

    /// The manifest under a tag, if there is one.
    pub(crate) async fn manifest_at(&self, tag: &str) -> Result<Option<Manifest>, OciError> {
        match self.at(Some(tag), tag, Missing::Tag(tag.to_owned())).await {
            Ok(found) => self.manifest(found.digest).await.map(Some),
            Err(OciError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A manifest's bytes, which have that digest, and what the registry says they are.
    pub(crate) async fn manifest_bytes(
        &self,
        digest: &Digest,
    ) -> Result<(Vec<u8>, Option<String>), OciError> {
        let ask = Ask {
            method: Method::GET,
            url: self.url(&format!("manifests/{digest}"))?,
            accept: ACCEPT,
            from: 0,
            missing: Missing::Manifest(*digest),
        };
        let response = self.ask(&ask).await?;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let kind = kind.map(ToOwned::to_owned);
        let raw = body(response, self.limits.manifest_bytes, self).await?;
        self.verify("its manifest", digest, Digest::of(&raw))?;
        Ok((raw, kind))
    }

    pub(crate) fn verify(&self, what: &str, wanted: &Digest, found: Digest) -> Result<(), OciError> {
        if *wanted == found {
            return Ok(());
        }
        Err(OciError::DigestMismatch {
            image: self.image.clone(),
            what: what.to_owned(),
            wanted: *wanted,
            found,
        })
    }

    pub(crate) fn document(&self, raw: &[u8], kind: Option<&str>) -> Result<Document, OciError> {
        let document: Document = serde_json::from_slice(raw)
            .map_err(|e| self.malformed(&format!("its manifest is not understood: {e}")))?;
        if document.schema_version != 2 {
            return Err(self.malformed("its manifest has not schema version 2"));
        }
        // what one reader takes for an image and another for an index has two contents under one digest
        if document.layers.is_some() && document.manifests.is_some() {
            return Err(self.malformed("its manifest lists both layers and manifests"));
        }
        let kind = document.media_type.as_deref().or(kind).unwrap_or_default();
        let index = kind.contains("image.index") || kind.contains("manifest.list");
        if index != document.manifests.is_some() && kind.contains("vnd.") {
            return Err(self.malformed("its manifest is of another kind than it says"));
        }
        Ok(document)
    }
}

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tenure_core::Digest;

use crate::repack::Repack;
use crate::resolve::within;
use crate::session::Session;
use crate::{Descriptor, Limits, Manifest, Missing, OciError, Remote, Resolved};

/// Annotations that are kept, in bytes of names and values together.
const ANNOTATIONS: usize = 64 << 10;

/// Which layer becomes the artifact, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Layer {
    /// The first layer of this media type; the first of all if empty.
    pub media_type: Option<String>,
    /// What to do with it.
    pub operation: Operation,
}

/// What to do with a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// The layer is a `tar.gz`; its files become a deterministic artifact.
    #[default]
    Extract,
    /// The layer is the artifact, as it is.
    Copy,
}

/// An artifact that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// The artifact's digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// The media type of the layer it was made of.
    pub media_type: String,
    /// The manifest's annotations, `org.opencontainers.image.revision` and the like: the artifact's metadata.
    pub annotations: BTreeMap<String, String>,
    /// Symbolic links that were left out: path and target, at most 32.
    pub dropped_symlinks: Vec<(String, String)>,
    /// Bytes of layer that were downloaded.
    pub downloaded_bytes: u64,
}

/// Downloads `resolved`'s layer and writes it as an artifact to `out`, which must not exist yet. Files that are
/// needed meanwhile lie beside it, without a name. `ignore` is `spec.ignore`; it and `.sourceignore` files count
/// only when files are extracted.
///
/// *Guarantees*: manifest and layer have the digests by which they are named, or this is an error.
///
/// *Cancel safety*: drop the future to stop; `out` may then be there in part.
///
/// # Errors
/// [`OciError`]; `out` may then be there in part.
pub async fn fetch(
    remote: &Remote,
    resolved: &Resolved,
    out: &Path,
    layer: &Layer,
    ignore: Option<&str>,
    limits: &Limits,
) -> Result<Fetched, OciError> {
    let what = resolved.revision.to_string();
    within(remote, &what, limits, async {
        let session = Session::open(remote, *limits, &what).await?;
        let manifest = session.manifest(resolved.digest).await?;
        let chosen = session.choose(&manifest, layer)?;
        let annotations = session.annotations(&manifest)?;
        let fetched = match layer.operation {
            Operation::Copy => session.copy(chosen, out).await?,
            Operation::Extract => session.extract(chosen, out, ignore).await?,
        };
        Ok(Fetched {
            media_type: chosen.media_type.clone(),
            annotations,
            downloaded_bytes: chosen.size,
            ..fetched
        })
    })
    .await
}

impl Session<'_> {
    fn choose<'m>(&self, manifest: &'m Manifest, layer: &Layer) -> Result<&'m Descriptor, OciError> {
        let wanted = layer.media_type.as_deref().unwrap_or_default();
        let mut fitting = manifest.layers.iter();
        let chosen = fitting
            .find(|l| wanted.is_empty() || l.media_type == wanted)
            .ok_or_else(|| self.missing(Missing::Layer(wanted.to_owned())))?;
        let limit = match layer.operation {
            Operation::Extract => self.limits.layer_bytes,
            Operation::Copy => self.limits.layer_bytes.min(self.limits.artifact_bytes),
        };
        if chosen.size > limit {
            let size = chosen.size;
            return Err(self.too_large(format!(
                "its layer has {size} bytes, the limit is {limit}; raise the limit"
            )));
        }
        Ok(chosen)
    }

    fn annotations(&self, manifest: &Manifest) -> Result<BTreeMap<String, String>, OciError> {
        let bytes: usize = manifest.annotations.iter().map(|(k, v)| k.len() + v.len()).sum();
        if bytes > ANNOTATIONS {
            return Err(self.too_large(format!("its annotations have more than {ANNOTATIONS} bytes")));
        }
        Ok(manifest.annotations.clone())
    }

    fn local(&self, error: &io::Error) -> OciError {
        OciError::Local {
            what: format!("writing the artifact of {}", self.image),
            message: error.to_string(),
        }
    }

    async fn copy(&self, chosen: &Descriptor, out: &Path) -> Result<Fetched, OciError> {
        let file = File::options().write(true).create_new(true).open(out);
        let mut file = BufWriter::with_capacity(256 << 10, file.map_err(|e| self.local(&e))?);
        self.blob(chosen, &mut file).await?;
        file.flush().map_err(|e| self.local(&e))?;
        Ok(written(chosen.digest, chosen.size))
    }

    async fn extract(
        &self,
        chosen: &Descriptor,
        out: &Path,
        ignore: Option<&str>,
    ) -> Result<Fetched, OciError> {
        let beside = out.parent().unwrap_or(Path::new("."));
        let mut layer = tempfile::tempfile_in(beside).map_err(|e| self.local(&e))?;
        self.blob(chosen, &mut layer).await?;
        layer.seek(SeekFrom::Start(0)).map_err(|e| self.local(&e))?;
        let content = tempfile::tempfile_in(beside).map_err(|e| self.local(&e))?;
        let repack = Repack {
            limits: self.limits,
            ignore: ignore.map(ToOwned::to_owned),
        };
        let out = out.to_owned();
        let image = self.image.clone();
        let (packed, dropped) = tokio::task::spawn_blocking(move || repack.run(&layer, &content, &out))
            .await
            .map_err(|e| self.local(&io::Error::other(e)))?
            .map_err(|error| error.explain(image))?;
        Ok(Fetched {
            dropped_symlinks: dropped,
            ..written(packed.digest, packed.size)
        })
    }
}

fn written(digest: Digest, size: u64) -> Fetched {
    Fetched {
        digest,
        size,
        media_type: String::new(),
        annotations: BTreeMap::new(),
        dropped_symlinks: Vec::new(),
        downloaded_bytes: 0,
    }
}

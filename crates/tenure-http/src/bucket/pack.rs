use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Seek as _, Write as _};
use std::path::Path;

use tenure_artifact::{ArchiveError, ArchiveWriter, Budget, check_path};
use tenure_core::printable;

use super::ask::{Ask, Conversation};
use super::{Bucket, Listing};
use crate::error::local;
use crate::transfer::{Disk, take, within};
use crate::{Downloaded, HttpError, Limits};

/// Downloads the objects of a listing and writes them as an artifact to `out`, which must not exist yet; one at a
/// time, in a file without a name beside it. What has vanished since it was listed is left out, as in Flux; the
/// listing that comes back says what was packed.
///
/// *Cancel safety*: drop the future to stop; `out` may then be there in part.
///
/// # Errors
/// [`HttpError`]; `out` may then be there in part.
pub async fn pack(
    bucket: &Bucket,
    listing: &Listing,
    out: &Path,
    limits: &Limits,
) -> Result<(Downloaded, Listing), HttpError> {
    let conversation = Conversation::open(bucket, limits).await?;
    within(
        &conversation.shown,
        limits,
        conversation.pack(listing, out, limits),
    )
    .await
}

impl Conversation<'_> {
    async fn pack(
        &self,
        listing: &Listing,
        out: &Path,
        limits: &Limits,
    ) -> Result<(Downloaded, Listing), HttpError> {
        let mut paths: BTreeSet<(&str, bool)> = BTreeSet::new();
        for object in &listing.objects {
            let shown = printable(&object.key);
            check_path(&object.key).map_err(|e| self.malformed(&format!("the key {shown:?}: {e}")))?;
            paths.insert((&object.key, false));
            let parents = object
                .key
                .match_indices('/')
                .filter_map(|(at, _)| object.key.get(..at));
            paths.extend(parents.map(|parent| (parent, true)));
        }
        let mut order: Vec<_> = paths.into_iter().collect();
        order.sort_by(|(a, _), (b, _)| ArchiveWriter::<File>::compare(a, b));
        let file = File::options().write(true).create_new(true).open(out);
        let file = BufWriter::with_capacity(256 << 10, file.map_err(|e| local(&self.shown, &e))?);
        let budget = Budget {
            bytes: limits.artifact_bytes,
            entries: (limits.objects as u64).saturating_mul(2),
        };
        let mut archive = ArchiveWriter::new(file, budget);
        let mut left = limits.artifact_bytes;
        let mut vanished: BTreeSet<&str> = BTreeSet::new();
        for (path, directory) in order {
            if directory {
                archive.directory(path).map_err(|e| self.explain_archive(e))?;
                continue;
            }
            let Some((content, size)) = self.object(path, left, out).await? else {
                vanished.insert(path);
                continue;
            };
            left = left.saturating_sub(size);
            archive
                .file(path, false, size, content)
                .map_err(|e| self.explain_archive(e))?;
        }
        let (mut file, packed) = archive.finish().map_err(|e| self.explain_archive(e))?;
        file.flush().map_err(|e| local(&self.shown, &e))?;
        let packed = Downloaded {
            digest: packed.digest,
            size: packed.size,
        };
        let mut listing = listing.clone();
        listing
            .objects
            .retain(|object| !vanished.contains(object.key.as_str()));
        Ok((packed, listing))
    }

    /// The bytes of an object; nothing when it is not there any more.
    async fn object(&self, key: &str, limit: u64, out: &Path) -> Result<Option<(File, u64)>, HttpError> {
        let response = match self.ask(Ask::Object(key)).await {
            Ok(response) => response,
            Err(HttpError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let beside = out.parent().unwrap_or(Path::new("."));
        let local = |e: std::io::Error| local(&self.shown, &e);
        let file = tempfile::tempfile_in(beside).map_err(local)?;
        let mut sink = Disk(BufWriter::new(file));
        let done = take(&self.shown, response, limit, &printable(key), &mut sink).await?;
        let mut file = sink.0.into_inner().map_err(|e| local(e.into_error()))?;
        file.rewind().map_err(local)?;
        Ok(Some((file, done.size)))
    }

    fn explain_archive(&self, error: ArchiveError) -> HttpError {
        let remote = self.shown.clone();
        match error {
            ArchiveError::TooLarge { .. } | ArchiveError::TooMany { .. } => HttpError::TooLarge {
                remote,
                message: error.to_string(),
            },
            // a key that is another's directory comes up as one out of order
            ArchiveError::Path(_) | ArchiveError::Order(_) => self.malformed(&error.to_string()),
            ArchiveError::Io(error) => local(&self.shown, &error),
        }
    }
}

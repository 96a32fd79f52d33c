use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Seek as _, Write as _};
use std::path::Path;

use tenure_artifact::{ArchiveError, ArchiveWriter, Budget, Ignore, check_path};
use tenure_core::printable;

use super::list::IGNORE_NAME;
use super::{Bucket, Conversation, Listing};
use crate::error::local;
use crate::transfer::{Disk, Memory, take, within};
use crate::{Downloaded, HttpError, Limits};

/// The largest `.sourceignore` that is read, in bytes.
const IGNORE_FILE: u64 = 1 << 20;

/// Downloads the objects of a listing and writes them as an artifact to `out`, which must not exist yet; one at a
/// time, in a file without a name beside it. Rules of a `.sourceignore` at the root and of `ignore` count, and no
/// others. What has vanished since it was listed is left out, as in Flux.
///
/// *Cancel safety*: drop the future to stop; `out` may then be there in part.
///
/// # Errors
/// [`HttpError`]; `out` may then be there in part.
pub async fn pack(
    bucket: &Bucket,
    listing: &Listing,
    out: &Path,
    ignore: Option<&str>,
    limits: &Limits,
) -> Result<Downloaded, HttpError> {
    let conversation = Conversation::open(bucket)?;
    within(
        &conversation.shown,
        limits,
        conversation.pack(listing, out, ignore, limits),
    )
    .await
}

impl Conversation<'_> {
    async fn pack(
        &self,
        listing: &Listing,
        out: &Path,
        ignore: Option<&str>,
        limits: &Limits,
    ) -> Result<Downloaded, HttpError> {
        let rules = self.rules(ignore).await?;
        let kept: Vec<_> = listing
            .objects
            .iter()
            .filter(|o| !rules.matches(&o.key, false))
            .collect();
        let mut paths: BTreeSet<(&str, bool)> = BTreeSet::new();
        for object in &kept {
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
        for (path, directory) in order {
            if directory {
                archive.directory(path).map_err(|e| self.explain_archive(e))?;
                continue;
            }
            let Some((content, size)) = self.object(path, left, out).await? else {
                continue;
            };
            left = left.saturating_sub(size);
            archive
                .file(path, false, size, content)
                .map_err(|e| self.explain_archive(e))?;
        }
        let (mut file, packed) = archive.finish().map_err(|e| self.explain_archive(e))?;
        file.flush().map_err(|e| local(&self.shown, &e))?;
        Ok(Downloaded {
            digest: packed.digest,
            size: packed.size,
        })
    }

    async fn rules(&self, ignore: Option<&str>) -> Result<Ignore, HttpError> {
        let mut rules = Ignore::nothing();
        match self.get(IGNORE_NAME, &[]).await {
            Ok(response) => {
                let mut bytes = Vec::new();
                take(
                    &self.shown,
                    response,
                    IGNORE_FILE,
                    IGNORE_NAME,
                    &mut Memory(&mut bytes),
                )
                .await?;
                rules.add_file("", &bytes);
            }
            Err(HttpError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        if let Some(text) = ignore {
            rules.add_spec(text);
        }
        Ok(rules)
    }

    /// The bytes of an object; nothing when it is not there any more.
    async fn object(&self, key: &str, limit: u64, out: &Path) -> Result<Option<(File, u64)>, HttpError> {
        let response = match self.get(key, &[]).await {
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

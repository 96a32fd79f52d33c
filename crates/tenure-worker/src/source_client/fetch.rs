use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tenure_core::{Digest, Secret};
use tenure_proto::source::{FetchRequest, fetch_chunk};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::{SourceClient, SourceError};

/// A stream that says nothing for this long is broken.
const SILENCE: Duration = Duration::from_secs(30);

/// Broken streams that brought nothing, in a row, before the cache counts as out of reach.
const FRUITLESS: usize = 3;

/// What has arrived so far.
struct Progress {
    hash: Sha256,
    written: u64,
    size: u64,
    expected: Digest,
}

impl SourceClient {
    /// Writes the artifact's bytes to `sink` and verifies them. A stream that breaks is taken up
    /// where it stopped.
    ///
    /// # Errors
    /// [`SourceError`]; what was written is then not the artifact and must be thrown away.
    pub async fn fetch<W>(
        &self,
        grant: &Secret,
        digest: Digest,
        size: u64,
        sink: &mut W,
    ) -> Result<(), SourceError>
    where
        W: AsyncWrite + Unpin + Send,
    {
        let mut progress = Progress {
            hash: Sha256::new(),
            written: 0,
            size,
            expected: digest,
        };
        let mut fruitless = 0;
        while progress.written < size {
            let before = progress.written;
            match self.stream(grant, &mut progress, sink).await {
                Err(error) if !matches!(error, SourceError::Unreachable(_)) => return Err(error),
                ended if progress.written == before => {
                    fruitless += 1;
                    if fruitless >= FRUITLESS {
                        return Err(ended.err().unwrap_or_else(|| progress.short()));
                    }
                }
                _ => fruitless = 0,
            }
        }
        sink.flush().await?;
        progress.verify()
    }

    /// One call, from where the last one stopped.
    async fn stream<W>(
        &self,
        grant: &Secret,
        progress: &mut Progress,
        sink: &mut W,
    ) -> Result<(), SourceError>
    where
        W: AsyncWrite + Unpin + Send,
    {
        let silent =
            |_| SourceError::Unreachable(format!("the artifact's stream was silent for {SILENCE:?}"));
        let request = self.authorised(FetchRequest {
            grant: grant.expose().to_vec(),
            digest: progress.expected.to_string(),
            offset: progress.written,
        })?;
        let mut sources = self.sources.clone();
        let mut chunks = tokio::time::timeout(SILENCE, sources.fetch(request))
            .await
            .map_err(silent)?
            .map_err(|status| SourceError::from_status(&status))?
            .into_inner();
        while let Some(chunk) = tokio::time::timeout(SILENCE, chunks.message())
            .await
            .map_err(silent)?
            .map_err(|status| SourceError::from_status(&status))?
        {
            match chunk.part {
                Some(fetch_chunk::Part::Header(header)) => progress.header(&header)?,
                Some(fetch_chunk::Part::Data(data)) => progress.take(&data, sink).await?,
                None => {}
            }
        }
        Ok(())
    }
}

impl Progress {
    fn header(&self, header: &tenure_proto::source::Artifact) -> Result<(), SourceError> {
        if header.digest == self.expected.to_string() && header.size == self.size {
            return Ok(());
        }
        let found = format!("a header for {} bytes of another artifact", header.size);
        Err(SourceError::Corrupt {
            expected: self.expected,
            found,
        })
    }

    async fn take<W>(&mut self, data: &[u8], sink: &mut W) -> Result<(), SourceError>
    where
        W: AsyncWrite + Unpin + Send,
    {
        let after = self.written.saturating_add(data.len() as u64);
        if after > self.size {
            let found = format!("more than {} bytes", self.size);
            return Err(SourceError::Corrupt {
                expected: self.expected,
                found,
            });
        }
        sink.write_all(data).await?;
        self.hash.update(data);
        self.written = after;
        Ok(())
    }

    fn short(&self) -> SourceError {
        SourceError::Unreachable(format!(
            "the artifact's stream ended after {} of {} bytes",
            self.written, self.size
        ))
    }

    fn verify(self) -> Result<(), SourceError> {
        let found = Digest::from_bytes(self.hash.finalize().into());
        if found == self.expected {
            return Ok(());
        }
        Err(SourceError::Corrupt {
            expected: self.expected,
            found: found.to_string(),
        })
    }
}

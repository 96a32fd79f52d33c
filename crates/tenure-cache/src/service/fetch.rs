use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use tenure_core::{Digest, Name};
use tenure_proto::source::{Artifact, FetchChunk, FetchRequest, fetch_chunk};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;

use super::Cache;
use crate::failure::Failure;

/// Bytes of data in one message. A few of them are in memory for each call, and a new commit can bring very many
/// calls at once.
const CHUNK: usize = 64 << 10;

/// What an artifact is, unless it is a layer as it was pushed.
pub(super) const MEDIA_TYPE: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";

type Chunks = Pin<Box<dyn Stream<Item = Result<FetchChunk, Status>> + Send>>;

/// The artifact's header and bytes. The call counts as open until the stream has ended.
pub(super) async fn fetch(
    cache: &Arc<Cache>,
    home: &Name,
    request: FetchRequest,
    call: OwnedSemaphorePermit,
) -> Result<Chunks, Status> {
    let denied = || Failure::denied().status();
    let digest: Digest = request.digest.parse().map_err(|_| denied())?;
    let size = cache
        .grants
        .check(home, digest, &request.grant)
        .map_err(|_| denied())?;
    if request.offset > size {
        return Err(Status::out_of_range("the offset is behind the artifact's end"));
    }
    let failed = |error: io::Error| Failure::internal("read an artifact", &error);
    let file = cache
        .disk
        .read(digest, size)
        .await
        .map_err(failed)?
        .ok_or_else(|| Failure::gone().status())?;
    let mut file = File::from_std(file);
    file.seek(io::SeekFrom::Start(request.offset))
        .await
        .map_err(failed)?;
    let header = Artifact {
        digest: digest.to_string(),
        size,
        ..Artifact::default()
    };
    let header = FetchChunk {
        part: Some(fetch_chunk::Part::Header(header)),
    };
    let reading = Reading {
        file,
        left: size - request.offset,
        cache: cache.clone(),
        _call: call,
    };
    let data = stream::try_unfold(reading, |reading| reading.next());
    Ok(Box::pin(stream::once(async { Ok(header) }).chain(data)))
}

struct Reading {
    file: File,
    left: u64,
    cache: Arc<Cache>,
    _call: OwnedSemaphorePermit,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(FetchChunk, Self)>, Status> {
        if self.left == 0 {
            return Ok(None);
        }
        let want = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        let mut data = vec![0; want];
        let read = self.file.read_exact(&mut data).await;
        read.map_err(|error| Failure::internal("read an artifact", &error))?;
        self.left -= want as u64;
        self.cache.metrics.sent(want);
        let data = Bytes::from(data).into();
        Ok(Some((
            FetchChunk {
                part: Some(fetch_chunk::Part::Data(data)),
            },
            self,
        )))
    }
}

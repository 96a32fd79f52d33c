//! The bytes of an answer on their way to where they are kept.

use std::fs::File;
use std::io::{BufWriter, Seek as _, Write};

use reqwest::Response;
use serde::{Deserialize, Serialize};
use tenure_core::{Digest, Sha256Writer};
use tenure_net::{Trouble, trouble};

use crate::error::{failed, local};
use crate::{HttpError, Limits};

/// An archive that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downloaded {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

/// Where a download goes; it may have to start again.
pub(crate) trait Sink: Write + Send {
    fn restart(&mut self) -> std::io::Result<()>;
}

/// Into memory; for what has a small limit.
pub(crate) struct Memory<'a>(pub(crate) &'a mut Vec<u8>);

/// Into a file.
pub(crate) struct Disk(pub(crate) BufWriter<File>);

impl Write for Memory<'_> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.write(buf)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink for Memory<'_> {
    fn restart(&mut self) -> std::io::Result<()> {
        self.0.clear();
        Ok(())
    }
}

impl Write for Disk {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.write(buf)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Sink for Disk {
    fn restart(&mut self) -> std::io::Result<()> {
        self.0.rewind()?;
        self.0.get_mut().set_len(0)
    }
}

/// Runs `work` for as long as the limits allow.
pub(crate) async fn within<T>(
    shown: &str,
    limits: &Limits,
    work: impl Future<Output = Result<T, HttpError>>,
) -> Result<T, HttpError> {
    let late = || HttpError::Timeout {
        remote: shown.to_owned(),
        seconds: limits.timeout.as_secs(),
    };
    tokio::time::timeout(limits.timeout, Box::pin(work))
        .await
        .unwrap_or_else(|_| Err(late()))
}

/// Takes the whole answer. One that breaks off is [`HttpError::Unavailable`].
pub(crate) async fn take(
    shown: &str,
    mut response: Response,
    limit: u64,
    name: &str,
    sink: &mut dyn Sink,
) -> Result<Downloaded, HttpError> {
    let too_large = || HttpError::TooLarge {
        remote: shown.to_owned(),
        message: format!("{name} has more than {limit} bytes; raise the limit"),
    };
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut hash = Sha256Writer::new(sink);
    let mut got = 0u64;
    loop {
        match response.chunk().await {
            Ok(None) => {
                let (_, digest, size) = hash.finish();
                return Ok(Downloaded { digest, size });
            }
            Ok(Some(chunk)) => {
                got = got.saturating_add(chunk.len() as u64);
                if got > limit {
                    return Err(too_large());
                }
                hash.write_all(&chunk).map_err(|e| local(shown, &e))?;
            }
            Err(error) => {
                return Err(match trouble(&error) {
                    Trouble::Refused(refused) => failed(shown, refused.into()),
                    Trouble::Connect(text) | Trouble::Broken(text) => HttpError::Unavailable {
                        remote: shown.to_owned(),
                        message: format!("{name} broke off after {got} bytes: {text}"),
                    },
                });
            }
        }
    }
}

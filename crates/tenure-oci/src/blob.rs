//! Downloading a blob: verified, and taken up again where it broke off.

use std::io::Write;

use reqwest::header::CONTENT_RANGE;
use reqwest::{Method, Response, StatusCode};
use tenure_core::Sha256Writer;
use tenure_net::{Trouble, trouble};

use crate::session::{Ask, Session};
use crate::{Descriptor, Missing, OciError};

/// How often a download may break off.
const BREAKS: u32 = 4;

impl Session<'_> {
    /// Writes the blob to `out`, which has all of it, and only it, after a success.
    pub(crate) async fn blob(
        &self,
        descriptor: &Descriptor,
        out: &mut (dyn Write + Send),
    ) -> Result<(), OciError> {
        let mut taken = Taken {
            hash: Sha256Writer::new(out),
            size: descriptor.size,
            got: 0,
        };
        let mut breaks = 0;
        while taken.got < taken.size || taken.got == 0 {
            let ask = Ask {
                method: Method::GET,
                url: self.url(&format!("blobs/{}", descriptor.digest))?,
                accept: "*/*",
                from: taken.got,
                missing: Missing::Blob(descriptor.digest),
            };
            let response = self.ask(&ask).await?;
            match self.take(response, &mut taken).await? {
                None => break,
                Some(broke) if breaks >= BREAKS => return Err(self.unavailable(&broke)),
                Some(_) => breaks += 1,
            }
        }
        let (_, found, _) = taken.hash.finish();
        self.verify("its layer", &descriptor.digest, found)
    }

    /// Takes what one answer has of the blob; says how it broke off, if it did.
    async fn take(
        &self,
        mut response: Response,
        taken: &mut Taken<'_>,
    ) -> Result<Option<String>, OciError> {
        let mut skip = match (response.status(), range_start(&response)) {
            (StatusCode::PARTIAL_CONTENT, start) if start == Some(taken.got) => 0,
            (StatusCode::PARTIAL_CONTENT, _) => {
                return Err(self.malformed("it answers with another range of bytes than was asked for"));
            }
            // it does not do ranges: pass over what is here already
            _ => taken.got,
        };
        loop {
            let mut chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) if taken.got == taken.size => return Ok(None),
                Ok(None) => {
                    return Ok(Some(format!(
                        "a layer ended after {} of {} bytes",
                        taken.got, taken.size
                    )));
                }
                Err(error) => {
                    return match trouble(&error) {
                        Trouble::Refused(refused) => Err(self.forbidden(&refused)),
                        Trouble::Connect(text) | Trouble::Broken(text) => Ok(Some(format!(
                            "a layer broke off after {} of {} bytes: {text}",
                            taken.got, taken.size
                        ))),
                    };
                }
            };
            let passed = chunk.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
            skip -= passed as u64;
            let fresh = chunk.split_off(passed);
            if taken.got.saturating_add(fresh.len() as u64) > taken.size {
                return Err(self.malformed(&format!(
                    "a layer has more than the {} bytes that its manifest says",
                    taken.size
                )));
            }
            taken.hash.write_all(&fresh).map_err(|e| OciError::Local {
                what: format!("keeping a layer of {}", self.image),
                message: e.to_string(),
            })?;
            taken.got += fresh.len() as u64;
        }
    }
}

struct Taken<'a> {
    hash: Sha256Writer<&'a mut (dyn Write + Send)>,
    size: u64,
    got: u64,
}

/// The first byte in `bytes 5-9/10`.
fn range_start(response: &Response) -> Option<u64> {
    let value = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    value.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}


//! Messages between a parent and its sandboxed child: four bytes of length, big-endian, then JSON. Bytes only; who
//! reads and writes them chooses how to wait.

use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::Secret;

/// The largest frame, in bytes: a job with certificates and a long `known_hosts`.
pub const LARGEST: usize = 4 << 20;

/// The length that the first four bytes announce.
///
/// # Errors
/// `InvalidData` when it is more than [`LARGEST`].
pub fn length(prefix: [u8; 4]) -> io::Result<usize> {
    let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if length > LARGEST {
        Err(too_large())
    } else {
        Ok(length)
    }
}

/// A whole frame, its length in front. Wiped when dropped: it may hold secrets.
///
/// # Errors
/// `InvalidData` when it is more than [`LARGEST`].
pub fn encode(message: &impl Serialize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut frame = Zeroizing::new(vec![0; 4]);
    serde_json::to_writer(&mut *frame, message)?;
    let length = u32::try_from(frame.len() - 4)
        .ok()
        .filter(|n| *n as usize <= LARGEST)
        .ok_or_else(too_large)?;
    if let Some(prefix) = frame.get_mut(..4) {
        prefix.copy_from_slice(&length.to_be_bytes());
    }
    Ok(frame)
}

/// The message in a frame's JSON.
///
/// # Errors
/// `InvalidData`, without a word of what was read: it may hold secrets.
pub fn decode<T: DeserializeOwned>(json: &[u8]) -> io::Result<T> {
    serde_json::from_slice(json).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame between fetcher and parent is not understood",
        )
    })
}

/// A child's whole life: reads one job, does it, writes one answer. The job's frame is wiped before it is done.
///
/// # Errors
/// When the parent is gone, or sent something that is not a job.
pub fn serve<Job: DeserializeOwned, Answer: Serialize>(
    mut stream: impl Read + Write,
    work: impl FnOnce(Job) -> io::Result<Answer>,
) -> io::Result<()> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix)?;
    let mut json = Zeroizing::new(vec![0; length(prefix)?]);
    stream.read_exact(&mut json)?;
    let job = decode(&json)?;
    drop(json);
    let answer = encode(&work(job)?)?;
    stream.write_all(&answer)?;
    stream.flush()
}

fn too_large() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a frame between fetcher and parent is larger than 4 MiB",
    )
}

/// A secret in a frame, and nowhere else: base64, in a socket that no other process holds.
pub struct Open(pub Secret);

impl Serialize for Open {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(STANDARD.encode(self.0.expose()));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Open {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = STANDARD
            .decode(text.as_bytes())
            .map_err(|_| serde::de::Error::custom("not base64"))?;
        Ok(Self(Secret::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_what_it_writes_and_its_error_repeats_nothing() {
        let frame = encode(&Open(Secret::from("CANARY".to_owned()))).expect("small");
        let (prefix, json) = frame.split_first_chunk().expect("four bytes");
        assert_eq!(length(*prefix).expect("small"), json.len());
        let open: Open = decode(json).expect("as written");
        assert_eq!(open.0.expose(), b"CANARY");
        let error = decode::<u8>(b"\"CANARY\"").expect_err("no number");
        assert!(!format!("{error:?}").contains("CANARY"));
        assert!(length([255; 4]).is_err());
    }
}

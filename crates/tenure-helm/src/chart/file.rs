//! Files of a chart.
//!
//! Most of a large chart is not templates: resource definitions, dashboards, charts that are switched off. They are
//! held for as long as the chart is and seldom looked at, so they are kept deflated, in a fifth of the memory or less.

use std::borrow::Cow;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// Files of fewer bytes are kept as they are.
const SMALL: usize = 4 << 10;

/// A file of a chart. Clones share the bytes.
#[derive(Debug, Clone)]
pub struct File {
    /// The path within the chart, with slashes.
    pub name: Arc<str>,
    data: Data,
}

#[derive(Debug, Clone)]
enum Data {
    Plain(Arc<[u8]>),
    Deflated { bytes: Arc<[u8]>, size: usize },
}

impl File {
    /// A file.
    #[must_use]
    pub fn new(name: &str, data: &[u8]) -> Self {
        Self {
            name: name.into(),
            data: if data.len() < SMALL || is_read_at_once(name) {
                Data::Plain(data.into())
            } else {
                deflated(data)
            },
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match &self.data {
            Data::Plain(bytes) => Cow::Borrowed(bytes),
            Data::Deflated { bytes, size } => Cow::Owned(inflated(bytes, *size)),
        }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.data {
            Data::Plain(bytes) => bytes.len(),
            Data::Deflated { size, .. } => *size,
        }
    }

    /// The same bytes under another name.
    pub(crate) fn renamed(&self, name: &str) -> Self {
        Self {
            name: name.into(),
            data: self.data.clone(),
        }
    }

    /// The bytes, held with the file if they are held as they are.
    pub(crate) fn shared(&self) -> Arc<[u8]> {
        match &self.data {
            Data::Plain(bytes) => Arc::clone(bytes),
            Data::Deflated { bytes, size } => inflated(bytes, *size).into(),
        }
    }

    /// Whether both are one and the same, told by where the bytes are.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (&self.data, &other.data) {
            (Data::Plain(a), Data::Plain(b))
            | (Data::Deflated { bytes: a, .. }, Data::Deflated { bytes: b, .. }) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && (self.is(other) || self.bytes() == other.bytes())
    }
}

impl Eq for File {}

/// Whether a file is worked on as soon as the chart is: it would be deflated for nothing.
fn is_read_at_once(name: &str) -> bool {
    let mut parts = name.split('/').rev();
    let last = parts.next().unwrap_or_default();
    ["Chart.yaml", "values.yaml"].contains(&last)
        || last.ends_with(".tgz")
        || parts.any(|part| part == "templates")
}

fn deflated(data: &[u8]) -> Data {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    // writing to memory does not fail; if it did, nothing would be lost
    match encoder.write_all(data).and_then(|()| encoder.finish()) {
        Ok(bytes) if bytes.len() < data.len() / 2 => Data::Deflated {
            bytes: bytes.into(),
            size: data.len(),
        },
        _ => Data::Plain(data.into()),
    }
}

/// What [`deflated`] was given. Nothing else is ever inflated.
fn inflated(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut data = Vec::with_capacity(size);
    if let Err(error) = DeflateDecoder::new(bytes)
        .take(size as u64)
        .read_to_end(&mut data)
    {
        debug_assert!(false, "{error}");
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_takes_little_and_comes_out_as_it_was() {
        let text = "a: b\n".repeat(SMALL);
        let file = File::new("crds/a.yaml", text.as_bytes());
        let Data::Deflated { bytes, .. } = &file.data else {
            panic!("{:?}", file.data);
        };
        assert!(bytes.len() < text.len() / 50, "{}", bytes.len());
        assert_eq!(*file.bytes(), *text.as_bytes());
        assert_eq!(file.size(), text.len());
        assert_eq!(*file.shared(), *text.as_bytes());
        assert_eq!(
            file,
            File::new("crds/a.yaml", text.as_bytes()),
            "equal by content"
        );
        assert!(file.is(&file.clone()) && !file.is(&File::new("crds/a.yaml", text.as_bytes())));
    }

    #[test]
    fn what_is_read_at_once_or_does_not_shrink_is_held_as_it_is() {
        let text = "a: b\n".repeat(SMALL);
        for name in [
            "templates/a.yaml",
            "charts/x/templates/b/c.yaml",
            "values.yaml",
            "charts/x/Chart.yaml",
            "charts/x.tgz",
        ] {
            let file = File::new(name, text.as_bytes());
            assert!(matches!(file.data, Data::Plain(_)), "{name}");
        }
        let mut state = 1_u64;
        let noise: Vec<u8> = (0..2 * SMALL)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        let file = File::new("noise", &noise);
        assert!(matches!(file.data, Data::Plain(_)));
        assert_eq!(*file.bytes(), *noise);
    }
}

//! JSON values to YAML text, in the form of Go's `sigs.k8s.io/yaml`.

mod order;
mod scalar;
mod tree;
mod write;

use serde_json::Value;

pub(crate) use scalar::can_be_block;
pub use tree::{Tree, View};

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmitOptions {
    /// Sort keys as go-yaml does; otherwise they stay in their order.
    pub sort: bool,
    /// The column after which a long plain or quoted scalar is folded; nothing never folds.
    pub width: Option<usize>,
    /// Indent a list below its key instead of writing it at the key's column.
    pub indent_lists: bool,
    /// Texts that the package at hand quotes because they mean something of their own in a key or a value.
    pub operators: &'static [&'static str],
    /// End a document with `...` when the last thing in it is a text that keeps empty lines.
    pub ends_open_text: bool,
    /// Write floats with an exponent from seven digits on, as go-yaml does with a float of its own; otherwise
    /// as it copies one from JSON.
    pub exponents: bool,
}

impl Default for EmitOptions {
    /// As kustomize writes.
    fn default() -> Self {
        Self {
            sort: true,
            width: Some(80),
            indent_lists: false,
            operators: &[],
            ends_open_text: false,
            exponents: false,
        }
    }
}

impl EmitOptions {
    /// As Helm's `toYaml` writes.
    #[must_use]
    pub fn helm() -> Self {
        Self {
            operators: &["<<"],
            exponents: true,
            ..Self::default()
        }
    }

    /// As Helm's `toYamlPretty` writes.
    #[must_use]
    pub fn helm_pretty() -> Self {
        Self {
            operators: &["<<", "="],
            ends_open_text: true,
            indent_lists: true,
            exponents: true,
            ..Self::default()
        }
    }
}

/// What most documents fit in, so that their text need not move as it grows.
const ROOM: usize = 256;

/// Writes one document as kustomize does, ending in a newline.
#[must_use]
pub fn to_string(value: &Value) -> String {
    to_string_with(value, &EmitOptions::default())
}

/// Writes one document.
#[must_use]
pub fn to_string_with(value: &impl Tree, options: &EmitOptions) -> String {
    let mut text = String::with_capacity(ROOM);
    append(&mut text, value, options);
    text
}

/// Adds one document to a text, for a caller that keeps the text's memory for the next.
pub fn append(text: &mut String, value: &impl Tree, options: &EmitOptions) {
    write::Writer::new(options, text).document(value);
}

//! JSON values to YAML text, in the form of Go's `sigs.k8s.io/yaml`.

mod order;
mod scalar;
mod write;

use serde_json::Value;

pub(crate) use scalar::can_be_block;

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmitOptions {
    /// Sort keys as go-yaml does; otherwise they stay in their order.
    pub sort: bool,
    /// The column after which a long plain or quoted scalar is folded; nothing never folds.
    pub width: Option<usize>,
    /// Indent a list below its key instead of writing it at the key's column.
    pub indent_lists: bool,
}

impl Default for EmitOptions {
    /// As kustomize and Helm write.
    fn default() -> Self {
        Self {
            sort: true,
            width: Some(80),
            indent_lists: false,
        }
    }
}

/// Writes one document as kustomize does, ending in a newline.
#[must_use]
pub fn to_string(value: &Value) -> String {
    to_string_with(value, &EmitOptions::default())
}

/// Writes one document.
#[must_use]
pub fn to_string_with(value: &Value, options: &EmitOptions) -> String {
    write::Writer::new(options).document(value)
}

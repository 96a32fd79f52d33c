//! JSON values to YAML text, in the form of Go's `sigs.k8s.io/yaml`.

mod order;
mod scalar;
mod write;

use serde_json::Value;

use crate::Dialect;

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmitOptions {
    /// Sort keys as go-yaml does; otherwise they stay in their order.
    pub sort: bool,
    /// The column after which a long plain or quoted scalar is folded; nothing never folds.
    pub width: Option<usize>,
    /// Indent a list below its key instead of writing it at the key's column.
    pub indent_lists: bool,
    /// The generation of Go's package, which differ in what they quote.
    pub dialect: Dialect,
    /// Write floats with an exponent from seven digits on, as go-yaml does with a float of its own; otherwise
    /// as it copies one from JSON.
    pub exponents: bool,
}

impl Default for EmitOptions {
    /// As kustomize and Helm write.
    fn default() -> Self {
        Self {
            sort: true,
            width: Some(80),
            indent_lists: false,
            dialect: Dialect::V3,
            exponents: false,
        }
    }
}

impl EmitOptions {
    /// As Helm's `toYaml` writes.
    #[must_use]
    pub fn helm() -> Self {
        Self {
            dialect: Dialect::V2,
            exponents: true,
            ..Self::default()
        }
    }

    /// As Helm's `toYamlPretty` writes.
    #[must_use]
    pub fn helm_pretty() -> Self {
        Self {
            indent_lists: true,
            exponents: true,
            ..Self::default()
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

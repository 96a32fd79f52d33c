//! How scalars were written, where their value does not tell.
//!
//! Kustomize makes strings of annotations, and of labels and data that it merges, and takes the text
//! for them that stands in the file: `1.10`, `~` and `0x10` stay what they are.

use std::collections::HashMap;

use serde_json::Value;

use crate::object;

/// Scalars of an object by JSON pointer: their value, and the text that stood for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(HashMap<String, (Value, String)>);

impl Written {
    /// Of the node of a document that `prefix` points to.
    pub(crate) fn below(prefix: &str, value: &Value, texts: &[(String, String)]) -> Self {
        let entries = texts.iter().filter_map(|(at, text)| {
            let at = at.strip_prefix(prefix).filter(|at| at.starts_with('/'))?;
            Some((at.to_owned(), (value.pointer(at)?.clone(), text.clone())))
        });
        Self(entries.collect())
    }

    /// Takes over what a patch wrote into `value`.
    pub(crate) fn absorb(&mut self, patch: &Self, value: &Value) {
        for (at, (was, text)) in &patch.0 {
            if value.pointer(at) == Some(was) {
                self.0.insert(at.clone(), (was.clone(), text.clone()));
            }
        }
    }

    /// Where nulls are that were written as nothing.
    pub(crate) fn bare_nulls(&self, root: &Value) -> Vec<String> {
        let bare = self.0.iter().filter(|(at, (value, text))| {
            value.is_null() && text.is_empty() && root.pointer(at).is_some_and(Value::is_null)
        });
        let mut found: Vec<String> = bare.map(|(at, _)| at.clone()).collect();
        found.sort_unstable();
        found
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The text of the scalar at a path of member names and places in lists; a mapping or list has an
    /// empty one.
    pub(crate) fn text(&self, root: &Value, path: &[impl AsRef<str>]) -> Option<String> {
        let value = path
            .iter()
            .try_fold(root, |v, key| object::step(v, key.as_ref()))?;
        if !self.0.is_empty() {
            let mut at = String::new();
            path.iter()
                .for_each(|part| object::point_at(&mut at, part.as_ref()));
            if let Some((_, text)) = self.0.get(&at).filter(|(was, _)| was == value) {
                return Some(text.clone());
            }
        }
        Some(object::scalar_or_null(value).unwrap_or_default())
    }
}

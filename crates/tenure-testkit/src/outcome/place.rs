//! `$(name)`: what a folder can't know, as it is made when the scenario is played.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::Value;

/// What stands for what.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(BTreeMap<String, String>);

impl Places {
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// The text with everything filled in.
    ///
    /// # Errors
    /// When nothing is known by a name.
    pub(super) fn fill(&self, text: &str) -> anyhow::Result<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("$(") {
            let (name, after) = after
                .split_once(')')
                .with_context(|| format!("`$(` without an end in {text:?}"))?;
            let value = self.0.get(name).with_context(|| {
                let known: Vec<_> = self.0.keys().map(String::as_str).collect();
                format!("$({name}) is not known; there is {}", known.join(", "))
            })?;
            filled += before;
            filled += value;
            rest = after;
        }
        Ok(filled + rest)
    }

    /// The same for all texts in a value, names of fields too.
    ///
    /// # Errors
    /// As [`Places::fill`].
    pub(super) fn fill_all(&self, value: &Value) -> anyhow::Result<Value> {
        Ok(match value {
            Value::String(text) => Value::String(self.fill(text)?),
            Value::Array(list) => list
                .iter()
                .map(|one| self.fill_all(one))
                .collect::<anyhow::Result<_>>()?,
            Value::Object(map) => map
                .iter()
                .map(|(name, one)| Ok((self.fill(name)?, self.fill_all(one)?)))
                .collect::<anyhow::Result<_>>()?,
            other => other.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places() -> Places {
        let mut places = Places::default();
        places.set("namespace", "home");
        places.set("commit.1", "abc");
        places
    }

    #[test]
    fn names_are_filled_in_and_variables_of_flux_are_left() {
        let value = json!({"$(namespace)": ["main@sha1:$(commit.1)", "${var} $$ $x", 1]});
        let filled = places().fill_all(&value).expect("all are known");
        assert_eq!(filled, json!({"home": ["main@sha1:abc", "${var} $$ $x", 1]}));
    }

    #[test]
    fn a_name_that_nobody_knows_is_said_with_those_that_are() {
        let error = places()
            .fill("$(commit.2)")
            .expect_err("there was one commit")
            .to_string();
        assert_eq!(error, "$(commit.2) is not known; there is commit.1, namespace");
    }
}

//! Values of Secrets in messages: the API server quotes what it refuses, and the value may be ours.

/// A value this short is in any message by chance, and hides nothing.
const SHORTEST: usize = 4;
const HIDDEN: &str = "****";

/// Texts that no message may show, the longest first.
#[derive(Clone, Default)]
pub(super) struct Mask(Vec<String>);

impl Mask {
    /// Hides a value, each of its lines, and both as they look between quotes.
    pub(super) fn add(&mut self, value: &str) {
        for text in std::iter::once(value)
            .chain(value.lines())
            .map(str::trim)
            .filter(|text| text.len() >= SHORTEST)
        {
            let quoted = serde_json::Value::from(text).to_string();
            let inside = quoted
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .unwrap_or(&quoted);
            self.0.extend([text.to_owned(), inside.to_owned()]);
        }
        self.sort();
    }

    /// Hides what another one hides, too.
    pub(super) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
        self.sort();
    }

    fn sort(&mut self) {
        self.0
            .sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.0.dedup();
    }

    /// The message without them.
    pub(super) fn hide(&self, message: String) -> String {
        self.0
            .iter()
            .fold(message, |message, text| message.replace(text, HIDDEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(values: &[&str]) -> Mask {
        let mut mask = Mask::default();
        values.iter().for_each(|value| mask.add(value));
        mask
    }

    #[test]
    fn a_value_is_hidden_whole_by_lines_and_quoted() {
        let mask = mask(&[
            "hunter2",
            "first line\nsecond line",
            "with \"quotes\"",
            "hunter2-long",
        ]);
        for (message, shown) in [
            (
                "Invalid value: \"hunter2\": must be",
                "Invalid value: \"****\": must be",
            ),
            ("hunter2-long", "****"),
            ("line 2: second line", "line 2: ****"),
            ("got \"first line\\nsecond line\"", "got \"****\""),
            (
                "Invalid value: \"with \\\"quotes\\\"\"",
                "Invalid value: \"****\"",
            ),
        ] {
            assert_eq!(mask.hide(message.to_owned()), shown);
        }
    }

    #[test]
    fn what_is_short_or_empty_leaves_messages_readable() {
        let message = "deployments.apps \"a\" is invalid: spec.replicas: 3";
        assert_eq!(
            mask(&["", "a", "3", "\n", "   "]).hide(message.to_owned()),
            message
        );
    }
}

//! Halves of UTF-16 pairs in escapes, such as `\ud83d`, which Go's packages refuse even where two make a
//! character.

/// Where such escapes are in a text, in characters and in rising order.
///
/// Only inside double quotes do they mean anything: see [`Halves::within`].
pub(crate) struct Halves(Vec<usize>);

impl Halves {
    pub(crate) fn of(text: &str) -> Self {
        let mut found = Vec::new();
        if !text.contains("\\ud") && !text.contains("\\uD") {
            return Self(found);
        }
        let mut escaped = false;
        for (at, (byte, c)) in text.char_indices().enumerate() {
            if escaped && c == 'u' && is_half(text.get(byte + 1..byte + 5)) {
                found.push(at);
            }
            escaped = c == '\\' && !escaped;
        }
        Self(found)
    }

    /// Whether one is in this range of characters.
    pub(crate) fn within(&self, (start, end): (usize, usize)) -> bool {
        let next = self.0.partition_point(|at| *at < start);
        self.0.get(next).is_some_and(|at| *at < end)
    }
}

fn is_half(digits: Option<&str>) -> bool {
    digits
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .is_some_and(|code| (0xd800..0xe000).contains(&code))
}

#[cfg(test)]
mod tests {
    use crate::{Options, parse};

    #[test]
    fn half_a_pair_is_refused_where_it_is_an_escape() {
        for options in [Options::helm(), Options::kustomize()] {
            for bad in [
                r#"a: "\ud83d\ude00""#,
                "é: \"\\\\\\uD83D\\uDE00\"",
                r#"{"\ud83d\ude00": 1}"#,
            ] {
                let error = parse(bad.as_bytes(), &options).expect_err(bad).to_string();
                assert!(
                    error.ends_with("found invalid Unicode character escape code"),
                    "{error}"
                );
            }
            for good in [
                r#"a: "\\ud83d""#,
                r"a: '\ud83d'",
                r"a: \ud83d",
                "# \\ud83d\na: \"\\u00e9\"",
                "a: |\n  \"\\ud83d\"",
            ] {
                assert!(parse(good.as_bytes(), &options).is_ok(), "{good}");
            }
        }
    }
}

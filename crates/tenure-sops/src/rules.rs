//! Which values of a document are encrypted.

use regex::{Regex, RegexBuilder};

/// How much a compiled pattern of a file may weigh, in bytes.
const PATTERN: usize = 1 << 20;

/// The one rule of a document.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    UnencryptedSuffix(String),
    EncryptedSuffix(String),
    UnencryptedRegex(Regex),
    EncryptedRegex(Regex),
    UnencryptedComment(Regex),
    EncryptedComment(Regex),
}

/// A rule's name in the metadata, and what makes it of its value.
type Make = fn(&str) -> Result<Rule, String>;
pub(crate) const NAMES: [(&str, Make); 6] = [
    ("unencrypted_suffix", |text| {
        Ok(Rule::UnencryptedSuffix(text.to_owned()))
    }),
    ("encrypted_suffix", |text| {
        Ok(Rule::EncryptedSuffix(text.to_owned()))
    }),
    ("unencrypted_regex", |text| {
        pattern(text).map(Rule::UnencryptedRegex)
    }),
    ("encrypted_regex", |text| pattern(text).map(Rule::EncryptedRegex)),
    ("unencrypted_comment_regex", |text| {
        pattern(text).map(Rule::UnencryptedComment)
    }),
    ("encrypted_comment_regex", |text| {
        pattern(text).map(Rule::EncryptedComment)
    }),
];

fn pattern(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(PATTERN)
        .build()
        .map_err(|_| format!("the pattern {text:?} can't be used"))
}

impl Default for Rule {
    fn default() -> Self {
        Self::UnencryptedSuffix("_unencrypted".to_owned())
    }
}

impl Rule {
    /// Whether the rule looks at comments, which not every format keeps.
    pub(crate) const fn needs_comments(&self) -> bool {
        matches!(self, Self::UnencryptedComment(_) | Self::EncryptedComment(_))
    }

    /// Whether what stands at `path` is encrypted.
    ///
    /// `comments` are those that stand right before it and before each of what it is in, outermost
    /// first; `is_comment` that the last of them is the thing itself.
    pub(crate) fn encrypts(&self, path: &[String], comments: &[Vec<String>], is_comment: bool) -> bool {
        let any_key = |pattern: &Regex| path.iter().any(|key| pattern.is_match(key));
        match self {
            Self::UnencryptedSuffix(suffix) => !path.iter().any(|key| key.ends_with(suffix)),
            Self::EncryptedSuffix(suffix) => path.iter().any(|key| key.ends_with(suffix)),
            Self::UnencryptedRegex(pattern) => !any_key(pattern),
            Self::EncryptedRegex(pattern) => any_key(pattern),
            Self::UnencryptedComment(pattern) => {
                !comments.iter().flatten().any(|comment| pattern.is_match(comment))
            }
            Self::EncryptedComment(pattern) => {
                // The comment that asks for encryption stays readable itself.
                let own = usize::from(is_comment);
                let count = comments.iter().map(Vec::len).sum::<usize>() - own;
                comments
                    .iter()
                    .flatten()
                    .take(count)
                    .any(|comment| pattern.is_match(comment))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, value: &str) -> Rule {
        let (_, make) = NAMES.iter().find(|(known, _)| *known == name).expect("a rule");
        make(value).expect("a good value")
    }

    fn encrypts(rule: &Rule, path: &[&str], comments: &[&[&str]], is_comment: bool) -> bool {
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        let comments: Vec<Vec<String>> = comments
            .iter()
            .map(|level| level.iter().map(ToString::to_string).collect())
            .collect();
        rule.encrypts(&path, &comments, is_comment)
    }

    #[test]
    fn keys_at_any_depth_decide() {
        for (name, value, path, want) in [
            ("unencrypted_suffix", "_un", ["a_un", "b"], false),
            ("unencrypted_suffix", "_un", ["a", "b"], true),
            ("encrypted_suffix", "_enc", ["a_enc", "b"], true),
            ("encrypted_suffix", "_enc", ["a", "b"], false),
            ("encrypted_regex", "^(data|stringData)$", ["data", "b"], true),
            ("encrypted_regex", "^(data|stringData)$", ["metadata", "b"], false),
            ("unencrypted_regex", "^meta", ["metadata", "b"], false),
        ] {
            let rule = rule(name, value);
            assert_eq!(
                encrypts(&rule, &path, &[&[]], false),
                want,
                "{name}={value} at {path:?}"
            );
        }
    }

    #[test]
    fn a_comment_decides_for_what_follows_but_not_for_itself() {
        let encrypted = rule("encrypted_comment_regex", "sops:enc");
        assert!(encrypts(&encrypted, &["a"], &[&["sops:enc"]], false));
        assert!(encrypts(&encrypted, &["a", "b"], &[&["sops:enc"], &[]], false));
        assert!(!encrypts(&encrypted, &[], &[&["sops:enc"]], true));
        assert!(encrypts(&encrypted, &[], &[&["sops:enc", "other"]], true));
        let plain = rule("unencrypted_comment_regex", "plain");
        assert!(!encrypts(&plain, &["a"], &[&["plain"]], false));
        assert!(!encrypts(&plain, &[], &[&["plain"]], true));
        assert!(encrypts(&plain, &["a"], &[&[]], false));
    }

    #[test]
    fn a_pattern_that_grows_is_refused() {
        assert!(pattern("(a{1000}){1000}").is_err());
        assert!(pattern("(").is_err());
    }
}

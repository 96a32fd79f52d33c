//! The rules of `.helmignore`. They are not those of `.gitignore`: rules are tried in order, the
//! first that matches decides, and a negated rule ignores everything that it does not match.

use crate::glob::{BadPattern, path_match};

/// Why a `.helmignore` was not understood. Helm's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreError {
    /// `**` has no meaning here.
    #[error("double-star (**) syntax is not supported")]
    DoubleStar,
    /// A pattern is malformed.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
}

#[derive(Debug)]
struct Rule {
    pattern: String,
    negated: bool,
    only_directories: bool,
    /// Only the last part of the path is compared.
    by_name: bool,
}

/// The rules of one chart.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

impl Rules {
    pub(super) fn parse(text: &str) -> Result<Self, IgnoreError> {
        let mut rules = Self::default();
        for line in text.trim_start_matches('\u{feff}').lines() {
            rules.add(line)?;
        }
        Ok(rules)
    }

    /// Adds what Helm always ignores: dot files among the templates.
    pub(super) fn with_defaults(mut self) -> Self {
        self.0.push(Rule {
            pattern: "templates/.?*".to_owned(),
            negated: false,
            only_directories: false,
            by_name: false,
        });
        self
    }

    fn add(&mut self, line: &str) -> Result<(), IgnoreError> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.contains("**") {
            return Err(IgnoreError::DoubleStar);
        }
        path_match(line, "abc")?;
        let (negated, rule) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let (only_directories, rule) = rule.strip_suffix('/').map_or((false, rule), |rest| (true, rest));
        let (by_name, pattern) = match rule.strip_prefix('/') {
            Some(rest) => (false, rest),
            None => (!rule.contains('/'), rule),
        };
        self.0.push(Rule {
            pattern: pattern.to_owned(),
            negated,
            only_directories,
            by_name,
        });
        Ok(())
    }

    /// Whether the file or directory at `path` is left out of the chart.
    pub(super) fn ignore(&self, path: &str, directory: bool) -> bool {
        for rule in &self.0 {
            let name = if rule.by_name {
                path.rsplit('/').next().unwrap_or(path)
            } else {
                path
            };
            let hit = || path_match(&rule.pattern, name).unwrap_or(false);
            let wrong_kind = rule.only_directories && !directory;
            if rule.negated {
                if wrong_kind || !hit() {
                    return true;
                }
            } else if !wrong_kind && hit() {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_match_as_helm_has_them() {
        for (rule, path, directory, want) in [
            ("helm.txt", "helm.txt", false, true),
            ("helm.txt", "a/helm.txt", false, true),
            ("helm.*", "tiller.txt", false, false),
            ("/helm.txt", "a/helm.txt", false, false),
            ("cargo/a.txt", "cargo/a.txt", false, true),
            ("cargo/*.txt", "mast/b.txt", false, false),
            ("mast/", "mast", true, true),
            ("mast/", "mast", false, false),
            ("!helm.txt", "helm.txt", false, false),
            ("!helm.txt", "tiller.txt", false, true),
            ("!cargo/", "cargo", true, false),
            ("# comment", "comment", false, false),
            ("  ", "x", false, false),
        ] {
            let rules = Rules::parse(rule).expect("parses");
            assert_eq!(rules.ignore(path, directory), want, "{rule} {path}");
        }
    }

    #[test]
    fn what_helm_refuses_is_refused() {
        assert_eq!(Rules::parse("a/**/b").err(), Some(IgnoreError::DoubleStar));
        assert_eq!(Rules::parse("[").err(), Some(IgnoreError::Pattern(BadPattern)));
    }
}

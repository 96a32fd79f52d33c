use gix_glob::wildmatch::Mode;

/// Left out whatever the user says, unless he names them with a `!`.
const VCS: &str = ".git/\n.gitignore\n.gitmodules\n.gitattributes\n";

/// Left out when the user has no pattern of his own at all.
const DEFAULTS: &str = "\
*.jpg\n*.jpeg\n*.gif\n*.png\n*.wmv\n*.flv\n*.tar.gz\n*.zip
.github/\n.circleci/\n.travis.yml\n.gitlab-ci.yml\nappveyor.yml\n.drone.yml\ncloudbuild.yaml
codeship-services.yml\ncodeship-steps.yml
**/.goreleaser.yml\n**/.sops.yaml\n**/.flux.yaml
";

/// Which files of a tree are left out of the artifact, in gitignore syntax.
///
/// The last pattern that matches a path *or one of its parents* decides. So, unlike in git, `!dir/file` brings
/// back a file of an ignored directory; users of Flux rely on it.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    built_in: Vec<Scoped>,
    user: Vec<Scoped>,
}

#[derive(Clone, Debug)]
struct Scoped {
    /// The directory whose paths the pattern sees, without slashes at the ends; empty for the root.
    directory: String,
    pattern: gix_glob::Pattern,
}

impl Ignore {
    /// Only the built-in rules so far.
    #[must_use]
    pub fn new() -> Self {
        Self {
            built_in: parse("", VCS.as_bytes())
                .chain(parse("", DEFAULTS.as_bytes()))
                .collect(),
            user: Vec::new(),
        }
    }

    /// No rule at all, not even the built-in ones.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Adds the `.sourceignore` of a directory (`""` for the root). Call it for parents before children; one in
    /// a directory that is already left out does not count.
    pub fn add_file(&mut self, directory: &str, content: &[u8]) {
        if directory.is_empty() || !decide(&self.user, directory, true).unwrap_or(false) {
            self.user.extend(parse(directory, content));
        }
    }

    /// Adds `spec.ignore`, last, so that it can overrule the files.
    pub fn add_spec(&mut self, content: &str) {
        self.user.extend(parse("", content.as_bytes()));
    }

    /// Whether `path`, relative to the root, is left out.
    #[must_use]
    pub fn matches(&self, path: &str, is_dir: bool) -> bool {
        if let Some(ignored) = decide(&self.user, path, is_dir) {
            return ignored;
        }
        let built_in = if self.user.is_empty() {
            &self.built_in[..]
        } else {
            self.built_in.get(..VCS.lines().count()).unwrap_or_default()
        };
        decide(built_in, path, is_dir).unwrap_or(false)
    }
}

fn decide(rules: &[Scoped], path: &str, is_dir: bool) -> Option<bool> {
    rules
        .iter()
        .rev()
        .find(|rule| rule.covers(path, is_dir))
        .map(|rule| !rule.pattern.is_negative())
}

impl Scoped {
    fn covers(&self, path: &str, is_dir: bool) -> bool {
        let relative = match self.directory.as_str() {
            "" => path,
            directory => match path
                .strip_prefix(directory)
                .and_then(|rest| rest.strip_prefix('/'))
            {
                Some(relative) => relative,
                None => return false,
            },
        };
        let parents = relative
            .match_indices('/')
            .filter_map(|(at, _)| relative.get(..at));
        parents
            .map(|parent| (parent, true))
            .chain([(relative, is_dir)])
            .any(|(path, is_dir)| {
                let name = path.rfind('/').map(|at| at + 1);
                self.pattern.matches_repo_relative_path(
                    path.into(),
                    name,
                    Some(is_dir),
                    gix_glob::pattern::Case::Sensitive,
                    Mode::NO_MATCH_SLASH_LITERAL,
                )
            })
    }
}

fn parse<'a>(directory: &'a str, content: &'a [u8]) -> impl Iterator<Item = Scoped> + 'a {
    gix_ignore::parse(content, false).map(move |(pattern, _, _)| Scoped {
        directory: directory.trim_matches('/').to_owned(),
        pattern,
    })
}

#[cfg(test)]
mod tests {
    use super::Ignore;

    fn with(files: &[(&str, &str)], spec: &str) -> Ignore {
        let mut ignore = Ignore::new();
        for (directory, content) in files {
            ignore.add_file(directory, content.as_bytes());
        }
        ignore.add_spec(spec);
        ignore
    }

    #[test]
    fn without_user_patterns_the_defaults_hold() {
        let ignore = with(&[("", "# only a comment\n\n")], "");
        for out in [
            "a.png",
            "deep/b.tar.gz",
            ".github/workflows/x.yml",
            ".gitignore",
            "d/.sops.yaml",
            "x/.git/config",
        ] {
            assert!(ignore.matches(out, false), "{out}");
        }
        for kept in ["a.yaml", "github/x", "png", ".sourceignore"] {
            assert!(!ignore.matches(kept, false), "{kept}");
        }
    }

    #[test]
    fn one_user_pattern_turns_the_defaults_off_but_not_the_vcs_ones() {
        let ignore = with(&[], "*.md");
        assert!(ignore.matches("a.md", false) && ignore.matches("d/.gitattributes", false));
        assert!(!ignore.matches("a.png", false) && !ignore.matches(".github/x", false));
    }

    #[test]
    fn a_sourceignore_holds_in_its_directory_only() {
        let ignore = with(&[("a", "*.txt\n/top\n")], "");
        assert!(
            ignore.matches("a/x.txt", false)
                && ignore.matches("a/b/x.txt", false)
                && ignore.matches("a/top", false)
        );
        assert!(
            !ignore.matches("x.txt", false)
                && !ignore.matches("a/b/top", false)
                && !ignore.matches("ab/x.txt", false)
        );
    }

    #[test]
    fn spec_ignore_comes_last_and_can_negate() {
        let ignore = with(&[("", "*.txt\n")], "!keep.txt\n");
        assert!(ignore.matches("a.txt", false));
        assert!(!ignore.matches("d/keep.txt", false));
    }

    #[test]
    fn all_but_one_directory_works_as_flux_documents_it() {
        let ignore = with(&[], "/*\n!/deploy/\n");
        assert!(
            ignore.matches("src", true)
                && ignore.matches("src/main.go", false)
                && ignore.matches("README", false)
        );
        assert!(!ignore.matches("deploy", true) && !ignore.matches("deploy/app/x.yaml", false));
    }

    #[test]
    fn a_file_comes_back_from_an_ignored_directory() {
        let ignore = with(&[], "dir/\n!dir/keep\n");
        assert!(ignore.matches("dir/other", false) && !ignore.matches("dir/keep", false));
    }

    #[test]
    fn a_sourceignore_in_an_ignored_directory_does_not_count() {
        let ignore = with(&[("", "hidden/\n"), ("hidden", "!*\n")], "");
        assert!(ignore.matches("hidden/x", false));
    }

    #[test]
    fn a_directory_pattern_does_not_match_a_file() {
        let ignore = with(&[], "build/\n");
        assert!(
            !ignore.matches("build", false)
                && ignore.matches("build", true)
                && ignore.matches("build/x", false)
        );
    }
}

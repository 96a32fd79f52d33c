//! Repositories made by the machine's git.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A bare repository below a root that a server serves.
pub(crate) struct Repo {
    pub(crate) path: PathBuf,
}

/// An entry of a tree: mode, name, content.
pub(crate) type Entry<'a> = (&'a str, &'a str, &'a [u8]);

impl Repo {
    pub(crate) fn empty(root: &Path, name: &str) -> Self {
        let path = root.join(name);
        let repo = Self { path };
        std::fs::create_dir_all(&repo.path).expect("a directory");
        repo.git(&["init", "-q", "--bare", "-b", "main", "."], b"");
        repo.git(&["config", "http.receivepack", "false"], b"");
        repo
    }

    /// Makes a commit of these files the tip of a branch, whatever was there before.
    pub(crate) fn commit(&self, branch: &str, message: &str, files: &[Entry<'_>]) -> String {
        let tree = self.tree(files);
        self.commit_tree(branch, message, &tree)
    }

    pub(crate) fn commit_tree(&self, branch: &str, message: &str, tree: &str) -> String {
        let commit = self.git(&["commit-tree", tree, "-m", message], b"");
        self.git(&["update-ref", &format!("refs/heads/{branch}"), &commit], b"");
        commit
    }

    /// A tree with directories from the slashes in the names.
    pub(crate) fn tree(&self, files: &[Entry<'_>]) -> String {
        let mut lines = Vec::new();
        let mut directories: Vec<&str> = Vec::new();
        for (mode, path, content) in files {
            match path.split_once('/') {
                Some((directory, _)) if !directories.contains(&directory) => {
                    directories.push(directory);
                    let inside: Vec<Entry<'_>> = files
                        .iter()
                        .filter_map(|(m, p, c)| Some((*m, p.strip_prefix(directory)?.strip_prefix('/')?, *c)))
                        .collect();
                    lines.push(format!("040000 tree {}\t{directory}", self.tree(&inside)));
                }
                Some(_) => {}
                // the content of a submodule is its commit's id
                None if *mode == "160000" => {
                    let id = String::from_utf8_lossy(content);
                    lines.push(format!("{mode} commit {id}\t{path}"));
                }
                None => lines.push(format!("{mode} blob {}\t{path}", self.blob(content))),
            }
        }
        self.git(&["mktree"], (lines.join("\n") + "\n").as_bytes())
    }

    pub(crate) fn blob(&self, content: &[u8]) -> String {
        self.git(&["hash-object", "-w", "--stdin"], content)
    }

    /// A tree no honest git would make.
    pub(crate) fn raw_tree(&self, mode: &str, name: &[u8], id: &str) -> String {
        let raw: Vec<u8> = (0..id.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&id[i..i + 2], 16).expect("hex"))
            .collect();
        let object = [mode.as_bytes(), b" ", name, b"\0", &raw].concat();
        self.git(
            &["hash-object", "-w", "--literally", "-t", "tree", "--stdin"],
            &object,
        )
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the servers under test are the machine's git"
    )]
    pub(crate) fn git(&self, args: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("git")
            .args(args)
            .current_dir(&self.path)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs(["AUTHOR", "COMMITTER"].iter().flat_map(|who| {
                [("NAME", "t"), ("EMAIL", "t@t"), ("DATE", "1700000000 +0000")]
                    .map(|(what, value)| (format!("GIT_{who}_{what}"), value))
            }))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("git runs");
        child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(input)
            .expect("git reads");
        let output = child.wait_with_output().expect("git ends");
        assert!(output.status.success(), "git {args:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }
}

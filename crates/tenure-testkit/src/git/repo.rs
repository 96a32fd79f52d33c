use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use tempfile::TempDir;

use super::{GitHost, below};
use crate::command::{program, run};

/// 2026-01-01T00:00:00Z; every commit is a minute later than the one before.
const EPOCH: u64 = 1_767_225_600;

/// A bare repository behind a server, and a work tree to change it from. The same changes give the
/// same commit ids on every machine.
#[derive(Debug)]
pub struct GitRepo {
    bare: PathBuf,
    name: String,
    tree: TempDir,
    commits: AtomicU64,
}

impl GitRepo {
    /// An empty repository on that server, its default branch `main`.
    ///
    /// # Errors
    /// When the name is taken or git fails.
    pub fn init(host: &impl GitHost, name: &str) -> anyhow::Result<Self> {
        let bare = below(host.repositories(), name)?;
        let tree = tempfile::Builder::new().prefix("work-tree-").tempdir()?;
        let repo = Self {
            bare,
            name: name.to_owned(),
            tree,
            commits: AtomicU64::new(0),
        };
        fs::create_dir_all(&repo.bare).with_context(|| format!("create repository {name}"))?;
        let bare = repo.bare.display().to_string();
        repo.git(&["init", "--quiet", "--bare", "--initial-branch=main", &bare])?;
        // As the big hosts have it: any reachable commit may be asked for, and filters work.
        repo.git(&[
            "-C",
            &bare,
            "config",
            "uploadpack.allowReachableSHA1InWant",
            "true",
        ])?;
        repo.git(&["-C", &bare, "config", "uploadpack.allowFilter", "true"])?;
        repo.git(&["init", "--quiet", "--initial-branch=main"])?;
        repo.git(&["remote", "add", "origin", &bare])?;
        Ok(repo)
    }

    /// The name on the server, for its `url`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bare repository.
    #[must_use]
    pub fn bare(&self) -> &Path {
        &self.bare
    }

    /// The work tree, for what the methods here do not offer.
    #[must_use]
    pub fn work_tree(&self) -> &Path {
        self.tree.path()
    }

    /// Writes files (`None` deletes one), commits everything in the work tree and pushes. Returns
    /// the commit id.
    ///
    /// # Errors
    /// When there is nothing to commit, or git fails.
    pub fn commit(&self, files: &[(&str, Option<&str>)], message: &str) -> anyhow::Result<String> {
        for (path, content) in files {
            match content {
                Some(content) => self.write(path, content.as_bytes())?,
                None => {
                    let path = below(self.tree.path(), path)?;
                    fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
                }
            }
        }
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", message])?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.git(&["push", "--quiet", "--force", "origin", "HEAD"])?;
        self.head()
    }

    /// Makes these files, and no others, the next commit and pushes it, even if that changes nothing. Returns the
    /// commit id.
    ///
    /// # Errors
    /// When git fails.
    pub fn replace(&self, files: &[(String, Vec<u8>)], message: &str) -> anyhow::Result<String> {
        self.git(&["rm", "-r", "--quiet", "--force", "--ignore-unmatch", "."])?;
        for (path, content) in files {
            self.write(path, content)?;
        }
        self.git(&["add", "--all", "--force"])?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message])?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.git(&["push", "--quiet", "--force", "origin", "HEAD"])?;
        self.head()
    }

    /// Writes a file for the next commit.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        let path = self.room_for(path)?;
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))
    }

    /// Makes a symbolic link for the next commit; the target is not looked at.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn link(&self, path: &str, target: &str) -> anyhow::Result<()> {
        symlink(target, self.room_for(path)?).with_context(|| format!("link {path}"))
    }

    /// Sets or clears the executable bit of a file for the next commit.
    ///
    /// # Errors
    /// When the file is not there.
    pub fn set_executable(&self, path: &str, executable: bool) -> anyhow::Result<()> {
        let mode = if executable { 0o755 } else { 0o644 };
        let path = below(self.tree.path(), path)?;
        fs::set_permissions(&path, Permissions::from_mode(mode))
            .with_context(|| format!("change the mode of {}", path.display()))
    }

    /// Goes to a branch, which starts here when it is new; the next commit is pushed to it.
    ///
    /// # Errors
    /// When git fails.
    pub fn checkout(&self, branch: &str) -> anyhow::Result<()> {
        let known = self.git(&[
            "rev-parse",
            "--verify",
            "--quiet",
            &format!("refs/heads/{branch}"),
        ]);
        match known {
            Ok(_) => self.git(&["checkout", "--quiet", branch])?,
            Err(_) => self.git(&["checkout", "--quiet", "-b", branch])?,
        };
        self.git(&["push", "--quiet", "--force", "origin", "HEAD"])?;
        Ok(())
    }

    /// Puts a tag on the present commit and pushes it, in place of one with that name; an
    /// annotated one when there is a message.
    ///
    /// # Errors
    /// When git fails.
    pub fn tag(&self, name: &str, message: Option<&str>) -> anyhow::Result<()> {
        match message {
            Some(message) => self.git(&["tag", "--force", "--annotate", "--message", message, name])?,
            None => self.git(&["tag", "--force", name])?,
        };
        self.git(&[
            "push",
            "--quiet",
            "--force",
            "origin",
            &format!("refs/tags/{name}"),
        ])?;
        Ok(())
    }

    /// Goes back to a commit and makes the server forget the later ones on this branch.
    ///
    /// # Errors
    /// When git fails.
    pub fn reset(&self, commit: &str) -> anyhow::Result<()> {
        self.git(&["reset", "--quiet", "--hard", commit])?;
        self.git(&["push", "--quiet", "--force", "origin", "HEAD"])?;
        Ok(())
    }

    /// The commit the work tree is at.
    ///
    /// # Errors
    /// When there is none.
    pub fn head(&self) -> anyhow::Result<String> {
        Ok(self.git(&["rev-parse", "HEAD"])?.trim().to_owned())
    }

    /// Runs git in the work tree.
    ///
    /// # Errors
    /// When git fails.
    pub fn git(&self, args: &[&str]) -> anyhow::Result<String> {
        let date = format!("{} +0000", EPOCH + 60 * self.commits.load(Ordering::Relaxed));
        run(isolated_git()
            .current_dir(self.tree.path())
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .args(args))
    }

    fn room_for(&self, path: &str) -> anyhow::Result<PathBuf> {
        let path = below(self.tree.path(), path)?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(path)
    }
}

/// The machine's git without anybody's configuration.
pub(crate) fn isolated_git() -> Command {
    let mut git = program("git");
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_SSH",
        "GIT_ASKPASS",
    ] {
        git.env_remove(name);
    }
    git.env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_AUTHOR_NAME", "Rig")
        .env("GIT_AUTHOR_EMAIL", "rig@example.org")
        .env("GIT_COMMITTER_NAME", "Rig")
        .env("GIT_COMMITTER_EMAIL", "rig@example.org");
    git
}

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{SOPS, output, program};

/// The real sops, with the age key of a file.
#[derive(Debug, Clone)]
pub struct Sops {
    program: PathBuf,
    key: PathBuf,
}

impl Sops {
    /// The program that `tests/rig/sops` pins, built as [`super::Rig::ready`] builds its own.
    ///
    /// # Errors
    /// As [`super::Rig::ready`].
    pub fn ready(key: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            program: SOPS.ready()?.join("sops"),
            key: key.to_owned(),
        })
    }

    /// Encrypts a file for a recipient, with more words for the command; nothing if sops refuses the file.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn encrypt(&self, file: &Path, recipient: &str, words: &[&str]) -> anyhow::Result<Option<Vec<u8>>> {
        let first = ["encrypt", "--age", recipient];
        let words = first.iter().chain(words);
        self.run(words.map(AsRef::as_ref).chain([file.as_os_str()]))
    }

    /// Encrypts a file with whatever the words name, with more in the environment; nothing if sops refuses the file.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn encrypt_with(
        &self,
        file: &Path,
        words: &[&str],
        environment: &[(&str, &OsStr)],
    ) -> anyhow::Result<Option<Vec<u8>>> {
        let mut command = self.command();
        command.envs(environment.iter().copied());
        let output = output(command.arg("encrypt").args(words).arg(file))?;
        Ok(output.status.success().then_some(output.stdout))
    }

    /// Decrypts a file; its MAC is not looked at. Nothing if sops refuses the file.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn decrypt(&self, file: &Path) -> anyhow::Result<Option<Vec<u8>>> {
        self.run(["decrypt".as_ref(), "--ignore-mac".as_ref(), file.as_os_str()].into_iter())
    }

    fn run<'a>(&self, args: impl Iterator<Item = &'a OsStr>) -> anyhow::Result<Option<Vec<u8>>> {
        let output = output(self.command().args(args))?;
        Ok(output.status.success().then_some(output.stdout))
    }

    fn command(&self) -> Command {
        let mut command = program(&self.program);
        command
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("SOPS_AGE_KEY_FILE", &self.key);
        command
    }
}

//! Real servers around the machine's git, and what every test needs.

pub(crate) mod https;
pub(crate) mod proxy;
pub(crate) mod repo;
pub(crate) mod ssh;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

use tenure_git::{Fetched, Filter, GitError, Limits, Reference, Remote, fetch, resolve};
use tenure_net::Guard;

/// Where the servers of the tests are.
pub(crate) fn this_machine() -> Guard {
    Guard::new(["127.0.0.0/8".parse().expect("a block")], [])
}

/// Folders that go when the test ends.
pub(crate) struct Place {
    pub(crate) temp: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            temp: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    pub(crate) fn root(&self) -> PathBuf {
        let root = self.temp.path().join("served");
        std::fs::create_dir_all(&root).expect("a directory");
        root
    }

    /// Resolves and fetches, as the cache does.
    pub(crate) fn get(
        &self,
        remote: &Remote,
        reference: &Reference,
        filter: &Filter,
        limits: &Limits,
    ) -> Result<(Fetched, Files), GitError> {
        let resolved = resolve(remote, reference, limits)?;
        let out = self.temp.path().join("artifact.tar.gz");
        std::fs::remove_file(&out).ok();
        let fetched = fetch(
            remote,
            &resolved,
            &self.temp.path().join("odb"),
            &out,
            filter,
            limits,
        )?;
        let bytes = std::fs::read(&out).expect("the artifact");
        assert_eq!(
            (tenure_core::Digest::of(&bytes), bytes.len() as u64),
            (fetched.digest, fetched.size)
        );
        Ok((fetched, files(&bytes)))
    }

    pub(crate) fn main(&self, remote: &Remote) -> Result<(Fetched, Files), GitError> {
        self.get(remote, &main_branch(), &Filter::default(), &Limits::default())
    }
}

pub(crate) fn main_branch() -> Reference {
    Reference::Branch("main".to_owned())
}

/// Path to mode and content.
pub(crate) type Files = BTreeMap<String, (u32, Vec<u8>)>;

fn files(bytes: &[u8]) -> Files {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let entries = archive.entries().expect("an archive");
    entries
        .map(|entry| {
            let mut entry = entry.expect("an entry");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("content");
            let path = entry.path().expect("a path").to_string_lossy().into_owned();
            (path, (entry.header().mode().expect("a mode"), content))
        })
        .collect()
}

pub(crate) fn names(files: &Files) -> Vec<&str> {
    files.keys().map(String::as_str).collect()
}

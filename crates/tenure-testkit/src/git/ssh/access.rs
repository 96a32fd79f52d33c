use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use russh::keys::{HashAlg, PublicKey};

/// What a key may fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Every repository of the server.
    All,
    /// These repositories.
    Only(Vec<String>),
}

impl Access {
    pub(super) fn allows(&self, repository: &str) -> bool {
        let repository = repository.trim_start_matches('/');
        match self {
            Self::All => true,
            Self::Only(names) => names
                .iter()
                .any(|name| name.trim_start_matches('/') == repository),
        }
    }

    /// One name per line, `*` for all: what the script behind OpenSSH reads.
    fn lines(&self) -> String {
        match self {
            Self::All => "*\n".to_owned(),
            Self::Only(names) => names
                .iter()
                .map(|name| format!("{}\n", name.trim_start_matches('/')))
                .collect(),
        }
    }
}

/// The keys of a server, in memory and in the files that OpenSSH reads at every connection.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    dir: PathBuf,
    repositories: PathBuf,
    known: Arc<Mutex<BTreeMap<String, (PublicKey, Access)>>>,
}

impl Keys {
    pub(super) fn new(dir: &Path) -> anyhow::Result<Self> {
        let keys = Self {
            dir: dir.to_owned(),
            repositories: dir.join("repositories"),
            known: Arc::default(),
        };
        fs::create_dir(dir.join("access"))?;
        fs::write(dir.join("authorized_keys"), "")?;
        Ok(keys)
    }

    pub(super) fn repositories(&self) -> &Path {
        &self.repositories
    }

    /// Adds, replaces or removes a key.
    pub(super) fn put(&self, public_key: &str, access: Option<Access>) -> anyhow::Result<()> {
        let key = PublicKey::from_openssh(public_key).context("read a public key to authorise")?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match access {
            Some(access) => known.insert(identity(&key), (key, access)),
            None => known.remove(&identity(&key)),
        };
        let mut lines = String::new();
        for (identity, (key, access)) in known.iter() {
            fs::write(self.dir.join("access").join(identity), access.lines())?;
            let serve = self.dir.join("serve");
            let key = key.to_openssh()?;
            lines += &format!("restrict,command=\"{} {identity}\" {key}\n", serve.display());
        }
        // By renaming, so that no connection reads half a file.
        let new = self.dir.join("authorized_keys.new");
        fs::write(&new, lines)?;
        Ok(fs::rename(new, self.dir.join("authorized_keys"))?)
    }

    /// What a key may fetch now; nothing when it is not authorised.
    pub(super) fn access(&self, key: &PublicKey) -> Option<Access> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&identity(key)).map(|(_, access)| access.clone())
    }
}

/// A name for a key that can be a file's name.
fn identity(key: &PublicKey) -> String {
    let print = key.fingerprint(HashAlg::Sha256);
    print
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

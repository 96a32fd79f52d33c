//! Submodules: commits of other repositories, in directories of this one.
//!
//! What is in a repository chooses no host that the tenant may not fetch from, and no credential: that of the
//! source goes to its own origin only. Every submodule is downloaded with it, into a place of its own, so that
//! nobody is lent what another's credential has brought in.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Instant;

use gix::ObjectId;
use gix::objs::FindExt as _;
use gix::objs::FindHeader as _;
use tenure_core::{SourceUrl, covers, printable};

use crate::fetch::{Database, Wants, download, local, open, prepare};
use crate::tree::{Item, Kind, Listing};
use crate::{Credential, Filter, GitError, Limits, Missing, Remote};

/// How deep submodules may be in one another; git's and Flux's limit.
const DEPTH: usize = 10;
/// Submodules of one artifact.
const MOST: usize = 64;
/// The largest `.gitmodules` that is read, in bytes.
const FILE: u64 = 1 << 20;
const NAME: &str = ".gitmodules";

/// Gets what is to be part of one artifact.
pub(crate) struct Gather<'a> {
    remote: &'a Remote,
    filter: &'a Filter,
    limits: &'a Limits,
    /// Where the databases of submodules are, for as long as this lives.
    scratch: &'a Path,
    started: Instant,
}

/// All databases that an artifact is made from: first the repository's.
pub(crate) struct Gathered {
    pub(crate) databases: Vec<Database>,
    /// Bytes of pack that were downloaded for submodules.
    pub(crate) packed_bytes: u64,
    _dirs: Vec<tempfile::TempDir>,
}

/// A repository whose submodules have not been looked at yet.
struct Open {
    url: SourceUrl,
    /// Its place in the artifact: empty, or with a slash at its end.
    prefix: String,
    from: usize,
    /// Its `.gitmodules`.
    modules: Option<ObjectId>,
    links: Vec<(String, ObjectId)>,
    depth: usize,
}

impl<'a> Gather<'a> {
    pub(crate) const fn new(
        remote: &'a Remote,
        filter: &'a Filter,
        limits: &'a Limits,
        scratch: &'a Path,
        started: Instant,
    ) -> Self {
        Self {
            remote,
            filter,
            limits,
            scratch,
            started,
        }
    }

    /// Adds what is in the submodules to the repository's listing, if they are wanted.
    pub(crate) fn all(&self, database: Database, listing: &mut Listing) -> Result<Gathered, GitError> {
        let mut all = Gathered {
            databases: vec![database],
            packed_bytes: 0,
            _dirs: Vec::new(),
        };
        let Some(allow) = &self.filter.submodules else {
            return Ok(all);
        };
        let mut open = VecDeque::from([Open {
            url: self.remote.url.clone(),
            prefix: String::new(),
            from: 0,
            modules: modules(&listing.items),
            links: std::mem::take(&mut listing.links),
            depth: 0,
        }]);
        while let Some(repository) = open.pop_front() {
            let urls = self.urls(&repository, &all)?;
            for (path, commit) in &repository.links {
                let place = format!("{}{path}", repository.prefix);
                // git leaves out what its file does not name
                let Some(url) = urls.get(path).filter(|_| self.filter.keeps(&place, true)) else {
                    continue;
                };
                let within = |error: GitError| error.in_submodule(&place);
                let url = resolved(&repository.url, url).map_err(|why| self.malformed(&place, &why))?;
                if repository.depth >= DEPTH || all.databases.len() > MOST {
                    return Err(self.too_large(&format!(
                        "more than {MOST} submodules, or more than {DEPTH} in one another"
                    )));
                }
                allowed(&url, allow).map_err(within)?;
                let inside = self.download(&url, *commit, &mut all).map_err(within)?;
                let from = all.databases.len() - 1;
                open.push_back(Open {
                    url,
                    prefix: format!("{place}/"),
                    from,
                    modules: modules(&inside.items),
                    links: inside.links,
                    depth: repository.depth + 1,
                });
                self.take_in(listing, inside.items, &place, *commit, from)?;
            }
        }
        Ok(all)
    }

    fn take_in(
        &self,
        listing: &mut Listing,
        items: Vec<Item>,
        place: &str,
        commit: ObjectId,
        from: usize,
    ) -> Result<(), GitError> {
        let all = (listing.items.len() + items.len() + 1) as u64;
        if all > self.limits.objects {
            let limit = self.limits.objects;
            return Err(self.too_large(&format!(
                "with its submodules it has more than {limit} entries; raise the limit"
            )));
        }
        listing.items.push(Item {
            path: place.to_owned(),
            kind: Kind::Directory,
            id: commit,
            from,
        });
        let inside = items.into_iter().map(|item| Item {
            path: format!("{place}/{}", item.path),
            from,
            ..item
        });
        listing.items.extend(inside);
        Ok(())
    }

    fn download(&self, url: &SourceUrl, commit: ObjectId, all: &mut Gathered) -> Result<Listing, GitError> {
        let remote = self.remote_at(url);
        let shown = remote.shown();
        let left = self.limits.timeout.saturating_sub(self.started.elapsed());
        let late = || GitError::Timeout {
            remote: shown.clone(),
            seconds: self.limits.timeout.as_secs(),
        };
        if left.is_zero() {
            return Err(late());
        }
        let limits = Limits {
            pack_bytes: self.limits.pack_bytes.saturating_sub(all.packed_bytes),
            timeout: left,
            ..*self.limits
        };
        let dir = tempfile::tempdir_in(self.scratch).map_err(|error| local(&shown, &error))?;
        let objects = prepare(dir.path(), &shown)?;
        let wants = Wants { commit, tag: None };
        let bytes = download(&remote, wants, dir.path(), &objects, &limits).map_err(|error| match error {
            GitError::Timeout { .. } => late(),
            other => other,
        })?;
        let (database, listing) =
            open(&objects, commit, &limits, &shown)?.ok_or_else(|| GitError::NotFound {
                remote: shown.clone(),
                what: Missing::Commit(commit.to_string()),
            })?;
        all.packed_bytes += bytes;
        all.databases.push(database);
        all._dirs.push(dir);
        Ok(listing)
    }

    /// The credential and the client certificate are for the source's own origin.
    fn remote_at(&self, url: &SourceUrl) -> Remote {
        let mut remote = Remote {
            url: url.clone(),
            ..self.remote.clone()
        };
        if !url.same_origin(&self.remote.url) {
            remote.credential = Credential::None;
            remote.outbound.tls.client_certificate = None;
        }
        if url.scheme() == "ssh" {
            remote.outbound.proxy = None;
        }
        remote
    }

    /// Path to URL, from the repository's `.gitmodules`.
    fn urls(&self, repository: &Open, all: &Gathered) -> Result<BTreeMap<String, String>, GitError> {
        let (Some(id), Some(database)) = (repository.modules, all.databases.get(repository.from)) else {
            return Ok(BTreeMap::new());
        };
        let place = format!("{}{NAME}", repository.prefix);
        let unread = || self.malformed(&place, "it cannot be read");
        let size = database
            .odb
            .try_header(&id)
            .ok()
            .flatten()
            .ok_or_else(unread)?
            .size;
        if size > FILE {
            return Err(self.too_large(&format!("{place:?} has more than {FILE} bytes")));
        }
        let mut bytes = Vec::new();
        let text = database.odb.find_blob(&id, &mut bytes).map_err(|_| unread())?;
        parsed(text.data).ok_or_else(unread)
    }

    fn malformed(&self, place: &str, why: &str) -> GitError {
        GitError::Malformed {
            remote: self.remote.shown(),
            message: format!("{place:?}: {why}"),
        }
    }

    fn too_large(&self, message: &str) -> GitError {
        GitError::TooLarge {
            remote: self.remote.shown(),
            message: message.to_owned(),
        }
    }
}

fn modules(items: &[Item]) -> Option<ObjectId> {
    let is_file = |item: &&Item| item.path == NAME && matches!(item.kind, Kind::File { .. });
    items.iter().find(is_file).map(|item| item.id)
}

/// Path to URL; the last of two entries counts, as in git.
fn parsed(text: &[u8]) -> Option<BTreeMap<String, String>> {
    let file = gix::config::File::try_from(std::str::from_utf8(text).ok()?).ok()?;
    let mut urls = BTreeMap::new();
    for section in file.sections_by_name("submodule").into_iter().flatten() {
        let text = |name: &str| section.value(name).map(|value| value.to_string());
        if let (Some(path), Some(url)) = (text("path"), text("url")) {
            urls.insert(path.trim_end_matches('/').to_owned(), url);
        }
    }
    Some(urls)
}

/// The URL that a repository at `base` writes as `url`. Local paths are none.
fn resolved(base: &SourceUrl, url: &str) -> Result<SourceUrl, String> {
    let parsed = if url.starts_with("./") || url.starts_with("../") {
        base.relative(url)
    } else if url.contains("://") {
        url.parse()
    } else {
        match url.split_once(':') {
            // as ssh's own programs write it
            Some((host, path)) if !host.contains('/') => {
                format!("ssh://{host}/{}", path.trim_start_matches('/')).parse()
            }
            _ => url.parse(),
        }
    };
    parsed.map_err(|error| format!("its URL can't be used: {}", printable(&error.to_string())))
}

fn allowed(url: &SourceUrl, allow: &[String]) -> Result<(), GitError> {
    let spellings = url.spellings();
    let fits = |prefix: &String| spellings.iter().any(|url| covers(prefix, url));
    if allow.is_empty() || allow.iter().any(fits) {
        return Ok(());
    }
    Err(GitError::Forbidden {
        remote: url.to_string(),
        message: "the Tenant may not fetch from there; add a prefix of it to the Tenant's spec.sources.allow"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_relative_absolute_or_as_ssh_writes_it() {
        let base: SourceUrl = "https://host/team/app.git".parse().expect("valid");
        for (written, wanted) in [
            ("../lib.git", "https://host/team/lib.git"),
            ("https://other/x", "https://other/x"),
            ("git@host:team/lib.git", "ssh://git@host/team/lib.git"),
        ] {
            assert_eq!(resolved(&base, written).expect(written).to_string(), wanted);
        }
        for bad in [
            "/etc/passwd",
            "file:///etc",
            "../../../x",
            "ext::sh -c x",
            "-oProxyCommand=x:y",
            "https://host/team/../other",
            "",
        ] {
            assert!(resolved(&base, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_file_says_is_read_as_git_reads_it() {
        let file = b"[submodule \"a\"]\n\tpath = libs/a\n\turl = ../a.git\n[submodule \"b\"]\n\tpath = b\n";
        let urls = parsed(file).expect("readable");
        assert_eq!(
            urls.into_iter().collect::<Vec<_>>(),
            [("libs/a".into(), "../a.git".into())]
        );
        assert!(parsed(b"[submodule").is_none());
        assert!(parsed(b"").is_some_and(|urls| urls.is_empty()));
    }
}

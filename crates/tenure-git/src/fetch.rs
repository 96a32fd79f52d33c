use std::io::{self, BufRead, Read};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use base64::Engine as _;
use gix::ObjectId;
use gix::objs::{Find as _, FindHeader as _};
use gix::odb::pack;
use gix::protocol::fetch::{Arguments, Context, Negotiate, Options, Response, Shallow, Tags, negotiate};
use serde::{Deserialize, Serialize};
use tenure_core::Digest;

use crate::export::Export;
use crate::resolve::{agent, handshake};
use crate::submodules::Gather;
use crate::transport::{Deadline, Failure, Link};
use crate::tree::{self, Listing, TreeError};
use crate::{GitError, Limits, Missing, Remote, Resolved};

/// The largest commit or tag that is handed over, in bytes.
const RAW: u64 = 256 << 10;
/// Bytes of unpacked objects that are kept while a tree is packed.
const DELTA_CACHE: usize = 16 << 20;

/// Which files of the tree become the artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// `spec.ignore`; `.sourceignore` files and the built-in exclusions count besides.
    pub ignore: Option<String>,
    /// Directories to keep, all if empty; `./` is the files of the root.
    pub sparse: Vec<String>,
    /// Whether submodules are part of the artifact, and then the prefixes of the URLs where they may be; any if empty.
    #[serde(default)]
    pub submodules: Option<Vec<String>>,
}

/// An artifact that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// The artifact's digest.
    pub digest: Digest,
    /// Its compressed bytes.
    pub size: u64,
    /// The first line of the commit's message, at most 200 characters.
    pub commit_message_first_line: String,
    /// Symbolic links that were left out: path and target, at most 32.
    pub dropped_symlinks: Vec<(String, String)>,
    /// The commit, and the annotated tag that led to it, as they are: whoever checks signatures reads them himself.
    /// One of more than 256 KiB is left out.
    pub objects: Vec<RawObject>,
    /// Bytes of pack that were downloaded; 0 when the object database had the commit.
    pub packed_bytes: u64,
}

/// A commit or a tag, as the repository has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawObject {
    /// Its hex digits.
    pub id: String,
    /// It is a tag, not a commit.
    pub is_tag: bool,
    /// Its bytes, in base64.
    pub base64: String,
}

impl Filter {
    pub(crate) fn keeps(&self, path: &str, is_dir: bool) -> bool {
        if self.sparse.is_empty() {
            return true;
        }
        self.sparse.iter().any(|wanted| {
            let wanted = wanted.trim_start_matches("./").trim_matches('/');
            let inside = |path: &str, of: &str| {
                path == of || path.strip_prefix(of).is_some_and(|r| r.starts_with('/'))
            };
            match wanted {
                "" | "." => !is_dir && !path.contains('/'),
                _ => inside(path, wanted) || (is_dir && inside(wanted, path)),
            }
        })
    }
}

/// Gets `resolved`'s commit into the bare object database at `odb_dir`, which may hold earlier ones, and writes
/// its tree as an artifact to `out`, which must not exist yet. Nothing is downloaded when the commit is there
/// already, unless only a download proves that the credential may read it.
///
/// Blocking, for up to `limits.timeout`; not for a thread that drives async tasks. Calls on one `odb_dir` may
/// overlap.
///
/// # Errors
/// [`GitError`]; `out` may then be there in part.
pub fn fetch(
    remote: &Remote,
    resolved: &Resolved,
    odb_dir: &Path,
    out: &Path,
    filter: &Filter,
    limits: &Limits,
) -> Result<Fetched, GitError> {
    let (started, shown) = (Instant::now(), remote.shown());
    let parse = |text: &String| {
        ObjectId::from_hex(text.as_bytes()).map_err(|_| GitError::InvalidReference {
            reference: resolved.revision.to_string(),
            message: "the commit is not a hash".to_owned(),
        })
    };
    let commit = parse(&resolved.commit)?;
    let tag = resolved.tag.as_ref().map(parse).transpose()?;
    let objects = prepare(odb_dir, &shown)?;
    let present = if resolved.advertised {
        let has_tag =
            |(database, _): &Opened| tag.is_none_or(|tag| gix::objs::Exists::exists(&database.odb, &tag));
        open(&objects, commit, limits, &shown)?.filter(has_tag)
    } else {
        None
    };
    let (database, mut listing, packed_bytes) = match present {
        Some((database, listing)) => (database, listing, 0),
        None => {
            let wants = Wants { commit, tag };
            let bytes = download(remote, wants, odb_dir, &objects, limits)?;
            let (database, listing) =
                open(&objects, commit, limits, &shown)?.ok_or_else(|| GitError::Malformed {
                    remote: shown.clone(),
                    message: format!("its pack lacks objects of commit {commit}"),
                })?;
            (database, listing, bytes)
        }
    };
    let scratch = out.parent().unwrap_or(odb_dir);
    let gathered = Gather::new(remote, filter, limits, scratch, started).all(database, &mut listing)?;
    let packed_bytes = packed_bytes + gathered.packed_bytes;
    let mut export = Export {
        databases: gathered.databases,
        unpacked: 0,
        shown: &shown,
        limits,
        filter,
    };
    let exported = export.write(&mut listing, out)?;
    let own = export.databases.first();
    let raw = [Some((commit, false)), tag.map(|tag| (tag, true))];
    let raw = raw.into_iter().flatten();
    Ok(Fetched {
        objects: raw
            .filter_map(|(id, is_tag)| read(&own?.odb, id, is_tag))
            .collect(),
        digest: exported.packed.digest,
        size: exported.packed.size,
        commit_message_first_line: listing.title,
        dropped_symlinks: exported.dropped,
        packed_bytes,
    })
}

/// A commit or tag, unless it is not there, something else or too large.
fn read(odb: &gix::odb::Handle, id: ObjectId, is_tag: bool) -> Option<RawObject> {
    let kind = if is_tag {
        gix::objs::Kind::Tag
    } else {
        gix::objs::Kind::Commit
    };
    let header = odb.try_header(&id).ok()??;
    if header.size > RAW || header.kind != kind {
        return None;
    }
    let mut bytes = Vec::new();
    let found = odb.try_find(&id, &mut bytes).ok()??;
    Some(RawObject {
        id: id.to_string(),
        is_tag,
        base64: base64::engine::general_purpose::STANDARD.encode(found.data),
    })
}

pub(crate) fn prepare(odb_dir: &Path, shown: &str) -> Result<PathBuf, GitError> {
    let objects = odb_dir.join("objects");
    for folder in ["pack", "info"] {
        std::fs::create_dir_all(objects.join(folder)).map_err(|e| local(shown, &e))?;
    }
    Ok(objects)
}

pub(crate) fn local(shown: &str, error: &dyn std::fmt::Display) -> GitError {
    GitError::Local {
        what: format!("keeping the objects of {shown}"),
        message: error.to_string(),
    }
}

pub(crate) type Opened = (Database, Listing);

/// The objects of a repository on disk.
pub(crate) struct Database {
    pub(crate) odb: gix::odb::Handle,
    objects: PathBuf,
    kind: gix::hash::Kind,
}

impl Database {
    fn open(objects: &Path, kind: gix::hash::Kind) -> io::Result<Self> {
        let mut odb = gix::odb::at(objects, kind)?;
        // files are stored as differences to one another: without a cache each is built up again from the first
        odb.set_pack_cache(|| Box::new(pack::cache::lru::MemoryCappedHashmap::new(DELTA_CACHE)));
        Ok(Self {
            odb,
            objects: objects.to_owned(),
            kind,
        })
    }

    /// Gives back the memory that packs are mapped into: every page that was read stays in it, and counts.
    pub(crate) fn unmap(&mut self) -> io::Result<()> {
        *self = Self::open(&self.objects, self.kind)?;
        Ok(())
    }
}

/// The commit's listing if the database has all of it.
pub(crate) fn open(
    objects: &Path,
    commit: ObjectId,
    limits: &Limits,
    shown: &str,
) -> Result<Option<Opened>, GitError> {
    let database = Database::open(objects, commit.kind()).map_err(|e| local(shown, &e))?;
    match tree::list(&database.odb, &commit, limits.objects) {
        Ok(listing) => Ok(Some((database, listing))),
        Err(TreeError::Incomplete) => Ok(None),
        Err(TreeError::Refused(message)) => Err(GitError::Malformed {
            remote: shown.to_owned(),
            message,
        }),
        Err(TreeError::TooMany) => Err(GitError::TooLarge {
            remote: shown.to_owned(),
            message: format!(
                "its tree has more than {} entries; raise the limit",
                limits.objects
            ),
        }),
    }
}

/// Downloads the commit without its history; gives the size of the pack.
pub(crate) fn download(
    remote: &Remote,
    wants: Wants,
    odb_dir: &Path,
    objects: &Path,
    limits: &Limits,
) -> Result<u64, GitError> {
    let mut link = Link::open(remote, Deadline::start(limits))?;
    let mut hello = handshake(&mut link)?;
    // every fetch is shallow on its own, so what earlier ones lack is never offered to the remote
    let scratch = tempfile::tempdir_in(odb_dir).map_err(|e| local(&link.context.shown, &e))?;
    let options = Options {
        shallow_file: scratch.path().join("shallow"),
        shallow: &Shallow::DepthAtRemote(NonZeroU32::MIN),
        tags: Tags::None,
        reject_shallow_remote: false,
    };
    let failure = link.context.failure.clone();
    let shown = link.context.shown.clone();
    let mut received = 0;
    let consume = |pack: &mut dyn BufRead, progress: &mut dyn gix::DynNestedProgress, stop: &AtomicBool| {
        let mut metered = Metered::new(pack, *limits, failure, shown);
        let indexed = crate::pack::take(
            &mut metered,
            &objects.join("pack"),
            wants.commit.kind(),
            limits.pack_bytes,
            progress,
            stop,
        );
        received = metered.read;
        indexed.map(|()| true)
    };
    let context = Context {
        handshake: &mut hello,
        transport: &mut link.wire,
        user_agent: agent(),
        trace_packetlines: false,
    };
    let stop = AtomicBool::new(false);
    let done = gix::protocol::fetch(
        &mut One(wants),
        consume,
        gix::progress::Discard,
        &stop,
        context,
        options,
    );
    match done {
        Ok(_) => {
            gix::protocol::indicate_end_of_interaction(&mut link.wire, false).ok();
            Ok(received)
        }
        Err(error) => Err(not_our_ref(link.explain(&error), wants.commit)),
    }
}

/// What a remote says when it does not have, or does not give, the commit.
fn not_our_ref(error: GitError, commit: ObjectId) -> GitError {
    match error {
        GitError::Malformed { remote, message }
            if message.contains("not our ref") || message.contains("no such remote ref") =>
        {
            GitError::NotFound {
                remote,
                what: Missing::Commit(commit.to_string()),
            }
        }
        other => other,
    }
}

/// What a download is for.
#[derive(Clone, Copy)]
pub(crate) struct Wants {
    pub(crate) commit: ObjectId,
    pub(crate) tag: Option<ObjectId>,
}

/// Asks for one commit, and the tag that led to it, and offers nothing.
struct One(Wants);

impl Negotiate for One {
    fn mark_complete_and_common_ref(&mut self) -> gix::Result<negotiate::Action> {
        Ok(negotiate::Action::MustNegotiate {
            remote_ref_target_known: vec![false; 1 + usize::from(self.0.tag.is_some())],
        })
    }

    fn add_wants(&mut self, arguments: &mut Arguments, _known: &[bool]) -> bool {
        let Wants { commit, tag } = self.0;
        arguments.want(commit);
        if let Some(tag) = tag {
            arguments.want(tag);
        }
        true
    }

    fn one_round(
        &mut self,
        _state: &mut negotiate::one_round::State,
        _arguments: &mut Arguments,
        _previous: Option<&Response>,
    ) -> gix::Result<(negotiate::Round, bool)> {
        let round = negotiate::Round {
            haves_sent: 0,
            in_vain: 0,
            haves_to_send: 0,
            previous_response_had_at_least_one_in_common: false,
        };
        Ok((round, true))
    }
}

/// Stops a pack at its limits: bytes as they come, objects as its header says.
struct Metered<'a> {
    inner: &'a mut dyn BufRead,
    limits: Limits,
    failure: Failure,
    shown: String,
    read: u64,
    header: Vec<u8>,
}

impl<'a> Metered<'a> {
    fn new(inner: &'a mut dyn BufRead, limits: Limits, failure: Failure, shown: String) -> Self {
        Self {
            inner,
            limits,
            failure,
            shown,
            read: 0,
            header: Vec::new(),
        }
    }

    fn refuse(&self, message: String) -> io::Error {
        self.failure.note(GitError::TooLarge {
            remote: self.shown.clone(),
            message,
        })
    }

    /// `PACK`, version, and the number of objects, four bytes each.
    fn objects(&self) -> Option<u32> {
        let count = self.header.get(8..12)?;
        Some(u32::from_be_bytes(count.try_into().ok()?))
    }
}

impl Read for Metered<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let read = available.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..read), available.get(..read)) {
            to.copy_from_slice(from);
        }
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Metered<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read > self.limits.pack_bytes {
            let limit = self.limits.pack_bytes;
            return Err(self.refuse(format!("its pack has more than {limit} bytes; raise the limit")));
        }
        if let Some(count) = self.objects().filter(|n| u64::from(*n) > self.limits.objects) {
            let limit = self.limits.objects;
            return Err(self.refuse(format!(
                "its pack has {count} objects, the limit is {limit}; raise the limit"
            )));
        }
        let missing = 12usize.saturating_sub(self.header.len());
        let at = self.header.len();
        let available = self.inner.fill_buf()?;
        if missing > 0 {
            // what is looked at twice is cut off again in consume
            self.header.extend(available.iter().take(missing));
            self.header.truncate(at + available.len().min(missing));
        }
        Ok(available)
    }

    fn consume(&mut self, amount: usize) {
        self.read += amount as u64;
        let consumed = usize::try_from(self.read).unwrap_or(usize::MAX);
        self.header.truncate(consumed.min(12));
        self.inner.consume(amount);
    }
}

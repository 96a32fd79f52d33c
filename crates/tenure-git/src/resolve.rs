use gix::protocol::handshake::Ref;
use gix::protocol::ls_refs::RefPrefixes;
use gix::protocol::transport::Service;
use gix::protocol::{Handshake, LsRefsCommand};
use tenure_core::{Range, Revision};

use crate::transport::{Deadline, Link};
use crate::{GitError, Limits, Missing, Reference, Remote, Resolved};

/// How this client names itself to a remote.
pub(crate) fn agent() -> (&'static str, Option<String>) {
    (
        "agent",
        Some(concat!("git/tenure-", env!("CARGO_PKG_VERSION")).to_owned()),
    )
}

/// Asks the remote where `reference` is, with this credential and no other. No object is downloaded.
///
/// Blocking, for up to `limits.timeout`; not for a thread that drives async tasks.
///
/// # Errors
/// [`GitError`]; an empty repository is told from a missing reference.
pub fn resolve(remote: &Remote, reference: &Reference, limits: &Limits) -> Result<Resolved, GitError> {
    let wanted = Wanted::of(reference)?;
    let deadline = Deadline::start(limits);
    let refs = list(remote, deadline, wanted.prefix())?;
    if let Some(resolved) = wanted.pick(&refs, reference)? {
        return Ok(resolved);
    }
    // nothing under the prefix: is the name wrong, or is there nothing at all?
    let all = list(remote, deadline, None)?;
    if all.iter().all(|r| matches!(r, Ref::Unborn { .. })) {
        return Err(GitError::EmptyRepository {
            remote: remote.shown(),
        });
    }
    Err(GitError::NotFound {
        remote: remote.shown(),
        what: wanted.missing(),
    })
}

pub(crate) fn handshake(link: &mut Link) -> Result<Handshake, GitError> {
    let no_prompt = |_| Ok(None);
    let progress = &mut gix::progress::Discard;
    gix::protocol::handshake(
        &mut link.wire,
        Service::UploadPack,
        no_prompt,
        Vec::new(),
        progress,
    )
    .map_err(|e| link.explain(&e))
}

fn list(remote: &Remote, deadline: Deadline, prefix: Option<String>) -> Result<Vec<Ref>, GitError> {
    let mut link = Link::open(remote, deadline)?;
    let mut hello = handshake(&mut link)?;
    if let Some(refs) = hello.refs.take() {
        return Ok(refs);
    }
    let prefixes = prefix.map(|prefix| {
        let mut prefixes = RefPrefixes::new();
        prefixes.extend([prefix.into()]);
        prefixes
    });
    let command = LsRefsCommand::new(prefixes, &hello.capabilities, agent());
    let refs = command
        .invoke_blocking(&mut link.wire, &mut gix::progress::Discard, false)
        .map_err(|e| link.explain(&e))?;
    gix::protocol::indicate_end_of_interaction(&mut link.wire, false).ok();
    Ok(refs)
}

/// A reference as the protocol knows it.
enum Wanted {
    Full {
        name: String,
        pointer: String,
        missing: Missing,
    },
    Range {
        range: Range,
        text: String,
    },
    Commit {
        id: String,
    },
}

impl Wanted {
    fn of(reference: &Reference) -> Result<Self, GitError> {
        let full = |name: String, pointer: &str, missing| {
            let valid = gix::validate::reference::name(name.as_str().into());
            valid.map_err(|_| invalid(reference, "git does not allow such a name"))?;
            Ok(Self::Full {
                name,
                pointer: pointer.to_owned(),
                missing,
            })
        };
        match reference {
            Reference::Branch(b) => full(format!("refs/heads/{b}"), b, Missing::Branch(b.clone())),
            Reference::Tag(t) => full(format!("refs/tags/{t}"), t, Missing::Tag(t.clone())),
            Reference::Name(n) if n == "HEAD" || n.starts_with("refs/") => {
                full(n.clone(), n, Missing::Name(n.clone()))
            }
            Reference::Name(_) => Err(invalid(reference, "a full name starts with refs/")),
            Reference::Semver(range) => {
                let parsed = range.parse().map_err(|e| invalid(reference, &format!("{e}")))?;
                Ok(Self::Range {
                    range: parsed,
                    text: range.clone(),
                })
            }
            Reference::Commit { id, .. } => {
                let digits =
                    matches!(id.len(), 40 | 64) && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if !digits {
                    return Err(invalid(
                        reference,
                        "a commit is given by all its 40 or 64 lower case hex digits",
                    ));
                }
                Ok(Self::Commit { id: id.clone() })
            }
        }
    }

    fn prefix(&self) -> Option<String> {
        match self {
            Self::Full { name, .. } => Some(name.clone()),
            Self::Range { .. } => Some("refs/tags/".to_owned()),
            Self::Commit { .. } => None,
        }
    }

    fn missing(self) -> Missing {
        match self {
            Self::Full { missing, .. } => missing,
            Self::Range { text, .. } => Missing::TagInRange(text),
            Self::Commit { id } => Missing::Commit(id),
        }
    }

    fn pick(&self, refs: &[Ref], reference: &Reference) -> Result<Option<Resolved>, GitError> {
        let named = refs.iter().filter_map(tip);
        Ok(match self {
            Self::Full { name, pointer, .. } => named
                .into_iter()
                .find(|(n, _)| n == name)
                .map(|(_, tip)| resolved(Some(pointer), &tip.commit, tip.tag, true)),
            Self::Range { range, .. } => {
                let tags = named.filter_map(|(n, tip)| Some((n.strip_prefix("refs/tags/")?.to_owned(), tip)));
                highest(range, tags, reference)?
                    .map(|(name, tip)| resolved(Some(&name), &tip.commit, tip.tag, true))
            }
            Self::Commit { id } => {
                let tips: Vec<_> = named.map(|(_, tip)| tip.commit).collect();
                let Reference::Commit { branch, .. } = reference else {
                    return Ok(None);
                };
                let pointer = branch.as_deref().filter(|b| !b.is_empty());
                (!tips.is_empty()).then(|| resolved(pointer, id, None, tips.contains(id)))
            }
        })
    }
}

/// The highest version in the range; a tag's leading `v` does not count.
fn highest(
    range: &Range,
    tags: impl Iterator<Item = (String, Tip)>,
    reference: &Reference,
) -> Result<Option<(String, Tip)>, GitError> {
    let versions = tags.filter_map(|(tag, tip)| {
        let version = semver::Version::parse(tag.strip_prefix('v').unwrap_or(&tag)).ok()?;
        range.matches(&version).then_some((version, tag, tip))
    });
    let mut matching: Vec<_> = versions.collect();
    matching.sort_by(|a, b| a.0.cmp_precedence(&b.0));
    let Some((top, tag, tip)) = matching.pop() else {
        return Ok(None);
    };
    match matching.last() {
        Some((next, other, _)) if next.cmp_precedence(&top).is_eq() && next.build != top.build => {
            Err(invalid(
                reference,
                &format!(
                    "tags {tag:?} and {other:?} differ in build metadata only; name one with spec.ref.tag"
                ),
            ))
        }
        _ => Ok(Some((tag, tip))),
    }
}

fn invalid(reference: &Reference, message: &str) -> GitError {
    GitError::InvalidReference {
        reference: reference.to_string(),
        message: message.to_owned(),
    }
}

fn resolved(pointer: Option<&str>, id: &str, tag: Option<String>, advertised: bool) -> Resolved {
    Resolved {
        revision: Revision::git(pointer, id),
        commit: id.to_owned(),
        pointer: pointer.map(ToOwned::to_owned),
        tag,
        advertised,
    }
}

/// Where a reference leads.
struct Tip {
    commit: String,
    /// An annotated tag is an object of its own, between the reference and the commit.
    tag: Option<String>,
}

fn tip(r: &Ref) -> Option<(String, Tip)> {
    let (name, target, peeled) = r.unpack();
    let tip = Tip {
        commit: peeled.or(target)?.to_string(),
        tag: peeled.and(target).map(|tag| tag.to_owned().to_string()),
    };
    Some((name.to_string(), tip))
}

use std::collections::BTreeMap;

use tenure_core::{Secret, SourceUrl};
use tenure_git::child::{self, Job};
use tenure_git::github::{self, App, Installation};
use tenure_git::{Credential, Filter, GitError, Limits, Missing, Reference, Remote, Resolved};
use tenure_net::Guard;
use tenure_proto::source::{self, FailureKind, GitSpec, credential, git_spec};

use super::{Answer, Budget, Fetched, Found, Opened, Room, invalid, short};
use crate::failure::Failure;
use crate::service::local;

/// Most sparse paths.
const MAX_SPARSE: usize = 256;

/// A reference of a Git repository.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    remote: Remote,
    /// Whose key has to be changed for what opens the remote.
    app: Option<App>,
    reference: Reference,
    filter: Filter,
}

impl Git {
    pub(super) fn read(
        spec: GitSpec,
        credential: source::Credential,
        guard: &Guard,
    ) -> Result<Self, Failure> {
        check_sizes(&spec)?;
        let url = url(&spec.url)?;
        let (remote, app) = remote(url, credential, guard)?;
        Ok(Self {
            remote,
            app,
            reference: reference(&spec),
            filter: Filter {
                ignore: spec.has_ignore.then_some(spec.ignore),
                sparse: spec.sparse,
                submodules: spec.submodules.then_some(spec.submodule_prefixes),
            },
        })
    }

    pub(super) fn name(&self) -> String {
        self.remote.url.remote_key()
    }

    pub(super) fn trust(&self) -> Vec<&[u8]> {
        super::trust(&self.remote.outbound)
    }

    pub(super) fn reference(&self) -> String {
        format!("{:?}", self.reference)
    }

    pub(super) fn shape(&self) -> Vec<&str> {
        let sparse = self.filter.sparse.iter().map(String::as_str);
        let prefixes = self.filter.submodules.iter();
        let submodules =
            prefixes.flat_map(|all| std::iter::once("submodules of").chain(all.iter().map(String::as_str)));
        super::ignore(self.filter.ignore.as_deref())
            .into_iter()
            .chain(sparse)
            .chain(submodules)
            .collect()
    }

    pub(super) const fn is_private(&self) -> bool {
        self.filter.submodules.is_some()
    }

    pub(super) fn secrets(&self) -> Vec<&str> {
        let mut secrets = match &self.remote.credential {
            // Hosts also take a token in the user's place.
            Credential::Basic { username, password } => {
                vec![
                    password.expose_str(),
                    Some(username.as_str()).filter(|name| name.len() >= 20),
                ]
            }
            Credential::Bearer { token } => vec![token.expose_str()],
            Credential::Ssh {
                passphrase, identity, ..
            } => {
                vec![
                    passphrase.as_ref().and_then(Secret::expose_str),
                    identity.expose_str(),
                ]
            }
            Credential::None => vec![],
        };
        let url = &self.remote.url;
        secrets.push(match url.expose_password() {
            None if url.scheme() != "ssh" => url.user(),
            password => password,
        });
        secrets.push(self.app.as_ref().and_then(|app| app.key.expose_str()));
        secrets.push(super::proxy_password(&self.remote.outbound));
        secrets.into_iter().flatten().collect()
    }

    pub(super) fn log_in(&self, budget: Budget) -> Option<Job> {
        let mut outbound = self.remote.outbound.clone();
        // the API may be another host than the repository's, and the certificate is for that one
        outbound.tls.client_certificate = None;
        Some(Job::LogIn {
            app: self.app.clone()?,
            outbound,
            limits: limits(budget),
        })
    }

    pub(super) fn open_with(&mut self, token: Secret) {
        self.remote.credential = Credential::Basic {
            username: github::USER.to_owned(),
            password: token,
        };
    }

    pub(super) fn resolve(&self, budget: Budget) -> Job {
        Job::Resolve {
            remote: self.remote.clone(),
            reference: self.reference.clone(),
            limits: limits(budget),
        }
    }

    pub(super) fn fetch(&self, found: &Found, room: Room, budget: Budget) -> Result<Job, Failure> {
        Ok(Job::Fetch {
            remote: self.remote.clone(),
            resolved: Resolved {
                revision: found.revision.clone(),
                commit: found.content.clone(),
                pointer: found.pointer.clone(),
                tag: found.through.clone(),
                advertised: found.advertised,
            },
            odb_dir: room
                .objects
                .ok_or_else(|| local("keep a remote's objects", "it has no place for them"))?,
            out: room.out,
            filter: self.filter.clone(),
            limits: limits(budget),
        })
    }
}

pub(super) fn answer(answer: child::Answer) -> Answer {
    match answer {
        child::Answer::Token(token) => Answer::Opened(Opened::Token(token.token), token.good_for),
        child::Answer::Resolved(resolved) => Answer::Found(Found {
            revision: resolved.revision,
            content: resolved.commit,
            pointer: resolved.pointer,
            through: resolved.tag,
            advertised: resolved.advertised,
            validators: None,
        }),
        child::Answer::Fetched(fetched) => Answer::Fetched(Fetched {
            digest: fetched.digest,
            size: fetched.size,
            subject: fetched.commit_message_first_line,
            media_type: None,
            annotations: BTreeMap::new(),
            dropped_links: fetched.dropped_symlinks,
            objects: fetched.objects,
            downloaded: fetched.packed_bytes,
        }),
        child::Answer::Failed(error) => Answer::Failed(failure(&error)),
    }
}

pub(super) fn url(text: &str) -> Result<SourceUrl, Failure> {
    text.parse()
        .map_err(|error| invalid(&format!("can't use the URL: {error}")))
}

fn check_sizes(spec: &GitSpec) -> Result<(), Failure> {
    let reference = match &spec.r#ref {
        Some(
            git_spec::Ref::Branch(text)
            | git_spec::Ref::Tag(text)
            | git_spec::Ref::Semver(text)
            | git_spec::Ref::Name(text)
            | git_spec::Ref::Commit(text),
        ) => text,
        None => "",
    };
    let mut texts = vec![spec.url.as_str(), reference, &spec.commit_branch];
    texts.extend(spec.sparse.iter().map(String::as_str));
    texts.extend(spec.submodule_prefixes.iter().map(String::as_str));
    short(&texts, &spec.ignore)?;
    if spec.sparse.len() > MAX_SPARSE {
        return Err(invalid(&format!(
            "more than {MAX_SPARSE} directories are asked for"
        )));
    }
    Ok(())
}

fn reference(spec: &GitSpec) -> Reference {
    match &spec.r#ref {
        None => Reference::default(),
        Some(git_spec::Ref::Branch(name)) => Reference::Branch(name.clone()),
        Some(git_spec::Ref::Tag(name)) => Reference::Tag(name.clone()),
        Some(git_spec::Ref::Semver(range)) => Reference::Semver(range.clone()),
        Some(git_spec::Ref::Name(name)) => Reference::Name(name.clone()),
        Some(git_spec::Ref::Commit(id)) => Reference::Commit {
            id: id.clone(),
            branch: Some(spec.commit_branch.clone()).filter(|branch| !branch.is_empty()),
        },
    }
}

fn remote(url: SourceUrl, from: source::Credential, guard: &Guard) -> Result<(Remote, Option<App>), Failure> {
    let outbound = super::outbound(&from, guard)?;
    let mut app = None;
    let credential = match from.kind {
        None => Credential::None,
        Some(credential::Kind::Basic(basic)) => Credential::Basic {
            username: basic.username,
            password: Secret::from(basic.password),
        },
        Some(credential::Kind::Bearer(token)) => Credential::Bearer {
            token: Secret::from(token),
        },
        Some(credential::Kind::Ssh(ssh)) => Credential::Ssh {
            identity: Secret::new(ssh.identity),
            passphrase: Some(ssh.passphrase)
                .filter(|text| !text.is_empty())
                .map(Secret::from),
            known_hosts: String::from_utf8(ssh.known_hosts)
                .map_err(|_| Failure::new(FailureKind::HostKeyMismatch, "known_hosts is not text"))?,
            username: Some(ssh.username).filter(|name| !name.is_empty()),
        },
        Some(credential::Kind::GithubApp(given)) => {
            if url.scheme() != "https" {
                return Err(invalid("a GitHub App opens https URLs only"));
            }
            app = Some(github_app(given)?);
            Credential::None
        }
        Some(_) => {
            return Err(invalid(
                "a Git host takes no registry's identity token, no keys of a bucket and no workload",
            ));
        }
    };
    let mut remote = Remote::new(url, credential);
    remote.outbound = outbound;
    if remote.url.scheme() == "ssh" {
        // as in Flux, a proxy is for https
        remote.outbound.proxy = None;
    }
    Ok((remote, app))
}

fn github_app(given: source::GithubApp) -> Result<App, Failure> {
    short(&[&given.id, &given.installation_owner, &given.api_url], "")?;
    let installation = match (given.installation_id, given.installation_owner.is_empty()) {
        (0, false) => Installation::Owner(given.installation_owner),
        (id, true) if id > 0 => Installation::Id(id),
        _ => return Err(invalid("an installation is named by its id or by its owner")),
    };
    let api = match given.api_url.is_empty() {
        true => github::API.to_owned(),
        false => given.api_url,
    };
    Ok(App {
        id: given.id,
        installation,
        key: Secret::new(given.private_key),
        api,
    })
}

fn limits(budget: Budget) -> Limits {
    let usual = Limits::default();
    Limits {
        artifact_bytes: budget.bytes,
        pack_bytes: usual.pack_bytes.max(budget.bytes.saturating_mul(2)),
        timeout: budget.timeout,
        ..usual
    }
}

/// What the child says of the remote, in the protocol's words.
fn failure(error: &GitError) -> Failure {
    let kind = match error {
        GitError::AuthenticationFailed { .. } => FailureKind::AuthenticationFailed,
        GitError::HostKeyMismatch { .. } => FailureKind::HostKeyMismatch,
        GitError::NotFound { .. } => FailureKind::NotFound,
        GitError::InvalidReference { .. } => FailureKind::InvalidReference,
        GitError::Unavailable { .. }
        | GitError::RateLimited { .. }
        | GitError::Forbidden { .. }
        | GitError::Timeout { .. } => FailureKind::UpstreamUnavailable,
        GitError::TooLarge { .. } => FailureKind::TooLarge,
        GitError::EmptyRepository { .. } => FailureKind::EmptyRepository,
        GitError::Malformed { .. } => FailureKind::Malformed,
        GitError::Local { .. } => return local("keep a remote's objects", error),
    };
    let mut failure = Failure::new(kind, error.to_string());
    if let GitError::RateLimited { retry_after, .. } = error {
        failure.retry_after = *retry_after;
        failure.limited = true;
    }
    // Hosts hide what they refuse to show: to them, too, the credential is no longer good.
    failure.refused = matches!(
        error,
        GitError::AuthenticationFailed { .. }
            | GitError::NotFound {
                what: Missing::Repository,
                ..
            }
    );
    failure
}

//! Resolve: ask the remote, then find or make the artifact.
//!
//! The order is the point: nobody is told of an artifact before the remote has accepted that caller's
//! own credential for the revision, and the question to the remote is shared between callers of one credential only.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tenure_core::{Digest, Name};
use tenure_proto::source::{Artifact, FailureKind, GitObject, Link, ResolveRequest, ResolveResponse};
use tokio::time::timeout_at;

use super::Cache;
use super::fetch::MEDIA_TYPE;
use super::homes::Owed;
use crate::failure::Failure;
use crate::grant::Scope;
use crate::inventory::Item;
use crate::memo::{Entry, Key};
use crate::once::Role;
use crate::proof::{Located, Proof};
use crate::request::Ask;
use crate::source::Found;
use crate::tokens;

/// Metadata of an artifact: links that are not in it have this before their path, and their target as value.
const DROPPED_LINK: &str = "dropped-symlink:";

/// One caller's question, for as long as it is being answered.
struct Question {
    cache: Arc<Cache>,
    scope: Scope,
    ask: Arc<Ask>,
}

/// Answers one Resolve.
pub(super) async fn resolve(
    cache: &Arc<Cache>,
    home: &Name,
    request: ResolveRequest,
) -> Result<ResolveResponse, Failure> {
    let ask = Arc::new(Ask::read(home, request, &cache.limits, &cache.proofs)?);
    let deadline = tokio::time::Instant::now() + ask.timeout;
    let mut question = Question {
        cache: cache.clone(),
        scope: Scope {
            home: home.clone(),
            remote: ask.name.clone(),
        },
        ask,
    };
    let answer = async {
        question.log_in().await?;
        question.signed_answer().await
    };
    let answer = timeout_at(deadline, Box::pin(answer)).await.unwrap_or_else(|_| {
        let (name, timeout) = (&question.ask.name, question.ask.timeout);
        let message = format!("{name} did not give the artifact within {timeout:?}");
        Err(Failure::new(FailureKind::UpstreamUnavailable, message)
            .hint("raise spec.timeout if it is just slow"))
    });
    answer.map_err(|failure| {
        if let Some((subject, _)) = &question.ask.lease {
            cache.leases.end(home, subject);
        }
        // the next try is not answered with what was heard before this one
        cache.proofs.forget(&question.scope);
        cache.answers.forget(&question.ask.question());
        failure.scrub(&question.ask.source.secrets())
    })
}

impl Question {
    /// Gets what opens the remote, if the caller has brought the key of an App or is a workload.
    async fn log_in(&mut self) -> Result<(), Failure> {
        let opened = opened(&self.cache, &self.scope.home, &self.ask).await;
        self.ask = self.refusal_revokes(opened)?;
        Ok(())
    }

    /// The answer, with the signatures of what it names if they are wanted: unverified, asked for with the caller's
    /// own credential, and kept for nobody.
    async fn signed_answer(&self) -> Result<ResolveResponse, Failure> {
        let (proof, mut response) = self.answer().await?;
        if self.ask.signatures {
            let slot = self.slot().await?;
            let content = proof.found.whole();
            let found = self.cache.fetchers.signatures(&slot, &self.ask, &content);
            let found = heeded(&self.cache, &self.ask, found).await;
            response.signatures = self.refusal_revokes(found)?;
        }
        Ok(response)
    }

    async fn answer(&self) -> Result<(Proof, ResolveResponse), Failure> {
        let (proof, entry) = match self.remembered().await {
            Some((proof, Some(entry))) => (proof, entry),
            Some((proof, None)) => {
                let entry = self.artifact(&proof.found).await?;
                (proof, entry)
            }
            None => {
                let located = match self.heard() {
                    Some(located) => located,
                    None => {
                        let located = locate(&self.cache, &self.scope.home, &self.ask).await;
                        self.refusal_revokes(located)?
                    }
                };
                let entry = self.artifact(&located.found).await?;
                let proof = Proof::of(&located, self.ask.fingerprint);
                self.cache
                    .proofs
                    .record(&self.scope, &self.ask.reference(), proof.clone());
                (proof, entry)
            }
        };
        let mut response = self.grant(&proof, &entry)?;
        let lease = self.lease(&response.revision);
        response.leased_for = lease.and_then(|time| time.try_into().ok());
        Ok((proof, response))
    }

    /// The caller's own proof, if it accepts one of that age, and its artifact if it is here. Without the artifact a
    /// proof serves only if the remote itself has named the content.
    async fn remembered(&self) -> Option<(Proof, Option<Entry>)> {
        let proof = self.cache.proofs.fresh(
            &self.scope,
            &self.ask.reference(),
            &self.ask.fingerprint,
            self.ask.max_age,
        )?;
        let entry = self.cache.disk.recall(self.key(&proof.found.whole())).await;
        let entry = entry.filter(|entry| entry.size <= self.ask.max_bytes);
        (entry.is_some() || proof.found.advertised).then_some((proof, entry))
    }

    /// What the remote has said just now to another home with the same credential. After a refusal the remote has to
    /// be asked again: a grant of before would open nothing.
    fn heard(&self) -> Option<Located> {
        let located = self
            .cache
            .answers
            .recent(&self.ask.question(), self.ask.max_age)?;
        (!self.cache.grants.is_revoked(&self.scope, located.stamp)).then_some(located)
    }

    /// Keeps asking for a caller who wants to sleep.
    fn lease(&self, revision: &str) -> Option<Duration> {
        let (subject, every) = self.ask.lease.as_ref()?;
        let question = (self.ask.question(), &self.ask);
        self.cache
            .leases
            .take((&self.scope.home, subject), *every, question, revision.to_owned())
    }

    /// The artifact of what the remote has named to this caller.
    async fn artifact(&self, found: &Found) -> Result<Entry, Failure> {
        let key = self.key(&found.whole());
        if !found.advertised {
            // Only a download with the caller's credential shows that it may have the content.
            let exported = export(
                self.cache.clone(),
                self.scope.home.clone(),
                self.ask.clone(),
                found.clone(),
                key,
            );
            return self.refusal_revokes(Box::pin(exported).await);
        }
        loop {
            if let Some(entry) = self.cache.disk.recall(key).await {
                return self.within_limit(entry);
            }
            let work = export(
                self.cache.clone(),
                self.scope.home.clone(),
                self.ask.clone(),
                found.clone(),
                key,
            );
            match self.cache.exports.run(&key, work).await {
                (Role::Led, result) => return self.within_limit(self.refusal_revokes(result)?),
                (Role::Joined, Ok(entry)) => return self.within_limit(entry),
                // It was another caller's credential, limit or time that did not suffice.
                (Role::Joined, Err(_)) => {}
            }
        }
    }

    fn within_limit(&self, entry: Entry) -> Result<Entry, Failure> {
        if entry.size <= self.ask.max_bytes {
            return Ok(entry);
        }
        let (name, size, limit) = (&self.ask.name, entry.size, self.ask.max_bytes);
        let message =
            format!("{name} is too large: an archive of {size} bytes, at most {limit} are accepted");
        Err(Failure::new(FailureKind::TooLarge, message))
    }

    /// A remote that refuses the credential ends what this home has got from it.
    fn refusal_revokes<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &result
            && failure.refused
        {
            self.cache.forget(&self.scope, self.ask.login.as_ref());
        }
        result
    }

    fn grant(&self, proof: &Proof, entry: &Entry) -> Result<ResolveResponse, Failure> {
        let artifact = (entry.digest, entry.size);
        let (grant, expires) =
            self.cache
                .grants
                .issue(&self.scope, artifact, &proof.found.revision, proof.stamp);
        let revision = proof.found.revision.to_string();
        let item = Item {
            kind: self.ask.source.kind(),
            revision: revision.clone(),
            size: entry.size,
            made: entry.made,
        };
        let inventory = &self.cache.inventory;
        inventory.note(&self.scope, self.ask.reference(), entry.digest, item);
        let dropped = entry.dropped_links.iter();
        let dropped = dropped.map(|(path, target)| (format!("{DROPPED_LINK}{path}"), target.clone()));
        let said = entry.annotations.clone().into_iter();
        // whoever made the artifact does not say what the cache has left out of it
        let metadata = said
            .filter(|(name, _)| !name.starts_with(DROPPED_LINK))
            .chain(dropped)
            .collect();
        let media_type = entry.media_type.clone().unwrap_or_else(|| MEDIA_TYPE.into());
        let link = self.cache.host.as_ref().zip(self.ask.link_for);
        let link = link.map(|(host, time)| {
            let prover = (&self.scope, proof.stamp);
            Link {
                host: host.clone(),
                name: self.cache.links.issue(prover, artifact, &media_type, time),
            }
        });
        Ok(ResolveResponse {
            not_modified: revision == self.ask.known_revision,
            revision,
            artifact: Some(Artifact {
                digest: entry.digest.to_string(),
                size: entry.size,
                media_type,
                metadata,
            }),
            grant,
            proven_at: Some(proof.wall.into()),
            grant_expires_at: Some(expires.into()),
            commit_message: entry.subject.clone(),
            objects: if self.ask.objects {
                objects(entry)
            } else {
                Vec::new()
            },
            signatures: Vec::new(),
            leased_for: None,
            link,
        })
    }

    async fn slot(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Failure> {
        slot(&self.cache, &self.scope.home, &self.ask).await
    }

    fn key(&self, content: &str) -> Key {
        let owner = self.ask.source.is_private().then(|| {
            let fingerprint = Digest::of(&self.ask.fingerprint).hex();
            format!("only {} {fingerprint}", self.scope.home)
        });
        let mut shape = self.ask.source.shape();
        shape.extend(owner.as_deref());
        Key::new(&self.ask.realm, content, &shape)
    }
}

/// The same question with what opens the remote, if the caller has brought the key of an App or is a workload.
async fn opened(cache: &Arc<Cache>, home: &Name, ask: &Arc<Ask>) -> Result<Arc<Ask>, Failure> {
    let Some(key) = ask.login else {
        return Ok(ask.clone());
    };
    let opened = tokens::opened(cache, home, ask, key).await?;
    let mut ask = Ask::clone(ask);
    ask.source.open_with(opened);
    Ok(Arc::new(ask))
}

/// Asks the remote where the reference is. Whoever asks the same with the same credential meanwhile is told the same;
/// `home` is whose turn it is.
pub(crate) async fn locate(cache: &Arc<Cache>, home: &Name, ask: &Arc<Ask>) -> Result<Located, Failure> {
    let work = {
        let (cache, home, ask) = (cache.clone(), home.clone(), ask.clone());
        async move {
            let ask = opened(&cache, &home, &ask).await?;
            let place = slot(&cache, &home, &ask).await?;
            // taken before the remote is asked, so that a refusal that comes meanwhile wins
            let stamp = cache.grants.stamp();
            let (at, wall) = (Instant::now(), SystemTime::now());
            let known = cache.answers.state(&ask.question());
            let asking = cache.fetchers.resolve(&place, &ask, known.as_ref());
            let found = heeded(&cache, &ask, asking).await?;
            Ok(Located {
                found,
                stamp,
                at,
                wall,
            })
        }
    };
    let question = ask.question();
    if let Some(failure) = cache.refusals.recent(&question, ask.max_age) {
        return Err(failure);
    }
    let key = (question, ask.timeout);
    let (_, located) = cache.questions.run(&key, work).await;
    match &located {
        Ok(located) => cache.answers.note(key.0, located),
        Err(failure) => {
            cache.answers.forget(&key.0);
            cache.refusals.note(key.0, failure);
        }
    }
    located
}

fn objects(entry: &Entry) -> Vec<GitObject> {
    let objects = entry.objects.iter();
    let objects = objects.filter_map(|object| {
        Some(GitObject {
            id: object.id.clone(),
            is_tag: object.is_tag,
            data: STANDARD.decode(&object.base64).ok()?,
        })
    });
    objects.collect()
}

/// Does a job, and leaves the host alone from then on if that is what it asks for.
async fn heeded<T>(
    cache: &Cache,
    ask: &Ask,
    job: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let result = job.await;
    if let Err(failure) = &result
        && failure.limited
        && let Some(wait) = failure.retry_after
    {
        cache.hosts.leave_alone(&ask.name, wait);
    }
    result
}

/// Waits for the host's turn, and then for the home's.
async fn slot(cache: &Cache, home: &Name, ask: &Ask) -> Result<tokio::sync::OwnedSemaphorePermit, Failure> {
    cache.hosts.turn(&ask.name).await?;
    cache
        .homes
        .fetcher(home)
        .await
        .ok_or_else(|| local("wait for a fetcher", "the cache is ending"))
}

/// Downloads the content if need be, packs it, and takes the archive into the store.
async fn export(
    cache: Arc<Cache>,
    home: Name,
    ask: Arc<Ask>,
    found: Found,
    key: Key,
) -> Result<Entry, Failure> {
    // another's may have come since the caller looked
    if let Some(entry) = cache.disk.recall(key).await.filter(|_| found.advertised) {
        return Ok(entry);
    }
    let place = slot(&cache, &home, &ask).await?;
    // whoever goes away meanwhile owes it all the same
    let owed = affordable(&cache, &home, &ask)?;
    let packing = cache.fetchers.fetch(&place, &cache.disk, &ask, &found);
    let packed = Box::pin(heeded(&cache, &ask, packing)).await;
    match &packed {
        Ok(archive) => owed.settle(archive.downloaded),
        Err(failure) if failure.wasteful => owed.settle(ask.max_bytes),
        Err(_) => drop(owed),
    }
    let packed = packed?;
    let entry = packed.entry.clone();
    let kept = cache.disk.keep(packed.file.clone(), key, entry.clone()).await;
    kept.map_err(|error| local("keep an artifact", error))?;
    tracing::info!(remote = ask.name, revision = %found.revision, digest = %entry.digest, size = entry.size, "new artifact");
    Ok(entry)
}

/// Whether the home may have something downloaded now.
fn affordable<'c>(cache: &'c Cache, home: &Name, ask: &Ask) -> Result<Owed<'c>, Failure> {
    let afforded = cache.homes.afford(home, ask.bytes_per_hour, ask.max_bytes);
    afforded.map_err(|wait| {
        let message = format!(
            "the namespace's budget of {} bytes an hour for downloads is used up: {} is not fetched for another {} min",
            ask.bytes_per_hour,
            ask.name,
            wait.as_secs().div_ceil(60)
        );
        let mut failure = Failure::new(FailureKind::OverBudget, message)
            .hint("make what is fetched smaller or rarer, or raise spec.limits.fetchPerHour of the Tenant");
        failure.retry_after = Some(wait);
        failure
    })
}

/// The cache's own trouble, which is none of the remote's.
pub(crate) fn local(what: &str, error: impl std::fmt::Display) -> Failure {
    tracing::error!(what, %error, "the cache failed");
    let mut failure = Failure::new(
        FailureKind::UpstreamUnavailable,
        format!("the source cache can't {what}"),
    );
    failure.retry_after = Some(Duration::from_secs(10));
    failure
}

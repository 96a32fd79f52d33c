//! The gRPC service: authenticates every call, then resolves or fetches.

mod fetch;
mod homes;
mod movements;
mod resolve;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use tenure_core::Name;
use tenure_proto::source::sources_server::Sources;
use tenure_proto::source::{
    FetchChunk, FetchRequest, HintRequest, HintResponse, ReleaseRequest, ReleaseResponse, ResolveRequest,
    ResolveResponse,
};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::Limits;
use crate::answers::Answers;
use crate::auth::Authenticator;
use crate::disk::{Disk, Keep};
use crate::failure::Failure;
use crate::fetcher::Fetchers;
use crate::grant::{Grants, Scope};
use crate::hosts::Hosts;
use crate::inventory::Inventory;
use crate::leases::{Leases, Question};
use crate::links::Links;
use crate::memo::{Entry, Key};
use crate::metrics::Metrics;
use crate::negative::Refusals;
use crate::once::Once;
use crate::proof::{Fingerprint, Located, Proofs};
use crate::source;
use crate::tokens::Tokens;

pub(crate) use homes::Homes;
pub(crate) use movements::Listening;
pub(crate) use resolve::{local, locate};

/// Everything a call needs.
pub(crate) struct Cache {
    pub(crate) auth: Authenticator,
    pub(crate) grants: Grants,
    pub(crate) proofs: Proofs,
    pub(crate) tokens: Tokens,
    pub(crate) disk: Disk,
    pub(crate) fetchers: Fetchers,
    pub(crate) exports: Once<Key, Result<Entry, Failure>>,
    pub(crate) questions: Once<(Question, Duration), Result<Located, Failure>>,
    pub(crate) answers: Answers,
    pub(crate) inventory: Inventory,
    pub(crate) refusals: Refusals,
    pub(crate) leases: Leases,
    pub(crate) links: Links,
    /// How consumers reach the artifact endpoint, if there is one.
    pub(crate) host: Option<String>,
    pub(crate) homes: Homes,
    pub(crate) hosts: Hosts,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
}

/// The service, over one cache.
pub(crate) struct Service(pub(crate) Arc<Cache>);

impl Service {
    fn home(&self, metadata: &MetadataMap) -> Result<Name, Status> {
        self.0.auth.home(metadata).map_err(|refusal| {
            tracing::debug!(reason = refusal.as_str(), "refused a token");
            self.0.metrics.refused(refusal.as_str());
            Failure::unauthenticated()
        })
    }
}

#[tonic::async_trait]
impl Sources for Service {
    async fn resolve(&self, request: Request<ResolveRequest>) -> Result<Response<ResolveResponse>, Status> {
        let home = self.home(request.metadata())?;
        let _call = self.0.homes.enter(&home).ok_or_else(Failure::busy)?;
        let result = Box::pin(resolve::resolve(&self.0, &home, request.into_inner())).await;
        self.0.metrics.resolve(match &result {
            Ok(_) => "OK",
            Err(failure) => failure.kind.as_str_name(),
        });
        match result {
            Ok(response) => Ok(Response::new(response)),
            Err(failure) => {
                tracing::info!(%home, kind = failure.kind.as_str_name(), message = failure.message, "resolve failed");
                Err(failure.status())
            }
        }
    }

    type FetchStream = Pin<Box<dyn Stream<Item = Result<FetchChunk, Status>> + Send>>;

    async fn fetch(&self, request: Request<FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        let home = self.home(request.metadata())?;
        let call = self.0.homes.enter(&home).ok_or_else(Failure::busy)?;
        let result = fetch::fetch(&self.0, &home, request.into_inner(), call).await;
        self.0.metrics.fetch(match &result {
            Ok(_) => "OK",
            Err(status) => status.code().description(),
        });
        result.map(Response::new)
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let home = self.home(request.metadata())?;
        let remote = source::name_of(&request.into_inner().url).map_err(|failure| failure.status())?;
        self.0.leases.release(&home, &remote);
        self.0.forget(&Scope { home, remote }, None);
        Ok(Response::new(ReleaseResponse {}))
    }

    async fn hint(&self, request: Request<HintRequest>) -> Result<Response<HintResponse>, Status> {
        let home = self.home(request.metadata())?;
        let _call = self.0.homes.enter(&home).ok_or_else(Failure::busy)?;
        let remote = source::name_of(&request.into_inner().url).map_err(|failure| failure.status())?;
        self.0.leases.hint(&remote);
        Ok(Response::new(HintResponse {}))
    }
}

impl Cache {
    /// Ends what a home has proved to a remote, the grants that came of it, and what it was opened with.
    pub(crate) fn forget(&self, scope: &Scope, login: Option<&Fingerprint>) {
        self.grants.revoke(scope);
        self.proofs.forget(scope);
        self.inventory.forget(scope);
        if let Some(login) = login {
            self.tokens.forget(login);
        }
    }

    /// Forgets what nobody can use any more.
    pub(crate) async fn sweep(&self) {
        self.proofs.sweep();
        self.tokens.sweep();
        self.grants.sweep(self.limits.longest_resolve);
        self.homes.sweep();
        self.hosts.sweep();
        self.answers.sweep();
        self.refusals.sweep();
        let keep = Keep {
            bytes: self.limits.store_bytes,
            age: self.limits.store_age,
        };
        let mut held = self.grants.held();
        held.extend(self.links.held(&self.grants));
        match self.disk.sweep(keep, held).await {
            Ok(done) => {
                self.metrics
                    .stored
                    .set(i64::try_from(done.kept).unwrap_or(i64::MAX));
                if done.count > 0 {
                    tracing::info!(count = done.count, freed = done.freed, "evicted artifacts");
                }
            }
            Err(error) => tracing::warn!(%error, "can't clean up the data directory"),
        }
        self.take_stock().await;
    }

    /// What is listed is what is on disk.
    pub(crate) async fn take_stock(&self) {
        match self.disk.present().await {
            Ok(present) => self.inventory.keep(&present),
            Err(error) => tracing::warn!(%error, "can't list the artifacts"),
        }
    }
}

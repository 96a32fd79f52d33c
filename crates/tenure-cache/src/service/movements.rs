use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use tenure_proto::source::movements_server::Movements;
use tenure_proto::source::{Inventory, InventoryRequest, Moved, SubscribeRequest};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::Cache;
use crate::failure::Failure;

/// Changes of the list are collected for so long.
const COLLECT: Duration = Duration::from_secs(5);

/// What the supervisor hears, over one cache.
pub(crate) struct Listening(pub(crate) Arc<Cache>);

impl Listening {
    /// Only the supervisor hears anything.
    fn admit<T>(&self, request: &Request<T>) -> Result<(), Status> {
        self.0.auth.supervisor(request.metadata()).map_err(|refusal| {
            tracing::debug!(reason = refusal.as_str(), "refused a token");
            self.0.metrics.refused(refusal.as_str());
            Failure::unauthenticated()
        })
    }
}

#[tonic::async_trait]
impl Movements for Listening {
    type InventoryStream = Pin<Box<dyn Stream<Item = Result<Inventory, Status>> + Send>>;

    async fn inventory(
        &self,
        request: Request<InventoryRequest>,
    ) -> Result<Response<Self::InventoryStream>, Status> {
        self.admit(&request)?;
        let ending = || Status::unavailable("the source cache is ending");
        let changes = self.0.inventory.changes().ok_or_else(ending)?;
        let first = (self.0.clone(), changes, true);
        let lists = stream::unfold(first, |(cache, mut changes, first)| async move {
            if !first {
                changes.changed().await.ok()?;
                tokio::time::sleep(COLLECT).await;
            }
            changes.mark_unchanged();
            cache.take_stock().await;
            Some((Ok(cache.inventory.list()), (cache, changes, false)))
        });
        Ok(Response::new(Box::pin(lists)))
    }

    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<Moved, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        self.admit(&request)?;
        let words = ReceiverStream::new(self.0.leases.listen());
        Ok(Response::new(Box::pin(words.map(Ok))))
    }
}

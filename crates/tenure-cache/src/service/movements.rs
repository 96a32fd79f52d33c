use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use tenure_proto::source::movements_server::Movements;
use tenure_proto::source::{Moved, SubscribeRequest};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::Cache;
use crate::failure::Failure;

/// What the supervisor hears, over one cache.
pub(crate) struct Listening(pub(crate) Arc<Cache>);

#[tonic::async_trait]
impl Movements for Listening {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<Moved, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        self.0.auth.supervisor(request.metadata()).map_err(|refusal| {
            tracing::debug!(reason = refusal.as_str(), "refused a token");
            self.0.metrics.refused(refusal.as_str());
            Failure::unauthenticated()
        })?;
        let words = ReceiverStream::new(self.0.leases.listen());
        Ok(Response::new(Box::pin(words.map(Ok))))
    }
}

//! The one way to the API server.
//!
//! A client here is always somebody: the worker itself ([`OwnClient`]), a tenant's ServiceAccount
//! ([`ActingClient`], on this cluster or on a [`RemoteCluster`] with that one's own credential), a home whose metadata is watched ([`MetadataClient`]), the supervisor
//! ([`SupervisorClient`]) or who lets go of a home's rights ([`ReleaseClient`]). They are different
//! types, so that a request of the one cannot be sent with the rights of the other.
//!
//! What it refuses:
//! - plain HTTP, and servers whose certificate the given CA did not sign;
//! - a client without an identity: there is one private constructor, and it takes a token;
//! - `get`, `create` and `update` under impersonation: an [`ActingClient`] reads by LIST and writes
//!   by server-side apply, JSON patch and delete, which is all that a worker's Role allows;
//! - path segments that are empty, `.` or `..`; everything else is percent-encoded.
//!
//! What holds:
//! - HTTP/2 only, at most 90 streams on one connection (the API server lets the 101st hang);
//! - tokens are read at each request from a [`TokenCell`], never printed, and a 401 is retried once
//!   when the token has changed meanwhile;
//! - `Retry-After` is honoured with a bound, broken connections are dialled again;
//! - every failure says verb, resource, object, as whom, and what the server said.

mod acting;
mod call;
mod caller;
mod cluster;
mod connection;
mod discovery;
mod error;
mod event;
mod everywhere;
mod metadata;
mod own;
mod release;
mod remote;
mod resource;
mod supervisor;
mod watch;

pub use acting::{ActingClient, Applied, ApplyParams, DeleteParams, Deletion, Propagation};
pub use cluster::{Cluster, TokenCell};
pub use connection::{Connection, Resolve};
pub use discovery::Discovery;
pub use error::{Cause, KubeError, RoleRule};
pub use event::{EventDraft, EventKind, Regarding};
pub use everywhere::{EverywhereEvent, EverywhereStream, Placed, Wanted};
pub use metadata::{Meta, MetaEvent, MetaStream, MetadataClient, Referent};
pub use own::{FINALIZER, FinalizerChange, OwnClient};
pub use release::{ReleaseClient, Standing};
pub use remote::{KubeconfigError, RemoteCluster};
pub use resource::{
    BUCKET, By, EXTERNALARTIFACT, FluxKind, GITREPOSITORY, HELMCHART, HELMREPOSITORY, KUSTOMIZATION,
    OCIREPOSITORY, ResourceInfo,
};
pub use supervisor::{MemberStream, Minted, SupervisorClient, TenantEvent, TenantStream};
pub use watch::{Listing, WatchEvent, WatchStream};

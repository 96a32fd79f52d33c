//! The cache as its callers see it: over TLS, with signed tokens, real fetchers in their sandbox and
//! real Git servers.

#[path = "../../../tenure-worker/src/source_client"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the worker's client, as the worker compiles it"
)]
mod source_client {
    pub(crate) mod client;
    mod error;
    mod fetch;
    pub use client::SourceClient;
    use client::chain;
    pub use error::SourceError;
}

mod faults;
mod github;
mod http;
mod isolation;
mod issuer;
mod leases;
mod links;
mod oci;
mod rig;
mod sharing;
mod tokens;

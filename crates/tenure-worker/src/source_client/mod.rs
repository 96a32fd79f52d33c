//! The worker's way to the source cache: one TLS connection, opened when first needed and again
//! when it was lost; a token on every call; artifacts verified by digest as they arrive.
//!
//! Whatever the cache says, nothing but bytes with the asked-for digest comes out of
//! [`SourceClient::fetch`]. Where the cache has several replicas, [`Replicas`] chooses.

mod adapter;
mod budget;
mod client;
mod error;
mod fetch;
mod openers;
mod replicas;

pub use budget::Standing;
pub(crate) use client::chain;
pub use client::{SourceClient, TokenSource};
pub use error::SourceError;
pub use replicas::Replicas;

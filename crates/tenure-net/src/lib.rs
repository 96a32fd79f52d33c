//! The one way to an HTTP server that a tenant has named: which addresses may be spoken to, whom TLS trusts, which
//! certificate is shown, which proxy is used.
//!
//! What it refuses: an address that the platform does not allow, checked after every look-up of a name and for
//! every URL, so that neither DNS nor a redirect leads to a metadata service or into the cluster; proxies from the
//! environment; to follow a redirect by itself.
//!
//! ```
//! use std::net::IpAddr;
//! use tenure_net::Guard;
//!
//! let guard = Guard::new([], ["10.96.0.0/12".parse()?]);
//! assert!(guard.check("registry", "203.0.113.7".parse::<IpAddr>()?).is_ok());
//! assert!(guard.check("metadata", "169.254.169.254".parse::<IpAddr>()?).is_err());
//! assert!(guard.check("kubernetes", "10.96.0.1".parse::<IpAddr>()?).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod aws;
mod client;
pub mod cloud;
mod guard;
mod hidden;
mod proxy;
mod route;
mod tls;
pub mod wire;

pub use client::{Client, Outbound, Trouble, trouble};
pub use guard::{Cidr, CidrError, Guard, Refused, Unresolved};
pub use hidden::Hidden;
pub use proxy::Proxy;
pub use route::{Failed, Order, Reply, Route};
pub use tls::{ClientCertificate, Tls};

/// Why no client can be made, in words about the tenant's Secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

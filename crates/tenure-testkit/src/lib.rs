//! The rig that Tenure's tests run against: real servers, started on free ports of this machine.
//!
//! - [`ControlPlane`]: etcd, kube-apiserver and kube-controller-manager, built from source by the
//!   Go module in `tests/rig` and kept outside the checkout.
//! - [`rig`]: builds those programs, and the helm and kustomize that people read Tenure's files with.
//! - [`Node`]: says what a kubelet would have said, because none runs.
//! - [`Kubelet`]: runs pods of this very program, as processes.
//! - [`git`]: OpenSSH and HTTPS servers, and repositories to put behind them.
//! - [`oci`]: a registry with logins and TLS, and artifacts to put into it.
//! - [`outcome`]: scenarios that are folders, for these and other controllers.
//! - [`s3`]: a server with buckets.
//! - [`serve`]: HTTPS around what a test wants a remote to do wrong.
//! - [`Proc`] and [`tenure_binary`]: the product as a process that a test may kill.
//! - [`wait`], [`apply`], [`canary`]: the words that tests share.
//!
//! It refuses to imitate: no API server, SSH daemon or Git transport is written here. The one
//! exception is the SSH server for people without root, and that one runs the machine's
//! `git upload-pack`.
//!
//! Invariants: everything listens on 127.0.0.1; nothing outlives the process that asked for it,
//! even when that process is killed, except a control plane brought up on purpose with
//! `cargo xtask control-plane up`; nothing of the machine's own configuration is read or changed.

pub mod apply;
mod binary;
pub mod canary;
mod command;
pub mod control_plane;
pub mod git;
pub mod helm;
pub mod install;
pub mod kubelet;
pub mod net;
pub mod node;
pub mod oci;
pub mod outcome;
pub mod pki;
pub mod places;
pub mod proc;
mod progress;
pub mod proxy;
pub mod rig;
pub mod s3;
pub mod serve;
pub mod wait;

pub use apply::apply_yaml;
pub use binary::tenure_binary;
pub use control_plane::ControlPlane;
pub use install::{Installation, TenantFixture};
pub use kubelet::Kubelet;
pub use node::Node;
pub use proc::Proc;
pub use wait::until;

//! Scenarios that are folders: what a repository holds, what happens on the cluster, and what it must come to.
//!
//! A folder knows nothing of the controllers that play it. So the same folders are a test of this product and a
//! question to any other one; `tests/outcomes/README.md` says how they are written.
//!
//! - [`Scenario::read`]: a folder, checked. What it does not understand is an error, and so is a folder that expects
//!   nothing.
//! - [`Ground`]: a cluster, a Git server and an [`Onboarding`]; [`Ground::play`] plays a scenario there.
//! - [`differences`]: what an object is and should not be.

mod act;
mod compare;
mod home;
mod judge;
mod place;
mod play;
mod read;
mod step;
mod wish;

pub use compare::{Difference, differences};
pub use home::{ACCOUNT, Bound, Home, Onboarding};
pub use play::Ground;
pub use read::{Scenario, folders};

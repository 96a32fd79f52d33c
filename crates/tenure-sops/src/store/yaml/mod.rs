//! YAML as sops handles it: comments are items of their own, scalars have types, and anchors are
//! written out.

mod comments;
mod read;
mod write;

pub(super) use read::load;
pub(super) use write::emit;

//! Pieces of Go's standard library that the engine and the functions stand on.

pub(crate) mod base32;
pub(crate) mod base64;
pub(crate) mod number;
pub(crate) mod path;
pub(crate) mod quote;
pub(crate) mod regexp;
pub(crate) mod semver;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod unicode;
pub(crate) mod url;

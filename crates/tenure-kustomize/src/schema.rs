//! Placeholder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schemas;

use serde_json::Value;

use super::schema::{count, list, may, object, text, time};

/// Nothing is wanted of it: it is a list of what is.
pub(super) fn spec() -> Value {
    object(Vec::new())
}

pub(super) fn status() -> Value {
    object(vec![
        may("kind", text(), "Kind of source that asked for it."),
        may("url", text(), "The remote, without password and query."),
        may("revision", text(), "Revision in the source's own terms."),
        may("digest", text(), "Digest of the file in the cache."),
        may("size", count(), "Bytes."),
        may("madeAt", time(), "When it was made."),
        may("readers", count(), "How many homes may read it."),
        may("homes", list(text()), "Some of them, by namespace."),
    ])
}

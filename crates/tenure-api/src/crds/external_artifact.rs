use serde_json::Value;

use super::schema::*;

pub(super) fn spec() -> Value {
    let source = object(vec![
        may("apiVersion", text(), "Its API version."),
        must("kind", text(), "Its kind."),
        must("name", text(), "Its name."),
        may("namespace", text(), "Its namespace."),
    ]);
    object(vec![may("sourceRef", source, "What its maker makes it of.")])
}

pub(super) fn status() -> Value {
    object(vec![
        may("artifact", artifact(), "What its maker offers."),
        may("conditions", conditions(), "How it fares."),
    ])
}

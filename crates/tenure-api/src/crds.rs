use serde_json::Value;
/// The CustomResourceDefinitions.
#[must_use]
pub fn crds() -> Vec<Value> {
    Vec::new()
}

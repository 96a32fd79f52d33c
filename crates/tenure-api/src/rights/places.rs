use serde_json::Value;

use crate::{SYSTEM_NAMESPACE, WORKERS_NAMESPACE};

/// The namespaces of an installation that has renamed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places<'a> {
    /// Where its programs and the Tenants are.
    pub system: &'a str,
    /// Where the workers' ServiceAccounts are.
    pub workers: &'a str,
}

impl Places<'_> {
    /// An object that was made with the usual names, with these.
    #[must_use]
    pub fn renamed(&self, object: &Value) -> Value {
        match object {
            Value::String(text) if text == SYSTEM_NAMESPACE => self.system.into(),
            Value::String(text) if text == WORKERS_NAMESPACE => self.workers.into(),
            Value::Array(list) => list.iter().map(|one| self.renamed(one)).collect(),
            Value::Object(map) => {
                let fields = map.iter().map(|(key, value)| (key.clone(), self.renamed(value)));
                Value::Object(fields.collect())
            }
            other => other.clone(),
        }
    }
}

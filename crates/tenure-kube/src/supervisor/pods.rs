//! The pods of workers: made, looked at and deleted, in the workers' namespace and nowhere else.

use serde_json::{Value, json};
use tenure_core::Name;

use super::SupervisorClient;
use super::tenants::{self, TenantStream};
use crate::call::{Call, JSON, Target};
use crate::error::KubeError;

impl SupervisorClient {
    /// The uid of the worker account `account_name`.
    ///
    /// # Errors
    /// Not found when it does not exist; otherwise as the server says.
    pub async fn worker_account_uid(&self, account_name: &Name) -> Result<String, KubeError> {
        let target = Target::core("serviceaccounts")
            .within(&self.workers)
            .named(account_name);
        let found: Value = self.caller.json(&Call::get(target)).await?;
        Ok(text(&found, "/metadata/uid"))
    }

    /// Makes a pod, and gives back what the server made of it.
    ///
    /// # Errors
    /// A conflict while there is one of that name; otherwise as the server says.
    pub async fn create_pod(&self, pod: &Value) -> Result<Value, KubeError> {
        let call = Call::create(self.pods()).query("fieldManager", "tenure-supervisor");
        self.caller.json(&self.caller.with_body(call, JSON, pod)?).await
    }

    /// The pod of that name as it is: all earlier writes are seen.
    ///
    /// # Errors
    /// As the server says; that there is none is no error.
    pub async fn pod(&self, name: &Name) -> Result<Option<Value>, KubeError> {
        match self.caller.json(&Call::get(self.pods().named(name))).await {
            Ok(pod) => Ok(Some(pod)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes the pod of that name if it is the one with this uid. Its node takes the time that the pod is given; the object
    /// is there until its processes are gone.
    ///
    /// # Errors
    /// As the server says; that it is another or gone is no error.
    pub async fn delete_pod(&self, name: &Name, uid: &str) -> Result<(), KubeError> {
        self.delete_if(self.pods().named(name), &json!({"uid": uid}))
            .await
    }

    /// The pods that a label selector chooses: LIST, then WATCH from there, again after every end.
    #[must_use]
    pub fn watch_pods(&self, labels: &str) -> TenantStream {
        tenants::watch(&self.caller, self.pods(), Some(labels.to_owned()))
    }

    fn pods(&self) -> Target {
        Target::core("pods").within(&self.workers)
    }
}

fn text(object: &Value, path: &str) -> String {
    let found = object.pointer(path).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

use serde_json::{Value, json};
use tenure_core::Name;

use super::SupervisorClient;
use crate::call::{Call, JSON, MERGE_PATCH, Target};
use crate::caller::split_list;
use crate::error::KubeError;
use crate::resource::By;

/// The kind in which people see what is cached.
const VERSION: &str = "v1alpha1";

impl SupervisorClient {
    /// The `Artifact` objects of the system namespace.
    ///
    /// # Errors
    /// As the server says.
    pub async fn artifacts(&self) -> Result<Vec<Value>, KubeError> {
        let call = Call::list(self.artifacts_target(), By::All);
        Ok(split_list(self.caller.json(&call).await?).0)
    }

    /// Makes an `Artifact` with this status. `false` when there is one of that name, which stays as it is.
    ///
    /// # Errors
    /// As the server says.
    pub async fn create_artifact(&self, name: &Name, status: &Value) -> Result<bool, KubeError> {
        let artifact = json!({
            "apiVersion": format!("tenure.dev/{VERSION}"), "kind": "Artifact", "metadata": {"name": name.as_str()},
            "status": status,
        });
        let call = Call::create(self.artifacts_target()).query("fieldManager", "tenure-supervisor");
        match self
            .caller
            .bytes(&self.caller.with_body(call, JSON, &artifact)?)
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Merges `status` into that of an `Artifact`.
    ///
    /// # Errors
    /// As the server says.
    pub async fn patch_artifact(&self, name: &Name, status: &Value) -> Result<(), KubeError> {
        let call =
            Call::patch(self.artifacts_target().named(name)).query("fieldManager", "tenure-supervisor");
        let patch = json!({"status": status});
        self.caller
            .bytes(&self.caller.with_body(call, MERGE_PATCH, &patch)?)
            .await
            .map(|_| ())
    }

    /// Deletes an `Artifact`; one that is not there is no error.
    ///
    /// # Errors
    /// As the server says.
    pub async fn delete_artifact(&self, name: &Name) -> Result<(), KubeError> {
        match self
            .caller
            .bytes(&Call::delete(self.artifacts_target().named(name)))
            .await
        {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    fn artifacts_target(&self) -> Target {
        Target::of("tenure.dev", VERSION, "artifacts").within(&self.system)
    }
}

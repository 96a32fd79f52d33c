use serde_json::{Value, json};
use tenure_core::Name;

use crate::call::{Call, MERGE_PATCH, Target};
use crate::caller::{Caller, Identity};
use crate::cluster::TokenCell;
use crate::connection::Connection;
use crate::error::KubeError;

const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
/// How often a patch that met a newer object is tried again.
const CONFLICTS: u32 = 3;

/// Takes one finalizer off named Roles and RoleBindings of one home, and can do nothing else.
#[derive(Clone, Debug)]
pub struct ReleaseClient {
    caller: Caller,
    home: Name,
    finalizer: &'static str,
    /// Resource and name; the last one is the client's own right.
    order: &'static [(&'static str, &'static str)],
}

/// How the rights of a home stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has deleted them.
    Kept,
    /// They are deleted, and stay for their finalizer.
    Going,
    /// The client has no right here: they are gone, or never were.
    Gone,
}

impl ReleaseClient {
    /// For the rights `order` of `home`, the last of which is the client's own right: a RoleBinding.
    #[must_use]
    pub fn new(
        connection: &Connection,
        token: TokenCell,
        home: Name,
        finalizer: &'static str,
        order: &'static [(&'static str, &'static str)],
    ) -> Self {
        let identity = Identity::Supervising(format!("who releases the rights of {home}"));
        Self {
            caller: Caller::new(connection, token, identity),
            home,
            finalizer,
            order,
        }
    }

    /// How the client's own right stands, which is deleted with the others.
    ///
    /// # Errors
    /// As the server says; a refusal is [`Standing::Gone`].
    pub async fn standing(&self) -> Result<Standing, KubeError> {
        let Some((resource, name)) = self.order.last() else {
            return Ok(Standing::Gone);
        };
        match self.get(resource, name).await {
            Ok(Some(binding)) if is_deleting(&binding) => Ok(Standing::Going),
            Ok(Some(_)) => Ok(Standing::Kept),
            Ok(None) => Ok(Standing::Gone),
            // Without the RoleBinding not even the question is allowed.
            Err(error) if error.is_forbidden() => Ok(Standing::Gone),
            Err(error) => Err(error),
        }
    }

    /// Which of `wanted` (resource and name) do not exist.
    ///
    /// # Errors
    /// As the server says.
    pub async fn missing(&self, wanted: &[(String, String)]) -> Result<Vec<String>, KubeError> {
        let mut missing = Vec::new();
        for (resource, name) in wanted {
            if self.get(resource, name).await?.is_none() {
                missing.push(format!("{resource}/{name}"));
            }
        }
        Ok(missing)
    }

    /// Takes the finalizer off everything that is deleted, the own right last and only when all else is
    /// gone. Gives the names of what nobody has deleted.
    ///
    /// # Errors
    /// As the server says. Doing it again goes on where this ended.
    pub async fn release(&self) -> Result<Vec<String>, KubeError> {
        let mut kept = Vec::new();
        let Some((own, others)) = self.order.split_last() else {
            return Ok(kept);
        };
        for (resource, name) in others {
            if !self.let_go(resource, name).await? {
                kept.push(format!("{resource}/{name}"));
            }
        }
        if kept.is_empty() && !self.let_go(own.0, own.1).await? {
            kept.push(format!("{}/{}", own.0, own.1));
        }
        Ok(kept)
    }

    /// Whether the object is gone, or free to go.
    async fn let_go(&self, resource: &str, name: &str) -> Result<bool, KubeError> {
        let mut conflicts = 0;
        loop {
            let Some(object) = self.get(resource, name).await? else {
                return Ok(true);
            };
            if !is_deleting(&object) {
                return Ok(false);
            }
            let old = object.pointer("/metadata/finalizers").and_then(Value::as_array);
            let old = old.map(Vec::as_slice).unwrap_or_default();
            let left: Vec<_> = old
                .iter()
                .filter(|entry| entry.as_str() != Some(self.finalizer))
                .collect();
            if left.len() == old.len() {
                return Ok(true);
            }
            let version = object.pointer("/metadata/resourceVersion");
            let patch = json!({"metadata": {"finalizers": left, "resourceVersion": version}});
            let call = Call::patch(self.target(resource, name));
            let call = self.caller.with_body(call, MERGE_PATCH, &patch)?;
            match self.caller.optional::<Value>(&call).await {
                Ok(_) => return Ok(true),
                Err(error) if error.is_conflict() && conflicts < CONFLICTS => conflicts += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn get(&self, resource: &str, name: &str) -> Result<Option<Value>, KubeError> {
        self.caller
            .optional(&Call::get(self.target(resource, name)))
            .await
    }

    fn target(&self, resource: &str, name: &str) -> Target {
        Target::of(RBAC_GROUP, "v1", resource)
            .within(&self.home)
            .named(name)
    }
}

fn is_deleting(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

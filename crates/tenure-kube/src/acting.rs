use serde_json::{Value, json};
use tenure_core::Account;

use crate::call::{APPLY_PATCH, Call, JSON, JSON_PATCH, Target};
use crate::caller::{Caller, Identity, split_list};
use crate::cluster::TokenCell;
use crate::connection::Connection;
use crate::discovery::Discovery;
use crate::error::KubeError;
use crate::metadata::{METADATA, METADATA_LIST};
use crate::resource::{By, ResourceInfo};
use crate::watch::{self, Listing, WatchStream};

/// A resourceVersion that no object has: the store's first revision is from before any object.
const NO_VERSION: &str = "1";

/// A tenant's ServiceAccount, acted as by its worker. Every request carries `Impersonate-User` and
/// nothing else of the kind; without the account there is no value of this type. On a
/// [`RemoteCluster`](crate::RemoteCluster) it is the tenant's own credential for that cluster that counts.
#[derive(Clone, Debug)]
pub struct ActingClient {
    caller: Caller,
}

/// How to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyParams {
    /// Who owns the fields.
    pub field_manager: String,
    /// Take fields over that others own.
    pub force: bool,
    /// Ask the server what would come of it, write nothing.
    pub dry_run: bool,
}

/// What an apply came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The object as the server has it now (or would have, for a dry run).
    pub object: Value,
    /// Whether it is new.
    pub created: bool,
}

/// What becomes of an object's dependents when it is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// Collected afterwards.
    #[default]
    Background,
    /// Collected first.
    Foreground,
    /// Left alone.
    Orphan,
}

/// How to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteParams {
    /// What becomes of dependents.
    pub propagation: Propagation,
    /// Delete only the object with this uid.
    pub uid: Option<String>,
    /// Delete only at this resourceVersion.
    pub resource_version: Option<String>,
}

/// What a delete came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// The server took it; finalizers may keep the object for a while.
    Deleted,
    /// It was not there.
    NotFound,
}

impl ActingClient {
    /// Acts as `acting`, authenticated by the worker's token.
    #[must_use]
    pub fn new(connection: &Connection, token: TokenCell, acting: Account) -> Self {
        Self {
            caller: Caller::new(connection, token, Identity::Acting(acting)),
        }
    }

    /// Acts on another cluster, authenticated by a credential for that one, and as `acting` if given.
    pub(crate) fn remote(
        connection: &Connection,
        token: TokenCell,
        url: &str,
        acting: Option<Account>,
    ) -> Self {
        let user = format!("the user of the kubeconfig for {url}");
        Self {
            caller: Caller::new(connection, token, Identity::Remote(user, acting)),
        }
    }

    /// Which kinds the server serves: two requests.
    ///
    /// # Errors
    /// As the server says.
    pub async fn discover(&self) -> Result<Discovery, KubeError> {
        Discovery::ask(&self.caller).await
    }

    /// Requests sent so far, repetitions included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.caller.requests()
    }

    /// Server-side apply of `object`, to the namespace and name it carries.
    ///
    /// # Errors
    /// When the object has no name, or has no namespace and its kind needs one; or as the server says.
    pub async fn apply(
        &self,
        info: &ResourceInfo,
        object: &Value,
        params: &ApplyParams,
    ) -> Result<Applied, KubeError> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let target = self
            .target(info, Some(text("/metadata/namespace")))
            .named(text("/metadata/name"));
        let mut call = Call::patch(target).query("fieldManager", &params.field_manager);
        call = call.query("force", if params.force { "true" } else { "false" });
        if params.dry_run {
            call = call.query("dryRun", "All");
        }
        let call = self.caller.with_body(call, APPLY_PATCH, object)?;
        let (status, object) = self.caller.answer(&call).await?;
        Ok(Applied {
            object,
            created: status == http::StatusCode::CREATED,
        })
    }

    /// [`apply`](Self::apply) of an object that is not there; one that is there is left as it is.
    ///
    /// # Errors
    /// A conflict when it is there; otherwise as [`apply`](Self::apply).
    pub async fn apply_new(
        &self,
        info: &ResourceInfo,
        object: &Value,
        params: &ApplyParams,
    ) -> Result<Applied, KubeError> {
        let mut object = object.clone();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".to_owned(), NO_VERSION.into());
        }
        self.apply(info, &object, params).await
    }

    /// The objects, each with its `apiVersion` and `kind`. `ns: None` means all namespaces.
    ///
    /// # Errors
    /// As the server says.
    pub async fn list(
        &self,
        info: &ResourceInfo,
        ns: Option<&str>,
        by: By<'_>,
    ) -> Result<Vec<Value>, KubeError> {
        Ok(self.list_at(info, ns, by).await?.items)
    }

    /// [`list`](Self::list) of nothing but the objects' metadata.
    ///
    /// # Errors
    /// As the server says.
    pub async fn list_metadata(
        &self,
        info: &ResourceInfo,
        ns: Option<&str>,
        by: By<'_>,
    ) -> Result<Vec<Value>, KubeError> {
        Ok(self.list_metadata_at(info, ns, by).await?.items)
    }

    /// The same with the resourceVersion from which [`watch_metadata`](Self::watch_metadata) goes on.
    ///
    /// # Errors
    /// As the server says.
    pub async fn list_metadata_at(
        &self,
        info: &ResourceInfo,
        ns: Option<&str>,
        by: By<'_>,
    ) -> Result<Listing, KubeError> {
        let call = Call::list(self.target(info, ns), by).accept(METADATA_LIST);
        let (items, resource_version) = split_list(self.caller.json(&call).await?);
        Ok(Listing {
            items,
            resource_version,
        })
    }

    /// [`list`](Self::list) with the resourceVersion from which a [`watch`](Self::watch) goes on.
    ///
    /// # Errors
    /// As the server says.
    pub async fn list_at(
        &self,
        info: &ResourceInfo,
        ns: Option<&str>,
        by: By<'_>,
    ) -> Result<Listing, KubeError> {
        let list = self.caller.json(&Call::list(self.target(info, ns), by)).await?;
        let (mut items, resource_version) = split_list(list);
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.entry("apiVersion")
                .or_insert_with(|| info.api_version().into());
            item.entry("kind").or_insert_with(|| info.kind.clone().into());
        }
        Ok(Listing {
            items,
            resource_version,
        })
    }

    /// Changes of the objects since `resource_version`.
    ///
    /// # Errors
    /// When the watch cannot be opened; what comes later is in the stream.
    pub async fn watch(
        &self,
        info: &ResourceInfo,
        ns: Option<&str>,
        by: By<'_>,
        resource_version: &str,
    ) -> Result<WatchStream, KubeError> {
        watch::open(
            &self.caller,
            Call::watch(self.target(info, ns), by, resource_version),
        )
        .await
    }

    /// [`watch`](Self::watch) of nothing but the objects' metadata.
    ///
    /// # Errors
    /// When the watch cannot be opened; what comes later is in the stream.
    pub async fn watch_metadata(
        &self,
        info: &ResourceInfo,
        ns: Option<&str>,
        by: By<'_>,
        resource_version: &str,
    ) -> Result<WatchStream, KubeError> {
        let call = Call::watch(self.target(info, ns), by, resource_version).accept(METADATA);
        watch::open(&self.caller, call).await
    }

    /// A JSON patch (RFC 6902), for taking over managed fields.
    ///
    /// # Errors
    /// As the server says; a failed `test` operation is an invalid (422) answer.
    pub async fn patch_json(
        &self,
        info: &ResourceInfo,
        ns: Option<&str>,
        name: &str,
        operations: &Value,
        field_manager: &str,
    ) -> Result<Value, KubeError> {
        let call = Call::patch(self.target(info, ns).named(name)).query("fieldManager", field_manager);
        let call = self.caller.with_body(call, JSON_PATCH, operations)?;
        self.caller.json(&call).await
    }

    /// Deletes one object.
    ///
    /// # Errors
    /// As the server says; a failed precondition is a conflict.
    pub async fn delete(
        &self,
        info: &ResourceInfo,
        ns: Option<&str>,
        name: &str,
        params: &DeleteParams,
    ) -> Result<Deletion, KubeError> {
        let call = Call::delete(self.target(info, ns).named(name));
        let call = self.caller.with_body(call, JSON, &params.options())?;
        match self.caller.bytes(&call).await {
            Ok(_) => Ok(Deletion::Deleted),
            Err(error) if error.is_not_found() => Ok(Deletion::NotFound),
            Err(error) => Err(error),
        }
    }

    fn target(&self, info: &ResourceInfo, ns: Option<&str>) -> Target {
        match ns {
            Some(ns) if info.namespaced => Target::info(info).within(ns),
            _ => Target::info(info),
        }
    }
}

impl DeleteParams {
    fn options(&self) -> Value {
        let propagation = match self.propagation {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        };
        let mut preconditions = serde_json::Map::new();
        for (key, value) in [("uid", &self.uid), ("resourceVersion", &self.resource_version)] {
            if let Some(value) = value {
                preconditions.insert(key.to_owned(), value.clone().into());
            }
        }
        let mut options =
            json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation});
        if let (false, Some(map)) = (preconditions.is_empty(), options.as_object_mut()) {
            map.insert("preconditions".to_owned(), preconditions.into());
        }
        options
    }
}

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tenure_core::{Account, Name, Secret};

use crate::call::{Call, JSON, MERGE_PATCH, Target};
use crate::caller::{Caller, Identity, split_list};
use crate::cluster::TokenCell;
use crate::connection::Connection;
use crate::discovery::Discovery;
use crate::error::{Cause, KubeError};
use crate::event::EventDraft;
use crate::resource::{By, FluxKind};

/// The finalizer of every reconciled kind, as Flux names it.
pub const FINALIZER: &str = "finalizers.fluxcd.io";
/// How often a write that met another writer is tried.
const ATTEMPTS: usize = 5;

/// A worker as itself, in its home and nowhere else: reads of the home, status, finalizers, events,
/// and questions about itself. It has no way to write a tenant's object.
#[derive(Clone, Debug)]
pub struct OwnClient {
    caller: Caller,
    home: Name,
    discovery: Arc<ArcSwapOption<Discovery>>,
    /// Held while discovery is asked for: passes that begin together ask once.
    asking: Arc<tokio::sync::Mutex<()>>,
    /// When accounts were last found to exist; held while one is looked up.
    accounts: Arc<tokio::sync::Mutex<HashMap<Name, Instant>>>,
}

/// What to do with [`FINALIZER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalizerChange {
    /// Put it there.
    Add,
    /// Take it away.
    Remove,
}

impl OwnClient {
    /// The worker of `home`.
    #[must_use]
    pub fn new(connection: &Connection, token: TokenCell, home: Name) -> Self {
        let caller = Caller::new(connection, token, Identity::Own(format!("the worker of {home}")));
        Self {
            caller,
            home,
            discovery: Arc::default(),
            asking: Arc::default(),
            accounts: Arc::default(),
        }
    }

    /// The namespace it is bound to.
    #[must_use]
    pub fn home(&self) -> &Name {
        &self.home
    }

    /// Host and port of the API server.
    #[must_use]
    pub fn server(&self) -> (&str, u16) {
        self.caller.connection().server()
    }

    /// Requests sent so far, repetitions included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.caller.requests()
    }

    /// All objects of `kind` in the home, and the list's resourceVersion.
    ///
    /// # Errors
    /// As the server says.
    pub async fn list(&self, kind: FluxKind) -> Result<(Vec<Value>, String), KubeError> {
        let (mut items, version) = split_list(self.caller.json(&Call::list(self.flux(kind), By::All)).await?);
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.entry("apiVersion")
                .or_insert_with(|| kind.api_version().into());
            item.entry("kind").or_insert_with(|| kind.kind.into());
        }
        Ok((items, version))
    }

    /// One object of the home; `None` when there is none of that name.
    ///
    /// # Errors
    /// As the server says.
    pub async fn get(&self, kind: FluxKind, name: &Name) -> Result<Option<Value>, KubeError> {
        self.caller
            .optional(&Call::get(self.flux(kind).named(name)))
            .await
    }

    /// One object of another namespace, which its people have let this worker read (`tenure:peer`);
    /// `None` when there is none of that name.
    ///
    /// # Errors
    /// As the server says: forbidden without that Role.
    pub async fn get_peer(
        &self,
        kind: FluxKind,
        namespace: &Name,
        name: &Name,
    ) -> Result<Option<Value>, KubeError> {
        let target = Target::flux(kind).within(namespace.as_str()).named(name);
        self.caller.optional(&Call::get(target)).await
    }

    /// Adds or removes [`FINALIZER`] on `object`, as it was last seen; an object that has moved on since
    /// is read again. Gives the object as it is now; `None` when it is gone. Sends nothing when
    /// nothing changes. It is `field_manager` that writes.
    ///
    /// # Errors
    /// A conflict when other writers are always faster; otherwise as the server says.
    pub async fn patch_finalizers(
        &self,
        kind: FluxKind,
        name: &Name,
        object: &Value,
        change: FinalizerChange,
        field_manager: &str,
    ) -> Result<Option<Value>, KubeError> {
        let mut object = object.clone();
        for attempt in 1.. {
            let Some(patch) = finalizers_patch(&object, change) else {
                return Ok(Some(object));
            };
            let call = Call::patch(self.flux(kind).named(name)).query("fieldManager", field_manager);
            let call = self.body(call, MERGE_PATCH, &patch)?;
            match self.caller.optional(&call).await {
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => {}
                answer => return answer,
            }
            match self.get(kind, name).await? {
                Some(now) => object = now,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Merges `status_patch` into the object's `status`, as `field_manager`; with `resource_version`
    /// only if the object is still at it. Gives the object as it is now.
    ///
    /// # Errors
    /// A conflict when the object has moved on; otherwise as the server says.
    pub async fn patch_status(
        &self,
        kind: FluxKind,
        name: &Name,
        status_patch: Value,
        field_manager: &str,
        resource_version: Option<&str>,
    ) -> Result<Value, KubeError> {
        let patch = match resource_version {
            Some(version) => json!({"metadata": {"resourceVersion": version}, "status": status_patch}),
            None => json!({"status": status_patch}),
        };
        let call =
            Call::patch(self.flux(kind).named(name).sub("status")).query("fieldManager", field_manager);
        self.caller.json(&self.body(call, MERGE_PATCH, &patch)?).await
    }

    /// The data of a Secret of the home.
    ///
    /// # Errors
    /// As the server says.
    pub async fn secret(&self, name: &Name) -> Result<Option<BTreeMap<String, Secret>>, KubeError> {
        let call = Call::get(self.core("secrets").named(name));
        let Some(found) = self.caller.optional::<Data>(&call).await? else {
            return Ok(None);
        };
        let mut data = BTreeMap::new();
        for (key, value) in found.data.into_iter().flatten() {
            // The value stays out of the message: it is the secret.
            let bytes = STANDARD.decode(value).map_err(|_| {
                self.caller
                    .error(&call, Cause::Decode(format!("key {key:?} is not base64")))
            })?;
            data.insert(key, Secret::new(bytes));
        }
        Ok(Some(data))
    }

    /// The data of a ConfigMap of the home; `binaryData` is left out.
    ///
    /// # Errors
    /// As the server says.
    pub async fn config_map(&self, name: &Name) -> Result<Option<BTreeMap<String, String>>, KubeError> {
        let found: Option<Data> = self
            .caller
            .optional(&Call::get(self.core("configmaps").named(name)))
            .await?;
        Ok(found.map(|found| found.data.unwrap_or_default()))
    }

    /// Whether the ServiceAccount exists: RBAC subjects are names, so a deleted account can still
    /// be impersonated, and only this check says otherwise.
    ///
    /// # Errors
    /// Refused, without asking, for an account outside the home; otherwise as the server says.
    pub async fn account_exists(&self, account: &Account) -> Result<bool, KubeError> {
        let call = Call::get(
            Target::core("serviceaccounts")
                .within(&account.namespace)
                .named(&account.name),
        );
        if account.namespace != self.home {
            return Err(self
                .caller
                .refuse(&call, format!("the account is not in home {}", self.home)));
        }
        Ok(self.caller.optional::<Value>(&call).await?.is_some())
    }

    /// The same, as it was no longer than `age` ago: passes that begin together ask once.
    ///
    /// # Errors
    /// As [`account_exists`](Self::account_exists).
    pub async fn account_existed(&self, account: &Account, age: Duration) -> Result<bool, KubeError> {
        let mut known = self.accounts.lock().await;
        if account.namespace == self.home
            && known
                .get(&account.name)
                .is_some_and(|found| found.elapsed() < age)
        {
            return Ok(true);
        }
        known.remove(&account.name);
        let exists = self.account_exists(account).await?;
        if exists {
            known.insert(account.name.clone(), Instant::now());
        }
        Ok(exists)
    }

    /// The Secrets that pods of a ServiceAccount of the home pull their images with; `None` when there is no such
    /// account.
    ///
    /// # Errors
    /// As the server says.
    pub async fn pull_secrets(&self, name: &Name) -> Result<Option<Vec<String>>, KubeError> {
        let call = Call::get(self.core("serviceaccounts").named(name));
        let account: Option<Value> = self.caller.optional(&call).await?;
        Ok(account.map(|account| {
            let secrets = account.get("imagePullSecrets").and_then(Value::as_array);
            let named = |secret: &Value| Some(secret.get("name")?.as_str()?.to_owned());
            secrets.into_iter().flatten().filter_map(named).collect()
        }))
    }

    /// The annotations of a ServiceAccount of the home; `None` when there is no such account.
    ///
    /// # Errors
    /// As the server says.
    pub async fn account_annotations(
        &self,
        name: &Name,
    ) -> Result<Option<BTreeMap<String, String>>, KubeError> {
        let call = Call::get(self.core("serviceaccounts").named(name));
        let account: Option<Value> = self.caller.optional(&call).await?;
        Ok(account.map(|account| {
            let annotations = account
                .pointer("/metadata/annotations")
                .and_then(Value::as_object);
            let pair = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
            annotations.into_iter().flatten().filter_map(pair).collect()
        }))
    }

    /// Whether the home is being deleted, or gone.
    ///
    /// # Errors
    /// As the server says.
    pub async fn namespace_terminating(&self) -> Result<bool, KubeError> {
        let call = Call::get(Target::core("namespaces").named(&self.home));
        let namespace: Option<Value> = self.caller.optional(&call).await?;
        Ok(namespace.is_none_or(|ns| ns.pointer("/metadata/deletionTimestamp").is_some()))
    }

    /// Writes an Event into the home.
    ///
    /// # Errors
    /// As the server says.
    pub async fn event(&self, draft: EventDraft) -> Result<(), KubeError> {
        let event = draft.render(self.home.as_str(), Timestamp::now());
        self.caller
            .bytes(&self.body(Call::create(self.core("events")), JSON, &event)?)
            .await
            .map(|_| ())
    }

    /// Which kinds the server serves, asked once (two requests) and kept.
    ///
    /// # Errors
    /// As the server says.
    pub async fn discovery(&self) -> Result<Arc<Discovery>, KubeError> {
        if let Some(kept) = self.discovery.load_full() {
            return Ok(kept);
        }
        let _one_at_a_time = self.asking.lock().await;
        match self.discovery.load_full() {
            Some(kept) => Ok(kept),
            None => self.refresh().await,
        }
    }

    /// Asks again, for when a kind is missing.
    ///
    /// # Errors
    /// As the server says.
    pub async fn refresh(&self) -> Result<Arc<Discovery>, KubeError> {
        let discovery = Arc::new(Discovery::ask(&self.caller).await?);
        self.discovery.store(Some(Arc::clone(&discovery)));
        Ok(discovery)
    }

    /// What is known of the server's kinds without asking; for a memo.
    #[must_use]
    pub fn kept_discovery(&self) -> Option<Arc<Discovery>> {
        self.discovery.load_full()
    }

    /// Starts with what an earlier process found, instead of asking.
    pub fn seed_discovery(&self, discovery: Discovery) {
        self.discovery.store(Some(Arc::new(discovery)));
    }

    /// The user name that the server sees behind the token.
    ///
    /// # Errors
    /// As the server says.
    pub async fn whoami(&self) -> Result<String, KubeError> {
        let target = Target::of("authentication.k8s.io", "v1", "selfsubjectreviews");
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let call = self.body(Call::create(target), JSON, &review)?;
        let answer: Value = self.caller.json(&call).await?;
        match answer
            .pointer("/status/userInfo/username")
            .and_then(Value::as_str)
        {
            Some(user) => Ok(user.to_owned()),
            None => Err(self
                .caller
                .error(&call, Cause::Decode("the review names no user".to_owned()))),
        }
    }

    /// Whether the worker itself may do `verb` on `resource` (`plural`, `plural.group` or
    /// `plural.group/subresource`) in `ns`; `None` asks about the whole cluster.
    ///
    /// # Errors
    /// As the server says.
    pub async fn self_check(&self, verb: &str, resource: &str, ns: Option<&str>) -> Result<bool, KubeError> {
        let target = Target::of("authorization.k8s.io", "v1", "selfsubjectaccessreviews");
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": verb, "group": group, "resource": plural, "subresource": subresource,
                "namespace": ns.unwrap_or_default(),
            }},
        });
        let answer: Value = self
            .caller
            .json(&self.body(Call::create(target), JSON, &review)?)
            .await?;
        Ok(answer
            .pointer("/status/allowed")
            .and_then(Value::as_bool)
            .unwrap_or(false))
    }

    fn flux(&self, kind: FluxKind) -> Target {
        Target::flux(kind).within(&self.home)
    }

    fn core(&self, resource: &str) -> Target {
        Target::core(resource).within(&self.home)
    }

    fn body(&self, call: Call, content_type: &'static str, body: &Value) -> Result<Call, KubeError> {
        self.caller.with_body(call, content_type, body)
    }
}

/// What to merge into `object`, under its resourceVersion; nothing when it is as wanted.
fn finalizers_patch(object: &Value, change: FinalizerChange) -> Option<Value> {
    let old = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    let mut new = old.cloned().unwrap_or_default();
    let there = new.iter().any(|entry| entry.as_str() == Some(FINALIZER));
    match (change, there) {
        (FinalizerChange::Add, false) => new.push(FINALIZER.into()),
        (FinalizerChange::Remove, true) => new.retain(|entry| entry.as_str() != Some(FINALIZER)),
        (FinalizerChange::Add, true) | (FinalizerChange::Remove, false) => return None,
    }
    let version = object.pointer("/metadata/resourceVersion");
    Some(json!({"metadata": {"finalizers": new, "resourceVersion": version}}))
}

/// `data` of a Secret or ConfigMap.
#[derive(Default, Deserialize)]
struct Data {
    data: Option<BTreeMap<String, String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finalizer_is_patched_only_when_that_changes_something_and_others_stay() {
        let object =
            |finalizers: Value| json!({"metadata": {"resourceVersion": "7", "finalizers": finalizers}});
        let patched = |finalizers: Value, change| {
            let patch = finalizers_patch(&object(finalizers), change)?;
            assert_eq!(
                patch["metadata"]["resourceVersion"], "7",
                "no write over another's"
            );
            Some(patch["metadata"]["finalizers"].clone())
        };
        use FinalizerChange::{Add, Remove};
        assert_eq!(patched(Value::Null, Add), Some(json!([FINALIZER])));
        assert_eq!(patched(json!(["x"]), Add), Some(json!(["x", FINALIZER])));
        assert_eq!(patched(json!([FINALIZER]), Add), None);
        assert_eq!(patched(json!([FINALIZER, "x"]), Remove), Some(json!(["x"])));
        assert_eq!(patched(json!([FINALIZER]), Remove), Some(json!([])));
        assert_eq!(patched(json!(["x"]), Remove), None);
    }
}

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt, unfold};
use serde_json::{Value, json};
use tenure_core::{Backoff, Name};

use super::SupervisorClient;
use crate::call::{Call, MERGE_PATCH, Target};
use crate::caller::{Caller, split_list};
use crate::error::KubeError;
use crate::resource::By;
use crate::watch::{WatchEvent, WatchStream, jittered};

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What happened to the Tenants, or to others that are watched like them.
#[derive(Debug)]
pub enum TenantEvent {
    /// These are all there are; forget what was known before.
    Reset(Vec<Value>),
    /// This one is new or changed.
    Applied(Value),
    /// This one is gone.
    Deleted(Value),
    /// Something went wrong; it is tried again with back-off.
    Failed(KubeError),
}

/// Never ends; dropping it ends the watch.
pub type TenantStream = BoxStream<'static, TenantEvent>;

impl SupervisorClient {
    /// All Tenants of the system namespace.
    ///
    /// # Errors
    /// As the server says.
    pub async fn tenants(&self) -> Result<Vec<Value>, KubeError> {
        Ok(split_list(
            self.caller
                .json(&Call::list(self.tenants_target(), By::All))
                .await?,
        )
        .0)
    }

    /// LIST, then WATCH from there, again after every end.
    #[must_use]
    pub fn watch_tenants(&self) -> TenantStream {
        watch(&self.caller, self.tenants_target(), None)
    }

    /// Merges `status_patch` into the Tenant's `status`.
    ///
    /// # Errors
    /// As the server says.
    pub async fn patch_tenant_status(&self, name: &Name, status_patch: Value) -> Result<Value, KubeError> {
        let target = self.tenants_target().named(name).sub("status");
        let call = Call::patch(target).query("fieldManager", "tenure-supervisor");
        self.caller
            .json(
                &self
                    .caller
                    .with_body(call, MERGE_PATCH, &json!({"status": status_patch}))?,
            )
            .await
    }

    fn tenants_target(&self) -> Target {
        Target::of("tenure.dev", "v1alpha1", "tenants").within(&self.system)
    }
}

/// All that a selector chooses of these, or all.
pub(super) fn watch(caller: &Caller, target: Target, labels: Option<String>) -> TenantStream {
    let run = Run {
        caller: caller.clone(),
        target,
        labels,
        version: None,
        stream: None,
        backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
        wait: None,
    };
    unfold(run, |mut run| async move { Some((run.next().await, run)) }).boxed()
}

struct Run {
    caller: Caller,
    target: Target,
    labels: Option<String>,
    version: Option<String>,
    stream: Option<WatchStream>,
    backoff: Backoff,
    wait: Option<Duration>,
}

impl Run {
    async fn next(&mut self) -> TenantEvent {
        loop {
            if let Some(wait) = self.wait.take() {
                tokio::time::sleep(wait).await;
            }
            match self.step().await {
                Ok(Some(event)) => return event,
                Ok(None) => {}
                Err(error) if error.is_gone() => self.version = None,
                Err(error) => {
                    self.wait = Some(jittered(self.backoff.next_delay()));
                    return TenantEvent::Failed(error);
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Option<TenantEvent>, KubeError> {
        let by = self.labels.as_deref().map_or(By::All, By::Labels);
        let Some(version) = &self.version else {
            self.stream = None;
            let (items, version) = split_list(self.caller.json(&Call::list(self.target.clone(), by)).await?);
            self.version = Some(version);
            return Ok(Some(TenantEvent::Reset(items)));
        };
        let Some(stream) = &mut self.stream else {
            let call = Call::watch(self.target.clone(), by, version);
            self.stream = Some(crate::watch::open(&self.caller, call).await?);
            return Ok(None);
        };
        let event = match stream.next().await {
            Some(Ok(event)) => event,
            Some(Err(error)) => {
                self.stream = None;
                return Err(error);
            }
            None => {
                self.stream = None;
                self.wait = Some(jittered(FIRST_WAIT));
                return Ok(None);
            }
        };
        self.backoff.reset();
        let version = |object: &Value| {
            object
                .pointer("/metadata/resourceVersion")?
                .as_str()
                .map(str::to_owned)
        };
        Ok(match event {
            WatchEvent::Bookmark(version) => {
                self.version = Some(version);
                None
            }
            WatchEvent::Applied(object) => {
                self.version = version(&object);
                Some(TenantEvent::Applied(object))
            }
            WatchEvent::Deleted(object) => {
                self.version = version(&object);
                Some(TenantEvent::Deleted(object))
            }
        })
    }
}

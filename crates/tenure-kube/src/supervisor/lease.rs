use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use tenure_core::Name;

use super::SupervisorClient;
use crate::call::{Call, JSON, MERGE_PATCH, Target};
use crate::caller::Caller;
use crate::error::KubeError;

/// One Lease of the system namespace, as one holder sees it.
///
/// A foreign Lease is taken only when it has not changed for its whole duration by our own clock,
/// so that clocks of different machines need not agree. Every write carries the resourceVersion it
/// was decided on: of two who try, one gets a conflict and answers [`LeaseState::Taken`].
#[derive(Debug)]
pub struct LeaseLock {
    caller: Caller,
    target: Target,
    holder: String,
    duration: Duration,
    /// The resourceVersion of our last write, while we hold it.
    held: Option<String>,
    /// A foreign Lease, and since when it has stood still.
    seen: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    resource_version: String,
    since: Instant,
}

/// Who holds a Lease after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// We do, until this instant at the latest; renew well before it, and stop work at it.
    Held {
        /// Counted from before the request was sent.
        until: Instant,
    },
    /// Somebody else.
    Taken {
        /// Who; empty when it changed hands under us.
        holder: String,
    },
}

impl SupervisorClient {
    /// The Lease `name`, to be held as `holder` for `duration` (whole seconds) at a time.
    #[must_use]
    pub fn lease(&self, name: &Name, holder: impl Into<String>, duration: Duration) -> LeaseLock {
        LeaseLock {
            caller: self.caller.clone(),
            target: Target::of("coordination.k8s.io", "v1", "leases")
                .within(&self.system)
                .named(name),
            holder: holder.into(),
            duration,
            held: None,
            seen: None,
        }
    }
}

impl LeaseLock {
    /// Tries once to get or keep the Lease. Call it again and again: for a foreign Lease, this is
    /// also how its silence is noticed.
    ///
    /// # Errors
    /// As the server says; a lost race is not an error.
    pub async fn acquire(&mut self) -> Result<LeaseState, KubeError> {
        let started = Instant::now();
        self.held = None;
        let Some(lease) = self
            .caller
            .optional::<Value>(&Call::get(self.target.clone()))
            .await?
        else {
            return self.create(started).await;
        };
        let version = text(&lease, "/metadata/resourceVersion");
        let holder = text(&lease, "/spec/holderIdentity");
        if !holder.is_empty() && holder != self.holder && !self.silent(&lease, &version) {
            return Ok(LeaseState::Taken { holder });
        }
        let transitions = lease
            .pointer("/spec/leaseTransitions")
            .and_then(Value::as_i64)
            .unwrap_or(0);
        let mut spec = self.spec();
        if let (true, Some(spec)) = (holder != self.holder, spec.as_object_mut()) {
            spec.insert("acquireTime".to_owned(), now().into());
            spec.insert("leaseTransitions".to_owned(), (transitions + 1).into());
        }
        self.write(started, &version, spec).await
    }

    /// Keeps a held Lease with one request. Falls back to [`acquire`](Self::acquire) when it is not
    /// known to be held.
    ///
    /// # Errors
    /// As the server says; a lost Lease is not an error.
    pub async fn renew(&mut self) -> Result<LeaseState, KubeError> {
        let started = Instant::now();
        match self.held.take() {
            Some(version) => match self.write(started, &version, self.spec()).await? {
                // Somebody wrote in between; that may have been ourselves, before a lost answer.
                LeaseState::Taken { .. } => self.acquire().await,
                held @ LeaseState::Held { .. } => Ok(held),
            },
            None => self.acquire().await,
        }
    }

    /// Gives a held Lease back, so that the next one need not wait. Does nothing if it is not ours.
    ///
    /// # Errors
    /// As the server says.
    pub async fn release(&mut self) -> Result<(), KubeError> {
        self.held = None;
        let Some(lease) = self
            .caller
            .optional::<Value>(&Call::get(self.target.clone()))
            .await?
        else {
            return Ok(());
        };
        if text(&lease, "/spec/holderIdentity") != self.holder {
            return Ok(());
        }
        let version = text(&lease, "/metadata/resourceVersion");
        let patch = json!({"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": null, "renewTime": now()}});
        let call = self
            .caller
            .with_body(Call::patch(self.target.clone()), MERGE_PATCH, &patch)?;
        match self.caller.bytes(&call).await {
            Err(error) if !error.is_conflict() && !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    async fn create(&mut self, started: Instant) -> Result<LeaseState, KubeError> {
        let mut spec = self.spec();
        if let Some(spec) = spec.as_object_mut() {
            spec.insert("acquireTime".to_owned(), now().into());
            spec.insert("leaseTransitions".to_owned(), 0.into());
        }
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.target.name},
            "spec": spec,
        });
        let target = Target {
            name: None,
            ..self.target.clone()
        };
        let call = self.caller.with_body(Call::create(target), JSON, &lease)?;
        self.settle(started, self.caller.json(&call).await)
    }

    async fn write(&mut self, started: Instant, version: &str, spec: Value) -> Result<LeaseState, KubeError> {
        let patch = json!({"metadata": {"resourceVersion": version}, "spec": spec});
        let call = self
            .caller
            .with_body(Call::patch(self.target.clone()), MERGE_PATCH, &patch)?;
        self.settle(started, self.caller.json(&call).await)
    }

    fn settle(
        &mut self,
        started: Instant,
        answer: Result<Value, KubeError>,
    ) -> Result<LeaseState, KubeError> {
        match answer {
            Ok(lease) => {
                self.held = Some(text(&lease, "/metadata/resourceVersion"));
                self.seen = None;
                Ok(LeaseState::Held {
                    until: started + self.duration,
                })
            }
            Err(error) if error.is_conflict() || error.is_not_found() => {
                self.held = None;
                Ok(LeaseState::Taken {
                    holder: String::new(),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the foreign Lease has stood still for its whole duration under our eyes.
    fn silent(&mut self, lease: &Value, version: &str) -> bool {
        let seconds = lease
            .pointer("/spec/leaseDurationSeconds")
            .and_then(Value::as_u64);
        let duration = seconds.map_or(self.duration, Duration::from_secs);
        match &self.seen {
            Some(seen) if seen.resource_version == version => seen.since.elapsed() >= duration,
            _ => {
                self.seen = Some(Seen {
                    resource_version: version.to_owned(),
                    since: Instant::now(),
                });
                false
            }
        }
    }

    fn spec(&self) -> Value {
        json!({
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self.duration.as_secs().max(1),
            "renewTime": now(),
        })
    }
}

fn text(object: &Value, path: &str) -> String {
    object
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// A `MicroTime`.
fn now() -> String {
    format!("{:.6}", Timestamp::now())
}

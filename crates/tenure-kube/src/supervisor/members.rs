use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};
use tenure_core::Name;
use tenure_core::ownership::{Member, Record, Write};

use super::SupervisorClient;
use super::tenants::{self, TenantEvent};
use crate::call::{Call, JSON, MERGE_PATCH, Target};
use crate::caller::split_list;
use crate::error::{Cause, KubeError};
use crate::resource::By;

/// How the Leases of supervisors are called; their identity follows.
const PREFIX: &str = "tenure-supervisor-";
/// Marks them.
const LABEL: (&str, &str) = ("tenure.dev/member", "supervisor");
/// The members that the holder makes way for, separated by spaces.
const SEEN: &str = "tenure.dev/seen";

/// Leases of supervisors as a watch shows them. Never ends; dropping it ends the watch.
pub type MemberStream = BoxStream<'static, Record>;

impl SupervisorClient {
    /// The Leases of all supervisors of the system namespace, as they are: all earlier writes are seen.
    ///
    /// # Errors
    /// As the server says.
    pub async fn members(&self) -> Result<Vec<Record>, KubeError> {
        // without a resourceVersion the answer is the most recent state, not that of a cache
        let call = Call::list(self.leases(), By::Labels(&selector()));
        let (items, _) = split_list(self.caller.json(&call).await?);
        Ok(items.iter().filter_map(read).collect())
    }

    /// The same Leases whenever they change, perhaps late.
    #[must_use]
    pub fn watch_members(&self) -> MemberStream {
        let events = tenants::watch(&self.caller, self.leases(), Some(selector()));
        let shown = |event| match event {
            TenantEvent::Reset(all) => all,
            TenantEvent::Applied(one) => vec![one],
            TenantEvent::Deleted(_) => Vec::new(),
            TenantEvent::Failed(error) => {
                tracing::warn!(%error, "failed to watch the Leases of the supervisors");
                Vec::new()
            }
        };
        events
            .flat_map(move |event| stream::iter(shown(event)))
            .filter_map(async |lease| read(&lease))
            .boxed()
    }

    /// Writes the Lease of `identity` if it is as `write` says it is, and says its new version. `duration` is for whoever
    /// looks at it.
    ///
    /// # Errors
    /// As the server says: a conflict when the Lease is another than expected, not found when there is none.
    pub async fn write_member(
        &self,
        identity: &Name,
        write: &Write,
        duration: Duration,
    ) -> Result<String, KubeError> {
        let name = format!("{PREFIX}{identity}");
        let seen: Vec<_> = write.seen.iter().map(Member::to_string).collect();
        let mut lease = json!({
            "metadata": {"labels": {LABEL.0: LABEL.1}, "annotations": {SEEN: seen.join(" ")}},
            "spec": {
                "holderIdentity": write.holder.as_ref().map(Member::to_string),
                "leaseDurationSeconds": duration.as_secs().max(1),
                "renewTime": format!("{:.6}", Timestamp::now()),
            },
        });
        let call = match &write.version {
            Some(version) => {
                lease["metadata"]["resourceVersion"] = version.as_str().into();
                let call = Call::patch(self.leases().named(&name)).query("fieldManager", "tenure-supervisor");
                self.caller.with_body(call, MERGE_PATCH, &lease)?
            }
            None => {
                lease["apiVersion"] = "coordination.k8s.io/v1".into();
                lease["kind"] = "Lease".into();
                lease["metadata"]["name"] = name.into();
                let call = Call::create(self.leases()).query("fieldManager", "tenure-supervisor");
                self.caller.with_body(call, JSON, &lease)?
            }
        };
        let written: Value = self.caller.json(&call).await?;
        match written
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str)
        {
            Some(version) => Ok(version.to_owned()),
            None => Err(self
                .caller
                .error(&call, Cause::Decode("no resourceVersion".to_owned()))),
        }
    }

    /// Deletes the Lease of `identity` if it still has this version.
    ///
    /// # Errors
    /// As the server says; that it is another or gone is no error.
    pub async fn delete_member(&self, identity: &str, version: &str) -> Result<(), KubeError> {
        let lease = self.leases().named(format!("{PREFIX}{identity}"));
        self.delete_if(lease, &json!({"resourceVersion": version})).await
    }

    /// Deletes an object if it is as `preconditions` say; that it is another or gone is no error.
    pub(super) async fn delete_if(&self, target: Target, preconditions: &Value) -> Result<(), KubeError> {
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions});
        let call = Call::delete(target);
        match self
            .caller
            .bytes(&self.caller.with_body(call, JSON, &options)?)
            .await
        {
            Err(error) if !error.is_not_found() && !error.is_conflict() => Err(error),
            _ => Ok(()),
        }
    }

    fn leases(&self) -> Target {
        Target::of("coordination.k8s.io", "v1", "leases").within(&self.system)
    }
}

fn selector() -> String {
    format!("{}={}", LABEL.0, LABEL.1)
}

/// A holder that can't be read is one all the same.
fn read(lease: &Value) -> Option<Record> {
    let text = |path: &str| lease.pointer(path).and_then(Value::as_str);
    let identity = text("/metadata/name")?.strip_prefix(PREFIX)?.to_owned();
    let holder = text("/spec/holderIdentity").filter(|holder| !holder.is_empty());
    let holder = holder.map(|holder| {
        holder.parse().unwrap_or_else(|_| Member {
            identity: identity.clone(),
            incarnation: holder.to_owned(),
        })
    });
    let annotations = lease.pointer("/metadata/annotations");
    let seen = annotations.and_then(|all| all.get(SEEN)?.as_str());
    let seen: BTreeSet<Member> = seen
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|member| member.parse().ok())
        .collect();
    let version = text("/metadata/resourceVersion").unwrap_or_default().to_owned();
    Some(Record {
        identity,
        version,
        holder,
        seen,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_says_who_holds_it_and_whom_it_has_seen() {
        let lease = json!({
            "metadata": {
                "name": "tenure-supervisor-pod-1", "resourceVersion": "7",
                "annotations": {"tenure.dev/seen": "pod-2/b-0 pod-3/c-1 wrong"},
            },
            "spec": {"holderIdentity": "pod-1/a-0"},
        });
        let record = read(&lease).expect("a supervisor's");
        let seen: Vec<_> = record.seen.iter().map(Member::to_string).collect();
        assert_eq!(seen, ["pod-2/b-0", "pod-3/c-1"]);
        assert_eq!(
            (record.identity.as_str(), record.version.as_str()),
            ("pod-1", "7")
        );
        assert_eq!(record.holder, "pod-1/a-0".parse().ok());
    }

    #[test]
    fn what_is_no_holder_and_what_can_not_be_read_are_told_apart() {
        let held = |holder: Value| {
            let lease =
                json!({"metadata": {"name": "tenure-supervisor-a"}, "spec": {"holderIdentity": holder}});
            read(&lease).expect("a supervisor's").holder
        };
        assert_eq!(held(Value::Null), None);
        assert_eq!(held("".into()), None);
        assert!(held("somebody".into()).is_some());
        assert_eq!(read(&json!({"metadata": {"name": "another-lease"}})), None);
    }
}

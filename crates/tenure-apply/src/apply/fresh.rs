//! What nobody has seen yet is created without a dry-run.
//!
//! A request creates or is refused, never changes: it carries a resourceVersion that no object has. When
//! one is refused, the dry-run has its turn after all, and if that fails too, what was created here goes
//! again: as with Flux, nothing of a stage is written whose dry-run fails.

use serde_json::Value;
use tenure_kube::{ActingClient, DeleteParams};

use super::{ApplyOptions, Placed, stage};
use crate::owner::Marker;
use crate::report::{Action, Report};

/// What was created, from the first on.
#[derive(Default)]
pub(crate) struct Made {
    /// Nothing for what is to be left alone.
    objects: Vec<Option<Value>>,
}

impl Made {
    /// How many of the stage are dealt with.
    pub(crate) fn count(&self) -> usize {
        self.objects.len()
    }

    /// Puts it into the report, and gives the objects.
    pub(crate) fn report(self, placed: &[Placed], options: &ApplyOptions, report: &mut Report) -> Vec<Value> {
        for (placed, object) in placed.iter().zip(&self.objects) {
            let action = match object {
                Some(_) => Action::Created,
                None => Action::Skipped,
            };
            report.add(placed, action, object.as_ref(), options.health.as_ref());
        }
        self.objects.into_iter().flatten().collect()
    }

    /// Deletes it again, the last one first; what can't be deleted is in the report then, and so in the
    /// inventory.
    pub(crate) async fn undo(self, client: &ActingClient, placed: &[Placed], report: &mut Report) {
        for (placed, object) in placed.iter().zip(self.objects).rev() {
            let Some(object) = object else { continue };
            let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
            let params = DeleteParams {
                uid: uid.map(str::to_owned),
                ..DeleteParams::default()
            };
            let (ns, name) = (placed.at.ns(), &placed.at.name);
            if let Err(error) = client.delete(&placed.info, ns, name, &params).await {
                let reason = error.status_reason();
                tracing::debug!(object = %placed.at, reason, "failed to take back what was created");
                report.add(placed, Action::Created, Some(&object), None);
            }
        }
    }
}

/// Creates one after the other until one is refused.
pub(crate) async fn create(client: &ActingClient, placed: &[Placed], options: &ApplyOptions) -> Made {
    let mut made = Made::default();
    let params = stage::params(options, false);
    for placed in placed {
        if options.cancel.is_cancelled() {
            break;
        }
        if Marker::Skip.on(&placed.desired) {
            made.objects.push(None);
            continue;
        }
        match client.apply_new(&placed.info, &placed.desired, &params).await {
            Ok(applied) if applied.created => made.objects.push(Some(applied.object)),
            Ok(_) => break,
            Err(error) => {
                // the server's words may quote values of Secrets
                let reason = error.status_reason();
                tracing::debug!(object = %placed.at, reason, "not created at once; a dry-run will tell");
                break;
            }
        }
    }
    made
}

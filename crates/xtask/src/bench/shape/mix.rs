//! The requests of a run once more, by a loop that knows nothing: as many of each verb and kind, to objects
//! of the same shape in namespaces without a Tenant.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use tenure_testkit::control_plane::AuditEvent;

use super::super::requests::Identity;
use super::super::stage::Stage;
use super::super::write::{CONNECTIONS, path};
use super::apps::Apps;

/// How many requests were sent, and how many seconds they took.
pub(super) async fn replay(
    stage: &Stage,
    apps: &Apps,
    events: &[AuditEvent],
) -> anyhow::Result<(usize, f64)> {
    let requests = requests(stage, apps, events)?;
    let count = requests.len();
    let began = Instant::now();
    stream::iter(requests)
        .map(|request| async {
            let what = format!("{} {}", request.method(), request.uri());
            // what was refused then is refused now
            match stage.client.request_text(request).await {
                Ok(_) | Err(kube::Error::Api(_)) => Ok(()),
                Err(error) => Err(error).context(what),
            }
        })
        .buffer_unordered(CONNECTIONS)
        .try_for_each(|()| async { Ok(()) })
        .await?;
    Ok((count, began.elapsed().as_secs_f64()))
}

type Request = http::Request<Vec<u8>>;

fn requests(stage: &Stage, apps: &Apps, events: &[AuditEvent]) -> anyhow::Result<Vec<Request>> {
    let mut objects = HashMap::new();
    for app in 0..apps.shape.apps {
        for object in apps.objects("replay", app) {
            objects.insert(path(&object)?, object);
        }
    }
    let ours = events
        .iter()
        .filter(|event| (event.stage == "ResponseStarted") == (event.verb == "watch"))
        .filter(|event| Identity::of(event, &stage.tenure).is_some());
    ours.enumerate()
        .map(|(number, event)| again(event, number, &objects))
        .collect()
}

fn again(event: &AuditEvent, number: usize, objects: &HashMap<String, Value>) -> anyhow::Result<Request> {
    let uri = event
        .request_uri
        .replace("/namespaces/bench-", "/namespaces/replay-");
    let (at, query) = uri.split_once('?').unwrap_or((&uri, ""));
    let json = |method: http::Request<()>, kind: &str, body: &Value| -> anyhow::Result<Request> {
        let (mut parts, ()) = method.into_parts();
        parts.headers.insert("content-type", kind.parse()?);
        Ok(http::Request::from_parts(parts, serde_json::to_vec(body)?))
    };
    let request = |method: &str, uri: &str| http::Request::builder().method(method).uri(uri).body(());
    Ok(match event.verb.as_str() {
        "patch" if objects.contains_key(at) => {
            let object = objects.get(at).context("it was looked for")?;
            json(request("PATCH", &uri)?, "application/apply-patch+yaml", object)?
        }
        "patch" if at.ends_with("/status") => {
            let body = json!({"status": status(number)});
            json(request("PATCH", &uri)?, "application/merge-patch+json", &body)?
        }
        "patch" => {
            let body = json!({"metadata": {"annotations": {"bench": number.to_string()}}});
            json(request("PATCH", &uri)?, "application/merge-patch+json", &body)?
        }
        "create" if at.ends_with("/events") => {
            json(request("POST", at)?, "application/json", &told(at, number))?
        }
        // a watch costs as much as the list before it, and would not end
        "watch" => without_watch(at, query)?,
        _ => http::Request::get(&uri).body(Vec::new())?,
    })
}

fn without_watch(at: &str, query: &str) -> anyhow::Result<Request> {
    let kept: Vec<_> = query
        .split('&')
        .filter(|part| part.starts_with("fieldSelector") || part.starts_with("labelSelector"))
        .collect();
    Ok(http::Request::get(format!("{at}?{}", kept.join("&"))).body(Vec::new())?)
}

/// About as long as a real one.
fn status(number: usize) -> Value {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "True", "reason": "Succeeded", "lastTransitionTime": now, "observedGeneration": 1,
            "message": format!("stored artifact for digest '1.0.0@sha256:{number:064x}'"),
        })
    };
    json!({"observedGeneration": 1, "conditions": [condition("Ready"), condition("Healthy")]})
}

fn told(at: &str, number: usize) -> Value {
    let namespace = at
        .split("/namespaces/")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .unwrap_or("default");
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": format!("replay.{number:x}"), "namespace": namespace},
        "involvedObject": {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "namespace": namespace, "name": "app"},
        "reason": "ReconciliationSucceeded", "type": "Normal", "count": 1, "firstTimestamp": now, "lastTimestamp": now,
        "message": "Reconciliation finished in 1.5s, next run in 2h0m0s", "source": {"component": "kustomize-controller"},
    })
}

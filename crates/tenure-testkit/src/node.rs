//! What a kubelet would have said. Objects are real and so are the controllers; only the status of
//! pods is made up, on request.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::wait::until;

/// How long the controllers may take to answer a change of status.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks of [`Node::auto`].
const LOOK: Duration = Duration::from_millis(200);

/// A node that runs nothing.
#[derive(Clone)]
pub struct Node {
    client: Client,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Node")
    }
}

/// Keeps [`Node::auto`] going until it is dropped.
#[derive(Debug)]
pub struct AutoNode {
    _stop: DropGuard,
}

/// How a pod ended up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Ready,
    Succeeded,
    PullFails,
}

impl Node {
    /// Speaks with this client, which must be allowed to patch the status of pods.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Makes the pods of a deployment's present revision ready, and waits until the controllers
    /// call the deployment available.
    ///
    /// # Errors
    /// When it is not available after a minute.
    pub async fn make_deployment_ready(&self, namespace: &str, name: &str) -> anyhow::Result<()> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let what = format!("deployment {namespace}/{name} to be available");
        until(&what, TIMEOUT, || async {
            let deployment = deployments.get(name).await?;
            self.decide(namespace, &selector(&deployment)?, Fate::Ready)
                .await?;
            ensure!(rolled_out(&deployment), "its status is {:?}", deployment.status);
            Ok(())
        })
        .await
    }

    /// Makes the pods of a deployment fail to pull their image, and the deployment exceed its
    /// deadline without waiting for it to pass.
    ///
    /// # Errors
    /// When the deployment has no pods after a minute, or the API server refuses.
    pub async fn fail_deployment(&self, namespace: &str, name: &str) -> anyhow::Result<()> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let what = format!("pods of deployment {namespace}/{name}");
        until(&what, TIMEOUT, || async {
            let deployment = deployments.get(name).await?;
            let status = deployment.status.as_ref();
            ensure!(
                status.and_then(|s| s.observed_generation) == deployment.metadata.generation,
                "the controllers have not seen the present generation"
            );
            let pods = self
                .decide(namespace, &selector(&deployment)?, Fate::PullFails)
                .await?;
            ensure!(pods > 0, "there are none");
            Ok(())
        })
        .await?;
        let failed = json!({"status": {"conditions": [{
            "type": "Progressing",
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "message": format!("deployment {name} has timed out progressing"),
        }]}});
        let params = PatchParams::default();
        deployments
            .patch_status(name, &params, &Patch::Strategic(failed))
            .await?;
        Ok(())
    }

    /// Lets the pods of a job succeed until the controllers call the job complete.
    ///
    /// # Errors
    /// When it is not complete after a minute.
    pub async fn complete_job(&self, namespace: &str, name: &str) -> anyhow::Result<()> {
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), namespace);
        let selector = format!("batch.kubernetes.io/job-name={name}");
        let what = format!("job {namespace}/{name} to be complete");
        until(&what, TIMEOUT, || async {
            let status = jobs.get(name).await?.status;
            self.decide(namespace, &selector, Fate::Succeeded).await?;
            let conditions = status.as_ref().and_then(|status| status.conditions.as_deref());
            let complete = |kind: &str| kind == "Complete";
            ensure!(
                conditions
                    .unwrap_or_default()
                    .iter()
                    .any(|c| complete(&c.type_) && c.status == "True"),
                "its status is {status:?}"
            );
            Ok(())
        })
        .await
    }

    /// Makes the pods that a label selector finds now ready, and says how many it found.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn make_pods_ready(&self, namespace: &str, selector: &str) -> anyhow::Result<usize> {
        self.decide(namespace, selector, Fate::Ready).await
    }

    /// Makes every pod that appears in these namespaces ready, and those of jobs succeed, until
    /// the returned value is dropped.
    #[must_use]
    pub fn auto(&self, namespaces: &[&str]) -> AutoNode {
        let stop = CancellationToken::new();
        let (node, token) = (self.clone(), stop.clone());
        let namespaces: Vec<String> = namespaces.iter().map(|&n| n.to_owned()).collect();
        tokio::spawn(async move {
            let look = async {
                loop {
                    // A failure is the API server being restarted; the next look finds the pods.
                    join_all(namespaces.iter().map(|namespace| node.look(namespace))).await;
                    tokio::time::sleep(LOOK).await;
                }
            };
            token.run_until_cancelled(look).await;
        });
        AutoNode {
            _stop: stop.drop_guard(),
        }
    }

    async fn look(&self, namespace: &str) -> anyhow::Result<()> {
        let job = "batch.kubernetes.io/job-name";
        self.decide(namespace, job, Fate::Succeeded).await?;
        self.decide(namespace, &format!("!{job}"), Fate::Ready).await?;
        Ok(())
    }

    /// Patches the pods that are not so yet; returns how many the selector found.
    async fn decide(&self, namespace: &str, selector: &str, fate: Fate) -> anyhow::Result<usize> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let found = pods.list(&ListParams::default().labels(selector)).await?;
        for pod in found.items.iter().filter(|pod| !fate.holds_for(pod)) {
            let status = json!({"status": fate.status(pod)});
            let params = PatchParams::default();
            match pods
                .patch_status(&pod.name_any(), &params, &Patch::Merge(status))
                .await
            {
                // Controllers delete pods while we look at them.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                result => {
                    result.with_context(|| format!("patch the status of pod {}", pod.name_any()))?;
                }
            }
        }
        Ok(found.items.len())
    }
}

impl Fate {
    fn phase(self) -> &'static str {
        match self {
            Self::Ready => "Running",
            Self::Succeeded => "Succeeded",
            Self::PullFails => "Pending",
        }
    }

    fn ready(self) -> &'static str {
        if self == Self::Ready { "True" } else { "False" }
    }

    fn holds_for(self, pod: &Pod) -> bool {
        let status = pod.status.as_ref();
        let conditions = status
            .and_then(|status| status.conditions.as_deref())
            .unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition.type_ == "Ready");
        pod.metadata.deletion_timestamp.is_some()
            || status.and_then(|status| status.phase.as_deref()) == Some(self.phase())
                && ready.is_some_and(|ready| ready.status == self.ready())
    }

    fn status(self, pod: &Pod) -> Value {
        let since = pod.metadata.creation_timestamp.clone();
        let condition =
            |kind: &str, status: &str| json!({"type": kind, "status": status, "lastTransitionTime": since});
        let containers = pod
            .spec
            .as_ref()
            .map(|spec| spec.containers.as_slice())
            .unwrap_or_default();
        let states: Vec<Value> = containers
            .iter()
            .map(|container| {
                let state = match self {
                    Self::Ready => json!({"running": {"startedAt": since}}),
                    Self::Succeeded => json!({"terminated": {
                        "exitCode": 0, "reason": "Completed", "startedAt": since, "finishedAt": since,
                    }}),
                    Self::PullFails => json!({"waiting": {
                        "reason": "ImagePullBackOff", "message": "Back-off pulling image",
                    }}),
                };
                json!({
                    "name": container.name, "image": container.image, "imageID": "", "restartCount": 0,
                    "ready": self == Self::Ready, "started": self == Self::Ready, "state": state,
                })
            })
            .collect();
        json!({
            "phase": self.phase(),
            "startTime": since,
            "conditions": [
                condition("PodScheduled", "True"),
                condition("Initialized", "True"),
                condition("ContainersReady", self.ready()),
                condition("Ready", self.ready()),
            ],
            "containerStatuses": states,
        })
    }
}

fn selector(deployment: &Deployment) -> anyhow::Result<String> {
    let spec = deployment.spec.as_ref().context("a deployment without a spec")?;
    let labels: &BTreeMap<String, String> = match &spec.selector.match_labels {
        Some(labels) if !labels.is_empty() => labels,
        _ => bail!("the stand-in only reads matchLabels, and the deployment has none"),
    };
    Ok(labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(","))
}

/// As `kubectl rollout status` sees it.
fn rolled_out(deployment: &Deployment) -> bool {
    let wanted = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    deployment.status.as_ref().is_some_and(|status| {
        let count = |n: Option<i32>| n.unwrap_or_default();
        status.observed_generation == deployment.metadata.generation
            && count(status.updated_replicas) == wanted
            && count(status.replicas) == wanted
            && count(status.available_replicas) == wanted
    })
}

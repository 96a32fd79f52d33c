//! A node for the pods of one namespace. It is scheduler and kubelet in one: binds pods to itself, mounts tokens that the API
//! server has bound to the pod, runs the container's arguments as a process of this machine, and says what became of it.
//!
//! What a pod mounts is a directory of this machine, whose path takes the mount's place in arguments. Nothing isolates the
//! processes but what they do themselves.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use k8s_openapi::api::core::v1::{Container, Node, Pod, Volume};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::control_plane::token_of_pod;
use crate::proc::{Proc, Spec};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// The node, until it is dropped; then its processes are killed.
#[derive(Debug)]
pub struct Kubelet {
    shared: Arc<Shared>,
    _stop: DropGuard,
}

struct Shared {
    client: Client,
    namespace: String,
    name: String,
    program: PathBuf,
    dir: TempDir,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    trouble: Trouble,
    /// By uid of the pod.
    containers: BTreeMap<String, Running>,
    history: Vec<Ran>,
}

struct Running {
    proc: Proc,
    ended: Option<ExitStatus>,
    told: bool,
    /// When it is killed, once its pod is deleted.
    kill_at: Option<Instant>,
}

/// What is wrong with the node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// It has no room for more pods.
    Full,
    /// It can't pull their image.
    NoImage,
}

/// A container that was started.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The pod as it was then.
    pub pod: Pod,
    /// Its process.
    pub pid: u32,
    /// Where its volumes are.
    pub dir: PathBuf,
    /// Others that ran under the same pod's name at that moment.
    pub besides: usize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Kubelet {
    /// A new node that runs `program` whatever the image of a container is.
    ///
    /// # Errors
    /// When the API server does not take it.
    pub async fn start(client: Client, namespace: &str, program: &Path) -> anyhow::Result<Self> {
        let name = format!("node-{:08x}", rand::random::<u32>());
        let nodes: Api<Node> = Api::all(client.clone());
        let node = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        nodes.create(&PostParams::default(), &node).await?;
        let shared = Arc::new(Shared {
            client,
            namespace: namespace.to_owned(),
            name,
            program: program.to_owned(),
            dir: tempfile::Builder::new().prefix("kubelet-").tempdir()?,
            state: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let (node, token) = (shared.clone(), stop.clone());
        tokio::spawn(token.run_until_cancelled_owned(async move {
            loop {
                if let Err(error) = node.look().await {
                    // the API server is being restarted, or a pod has gone meanwhile
                    node.note(&error);
                }
                tokio::time::sleep(LOOK).await;
            }
        }));
        Ok(Self {
            shared,
            _stop: stop.drop_guard(),
        })
    }

    /// From now on something is wrong with it, or not any more.
    pub fn suffer(&self, trouble: Trouble) {
        self.shared.state().trouble = trouble;
    }

    /// Everything that was started, in this order.
    #[must_use]
    pub fn history(&self) -> Vec<Ran> {
        self.shared.state().history.clone()
    }

    /// What the node and its containers have written.
    #[must_use]
    pub fn log(&self) -> String {
        let files = fs::read_dir(self.shared.dir.path())
            .into_iter()
            .flatten()
            .flatten();
        let logs = files.filter(|file| file.path().extension().is_some_and(|end| end == "log"));
        logs.filter_map(|log| fs::read_to_string(log.path()).ok())
            .collect()
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.shared.state().containers.clear();
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn note(&self, error: &anyhow::Error) {
        use std::io::Write as _;
        let log = self.dir.path().join("node.log");
        if let Ok(mut log) = fs::File::options().create(true).append(true).open(log) {
            writeln!(log, "{error:#}").ok();
        }
    }

    async fn look(&self) -> anyhow::Result<()> {
        let pods = self.pods().list(&ListParams::default()).await?.items;
        for pod in &pods {
            if let Err(error) = self.tend(pod).await {
                self.note(&error.context(pod.name_any()));
            }
        }
        // a pod that was taken away by force
        let there = |uid: &String| pods.iter().any(|pod| pod.uid().as_ref() == Some(uid));
        self.state().containers.retain(|uid, _| there(uid));
        Ok(())
    }

    async fn tend(&self, pod: &Pod) -> anyhow::Result<()> {
        let uid = pod.uid().context("a pod without a uid")?;
        if pod.metadata.deletion_timestamp.is_some() {
            return self.end(pod, &uid).await;
        }
        let trouble = self.state().trouble;
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        match node {
            None if trouble == Trouble::Full => {
                let full = json!({
                    "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/1 nodes are available: 1 has no room.",
                });
                return self
                    .say(pod, &json!({"phase": "Pending", "conditions": [full]}))
                    .await;
            }
            None => return self.bind(pod).await,
            Some(name) if name != self.name => return Ok(()),
            Some(_) => {}
        }
        if self.state().containers.contains_key(&uid) {
            return self.report(pod, &uid).await;
        }
        if trouble == Trouble::NoImage {
            let waiting = json!({"waiting": {"reason": "ErrImagePull", "message": "there is no such image"}});
            return self.say(pod, &status("Pending", pod, &waiting)).await;
        }
        if phase(pod).is_none_or(|phase| phase == "Pending") {
            self.run(pod, &uid).await?;
        }
        Ok(())
    }

    async fn bind(&self, pod: &Pod) -> anyhow::Result<()> {
        let name = pod.name_any();
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name, "namespace": self.namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self.name},
        });
        let pods = self.pods();
        let _: Value = pods
            .create_subresource("binding", &name, &PostParams::default(), &binding)
            .await?;
        Ok(())
    }

    async fn run(&self, pod: &Pod, uid: &str) -> anyhow::Result<()> {
        let spec = pod.spec.as_ref().context("a pod without a spec")?;
        let container = spec.containers.first().context("a pod without a container")?;
        let dir = self.dir.path().join(uid);
        for volume in spec.volumes.iter().flatten() {
            self.volume(pod, uid, volume, &dir.join(&volume.name)).await?;
        }
        let log = self.dir.path().join(format!("{uid}.log"));
        let mut command = Spec::new(&self.program, log);
        for arg in container.args.iter().flatten() {
            command = command.arg(placed(container, &dir, arg));
        }
        for variable in container.env.iter().flatten() {
            command = command.env(&variable.name, variable.value.as_deref().unwrap_or_default());
        }
        let proc = Proc::spawn(&command)?;
        let pid = proc.id();
        {
            let mut state = self.state();
            let alike = |ran: &&Ran| ran.pod.metadata.name == pod.metadata.name;
            let before: Vec<_> = state.history.iter().filter(alike).map(|ran| ran.pid).collect();
            let mut besides = 0;
            for running in state.containers.values_mut() {
                let alike = before.contains(&running.proc.id());
                besides += usize::from(alike && running.proc.ended()?.is_none());
            }
            state.history.push(Ran {
                pod: pod.clone(),
                pid,
                dir,
                besides,
            });
            let running = Running {
                proc,
                ended: None,
                told: false,
                kill_at: None,
            };
            state.containers.insert(uid.to_owned(), running);
        }
        let since = pod.metadata.creation_timestamp.clone();
        self.say(
            pod,
            &status("Running", pod, &json!({"running": {"startedAt": since}})),
        )
        .await
    }

    async fn volume(&self, pod: &Pod, uid: &str, volume: &Volume, dir: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(dir)?;
        let sources = volume.projected.as_ref().and_then(|all| all.sources.as_ref());
        for source in sources.into_iter().flatten() {
            if let Some(wanted) = &source.service_account_token {
                let account = pod
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.service_account_name.as_deref());
                let account = (
                    self.namespace.as_str(),
                    account.context("a pod without an account")?,
                );
                let audience = wanted.audience.as_deref().context("a token for the API server")?;
                let token = token_of_pod(&self.client, account, audience, (&pod.name_any(), uid)).await?;
                fs::write(dir.join(&wanted.path), token.expose())?;
            }
        }
        Ok(())
    }

    /// Says once how a container ended.
    async fn report(&self, pod: &Pod, uid: &str) -> anyhow::Result<()> {
        let ended = {
            let mut state = self.state();
            let Some(running) = state.containers.get_mut(uid) else {
                return Ok(());
            };
            if running.ended.is_none() {
                running.ended = running.proc.ended()?;
            }
            running
                .ended
                .filter(|_| !std::mem::replace(&mut running.told, true))
        };
        let Some(ended) = ended else { return Ok(()) };
        let code = ended
            .code()
            .or_else(|| Some(128 + ended.signal()?))
            .unwrap_or(255);
        let (phase, reason) = if code == 0 {
            ("Succeeded", "Completed")
        } else {
            ("Failed", "Error")
        };
        let state = json!({"terminated": {"exitCode": code, "reason": reason}});
        self.say(pod, &status(phase, pod, &state)).await
    }

    /// The object goes once the process has.
    async fn end(&self, pod: &Pod, uid: &str) -> anyhow::Result<()> {
        {
            let mut state = self.state();
            if let Some(running) = state.containers.get_mut(uid) {
                let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or_default();
                let grace = Duration::from_secs(u64::try_from(grace).unwrap_or_default());
                match running.kill_at {
                    None => {
                        running.proc.terminate()?;
                        running.kill_at = Some(Instant::now() + grace);
                    }
                    Some(at) if at <= Instant::now() => drop(running.proc.kill()?),
                    Some(_) => {}
                }
                if running.proc.ended()?.is_none() {
                    return Ok(());
                }
            }
        }
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        self.pods().delete(&pod.name_any(), &params).await?;
        Ok(())
    }

    async fn say(&self, pod: &Pod, status: &Value) -> anyhow::Result<()> {
        let patch = Patch::Merge(json!({"metadata": {"uid": pod.uid()}, "status": status}));
        self.pods()
            .patch_status(&pod.name_any(), &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

/// With the directories of this machine in place of the mounts.
fn placed(container: &Container, dir: &Path, text: &str) -> String {
    let mounts = container.volume_mounts.iter().flatten();
    mounts.fold(text.to_owned(), |text, mount| {
        text.replace(&mount.mount_path, &dir.join(&mount.name).display().to_string())
    })
}

fn status(phase: &str, pod: &Pod, state: &Value) -> Value {
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice());
    let states: Vec<Value> = containers
        .unwrap_or_default()
        .iter()
        .map(|container| {
            json!({
                "name": container.name, "image": container.image, "imageID": "", "restartCount": 0,
                "ready": phase == "Running", "started": phase == "Running", "state": state,
            })
        })
        .collect();
    json!({
        "phase": phase,
        "startTime": pod.metadata.creation_timestamp,
        "conditions": [{"type": "PodScheduled", "status": "True"}],
        "containerStatuses": states,
    })
}

//! Workers in pods: where they run, who may take their place, and that there is one of each at most.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tenure_api::{LIFELINE_AUDIENCE, WORKER_LABEL};
use tenure_core::Secret;
use tenure_testkit::install::Options;
use tenure_testkit::kubelet::Trouble;
use tenure_testkit::{Installation, Kubelet, TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, Team, condition, flux, value};
use tenure_worker::{Remote, Way, WorkerError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use crate::process::status;

const MAP: &str = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}}"#;

/// A stage whose Tenants may have workers in pods, and the node that runs them.
async fn stage() -> anyhow::Result<(Stage, Kubelet)> {
    let mut stage = Stage::start().await?;
    let options = Options {
        suffix: format!("-{:08x}", rand::random::<u32>()),
        pods: true,
        two_supervisors: true,
        ..Options::default()
    };
    stage.tenure = Installation::start_with(&stage.plane, options).await?;
    let tenure = &stage.tenure;
    let kubelet = Kubelet::start(stage.client(), tenure.workers(), tenure.binary()).await?;
    Ok((stage, kubelet))
}

fn in_pods(name: &str) -> TenantFixture {
    TenantFixture::new(name).with(&json!({"isolation": "pod", "limits": {"memory": "128Mi"}}))
}

/// Something to apply, and little reason to look again.
async fn work(team: &Team<'_>, spec: &Value) -> anyhow::Result<()> {
    team.commit(&[("map.yaml", Some(MAP))], "A map")?;
    team.git_repository(&json!({"interval": "1h"})).await?;
    let mut all = json!({"interval": "1h", "targetNamespace": team.home()});
    if let (Some(all), Some(more)) = (all.as_object_mut(), spec.as_object()) {
        all.extend(more.clone());
    }
    team.kustomization("app", &all).await
}

fn pods(stage: &Stage) -> Api<Pod> {
    Api::namespaced(stage.client(), stage.tenure.workers())
}

async fn isolation(stage: &Stage, team: &Team<'_>) -> anyhow::Result<Value> {
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    let tenant = value(&tenants, &team.fixture.name).await?;
    condition(&tenant, "Isolation")
        .cloned()
        .context("nothing is said")
}

async fn gone(stage: &Stage, home: &str) -> anyhow::Result<()> {
    until("the home to have no pod", PATIENCE, || async {
        let left = pods(stage).get_opt(home).await?;
        ensure!(left.is_none(), "there is one: {:?}", left.map(|pod| pod.status));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_served_from_pods_that_are_gone_when_there_is_nothing_to_do() -> anyhow::Result<()> {
    let (stage, kubelet) = stage().await?;
    let team = stage.tenant(in_pods("podded")).await?;
    work(&team, &json!({})).await?;
    team.ready("Kustomization", "app")
        .await
        .with_context(|| kubelet.log())?;
    gone(&stage, team.home()).await?;
    let history = kubelet.history();
    let ran = history.first().context("no pod was started")?;
    ensure!(history.iter().all(|ran| ran.besides == 0), "two at once");

    let pod = serde_json::to_value(&ran.pod)?;
    ensure!(
        pod["metadata"]["name"] == team.home() && pod["metadata"]["labels"][WORKER_LABEL] == team.home(),
        "{}",
        pod["metadata"]
    );
    let owner = &pod["metadata"]["ownerReferences"][0];
    ensure!(
        owner["kind"] == "ServiceAccount" && owner["name"] == team.home(),
        "{owner}"
    );
    ensure!(
        pod["spec"]["serviceAccountName"] == team.home(),
        "{}",
        pod["spec"]
    );
    // the admission plugin that mounts tokens has been here, too
    let mounts = pod["spec"]["containers"][0]["volumeMounts"].to_string();
    ensure!(
        !mounts.contains("kubernetes.io/serviceaccount"),
        "a token of the API server is mounted: {mounts}"
    );
    let said = until("the Tenant to say what keeps its worker apart", PATIENCE, || {
        isolation(&stage, &team)
    })
    .await?;
    ensure!(
        said["status"] == "True" && said["reason"] == "Sandboxed",
        "{said}"
    );
    ensure!(
        said["message"]
            .as_str()
            .is_some_and(|text| text.contains("seccomp")),
        "{said}"
    );
    Ok(())
}

async fn running(kubelet: &Kubelet, count: usize) -> anyhow::Result<u32> {
    until("a worker's pod to run", PATIENCE, || async {
        let history = kubelet.history();
        ensure!(
            history.len() >= count,
            "{} were started\n{}",
            history.len(),
            kubelet.log()
        );
        let ran = history.last().context("none")?;
        let status = status(ran.pid)?;
        let sealed = status.get("Seccomp").is_some_and(|value| value == "2")
            && status.get("NoNewPrivs").is_some_and(|value| value == "1");
        ensure!(sealed, "it is not in its sandbox: {status:?}");
        Ok(ran.pid)
    })
    .await
}

fn lives(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_the_pod_before_is_gone_before_another_is_there() -> anyhow::Result<()> {
    let (mut stage, kubelet) = stage().await?;
    let fixture = in_pods("crashed");
    let team = stage.tenant(fixture.clone()).await?;
    team.keep_awake().await?;
    let first = running(&kubelet, 1).await?;
    // it sees nothing of what happens, as on a node that hangs
    let pid = Pid::from_raw(i32::try_from(first)?).context("a pid")?;
    kill_process(pid, Signal::STOP)?;
    stage.tenure.kill_supervisor()?;
    stage.tenure.start_supervisor().await?;
    let second = running(&kubelet, 2).await?;
    ensure!(!lives(first) && lives(second), "the worker before it lives");
    let history = kubelet.history();
    ensure!(history.iter().all(|ran| ran.besides == 0), "two at once");
    ensure!(
        history
            .iter()
            .all(|ran| ran.pod.metadata.name.as_deref() == Some(fixture.home.as_str())),
        "a pod has another name"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_supervisor_takes_a_home_over_with_its_pod() -> anyhow::Result<()> {
    let (mut stage, kubelet) = stage().await?;
    let fixture = in_pods("inherited");
    let team = stage.tenant(fixture.clone()).await?;
    team.keep_awake().await?;
    let first = running(&kubelet, 1).await?;
    let pid = Pid::from_raw(i32::try_from(first)?).context("a pid")?;
    kill_process(pid, Signal::STOP)?;
    stage.tenure.kill_supervisor()?;
    stage.tenure.start_second().await?;
    let second = running(&kubelet, 2).await?;
    ensure!(!lives(first) && lives(second), "the worker before it lives");
    ensure!(
        kubelet.history().iter().all(|ran| ran.besides == 0),
        "two at once"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_ends_with_its_supervisor_and_its_pod_with_its_account() -> anyhow::Result<()> {
    let (mut stage, kubelet) = stage().await?;
    let fixture = in_pods("orphaned");
    let team = stage.tenant(fixture.clone()).await?;
    team.keep_awake().await?;
    let pid = running(&kubelet, 1).await?;
    stage.tenure.kill_supervisor()?;
    until("the worker to end", PATIENCE, || async {
        ensure!(!lives(pid), "it lives");
        Ok(())
    })
    .await?;
    ensure!(
        pods(&stage).get_opt(&fixture.home).await?.is_some(),
        "nobody was there to delete the pod"
    );
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
        Api::namespaced(stage.client(), stage.tenure.workers());
    accounts.delete(&fixture.home, &DeleteParams::default()).await?;
    gone(&stage, &fixture.home).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_that_is_told_to_end_leaves_no_pod() -> anyhow::Result<()> {
    let (mut stage, kubelet) = stage().await?;
    let fixture = in_pods("parted");
    let team = stage.tenant(fixture.clone()).await?;
    team.keep_awake().await?;
    running(&kubelet, 1).await?;
    let supervisor = stage.tenure.supervisor().context("it runs")?;
    supervisor.terminate()?;
    let status = supervisor.wait(PATIENCE).await?;
    ensure!(status.success(), "it ended with {status}");
    ensure!(
        pods(&stage).get_opt(&fixture.home).await?.is_none(),
        "there is a pod"
    );
    Ok(())
}

/// Its connections stay open, and nobody says that the worker has to end.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_ends_though_its_supervisor_stands_still() -> anyhow::Result<()> {
    let (mut stage, kubelet) = stage().await?;
    let fixture = in_pods("still");
    let team = stage.tenant(fixture.clone()).await?;
    team.keep_awake().await?;
    let first = running(&kubelet, 1).await?;
    // it has been told until when it may run by the time it applies something
    team.is_kept_awake().await?;
    let supervisor = stage.tenure.supervisor().context("it runs")?;
    supervisor.signal(Signal::STOP)?;
    until("the worker to end", PATIENCE, || async {
        ensure!(!lives(first), "it lives");
        Ok(())
    })
    .await?;
    supervisor.signal(Signal::CONT)?;
    running(&kubelet, 2).await?;
    ensure!(
        kubelet.history().iter().all(|ran| ran.besides == 0),
        "two at once"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_leaves_its_pod_has_no_worker_in_both() -> anyhow::Result<()> {
    let (stage, kubelet) = stage().await?;
    let team = stage.tenant(in_pods("moving")).await?;
    team.keep_awake().await?;
    let pid = running(&kubelet, 1).await?;
    stage
        .tenure
        .apply(&[team
            .fixture
            .clone()
            .with(&json!({"isolation": "process"}))
            .object()])
        .await?;
    until("a process to be the worker", PATIENCE, || async {
        let said = stage.tenure.supervisor_log();
        ensure!(!lives(pid), "the one in the pod lives\n{said}");
        ensure!(
            pods(&stage).get_opt(team.home()).await?.is_none(),
            "the pod is there"
        );
        Ok(())
    })
    .await?;
    let commit = team.commit(&[("never.yaml", None), ("map.yaml", Some(MAP))], "A map alone")?;
    team.git_repository(&json!({"interval": "59m"})).await?;
    team.applied("app", &commit).await?;
    ensure!(kubelet.history().len() == 1, "another pod was started");
    Ok(())
}

/// The scheduler is not asked: the API server takes no pod of a RuntimeClass that it does not know.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_the_api_server_refuses_is_named_too() -> anyhow::Result<()> {
    let (stage, kubelet) = stage().await?;
    let fixture = in_pods("refused").with(&json!({"pod": {"runtimeClassName": "missing"}}));
    let team = stage.tenant(fixture).await?;
    work(&team, &json!({})).await?;
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    until("the Tenant to say so", PATIENCE, || async {
        let tenant = value(&tenants, &team.fixture.name).await?;
        for (kind, reason) in [("Isolation", "PodHindered"), ("Ready", "WorkerFailed")] {
            let said = condition(&tenant, kind).context("nothing is said")?;
            let message = said["message"].as_str().unwrap_or_default();
            ensure!(
                said["reason"] == reason && message.contains(team.home()) && message.contains("missing"),
                "{said}"
            );
        }
        Ok(())
    })
    .await?;
    let mut mended = team.fixture.clone();
    mended.extra["pod"] = json!({"nodeSelector": {"pool": "any"}});
    stage.tenure.apply(&[mended.object()]).await?;
    team.ready("Kustomization", "app").await?;
    ensure!(
        kubelet.history().iter().all(|ran| ran.besides == 0),
        "two at once"
    );
    Ok(())
}

/// A worker with a token of somebody else's choice.
async fn intruder(url: &str, ca: &Path, token: Secret) -> Option<String> {
    let scratch = tempfile::tempdir().ok()?;
    let options = tenure_worker::Options {
        way: Way::Remote(Remote {
            url: url.to_owned(),
            ca_pem: std::fs::read(ca).ok()?,
            server_name: "tenure-supervisor".to_owned(),
            token,
        }),
        scratch: scratch.path().to_owned(),
        sandbox: Vec::new(),
        missing: Vec::new(),
        over: Box::new(|| {}),
    };
    let run = tenure_worker::run(options, CancellationToken::new());
    match tokio::time::timeout(Duration::from_secs(60), Box::pin(run)).await {
        Ok(Err(WorkerError::Attach(why))) => Some(why),
        _ => None,
    }
}

/// A pod that nobody runs, for its name.
async fn idle_pod(stage: &Stage, name: &str, account: &str) -> anyhow::Result<String> {
    let pod = json!({
        "metadata": {"name": name},
        "spec": {
            "serviceAccountName": account, "automountServiceAccountToken": false,
            "nodeName": "nowhere",
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "idle", "image": "idle", "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            }}],
        },
    });
    let made = pods(stage)
        .create(&PostParams::default(), &serde_json::from_value(pod)?)
        .await?;
    made.metadata.uid.context("a pod without a uid")
}

/// Whom a worker's pod is told to dial.
fn dialled(pod: &Pod) -> anyhow::Result<String> {
    let args = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.containers.first()?.args.as_ref());
    let url = args
        .into_iter()
        .flatten()
        .find_map(|arg| arg.strip_prefix("--lifeline-url="));
    url.map(str::to_owned).context("the pod is not told whom to dial")
}

/// While a lifeline waits for the pod of a home: everybody else who dials.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_pod_that_was_started_gets_a_lifeline() -> anyhow::Result<()> {
    let (stage, kubelet) = stage().await?;
    kubelet.suffer(Trouble::NoImage);
    let team = stage.tenant(in_pods("waited")).await?;
    let other = TenantFixture::new("stranger");
    other.onboard(&stage.tenure).await?;
    work(&team, &json!({})).await?;
    let (name, workers) = (team.home(), stage.tenure.workers());
    let pod = until("the pod to be there", PATIENCE, || async {
        pods(&stage).get_opt(name).await?.context("there is none")
    })
    .await?;
    let uid = pod.metadata.uid.clone().context("a uid")?;
    let url = dialled(&pod)?;
    let ca = stage.tenure.dir().join("lifeline-ca.crt");

    let twin = format!("{name}-twin");
    let twin_uid = idle_pod(&stage, &twin, name).await?;
    let foreign_uid = idle_pod(&stage, &other.home, &other.home).await?;
    let plane = &stage.plane;
    let mine = (workers, name);
    let theirs = (workers, other.home.as_str());
    let tokens = [
        (
            "of no pod",
            plane.token_for(mine, Some(LIFELINE_AUDIENCE), 600).await?,
        ),
        (
            "of another pod of the account",
            plane
                .token_of_pod(mine, LIFELINE_AUDIENCE, (&twin, &twin_uid))
                .await?,
        ),
        (
            "of another home's pod",
            plane
                .token_of_pod(theirs, LIFELINE_AUDIENCE, (&other.home, &foreign_uid))
                .await?,
        ),
        (
            "for the cache",
            plane
                .token_of_pod(mine, tenure_api::CACHE_AUDIENCE, (name, &uid))
                .await?,
        ),
        (
            "of the tenant's own account",
            plane
                .token_for((name, &team.fixture.account), Some(LIFELINE_AUDIENCE), 600)
                .await?,
        ),
        ("that is none", Secret::from("none".to_owned())),
    ];
    let mut answers = std::collections::BTreeSet::new();
    for (whose, token) in tokens {
        let answer = intruder(&url, &ca, token).await;
        answers.insert(answer.with_context(|| format!("a token {whose} was let in"))?);
    }
    ensure!(answers.len() == 1, "the answers tell refusals apart: {answers:?}");
    let log = stage.tenure.supervisor_log();
    ensure!(log.contains("a worker was not let in"), "nothing was logged");

    // a token of the pod itself is another matter, once
    kubelet.suffer(Trouble::None);
    team.ready("Kustomization", "app")
        .await
        .with_context(|| kubelet.log())?;
    Ok(())
}

/// Whoever gets no lifeline has a place among the connections for a moment, and whoever has one keeps it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_lifeline_is_ended() -> anyhow::Result<()> {
    let (stage, kubelet) = stage().await?;
    let team = stage.tenant(in_pods("quiet")).await?;
    team.keep_awake().await?;
    let pid = running(&kubelet, 1).await?;
    team.is_kept_awake().await?;
    let pod = pods(&stage).get(team.home()).await?;
    let url = dialled(&pod)?;
    let address = url.strip_prefix("https://").context("another scheme")?;
    let ca = std::fs::read_to_string(stage.tenure.dir().join("lifeline-ca.crt"))?;
    let greeting = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(),
        &[0, 0, 0, 4, 0, 0, 0, 0, 0],
    ]
    .concat();
    for said in [&[], greeting.as_slice()] {
        let mut connection = tenure_testkit::serve::dial(address, "tenure-supervisor", &ca).await?;
        connection.write_all(said).await?;
        let mut heard = Vec::new();
        // a connection may end without a word
        let end = tokio::time::timeout(PATIENCE, connection.read_to_end(&mut heard)).await;
        ensure!(end.is_ok(), "it is open after {PATIENCE:?}");
    }
    let commit = team.commit(&[("never.yaml", None), ("map.yaml", Some(MAP))], "A map alone")?;
    team.git_repository(&json!({"interval": "59m"})).await?;
    team.applied("app", &commit).await?;
    let history = kubelet.history();
    ensure!(
        history.len() == 1 && history.iter().all(|ran| ran.pid == pid),
        "the worker lost its lifeline\n{}",
        stage.tenure.supervisor_log()
    );
    Ok(())
}

/// A node that is cut off does not say that a pod's processes are gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_stays_keeps_a_process_from_starting_and_is_named() -> anyhow::Result<()> {
    let (mut stage, kubelet) = stage().await?;
    let fixture = in_pods("stays");
    let team = stage.tenant(fixture.clone()).await?;
    team.keep_awake().await?;
    running(&kubelet, 1).await?;
    team.is_kept_awake().await?;
    drop(team);
    let finalizers = |all: &[&str]| Patch::Merge(json!({"metadata": {"finalizers": all}}));
    let params = PatchParams::default();
    pods(&stage)
        .patch(
            &fixture.home,
            &params,
            &finalizers(&["tenure.dev/the-node-is-silent"]),
        )
        .await?;
    stage.tenure.kill_supervisor()?;
    let moved = fixture.clone().with(&json!({"isolation": "process"}));
    stage.tenure.apply(&[moved.object()]).await?;
    stage.tenure.start_supervisor().await?;
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    let said = || async {
        let tenant = value(&tenants, &fixture.name).await?;
        condition(&tenant, "Isolation")
            .cloned()
            .context("nothing is said")
    };
    until("the Tenant to say so", PATIENCE, || async {
        let said = said().await?;
        let message = said["message"].as_str().unwrap_or_default();
        ensure!(
            said["reason"] == "PodHindered" && message.contains("is not gone"),
            "{said}"
        );
        Ok(())
    })
    .await?;
    pods(&stage)
        .patch(&fixture.home, &params, &finalizers(&[]))
        .await?;
    until("a process to be its worker", PATIENCE, || async {
        let said = said().await?;
        ensure!(said["status"] == "True", "{said}");
        Ok(())
    })
    .await?;
    ensure!(kubelet.history().len() == 1, "another pod was started");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_does_not_start_is_named_in_the_tenants_condition() -> anyhow::Result<()> {
    let (stage, kubelet) = stage().await?;
    kubelet.suffer(Trouble::Full);
    let team = stage.tenant(in_pods("hindered")).await?;
    work(&team, &json!({})).await?;
    for (trouble, reason) in [
        (Trouble::Full, "Unschedulable"),
        (Trouble::NoImage, "ErrImagePull"),
    ] {
        kubelet.suffer(trouble);
        until("the Tenant to say so", PATIENCE, || async {
            let said = isolation(&stage, &team).await?;
            let message = said["message"].as_str().unwrap_or_default();
            let named = message.contains(&format!("{}/{}", stage.tenure.workers(), team.home()));
            ensure!(
                said["status"] == "False"
                    && said["reason"] == "PodHindered"
                    && named
                    && message.contains(reason),
                "{said}"
            );
            Ok(())
        })
        .await?;
    }
    kubelet.suffer(Trouble::None);
    team.ready("Kustomization", "app").await?;
    until("the Tenant to be at rest", PATIENCE, || async {
        let said = isolation(&stage, &team).await?;
        ensure!(said["status"] == "True", "{said}");
        Ok(())
    })
    .await
}

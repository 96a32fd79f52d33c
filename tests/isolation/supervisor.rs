//! The supervisor: what its own token opens, and what it asks with the tokens of workers.

use anyhow::ensure;
use serde_json::{Value, json};
use tenure_api::rights::{RELEASE_ACCOUNT, RELEASE_ORDER, SUPERVISOR_ACCOUNT};
use tenure_api::{ISSUER_KEYS, SYSTEM_NAMESPACE, WORKERS_NAMESPACE};
use tenure_testkit::control_plane::{AuditEvent, AuditMark, ObjectRef};
use tenure_testkit::{ControlPlane, TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, flux, value};

use crate::world::{Ask, Caller, collection, kinds, reads, user, writes};

#[tokio::test(flavor = "multi_thread")]
async fn the_supervisor_reads_no_secret_and_writes_to_no_tenant() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let tenure = &stage.tenure;
    let target = stage.plane.temp_namespace("target").await?.name().to_owned();
    let fixture = TenantFixture::new("ruled").target(&target);
    fixture.onboard(tenure).await?;
    let supervisor = Caller::account(&stage.plane, tenure.system(), SUPERVISOR_ACCOUNT).await?;
    for namespace in [
        tenure.system(),
        tenure.workers(),
        &fixture.home,
        &target,
        "default",
        "kube-system",
    ] {
        for ask in reads("secrets", namespace)
            .iter()
            .chain(&writes("secrets", namespace))
        {
            supervisor.forbidden(None, ask).await?;
        }
        for kind in ["roles", "rolebindings"] {
            for ask in writes(&format!("{kind}.rbac.authorization.k8s.io"), namespace) {
                supervisor.forbidden(None, &ask).await?;
            }
        }
    }
    for ask in kinds()
        .iter()
        .flat_map(|kind| [writes(kind, &fixture.home), writes(kind, &target)])
        .flatten()
    {
        supervisor.forbidden(None, &ask).await?;
    }
    // workers are processes, unless the platform says otherwise
    for namespace in [tenure.system(), tenure.workers(), &fixture.home] {
        for ask in reads("pods", namespace).iter().chain(&writes("pods", namespace)) {
            supervisor.forbidden(None, ask).await?;
        }
    }
    for kind in ["clusterroles", "clusterrolebindings"] {
        let path = format!("/apis/rbac.authorization.k8s.io/v1/{kind}");
        supervisor
            .forbidden(None, &Ask::post(path, json!({"metadata": {"name": "prize"}})))
            .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_supervisor_acts_as_nobody_and_mints_tokens_of_workers_alone() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let tenure = &stage.tenure;
    let fixture = TenantFixture::new("minted");
    fixture.onboard(tenure).await?;
    let supervisor = Caller::account(&stage.plane, tenure.system(), SUPERVISOR_ACCOUNT).await?;
    let mint = |namespace: &str, name: &str| {
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}});
        Ask::post(
            format!("{}/{name}/token", collection("serviceaccounts", namespace)),
            request,
        )
    };
    supervisor
        .answered(None, &mint(tenure.workers(), &fixture.home), 201)
        .await?;
    for (namespace, name) in [
        (fixture.home.as_str(), fixture.account.as_str()),
        (tenure.system(), SUPERVISOR_ACCOUNT),
        ("kube-system", "namespace-controller"),
        ("default", "default"),
    ] {
        supervisor.forbidden(None, &mint(namespace, name)).await?;
    }
    let all = Ask::get(collection("configmaps", &fixture.home));
    for who in [
        user(&fixture.home, &fixture.account),
        user(tenure.workers(), &fixture.home),
        "system:admin".to_owned(),
    ] {
        supervisor.forbidden(Some(&who), &all).await?;
    }
    Ok(())
}

/// What the supervisor asks as itself: the first columns of the table, by namespace.
fn is_its_own_business(system: &str, workers: &str, event: &AuditEvent) -> bool {
    let nothing = ObjectRef::default();
    let object = event.object.as_ref().unwrap_or(&nothing);

    let verb = event.verb.as_str();
    match (
        object.namespace.as_str(),
        object.resource.as_str(),
        object.subresource.as_str(),
    ) {
        ("", "", "") => {
            let known = ["/openid/v1/jwks", "/.well-known/openid-configuration", "/version"];
            verb == "get" && known.contains(&event.request_uri.as_str())
        }
        (namespace, "tenants", "") if namespace == system => ["get", "list", "watch"].contains(&verb),
        (namespace, "tenants", "status") if namespace == system => verb == "patch",
        (namespace, "artifacts", "") if namespace == system => {
            ["list", "create", "patch", "delete"].contains(&verb)
        }
        (namespace, "leases", "") if namespace == system => {
            ["list", "watch", "create", "patch", "delete"].contains(&verb)
        }
        (namespace, "events", "") if namespace == system => verb == "create",
        (namespace, "configmaps", "") if namespace == system => {
            object.name == ISSUER_KEYS && ["get", "patch"].contains(&verb)
        }
        (namespace, "serviceaccounts", "token") if namespace == workers => verb == "create",
        (namespace, "serviceaccounts", "") if namespace == workers => ["get", "list"].contains(&verb),
        // where the platform lets workers be pods; elsewhere it is refused
        (namespace, "pods", "") if namespace == workers => {
            ["create", "get", "list", "watch", "delete"].contains(&verb)
        }
        _ => false,
    }
}

/// What it asks besides where the platform gives it the right to watch all homes: metadata of the same kinds. It finds out
/// whether it has that right by asking.
fn is_everywhere(event: &AuditEvent) -> bool {
    let Some(object) = &event.object else { return false };
    let group = object.api_group.ends_with(".toolkit.fluxcd.io");
    let looks = ["list", "watch"].contains(&event.verb.as_str());
    group
        && looks
        && object.subresource.is_empty()
        && (event.metadata_only || event.verb == "watch" || event.code == 403)
}

/// What it asks with a worker's token: metadata of the kinds that it watches, of that worker's home.
fn is_metadata(event: &AuditEvent, home: &str) -> bool {
    let Some(object) = &event.object else { return false };
    let kinds = [
        "kustomizations",
        "gitrepositories",
        "ocirepositories",
        "helmrepositories",
        "helmcharts",
        "buckets",
        "externalartifacts",
    ];
    let about = kinds.contains(&object.resource.as_str())
        && object.subresource.is_empty()
        && object.namespace == home;
    // The log has no body of a watch; the answer to a list says what it was.
    let shape = match event.verb.as_str() {
        "watch" => true,
        "list" => event.metadata_only || event.code >= 400,
        _ => false,
    };
    about && shape && event.impersonated_user.is_none()
}

/// One tenant at work, one that fails, and one that is suspended: the log of all that was asked.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_shows_the_supervisor_metadata_and_nothing_more() -> anyhow::Result<()> {
    let mark = ControlPlane::shared().await?.audit_mark()?;
    let stage = Stage::start().await?;
    let busy = stage.tenant(TenantFixture::new("busy")).await?;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}}).to_string();
    busy.commit(&[("map.yaml", Some(&map))], "A map")?;
    busy.git_repository(&json!({})).await?;
    busy.kustomization("app", &json!({"targetNamespace": busy.home()}))
        .await?;
    let asleep = stage
        .tenant(TenantFixture::new("asleep").with(&json!({"suspend": true})))
        .await?;
    asleep.git_repository(&json!({})).await?;
    busy.ready("Kustomization", "app").await?;
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    until("the suspended Tenant to be counted", PATIENCE, || async {
        let tenant = value(&tenants, &asleep.fixture.name).await?;
        ensure!(
            tenant["status"]["homes"][0]["objects"] == 1,
            "its status is {}",
            tenant["status"]
        );
        Ok(())
    })
    .await?;

    let supervisor = user(stage.tenure.system(), SUPERVISOR_ACCOUNT);
    let events = stage.plane.audit_events(mark)?;
    let own: Vec<_> = events.iter().filter(|event| event.user == supervisor).collect();
    ensure!(
        own.iter().any(|event| event.verb == "watch"),
        "the supervisor has asked for something"
    );
    for event in own {
        ensure!(
            event.user_agent.starts_with("tenure-supervisor/"),
            "sent by {}",
            event.user_agent
        );
        ensure!(
            event.impersonated_user.is_none() && event.code != 403,
            "{}",
            event.raw
        );
        ensure!(
            is_its_own_business(stage.tenure.system(), stage.tenure.workers(), event),
            "{} {}",
            event.verb,
            event.request_uri
        );
    }

    let (mut looks, mut works) = (0, 0);
    for team in [&busy, &asleep] {
        let worker = user(stage.tenure.workers(), team.home());
        let tenant = user(team.home(), &team.fixture.account);
        for event in events.iter().filter(|event| event.user == worker) {
            if event.user_agent.starts_with("tenure-supervisor/") {
                looks += 1;
                ensure!(
                    is_metadata(event, team.home()),
                    "{} {}",
                    event.verb,
                    event.request_uri
                );
            } else {
                works += 1;
                ensure!(
                    event.user_agent.starts_with("tenure-worker/"),
                    "sent by {}",
                    event.user_agent
                );
                // No worker runs for a suspended Tenant: whatever has its token there is the supervisor.
                ensure!(team.home() == busy.home(), "{} {}", event.verb, event.request_uri);
                let acted = event.impersonated_user.as_ref();
                ensure!(acted.is_none_or(|acted| *acted == tenant), "acted as {acted:?}");
            }
        }
    }
    ensure!(
        looks >= 8 && works > 0,
        "{looks} looks by the supervisor, {works} requests of workers"
    );
    Ok(())
}

/// What it asks with the token of the account that lets go of rights.
fn is_release(event: &AuditEvent) -> bool {
    let object = event.object.clone().unwrap_or_default();
    let known = RELEASE_ORDER.contains(&(object.resource.as_str(), object.name.as_str()));
    known && ["get", "patch"].contains(&event.verb.as_str()) && event.impersonated_user.is_none()
}

/// What it asks with a worker's token where the Tenant has `watchSecrets`: which labelled Secrets and ConfigMaps there are.
fn is_sentinel(event: &AuditEvent, home: &str) -> bool {
    let object = event.object.clone().unwrap_or_default();
    ["secrets", "configmaps"].contains(&object.resource.as_str())
        && object.namespace == home
        && object.name.is_empty()
        && ["list", "watch"].contains(&event.verb.as_str())
        && event
            .request_uri
            .contains("labelSelector=reconcile.fluxcd.io%2Fwatch%3DEnabled")
        && event.impersonated_user.is_none()
}

/// A token that a worker wants for another cluster is shown to this one first, which should not know it: whose is it?
fn is_trial(event: &AuditEvent) -> bool {
    let object = event.object.clone().unwrap_or_default();
    object.resource == "selfsubjectreviews"
        && event.verb == "create"
        && event.impersonated_user.is_none()
        && event.request_uri == "/apis/authentication.k8s.io/v1/selfsubjectreviews"
}

/// Whatever ran on the shared control plane so far: faults, deletions, restarts and all.
#[tokio::test(flavor = "multi_thread")]
async fn no_supervisor_of_any_suite_has_asked_for_more() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let mut seen = 0;
    for event in stage.plane.audit_events(AuditMark::default())? {
        if !event.user_agent.starts_with("tenure-supervisor/") {
            continue;
        }
        // who was not let in got nothing: its account went with an installation that was taken down
        if event.user.is_empty() {
            continue;
        }
        let parts: Vec<_> = event.user.split(':').collect();
        let [_, _, namespace, name] = parts.as_slice() else {
            anyhow::bail!("{} is no account", event.user)
        };
        // the tests of the clients use them with accounts of their own
        if !namespace.starts_with(SYSTEM_NAMESPACE) && !namespace.starts_with(WORKERS_NAMESPACE) {
            continue;
        }
        let fine = if *name == SUPERVISOR_ACCOUNT {
            let suffix = namespace.strip_prefix(SYSTEM_NAMESPACE).unwrap_or_default();
            let workers = format!("{WORKERS_NAMESPACE}{suffix}");
            is_its_own_business(namespace, &workers, &event) || is_everywhere(&event)
        } else if *name == RELEASE_ACCOUNT {
            is_release(&event)
        } else {
            is_metadata(&event, name) || is_sentinel(&event, name) || is_trial(&event)
        };
        ensure!(
            fine,
            "{} asked to {} {}",
            event.user,
            event.verb,
            event.request_uri
        );
        seen += 1;
    }
    ensure!(seen > 5, "only {seen} requests of supervisors");
    Ok(())
}

/// Where a process keeps what it knows.
fn memory(pid: u32) -> anyhow::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt as _;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let file = std::fs::File::open(format!("/proc/{pid}/mem"))?;
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw-p ")) {
        let Some((from, to)) = line.split(' ').next().and_then(|range| range.split_once('-')) else {
            continue;
        };
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        let mut block = vec![0; usize::try_from(to - from)?];
        // What is reserved and was never used can't be read.
        if file.read_exact_at(&mut block, from).is_ok() {
            all.extend(block);
        }
    }
    Ok(all)
}

fn holds(memory: &[u8], text: &str) -> bool {
    let needle = text.as_bytes();
    let first = needle.first().copied().unwrap_or_default();
    memory
        .windows(needle.len())
        .any(|window| window.first() == Some(&first) && window == needle)
}

/// The log can't say what a watch brought; the supervisor's memory can.
#[tokio::test(flavor = "multi_thread")]
async fn no_spec_of_a_tenant_ever_reaches_the_supervisors_memory() -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    let fixture = TenantFixture::new("unseen");
    fixture.onboard(&stage.tenure).await?;
    let canary = format!("spec-canary-{}", fixture.home);
    let asked = format!("metadata-canary-{}", fixture.home);
    let object = |generation: u32| -> Value {
        json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {
                "name": "seen-by-name", "namespace": fixture.home,
                "annotations": {tenure_api::REQUESTED_AT: format!("{asked}-{generation}")},
            },
            "spec": {
                "interval": "1h", "prune": true, "suspend": true, "path": format!("./{canary}/{generation}"),
                "sourceRef": {"kind": "GitRepository", "name": "app"},
            },
        })
    };
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    for generation in 1..=3 {
        stage.tenure.apply(&[object(generation)]).await?;
        let process = stage
            .tenure
            .supervisor()
            .map(|process| process.id())
            .unwrap_or_default();
        until("the supervisor to see the object", PATIENCE, || async {
            let tenant = value(&tenants, &fixture.name).await?;
            ensure!(
                tenant["status"]["homes"][0]["objects"] == 1,
                "its status is {}",
                tenant["status"]
            );
            let seen = holds(&memory(process)?, &format!("{asked}-{generation}"));
            ensure!(seen, "its metadata is not in memory");
            Ok(())
        })
        .await?;
        ensure!(
            !holds(&memory(process)?, &canary),
            "the spec of generation {generation} is in memory"
        );
    }
    Ok(())
}

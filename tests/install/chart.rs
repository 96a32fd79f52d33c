//! The chart: what it renders, and its life on a control plane of its own.

use anyhow::ensure;
use serde_json::{Value, json};
use tenure_testkit::control_plane::Options;
use tenure_testkit::rig::Tools;
use tenure_testkit::{ControlPlane, until};
use tenure_tests::PATIENCE;

use crate::helm::{CHART, by_name, documented, installed, objects, older, versions};
use crate::objects::found;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");
const KEEP: &str = "helm.sh/resource-policy";

/// What other objects live in, so that it must outlive the chart.
fn is_kept(object: &Value) -> bool {
    object["kind"] == "CustomResourceDefinition" || object["kind"] == "Namespace"
}

/// The objects of `deploy/`, with the mark that keeps what is kept, and other names for what is named.
fn deployed(renamed: &[(&str, &str)]) -> anyhow::Result<Vec<Value>> {
    let built = Tools::ready()?.kustomize(&["build", DEPLOY])?;
    let mut wanted = objects(&built)?;
    for object in &mut wanted {
        if is_kept(object) {
            object["metadata"]["annotations"][KEEP] = json!("keep");
        }
        let mut text = object.to_string();
        for (from, to) in renamed {
            text = text.replace(from, to);
        }
        *object = serde_json::from_str(&text)?;
    }
    Ok(wanted)
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_finds_nothing_to_say_about_the_chart() -> anyhow::Result<()> {
    let plane = ControlPlane::shared().await?;
    let said = plane.helm(&["lint", "--strict", CHART]).await?;
    assert!(said.contains("1 chart(s) linted, 0 chart(s) failed"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn default_values_give_the_objects_of_deploy_and_a_mark_on_what_outlives_the_chart()
-> anyhow::Result<()> {
    let plane = ControlPlane::shared().await?;
    let rendered = objects(&plane.helm(&["template", "tenure", CHART]).await?)?;
    let wanted = deployed(&[])?;
    assert_eq!(rendered.len(), wanted.len());
    assert!(wanted.iter().filter(|object| is_kept(object)).count() == 11);
    assert_eq!(by_name(rendered), by_name(wanted));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn other_names_take_the_place_of_the_defaults_everywhere() -> anyhow::Result<()> {
    let plane = ControlPlane::shared().await?;
    // YAML would read such a name as a number.
    let values = [
        "--set-string=namespaces.system=12",
        "--set=namespaces.workers=platform-accounts",
        "--set=image=registry.example.com/tenure@sha256:0a",
        "--set=replicas=0",
        "--set=cache.replicas=0",
    ];
    let said = plane
        .helm(&[&["template", "tenure", CHART], &values[..]].concat())
        .await?;
    for name in ["tenure-system", "tenure-workers", "tenure:v"] {
        assert!(!said.contains(name), "{name} is left in\n{said}");
    }
    let version = concat!("tenure:v", env!("CARGO_PKG_VERSION"));
    let wanted = deployed(&[
        ("tenure-system", "12"),
        ("tenure-workers", "platform-accounts"),
        (version, "registry.example.com/tenure@sha256:0a"),
        (r#""replicas":1"#, r#""replicas":0"#),
    ])?;
    assert_eq!(by_name(objects(&said)?), by_name(wanted));
    Ok(())
}

/// What is there only where workers may be pods, by a word that is in it.
#[tokio::test(flavor = "multi_thread")]
async fn workers_in_pods_bring_a_role_a_port_and_a_certificate_and_nothing_else_changes() -> anyhow::Result<()>
{
    let plane = ControlPlane::shared().await?;
    let off = plane.helm(&["template", "tenure", CHART]).await?;
    let on = plane
        .helm(&["template", "tenure", CHART, "--set=isolation.pods.enabled=true"])
        .await?;
    for word in ["lifeline", "pods-image", "tenure:pods", "tenure-worker\n"] {
        assert!(!off.contains(word) && on.contains(word), "{word}\n{on}");
    }
    let (off, on) = (by_name(objects(&off)?), by_name(objects(&on)?));
    let differ: Vec<&str> = on
        .iter()
        .filter(|(name, object)| off.get(*name) != Some(object))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(differ.len(), 5, "{differ:?}");
    assert_eq!(on.len(), off.len() + 3);
    let supervisor = on
        .values()
        .find(|object| object["kind"] == "Deployment" && object["metadata"]["name"] == "tenure-supervisor");
    let pod = &supervisor.expect("a Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let args = container["args"].to_string();
    assert!(args.contains("--lifeline-address=$(POD_IP):8443"), "{args}");
    assert!(container["ports"].to_string().contains("8443"), "{container}");
    assert!(
        pod["volumes"].to_string().contains("tenure-lifeline-tls"),
        "{pod}"
    );
    let pods = Tools::ready()?.kustomize(&["build", DEPLOY])?;
    assert!(!pods.contains("tenure:pods"), "deploy/ has no right to make pods");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_the_chart_does_not_know_are_refused_by_name() -> anyhow::Result<()> {
    let plane = ControlPlane::shared().await?;
    for (value, named) in [
        ("imgae=tenure:v1", "imgae"),
        ("crds.takeover=true", "takeover"),
        ("isolation.pods.enabled=yes", "/isolation/pods/enabled"),
        ("namespaces.homes=x", "homes"),
        ("namespaces.system=Not_A_Name", "/namespaces/system"),
        ("replicas=-1", "/replicas"),
        ("cache.replicas=one", "/cache/replicas"),
        ("image=", "/image"),
    ] {
        let error = plane
            .helm(&["template", "tenure", CHART, "--set", value])
            .await
            .expect_err(value)
            .to_string();
        assert!(error.contains("schema") && error.contains(named), "{error}");
    }
    Ok(())
}

/// What a person and the programs put beside the chart's own objects.
async fn lived_in(plane: &ControlPlane) -> anyhow::Result<Vec<Value>> {
    let objects = [
        json!({
            "apiVersion": "tenure.dev/v1alpha1", "kind": "Tenant",
            "metadata": {"name": "dev-team", "namespace": "tenure-system"},
            "spec": {"namespaces": ["dev-team"], "serviceAccounts": [{"namespace": "dev-team", "name": "deployer"}]},
        }),
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "dev-team", "namespace": "tenure-workers"},
        }),
        json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "app", "namespace": "default"},
            "spec": {"interval": "1m0s", "url": "https://git.example.com/app.git"},
        }),
    ];
    for object in &objects {
        // A CRD that was made a moment ago is not served everywhere yet.
        until("an object to be taken", PATIENCE, || async {
            let args = ["apply", "--server-side", "--filename=-"];
            plane.kubectl_with_input(&args, &object.to_string()).await
        })
        .await?;
    }
    let keys = json!({"data": {"jwks.json": "{\"keys\":[]}"}}).to_string();
    let keys = [
        "patch",
        "configmap",
        "tenure-issuer-keys",
        "--type=merge",
        "--patch",
        &keys,
    ];
    let keys = [
        &keys[..],
        &["--namespace=tenure-system", "--field-manager=tenure"],
    ]
    .concat();
    plane.kubectl(&keys).await?;
    Ok(objects.to_vec())
}

/// Waits until none of the objects is there.
async fn gone(plane: &ControlPlane, objects: &[Value]) -> anyhow::Result<()> {
    for object in objects {
        until("an object to be gone", PATIENCE, || async {
            match found(plane, object).await {
                Err(error) if error.to_string().contains("NotFound") => Ok(()),
                Err(error) => Err(error),
                Ok(_) => anyhow::bail!("{} is there", object["metadata"]),
            }
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_installed_upgraded_taken_away_and_installed_again_and_no_tenant_loses_anything()
-> anyhow::Result<()> {
    let plane = ControlPlane::start(Options::default()).await?;
    let release = ["tenure", "--namespace", "tenure-system"];
    let older = older(&[("name: Phase", "name: Stage"), ("name: URL", "name: Address")])?;
    plane
        .helm(&documented(
            "helm install tenure",
            &older.path().to_string_lossy(),
        )?)
        .await?;
    let first = installed(&plane, &release).await?;
    ensure!(first.len() > 15, "there are {}", first.len());
    let lived_in = lived_in(&plane).await?;
    let beside = versions(&plane, &lived_in).await?;

    let upgrade = documented("helm upgrade tenure", CHART)?;
    plane.helm(&upgrade).await?;
    let now = installed(&plane, &release).await?;
    let before = versions(&plane, &now).await?;
    let text = json!(before).to_string();
    assert!(
        text.contains(r#""Phase""#) && text.contains(r#""URL""#),
        "CRDs are upgraded"
    );
    assert!(!text.contains(r#""Stage""#) && !text.contains(r#""Address""#));
    assert!(text.contains(r#""jwks.json""#), "the keys stay");

    plane.helm(&upgrade).await?;
    assert_eq!(versions(&plane, &now).await?, before);

    for install in ["--set=crds.install=false", "--set=crds.install=true"] {
        plane.helm(&[&upgrade[..], &[install]].concat()).await?;
        assert_eq!(versions(&plane, &now).await?, before, "no CRD goes with a value");
    }

    plane.helm(&documented("helm uninstall tenure", CHART)?).await?;
    let (kept, taken): (Vec<_>, Vec<_>) = now.into_iter().partition(is_kept);
    gone(&plane, &taken).await?;
    let left = versions(&plane, &kept).await?;
    assert!(
        left.iter().all(|(name, object)| before[name] == *object),
        "{left:?}"
    );
    assert_eq!(versions(&plane, &lived_in).await?, beside);

    plane.helm(&documented("helm install tenure", CHART)?).await?;
    installed(&plane, &release).await?;
    assert_eq!(versions(&plane, &lived_in).await?, beside);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tenure_uninstall_leaves_a_cluster_that_takes_the_chart_again() -> anyhow::Result<()> {
    let plane = ControlPlane::start(Options::default()).await?;
    let install = documented("helm install tenure", CHART)?;
    plane.helm(&install).await?;
    plane.tenure(&["uninstall", "--keep", "--yes"], "").await?;
    assert_eq!(plane.helm(&["list", "--all-namespaces", "--short"]).await?, "");
    plane.helm(&install).await?;
    installed(&plane, &["tenure", "--namespace", "tenure-system"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_of_addresses_reach_cache_and_supervisor_beside_the_api_servers() -> anyhow::Result<()> {
    let plane = ControlPlane::shared().await?;
    let values = [
        "--set=addresses.refuse={10.96.0.0/12,fd00::/8}",
        "--set=addresses.allow={10.96.12.7}",
    ];
    let said = plane
        .helm(&[&["template", "tenure", CHART], &values[..]].concat())
        .await?;
    let found: Vec<&str> = said.lines().filter(|line| line.contains("-addresses=")).collect();
    let wanted = [
        "        - --refuse-addresses=$(KUBERNETES_SERVICE_HOST)",
        "        - --refuse-addresses=10.96.0.0/12",
        "        - --refuse-addresses=fd00::/8",
        "        - --allow-addresses=10.96.12.7",
    ];
    assert_eq!(found, [wanted, wanted].concat());
    let strange = ["--set=addresses.refuse={example.com}"];
    let refused = plane
        .helm(&[&["template", "tenure", CHART], &strange[..]].concat())
        .await;
    assert!(refused.is_err(), "a name is no block of addresses");
    Ok(())
}

//! The chart on a cluster where somebody else owns the CRD of a Flux kind.

use serde_json::{Value, json};
use tenure_testkit::control_plane::Options;
use tenure_testkit::{ControlPlane, until};
use tenure_tests::PATIENCE;

use crate::helm::{CHART, documented, installed, versions};
use crate::objects::found;

const CRD: &str = "gitrepositories.source.toolkit.fluxcd.io";
const SYSTEM: &str = "--namespace=gitops-system";

fn named(name: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
    })
}

/// A CRD as Flux installs it: `v1` only, by its own field manager.
async fn flux_crd(plane: &ControlPlane) -> anyhow::Result<Value> {
    let mut crd = named(CRD);
    crd["metadata"]["labels"] = json!({
        "app.kubernetes.io/component": "source-controller", "app.kubernetes.io/part-of": "flux",
    });
    crd["spec"] = json!({
        "group": "source.toolkit.fluxcd.io", "scope": "Namespaced",
        "names": {"kind": "GitRepository", "listKind": "GitRepositoryList", "plural": "gitrepositories",
            "singular": "gitrepository", "shortNames": ["gitrepo"]},
        "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
    });
    let args = ["apply", "--server-side", "--field-manager=flux", "--filename=-"];
    plane.kubectl_with_input(&args, &crd.to_string()).await?;
    until("the CRD of Flux to be served", PATIENCE, || async {
        let found = found(plane, &crd).await?;
        let conditions = found["status"]["conditions"].to_string();
        anyhow::ensure!(conditions.contains("Established"), "{conditions}");
        plane.kubectl(&["get", CRD, "--all-namespaces"]).await?;
        Ok(found)
    })
    .await
}

/// The guide's way, in the namespace of this test.
fn take_over() -> anyhow::Result<Vec<&'static str>> {
    let begins =
        "helm upgrade tenure helm/tenure --namespace tenure-system --reset-then-reuse-values --set crds";
    let mut words = documented(begins, CHART)?;
    words.retain(|word| !["--namespace", "tenure-system"].contains(word));
    words.push(SYSTEM);
    Ok(words)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_crd_of_another_owner_is_left_alone_until_it_is_taken_over_and_is_ours_from_then_on()
-> anyhow::Result<()> {
    let plane = ControlPlane::start(Options::default()).await?;
    let theirs = flux_crd(&plane).await?;
    let names = [
        SYSTEM,
        "--set=namespaces.system=gitops-system",
        "--set=namespaces.workers=gitops-workers",
    ];
    let install = ["install", "tenure", CHART, "--create-namespace"];
    plane.helm(&[&install[..], &names].concat()).await?;
    let ours = installed(&plane, &["tenure", SYSTEM]).await?;
    let has = |name: &str| ours.iter().any(|object| object["metadata"]["name"] == name);
    assert!(has("kustomizations.kustomize.toolkit.fluxcd.io") && !has(CRD));
    assert_eq!(found(&plane, &named(CRD)).await?, theirs);

    let upgrade = [&["upgrade", "tenure", CHART][..], &names].concat();
    plane.helm(&upgrade).await?;
    installed(&plane, &["tenure", SYSTEM]).await?;
    assert_eq!(found(&plane, &named(CRD)).await?, theirs);

    let over = [&upgrade[..], &["--set=crds.takeOver=true"]].concat();
    let error = plane
        .helm(&over)
        .await
        .expect_err("Helm asks for more")
        .to_string();
    assert!(
        error.contains(CRD) && error.contains("cannot be imported"),
        "{error}"
    );
    assert_eq!(found(&plane, &named(CRD)).await?, theirs);

    plane.helm(&take_over()?).await?;
    let ours = installed(&plane, &["tenure", SYSTEM]).await?;
    let taken = found(&plane, &named(CRD)).await?;
    assert_eq!(taken["metadata"]["uid"], theirs["metadata"]["uid"]);
    assert_eq!(taken["spec"]["versions"][1]["name"], "v1beta2");
    assert!(ours.iter().any(|object| object["metadata"]["name"] == CRD));

    // Without the value again: what the release has taken over is its own.
    let before = versions(&plane, &ours).await?;
    plane.helm(&upgrade).await?;
    let again = installed(&plane, &["tenure", SYSTEM]).await?;
    assert_eq!(again.len(), ours.len());
    assert_eq!(versions(&plane, &ours).await?, before);
    Ok(())
}

use tenure_testkit::ControlPlane;
use tenure_testkit::rig::Tools;

const GO_MOD: &str = include_str!("../../../../tests/rig/tools/go.mod");

/// What the module of the tools requires.
fn pinned(module: &str) -> &'static str {
    let version = GO_MOD.lines().find_map(|line| line.trim().strip_prefix(module));
    version.unwrap_or_default().trim()
}

#[test]
fn kustomize_says_the_version_that_is_pinned_as_its_release_does() -> anyhow::Result<()> {
    let said = Tools::ready()?.kustomize(&["version"])?;
    assert_eq!(said.trim(), pinned("sigs.k8s.io/kustomize/kustomize/v5"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_says_the_version_that_is_pinned_and_asks_the_control_plane() -> anyhow::Result<()> {
    let plane = ControlPlane::shared().await?;
    let version = plane.helm(&["version", "--template={{.Version}}"]).await?;
    assert_eq!(version, pinned("helm.sh/helm/v4"));
    assert_eq!(
        plane
            .helm(&["list", "--short", "--namespace=kube-public"])
            .await?,
        ""
    );
    Ok(())
}

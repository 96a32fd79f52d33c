//! `deploy/`, given to a real API server.

use tenure_testkit::ControlPlane;
use tenure_testkit::control_plane::Options;

use crate::objects::{found, missing};

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_deploy_is_accepted_whole_and_applying_it_again_changes_nothing() -> anyhow::Result<()>
{
    let plane = ControlPlane::start(Options::default()).await?;
    let apply = ["apply", "--server-side", "--field-manager=platform", "-k", DEPLOY];
    plane.kubectl(&apply).await?;
    let built = plane.kubectl(&["kustomize", DEPLOY]).await?;
    let wanted = tenure_yaml::parse(built.as_bytes(), &tenure_yaml::Options::helm())?;
    assert!(wanted.len() > 15, "there are {}", wanted.len());
    let mut versions = Vec::new();
    for wanted in &wanted {
        let found = found(&plane, &wanted.value).await?;
        let lost = missing(&wanted.value, &found, "");
        assert!(lost.is_empty(), "{}: {lost:?}", wanted.value["metadata"]["name"]);
        versions.push(found["metadata"]["uid"].clone());
    }
    plane.kubectl(&apply).await?;
    for (wanted, uid) in wanted.iter().zip(versions) {
        let found = found(&plane, &wanted.value).await?;
        assert_eq!(found["metadata"]["uid"], uid);
    }
    Ok(())
}

//! `tenants/README.md`, line by line.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tenure_testkit::control_plane::Options as PlaneOptions;
use tenure_testkit::git::{Access, GitRepo, SshGitServer};
use tenure_testkit::install::Options;
use tenure_testkit::{ControlPlane, Installation};
use tenure_tests::{condition, flux, value};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const DEPLOYMENT: &str = include_str!("../scenarios/article/frontend-deployment.yaml");
const URL: &str = "ssh://git@github.com/your-org/your-repo.git";

/// The shell blocks of a guide, in order.
fn blocks(guide: &str) -> Vec<String> {
    let parts = guide.split("```sh\n").skip(1);
    parts
        .filter_map(|part| Some(part.split_once("```")?.0.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_through_of_tenants_onboards_dev_team_and_applies_its_commit() -> anyhow::Result<()> {
    // Of its own: the guide uses the names that an installation has.
    let plane = ControlPlane::start(PlaneOptions::default()).await?;
    let tenure = Installation::start_with(&plane, Options::default()).await?;
    let git = SshGitServer::start().await?;
    let repo = GitRepo::init(&git, "your-org/your-repo.git")?;
    let commit = repo.commit(
        &[("path/to/your/repo/frontend-deployment.yaml", Some(DEPLOYMENT))],
        "Add the frontend",
    )?;

    let checkout = tempfile::tempdir()?;
    symlink(format!("{ROOT}/tenants"), checkout.path().join("tenants"))?;
    let (identity, _) = git.authorized_keypair(Access::All)?;
    fs::write(checkout.path().join("identity"), identity)?;
    fs::write(checkout.path().join("known_hosts"), git.known_hosts()?)?;

    let guide = fs::read_to_string(format!("{ROOT}/tenants/README.md"))?;
    ensure!(guide.contains(URL), "the guide has the URL that is replaced here");
    // how a tenant is taken away is the suite lifecycle's
    let (guide, _) = guide
        .split_once("\n## Take a tenant away")
        .context("the guide ends with how a tenant is taken away")?;
    let blocks = blocks(&guide.replace(URL, &git.url(repo.name())));
    ensure!(blocks.len() >= 5, "there are {} blocks", blocks.len());
    for block in blocks {
        let said = plane.shell(&block, checkout.path()).await;
        said.with_context(|| format!("run\n{block}\n{}", tenure.supervisor_log()))?;
    }

    let client = tenure.admin();
    let app = value(&flux(&client, "Kustomization", "flux-system"), "frontend").await?;
    assert_eq!(
        app["status"]["lastAppliedRevision"],
        json!(format!("main@sha1:{commit}"))
    );
    let tenant = value(&flux(&client, "Tenant", "tenure-system"), "dev-team").await?;
    for kind in ["Onboarded", "Ready"] {
        let status = condition(&tenant, kind).map(|condition| condition["status"].clone());
        assert_eq!(status, Some(json!("True")), "{kind}: {}", tenant["status"]);
    }
    Ok(())
}

//! The source cache and its fetchers killed, away, and refused.

use anyhow::{Context as _, ensure};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use tenure_testkit::git::keypair;
use tenure_tests::{Stage, is_ready, value};

use crate::processes::{a_child, all_ended};
use crate::set::{Crew, many};

/// Enough for a fetch to last a moment.
const BIG: usize = 24 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_whose_fetcher_is_killed_is_done_again() -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    let set = many("small", 3);
    let crew = Crew::at_work(&stage, "fetcher", &set).await?;
    let set = many("next", 3);
    crew.repo.write("big.bin", &noise(BIG))?;
    let commit = crew.commit(&set)?;
    crew.poke("GitRepository", "app").await?;
    let cache = stage.tenure.cache().context("it runs")?.id();
    let fetcher = a_child("a fetcher", cache).await?;
    ensure!(fetcher.kill(), "the fetcher had ended already");
    crew.settled(&commit, &set).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_killed_in_the_middle_of_a_fetch_costs_time_and_nothing_else() -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    let before = many("before", 3);
    let crew = Crew::at_work(&stage, "cache", &before).await?;
    crew.repo.write("big.bin", &noise(BIG))?;
    let after = many("after", 3);
    let commit = crew.commit(&after)?;
    crew.poke("GitRepository", "app").await?;
    let cache = stage.tenure.cache().context("it runs")?.id();
    let fetcher = a_child("a fetcher", cache).await?;
    stage.tenure.kill_cache()?;
    all_ended("the fetcher to end with its cache", &[fetcher]).await?;

    let message = crew
        .refused("GitRepository", "app", "SourceCacheUnavailable")
        .await?;
    ensure!(message.contains("cache"), "{message}");
    let consumer = value(&crew.objects("Kustomization"), "app").await?;
    ensure!(is_ready(&consumer), "its status is {}", consumer["status"]);
    crew.is_exactly(&consumer, &before).await?;

    stage.tenure.start_cache().await?;
    crew.settled(&commit, &after).await?;
    crew.ready("GitRepository", "app").await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cache_drift_is_still_corrected_and_nothing_is_pruned() -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    let set = many("kept", 5);
    let crew = Crew::at_work(&stage, "nocache", &set).await?;
    stage.tenure.kill_cache()?;
    crew.poke("GitRepository", "app").await?;
    crew.refused("GitRepository", "app", "SourceCacheUnavailable")
        .await?;

    let by_hand = Patch::Merge(json!({"data": {"value": "by hand"}}));
    crew.config_maps()
        .patch("kept-00", &PatchParams::default(), &by_hand)
        .await?;
    crew.config_maps()
        .delete("kept-01", &DeleteParams::default())
        .await?;
    let object = crew.ask("Kustomization", "app").await?;
    ensure!(is_ready(&object), "its status is {}", object["status"]);
    crew.is_exactly(&object, &set).await?;

    let source = value(&crew.objects("GitRepository"), "app").await?;
    ensure!(
        source["status"]["artifact"]["revision"].is_string(),
        "it keeps its artifact: {}",
        source["status"]
    );
    stage.tenure.start_cache().await?;
    crew.ready("GitRepository", "app").await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_wrong_and_then_right_again_heals_without_a_word() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let set = many("first", 3);
    let crew = Crew::at_work(&stage, "secret", &set).await?;
    let (stranger, _) = keypair()?;
    let wrong = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git-ssh", "namespace": crew.home()},
        "stringData": {"identity": stranger, "known_hosts": stage.git.known_hosts()?},
    });
    stage.tenure.apply(&[wrong]).await?;
    let set = many("second", 3);
    let commit = crew.commit(&set)?;
    crew.poke("GitRepository", "app").await?;
    let message = crew.refused("GitRepository", "app", "GitOperationFailed").await?;
    ensure!(message.contains("cannot log in"), "{message}");
    let consumer = value(&crew.objects("Kustomization"), "app").await?;
    ensure!(is_ready(&consumer), "what runs stays: {}", consumer["status"]);

    stage.git_secret(crew.home(), "git-ssh").await?;
    crew.settled(&commit, &set).await
}

/// Bytes that do not compress.
fn noise(size: usize) -> Vec<u8> {
    use rand::RngCore as _;
    let mut bytes = vec![0; size];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

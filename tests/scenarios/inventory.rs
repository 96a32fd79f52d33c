//! What the platform team sees of the cache.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage};

use crate::world::{config_map, play_alone};

/// The statuses of the Artifacts.
async fn artifacts(stage: &Stage) -> anyhow::Result<Vec<Value>> {
    let list = stage
        .plane
        .kubectl(&["get", "artifacts", "-n", stage.tenure.system(), "-o", "json"])
        .await?;
    let mut list: Value = serde_json::from_str(&list)?;
    let items = list["items"].as_array_mut().context("a list")?;
    Ok(items.iter_mut().map(|item| item["status"].take()).collect())
}

#[test]
fn what_is_cached_is_listed_with_who_may_read_it_and_goes_when_it_is_gone() -> anyhow::Result<()> {
    play_alone(|stage| async move {
        ensure!(artifacts(&stage).await?.is_empty());
        let team = stage.tenant(TenantFixture::new("listed")).await?;
        let map = config_map("kept", "one");
        let commit = team.commit(&[("kept.yaml", Some(map.as_str()))], "first")?;
        team.git_repository(&json!({})).await?;
        let found = until("the artifact to be listed", PATIENCE, || async {
            let all = artifacts(&stage).await?;
            let found = all.into_iter().find(|one| one["readers"] == 1);
            found.context("none has a reader")
        })
        .await?;
        ensure!(found["kind"] == "GitRepository", "{found}");
        ensure!(found["revision"] == format!("main@sha1:{commit}"), "{found}");
        ensure!(found["homes"] == json!([team.home()]), "{found}");
        ensure!(found["size"].as_i64().is_some_and(|size| size > 0), "{found}");
        let url = found["url"].as_str().context("a URL")?;
        ensure!(
            url.starts_with("ssh://git@") && !url.contains("git:"),
            "a login has a name and no password: {url}"
        );

        let table = stage
            .plane
            .kubectl(&["get", "artifacts", "-n", stage.tenure.system()])
            .await?;
        let head = table.lines().next().unwrap_or_default();
        let columns: Vec<&str> = head.split_whitespace().collect();
        ensure!(
            columns == ["NAME", "KIND", "URL", "REVISION", "SIZE", "READERS", "AGE"],
            "{table}"
        );

        let home = team.home();
        let delete = ["delete", "gitrepositories", "--all", "-n", home, "--timeout=60s"];
        stage.plane.kubectl(&delete).await?;
        until("nobody to read it any more", PATIENCE, || async {
            let all = artifacts(&stage).await?;
            ensure!(all.iter().all(|one| one["readers"] == 0), "{all:?}");
            Ok(())
        })
        .await
    })
}

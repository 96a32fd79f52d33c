//! A commit that all objects are to follow.

use std::time::Instant;

use super::repository::EACH;
use super::scene::{CREDENTIALS, HOMES, Scene};
use crate::bench::figure::{Section, bytes, digits};

pub(super) async fn measure(scene: &Scene) -> anyhow::Result<Section> {
    scene.stage.asleep().await?;
    let before = scene.git.traffic();
    let began = Instant::now();
    let commit = scene
        .repo
        .commit(&[("README.md", Some("has changed\n"))], "second")?;
    scene
        .ready("gitrepositories", HOMES * EACH, "bench-source-", &commit)
        .await?;
    let seconds = began.elapsed().as_secs_f64();
    let traffic = scene.git.traffic();
    let note = format!(
        "A commit to the same repository while all workers sleep. {CREDENTIALS} passwords, an interval of one minute, no webhook: \
         the cache polls once a minute with each of them."
    );
    let mut section = Section::new("A new commit for all", note);
    let count = |after: u64, before: u64| (after - before) as f64;
    section.bounded("downloads", count(traffic.fetches, before.fetches), 1.0, "");
    section.bounded(
        "lists of references asked for",
        count(traffic.listings, before.listings),
        CREDENTIALS as f64,
        "",
    );
    section.fact(
        "sent by the remote",
        bytes(count(traffic.bytes_sent, before.bytes_sent)),
    );
    section.fact("commit → last status", format!("{} s", digits(seconds)));
    Ok(section)
}

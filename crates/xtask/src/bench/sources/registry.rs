//! One artifact of a registry, and very many objects on it.

use std::time::{Duration, Instant};

use serde_json::Value;
use tenure_testkit::oci::Artifact;

use super::scene::{CREDENTIALS, HOMES, Scene};
use crate::bench::figure::{Section, digits};
use crate::bench::write::apply_all;

/// Objects in each namespace.
const EACH: usize = 20;
/// … that are made while the supervisor runs.
const LATER: usize = 5;
/// How old the objects are that exist before the supervisor is started.
const SETTLED: Duration = Duration::from_secs(3);
/// Requests for the manifest with each credential: the one that is turned away, and the one that is let in.
const REQUESTS: f64 = 2.0;

pub(super) async fn measure(scene: &mut Scene) -> anyhow::Result<Section> {
    let artifact = Artifact::flux(
        &[("app.yaml", "a: 1\n")],
        "https://git.example.com/app.git",
        "main@sha1:9c5b7a1e9c5b7a1e9c5b7a1e9c5b7a1e9c5b7a1e",
    );
    for name in ["bench/app", "bench/later"] {
        scene.registry.push(name, "latest", &artifact).await?;
    }
    scene.stage.tenure.kill_supervisor()?;
    let objects = images(scene, EACH, "image", "bench/app");
    apply_all(&scene.stage.client, &objects).await?;
    // The time at which an object was made is in whole seconds, so one that has just been made trusts no answer of these.
    tokio::time::sleep(SETTLED).await;
    let before = scene.registry.requests().len();
    let began = Instant::now();
    scene.stage.tenure.start_supervisor().await?;
    ready(scene, objects.len()).await?;
    let seconds = began.elapsed().as_secs_f64();
    let asked = scene.registry.requests().split_off(before);

    let later = images(scene, LATER, "later", "bench/later");
    let before = scene.registry.requests().len();
    let began = Instant::now();
    apply_all(&scene.stage.client, &later).await?;
    ready(scene, objects.len() + later.len()).await?;
    let seconds_later = began.elapsed().as_secs_f64();
    let asked_later = scene.registry.requests().split_off(before);

    let note = format!(
        "{} OCIRepositories in {HOMES} namespaces with {CREDENTIALS} different passwords on one tag; all objects exist before \
         the supervisor is started. The bound does not know of objects: each password may be asked with once, which is two \
         requests as a registry turns a client away before it says how to log in, and once more for the download. Then {} \
         more on the tag of another repository, made while the supervisor runs: each of them is told what the registry \
         has said after the object was made.",
        objects.len(),
        later.len(),
    );
    let mut section = Section::new("One artifact of a registry, many objects", note);
    section.bounded(
        "requests for its manifest",
        count(&asked, "/manifests/") as f64,
        REQUESTS * (CREDENTIALS as f64 + 1.0),
        "",
    );
    section.fact("requests for its layer", count(&asked, "/blobs/").to_string());
    section.fact("start → last Ready", format!("{} s", digits(seconds)));
    section.fact(
        format!(
            "{} objects made while it runs: requests for the manifest",
            later.len()
        ),
        count(&asked_later, "/manifests/").to_string(),
    );
    section.fact(
        "… first object written → last Ready",
        format!("{} s", digits(seconds_later)),
    );
    Ok(section)
}

fn images(scene: &Scene, each: usize, name: &str, repository: &str) -> Vec<Value> {
    let homes = scene.homes.iter();
    let of_home = |home: &tenure_testkit::TenantFixture| {
        let image = |number| scene.image(&home.home, &format!("{name}-{number:02}"), repository);
        (0..each).map(image).collect::<Vec<_>>()
    };
    homes.flat_map(of_home).collect()
}

async fn ready(scene: &Scene, count: usize) -> anyhow::Result<()> {
    scene.ready("ocirepositories", count, "bench-source-", "").await?;
    Ok(())
}

fn count(asked: &[String], word: &str) -> usize {
    asked.iter().filter(|line| line.contains(word)).count()
}

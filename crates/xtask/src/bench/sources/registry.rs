//! One artifact of a registry, and very many objects on it.

use std::time::Instant;

use tenure_testkit::oci::Artifact;

use super::scene::{CREDENTIALS, HOMES, Scene};
use crate::bench::figure::{Section, digits};
use crate::bench::write::apply_all;

/// Objects in each namespace.
const EACH: usize = 20;
/// Requests for the manifest with each credential: the one that is turned away, and the one that is let in.
const REQUESTS: f64 = 2.0;

pub(super) async fn measure(scene: &Scene) -> anyhow::Result<Section> {
    let artifact = Artifact::flux(
        &[("app.yaml", "a: 1\n")],
        "https://git.example.com/app.git",
        "main@sha1:9c5b7a1e9c5b7a1e9c5b7a1e9c5b7a1e9c5b7a1e",
    );
    scene.registry.push("bench/app", "latest", &artifact).await?;
    let objects: Vec<_> = scene
        .homes
        .iter()
        .flat_map(|home| {
            (0..EACH).map(|number| scene.image(&home.home, &format!("image-{number:02}"), "bench/app"))
        })
        .collect();
    let before = scene.registry.requests().len();
    let began = Instant::now();
    apply_all(&scene.stage.client, &objects).await?;
    scene
        .ready("ocirepositories", objects.len(), "bench-source-", "")
        .await?;
    let seconds = began.elapsed().as_secs_f64();
    let asked = scene.registry.requests().split_off(before);
    let of = |word: &str| asked.iter().filter(|line| line.contains(word)).count();
    let note = format!(
        "{} OCIRepositories in {HOMES} namespaces with {CREDENTIALS} different passwords on one tag, created while the supervisor \
         runs. The bound does not know of objects: each password may be asked with once, which is two requests as a \
         registry turns a client away before it says how to log in, and once more for the download.",
        objects.len()
    );
    let mut section = Section::new("One artifact of a registry, many objects", note);
    section.bounded(
        "requests for its manifest",
        of("/manifests/") as f64,
        REQUESTS * (CREDENTIALS as f64 + 1.0),
        "",
    );
    section.fact("requests for its layer", of("/blobs/").to_string());
    section.fact(
        "first object written → last Ready",
        format!("{} s", digits(seconds)),
    );
    Ok(section)
}

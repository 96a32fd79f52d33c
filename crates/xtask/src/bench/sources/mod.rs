//! The source cache under many objects: what it asks of remotes, how long that takes, what it holds in memory.

mod clone;
mod idle;
mod memory;
mod moved;
mod registry;
mod repository;
mod scene;

use std::path::Path;

use super::figure::Section;
use super::say;
use scene::Scene;

/// The parts run in this order on one installation; each leaves what the next one starts from.
pub(super) async fn measure(binary: &Path) -> anyhow::Result<Vec<Section>> {
    let mut sections = Vec::new();
    say("beside git");
    sections.push(clone::measure(binary).await?);
    say("starting the control plane, a Git server and a registry");
    let mut scene = Scene::start(binary).await?;
    say("one object on one repository, then many on another");
    sections.push(repository::measure(&mut scene).await?);
    say("a new commit");
    sections.push(moved::measure(&scene).await?);
    say("one artifact of a registry");
    sections.push(registry::measure(&mut scene).await?);
    say("poll leases");
    sections.push(idle::measure(&mut scene).await?);
    Ok(sections)
}

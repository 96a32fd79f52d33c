//! What the API server alone needs for the same objects.

use std::time::Instant;

use serde_json::json;

use super::figure::{Section, digits};
use super::stage::Stage;
use super::world::World;
use super::write::{CONNECTIONS, apply_all};

/// `ready` is what Tenure needed, in seconds.
pub(super) async fn measure(stage: &Stage, world: &World, ready: f64) -> anyhow::Result<Section> {
    let name = |tenant: usize| format!("floor-{tenant:03}");
    let namespaces: Vec<_> = (0..world.tenants.len())
        .map(|tenant| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name(tenant)}}))
        .collect();
    apply_all(&stage.client, &namespaces).await?;
    let objects = world.applied(name);
    let began = Instant::now();
    apply_all(&stage.client, &objects).await?;
    let seconds = began.elapsed().as_secs_f64();
    let note = format!(
        "The same {} objects in other namespaces, written by a loop of server-side applies over {CONNECTIONS} kept connections, after the cold start of the same run. It fetches, builds and reports nothing.",
        objects.len()
    );
    let mut section = Section::new("The floor", note);
    section.fact("bare loop", format!("{} s", digits(seconds)));
    section.fact("objects in a second", digits(objects.len() as f64 / seconds));
    section.fact("cold start ÷ floor", digits(ready / seconds));
    Ok(section)
}

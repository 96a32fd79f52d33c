//! What is measured of passes.

use anyhow::ensure;
use tenure_testkit::until;
use tenure_tests::PATIENCE;

use crate::world::{play, settled};

#[test]
fn how_long_passes_take_is_measured_by_object_while_it_is_there() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "measured").await?;
        let line = format!(
            "gotk_reconcile_duration_seconds_count{{kind=\"Kustomization\",name=\"app\",namespace=\"{}\"}}",
            team.home()
        );
        // The status is written before the worker says that the pass ended.
        until("the object's durations", PATIENCE, || async {
            let page = stage.tenure.supervisor_metrics().await?;
            ensure!(page.contains(&line), "there are none");
            Ok(())
        })
        .await?;
        let api = team.objects("Kustomization");
        api.delete("app", &kube::api::DeleteParams::default()).await?;
        until("the object's durations to go", PATIENCE, || async {
            let page = stage.tenure.supervisor_metrics().await?;
            ensure!(!page.contains(&line), "they are there");
            Ok(())
        })
        .await
    })
}

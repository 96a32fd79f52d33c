//! Deleting a Kustomization, as its policy says and as its tenant.

use kube::api::DeleteParams;
use tenure_testkit::until;
use tenure_tests::{PATIENCE, gone};

use super::{data, events};
use crate::world::{play, settled};

#[test]
fn deleting_a_kustomization_deletes_what_it_made_as_the_tenant() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "delete").await?;
        let mark = stage.plane.audit_mark()?;
        team.objects("Kustomization")
            .delete("app", &DeleteParams::default())
            .await?;
        gone(&team.objects("Kustomization"), "app").await?;
        assert_eq!(data(&stage, &team, "kept").await?, None);
        let line = format!(
            "Kustomization Normal ReconciliationSucceeded ConfigMap/{}/kept deleted",
            team.home()
        );
        events(&stage, &team, "app", &line).await?;
        let tenant = format!("system:serviceaccount:{}:deployer", team.home());
        let home = team.home().to_owned();
        until("the audit log to have the deletion", PATIENCE, || async {
            let deletions = stage.plane.audit_events(mark)?;
            let ours = deletions.iter().find(|event| {
                let object = event.object.clone().unwrap_or_default();
                event.verb == "delete" && object.resource == "configmaps" && object.namespace == home
            });
            let who = ours.and_then(|event| event.impersonated_user.clone());
            anyhow::ensure!(who.as_deref() == Some(tenant.as_str()), "it was {who:?}");
            Ok(())
        })
        .await
    })
}

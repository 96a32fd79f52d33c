//! A worker in its neighbour's namespace, and in its own without the tenant's name on the request.

use anyhow::ensure;
use serde_json::json;
use tenure_testkit::TenantFixture;
use tenure_tests::Stage;

use crate::world::{Ask, Caller, collection, kinds, reads, user, writes};

async fn secret(stage: &Stage, namespace: &str) -> anyhow::Result<()> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prize", "namespace": namespace},
        "stringData": {"key": "value"},
    });
    stage.tenure.apply(&[secret]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_refused_every_verb_on_every_kind_next_door() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let (here, there) = (TenantFixture::new("here"), TenantFixture::new("there"));
    for fixture in [&here, &there] {
        fixture.onboard(&stage.tenure).await?;
        secret(&stage, &fixture.home).await?;
    }
    let worker = Caller::account(&stage.plane, stage.tenure.workers(), &here.home).await?;
    let tenants = [user(&here.home, &here.account), user(&there.home, &there.account)];
    let mut asked = 0;
    for kind in kinds() {
        for ask in reads(&kind, &there.home)
            .into_iter()
            .chain(writes(&kind, &there.home))
        {
            worker.forbidden(None, &ask).await?;
            for tenant in &tenants {
                worker.forbidden(Some(tenant), &ask).await?;
            }
            asked += 3;
        }
    }
    assert!(asked > 500, "only {asked} requests");
    let prize = Ask::get(format!("{}/prize", collection("secrets", &there.home)));
    worker.forbidden(None, &prize).await?;
    let owner = Caller::account(&stage.plane, stage.tenure.workers(), &there.home).await?;
    owner.answered(None, &prize, 200).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_decides_what_a_worker_reads_of_its_homes_secrets() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    for (spec, codes) in [
        (json!({"profile": "compat"}), [200, 403, 403]),
        (
            json!({"profile": "compat", "watchSecrets": true}),
            [200, 200, 200],
        ),
        (json!({"profile": "strict"}), [403, 403, 403]),
    ] {
        let fixture = TenantFixture::new("reader").with(&spec);
        fixture.onboard(&stage.tenure).await?;
        secret(&stage, &fixture.home).await?;
        let worker = Caller::account(&stage.plane, stage.tenure.workers(), &fixture.home).await?;
        for (ask, code) in reads("secrets", &fixture.home).iter().zip(codes) {
            worker.answered(None, ask, code).await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_writes_nothing_when_the_header_is_lost() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let target = stage.plane.temp_namespace("target").await?.name().to_owned();
    let fixture = TenantFixture::new("headless").target(&target);
    fixture.onboard(&stage.tenure).await?;
    let worker = Caller::account(&stage.plane, stage.tenure.workers(), &fixture.home).await?;
    let tenant = user(&fixture.home, &fixture.account);
    for namespace in [&fixture.home, &target] {
        for kind in kinds() {
            // Flux's own kinds at home: the worker sets finalizers there.
            let own = kind.contains(".toolkit.fluxcd.io") && *namespace == fixture.home;
            // And the charts that a HelmRelease asks for are made and deleted by it.
            let chart = own && kind.starts_with("helmcharts.");
            for ask in writes(&kind, namespace) {
                let may = (own && ask.verb == "patch") || (chart && ["create", "delete"].contains(&ask.verb));
                if !may {
                    worker.forbidden(None, &ask).await?;
                }
            }
        }
        let path = format!("{}/made", collection("configmaps", namespace));
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made", "namespace": namespace}});
        let apply = Ask::apply(&path, map);
        worker.forbidden(None, &apply).await?;
        let made = worker.acting(&tenant, &apply).await?;
        ensure!(
            made.code == 201,
            "with the header it is {} {}",
            made.code,
            made.message()
        );
    }
    Ok(())
}

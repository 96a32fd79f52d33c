//! A worker that is killed, or cut off, at each request that a reconcile sends, one after the other.
//! `TENURE_LONG=1` for every one of them.

use std::collections::BTreeMap;

use anyhow::ensure;
use kube::api::DeleteParams;
use tenure_testkit::control_plane::AuditMark;
use tenure_testkit::install::Options;
use tenure_testkit::{Installation, until};
use tenure_tests::{PATIENCE, Stage};

use crate::set::{Crew, Set, many};
use crate::wire::{Break, Wire};

/// More than any pass sends.
const MOST: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn wherever_an_apply_is_broken_off_nothing_is_lost_left_behind_or_written_twice() -> anyhow::Result<()>
{
    let (stage, wire) = on_a_wire().await?;
    let crew = Crew::at_work(&stage, "each", &set("start")).await?;
    for how in [Break::Unsent, Break::Unanswered, Break::Cut] {
        for record in (1..MOST).step_by(step()) {
            let wanted = set(&format!("{how:?}{record}").to_lowercase());
            let commit = crew.commit(&wanted)?;
            let mark = stage.plane.audit_mark()?;
            wire.arm(how, record);
            crew.poke("GitRepository", "app").await?;
            crew.settled(&commit, &wanted).await?;
            let broke = wire.disarm();
            written_once(&stage, &crew, mark)?;
            if !broke {
                ensure!(record > 10, "{how:?}: nothing was ever broken off");
                break;
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_a_deletion_is_broken_off_everything_goes_and_no_finalizer_stays() -> anyhow::Result<()> {
    let (stage, wire) = on_a_wire().await?;
    let crew = Crew::at_work(&stage, "gone", &set("first")).await?;
    let wanted = set("same");
    let commit = crew.commit(&wanted)?;
    crew.poke("GitRepository", "app").await?;
    crew.settled(&commit, &wanted).await?;
    for how in [Break::Unsent, Break::Unanswered, Break::Cut] {
        for record in (1..MOST).step_by(step()) {
            wire.arm(how, record);
            let api = crew.objects("Kustomization");
            api.delete("app", &DeleteParams::default()).await?;
            until("the Kustomization to go", PATIENCE, || async {
                let there = api.get_opt("app").await?;
                ensure!(there.is_none(), "{how:?} at {record}: {there:?}");
                Ok(())
            })
            .await?;
            let broke = wire.disarm();
            let left = crew.owned("app").await?;
            ensure!(left.is_empty(), "{how:?} at {record} has left {left:?}");
            crew.kustomization("app", &serde_json::json!({})).await?;
            crew.settled(&commit, &wanted).await?;
            if !broke {
                ensure!(record > 3, "{how:?}: nothing was ever broken off");
                break;
            }
        }
    }
    Ok(())
}

/// An installation that reaches its API server by a wire.
async fn on_a_wire() -> anyhow::Result<(Stage, Wire)> {
    let mut stage = Stage::start().await?;
    let url = stage.plane.endpoint()?.url;
    let server = url.trim_start_matches("https://").trim_end_matches('/').parse()?;
    let wire = Wire::to(server).await?;
    let options = Options {
        suffix: format!("-{:08x}", rand::random::<u32>()),
        api_url: Some(wire.url()),
        ..Options::default()
    };
    stage.tenure = Installation::start_with(&stage.plane, options).await?;
    Ok((stage, wire))
}

fn step() -> usize {
    if std::env::var_os("TENURE_LONG").is_some() {
        1
    } else {
        5
    }
}

/// Some that always stay, and some that the next set does not have.
fn set(prefix: &str) -> Set {
    let mut set = many("kept", 4);
    set.extend(many(prefix, 4));
    set
}

/// No object was written again because nobody knew that it had been.
fn written_once(stage: &Stage, crew: &Crew, mark: AuditMark) -> anyhow::Result<()> {
    let mut writes: BTreeMap<String, usize> = BTreeMap::new();
    for event in stage.plane.audit_events(mark)? {
        let Some(object) = &event.object else { continue };
        let written = event.verb == "patch" && (200..300).contains(&event.code);
        let real = event.stage == "ResponseComplete" && !event.request_uri.contains("dryRun");
        if written && real && object.resource == "configmaps" && object.namespace == crew.home() {
            *writes.entry(object.name.clone()).or_default() += 1;
        }
    }
    writes.retain(|_, count| *count > 1);
    ensure!(writes.is_empty(), "written more than once: {writes:?}");
    Ok(())
}

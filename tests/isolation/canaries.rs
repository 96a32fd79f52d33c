//! Secrets that nobody may see: planted wherever a tenant has one, looked for wherever we write.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use tenure_testkit::canary::{Place, assert_absent, find};
use tenure_testkit::git::{Access, GitRepo, HttpsGitServer, SshGitServer};
use tenure_testkit::install::Options;
use tenure_testkit::{ControlPlane, Installation, TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, Team, condition, value};

const PASSWORD: &str = "canary-password-6f1d";
const WRONG: &str = "canary-wrong-password-77ab";
const VARIABLE: &str = "canary-variable-90ce";
const INVALID: &str = "canary invalid label 41bd";
const IN_GIT: &str = "canary-in-git-d03a";
const BROKEN: &str = "canary-broken-yaml-5e2f";

/// Everything is logged that the programs can log.
async fn talkative() -> anyhow::Result<Stage> {
    let plane = ControlPlane::shared().await?;
    let log = "trace,rustls=info,h2=info,hyper=info,hyper_util=info,tower=info";
    let suffix = format!("-{:08x}", std::process::id());
    let options = Options {
        suffix,
        log: Some(log.to_owned()),
        ..Options::default()
    };
    let tenure = Installation::start_with(&plane, options).await?;
    Ok(Stage {
        plane,
        tenure,
        git: SshGitServer::start().await?,
    })
}

/// All that we ever say about a home, and where we keep what we fetched with a credential.
async fn places(stage: &Stage, home: &str) -> anyhow::Result<Vec<Place>> {
    let mut places = vec![
        Place::text("the supervisor's log", stage.tenure.supervisor_log()),
        Place::text("the cache's log", stage.tenure.cache_log()),
        Place::text(
            "the supervisor's metrics",
            stage.tenure.supervisor_metrics().await?,
        ),
        Place::text("the cache's metrics", stage.tenure.cache_metrics().await?),
    ];
    for namespace in [home, stage.tenure.system()] {
        let events: Api<Event> = Api::namespaced(stage.client(), namespace);
        let events = serde_json::to_string(&events.list(&ListParams::default()).await?.items)?;
        places.push(Place::text(format!("events of {namespace}"), events));
    }
    for kinds in [
        "kustomizations,gitrepositories,ocirepositories,helmrepositories,helmcharts,buckets,externalartifacts",
        "tenants,leases,configmaps",
    ] {
        let namespace = if kinds.starts_with("kust") {
            home
        } else {
            stage.tenure.system()
        };
        let text = stage
            .plane
            .kubectl(&["get", kinds, "-n", namespace, "-o", "json"])
            .await?;
        places.push(Place::text(kinds, text));
    }
    Ok(places)
}

async fn secret(stage: &Stage, home: &str, name: &str, data: serde_json::Value) -> anyhow::Result<()> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": home}, "stringData": data,
    });
    stage.tenure.apply(&[secret]).await
}

/// Waits until an object has failed; its message.
async fn failed(team: &Team<'_>, kind: &str, name: &str) -> anyhow::Result<String> {
    let api = team.objects(kind);
    until(&format!("{kind} {name} to fail"), PATIENCE, || async {
        let object = value(&api, name).await?;
        let ready = condition(&object, "Ready").context("no Ready condition yet")?;
        ensure!(ready["status"] == "False", "it is {ready}");
        Ok(ready["message"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_tenant_is_in_anything_that_we_write() -> anyhow::Result<()> {
    let stage = talkative().await?;
    let team = stage.tenant(TenantFixture::new("canaries")).await?;
    let home = team.home().to_owned();
    let (identity, _) = stage.git.authorized_keypair(Access::All)?;
    let key = identity
        .lines()
        .nth(2)
        .context("a key of several lines")?
        .to_owned();
    secret(
        &stage,
        &home,
        "git-ssh",
        json!({"identity": identity, "known_hosts": stage.git.known_hosts()?}),
    )
    .await?;

    let https = HttpsGitServer::start().await?;
    https.set_password("user", PASSWORD);
    let repo = GitRepo::init(&https, "app.git")?;
    repo.commit(&[("a.txt", Some("a"))], "A file")?;
    for (name, password) in [("good", PASSWORD), ("bad", WRONG)] {
        secret(
            &stage,
            &home,
            name,
            json!({"username": "user", "password": password, "ca.crt": https.ca()}),
        )
        .await?;
        let source = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": name, "namespace": home},
            "spec": {"interval": "1m", "url": https.url("app.git"), "ref": {"branch": "main"}, "secretRef": {"name": name}},
        });
        stage.tenure.apply(&[source]).await?;
    }

    secret(
        &stage,
        &home,
        "values",
        json!({"value": VARIABLE, "label": INVALID}),
    )
    .await?;
    let with = |name: &str, label: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": {"label": label}},
            "stringData": {"value": "${value}", "password": IN_GIT},
        })
        .to_string()
    };
    let broken = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: broken}}\nstringData: {{password: [{BROKEN}\n"
    );
    let not_base64 = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "raw"}, "data": {"password": format!("!{IN_GIT}!")},
    });
    team.commit(
        &[
            ("fine/secret.yaml", Some(&with("fine", "plain"))),
            ("label/secret.yaml", Some(&with("label", "${label}"))),
            ("broken/secret.yaml", Some(&broken)),
            ("raw/secret.yaml", Some(&not_base64.to_string())),
        ],
        "Secrets of all kinds",
    )?;
    team.git_repository(&json!({})).await?;
    let from = json!({"substituteFrom": [{"kind": "Secret", "name": "values"}]});
    for name in ["fine", "label", "broken", "raw"] {
        let spec = json!({"path": format!("./{name}"), "targetNamespace": home, "postBuild": from});
        team.kustomization(name, &spec).await?;
    }
    team.ready("GitRepository", "good").await?;
    team.ready("Kustomization", "fine").await?;
    for (kind, name) in [
        ("GitRepository", "bad"),
        ("Kustomization", "label"),
        ("Kustomization", "broken"),
        ("Kustomization", "raw"),
    ] {
        let message = failed(&team, kind, name).await?;
        ensure!(!message.is_empty(), "{kind} {name} says why");
    }
    let written = stage
        .plane
        .kubectl(&["get", "secret", "fine", "-n", &home, "-o", "json"])
        .await?;
    ensure!(
        find(&[Place::text("the Secret", written)], VARIABLE).len() == 1,
        "it was applied"
    );

    let mut places = places(&stage, &home).await?;
    ensure!(
        find(&places, &home).len() >= 4,
        "we have said something about the home"
    );
    for canary in [PASSWORD, WRONG, VARIABLE, INVALID, IN_GIT, BROKEN, &key] {
        assert_absent(&places, canary);
    }
    places.push(Place::path(stage.tenure.dir().join("data")));
    // The header of every token of this cluster, which names its key.
    let own = std::fs::read_to_string(stage.tenure.dir().join("token"))?;
    let header = own.split('.').next().context("a token has three parts")?;
    assert_absent(&places, header);
    assert_absent(&[Place::path(stage.tenure.dir().join("scratch"))], header);
    for canary in [PASSWORD, WRONG, &key] {
        assert_absent(&places, canary);
    }
    Ok(())
}

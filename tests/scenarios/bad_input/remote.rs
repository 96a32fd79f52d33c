//! Remotes that can't be reached, trusted, or opened.

use std::path::PathBuf;

use anyhow::ensure;
use kube::Api;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use tenure_testkit::canary::{Place, assert_absent};
use tenure_testkit::git::{Access, GitRepo, HttpsGitServer, keypair};
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, Team, condition, value};

use crate::world::{config_map, kept, play, says, settled};

/// Expects the source to fail with `reason` and to say all of `expected`, with its artifact and what
/// was applied from it as they were; then expects that the usual spec brings it back.
async fn bad_source(
    stage: &Stage,
    team: &Team<'_>,
    spec: &Value,
    reason: &str,
    expected: &[&str],
) -> anyhow::Result<String> {
    let before = (kept(stage, team).await?, artifact(team).await?);
    team.git_repository(spec).await?;
    let message = said(team, reason, expected).await?;
    assert_eq!(
        (kept(stage, team).await?, artifact(team).await?),
        before,
        "nothing that was applied is touched"
    );
    team.git_repository(&json!({})).await?;
    team.ready("GitRepository", "app").await?;
    Ok(message)
}

async fn said(team: &Team<'_>, reason: &str, expected: &[&str]) -> anyhow::Result<String> {
    let message = team.refused("GitRepository", "app", reason).await?;
    says(&message, expected)?;
    let object = value(&team.objects("GitRepository"), "app").await?;
    let failed = condition(&object, "FetchFailed").cloned().unwrap_or_default();
    ensure!(
        failed["message"] == message,
        "FetchFailed says the same: {failed}"
    );
    Ok(message)
}

async fn artifact(team: &Team<'_>) -> anyhow::Result<Value> {
    Ok(value(&team.objects("GitRepository"), "app").await?["status"]["artifact"].clone())
}

#[test]
fn a_host_that_does_not_answer_is_named() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "no-host").await?;
        let url = "ssh://git@127.0.0.1:1/app.git";
        bad_source(&stage, &team, &json!({"url": url}), "GitOperationFailed", &[url]).await?;
        Ok(())
    })
}

#[test]
fn a_host_key_that_is_not_the_known_one_is_named_with_host_and_fingerprint() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "host-key").await?;
        let (_, another) = keypair()?;
        let host = stage
            .git
            .known_hosts()?
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned();
        let key: Vec<_> = another.split_whitespace().take(2).collect();
        let (identity, _) = stage.git.authorized_keypair(Access::All)?;
        let known_hosts = format!("{host} {}\n", key.join(" "));
        secret(
            &stage,
            &team,
            "other-host",
            &json!({"identity": identity, "known_hosts": known_hosts}),
        )
        .await?;
        let spec = json!({"secretRef": {"name": "other-host"}});
        bad_source(
            &stage,
            &team,
            &spec,
            "GitOperationFailed",
            &["127.0.0.1", "SHA256:", "known_hosts"],
        )
        .await?;
        Ok(())
    })
}

#[test]
fn an_ssh_key_that_the_remote_refuses_is_said_without_showing_it() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "ssh-key").await?;
        let (identity, _) = keypair()?;
        let data = json!({"identity": identity, "known_hosts": stage.git.known_hosts()?});
        secret(&stage, &team, "stranger", &data).await?;
        let url = stage.git.url(team.repo.name());
        let spec = json!({"secretRef": {"name": "stranger"}});
        let message = bad_source(&stage, &team, &spec, "GitOperationFailed", &[&url, "key"]).await?;
        assert!(!message.contains("PRIVATE"), "{message}");
        Ok(())
    })
}

#[test]
fn an_ssh_url_without_any_secret_says_which_secret_is_expected_where() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "no-secret").await?;
        let url = stage.git.url(team.repo.name());
        let home = format!("namespace '{}'", team.home());
        let expected = [
            url.as_str(),
            &home,
            "'identity' and 'known_hosts'",
            "spec.secretRef",
            "spec.sources.secrets",
        ];
        bad_source(
            &stage,
            &team,
            &json!({"secretRef": null}),
            "AuthenticationFailed",
            &expected,
        )
        .await?;
        Ok(())
    })
}

#[test]
fn a_secret_that_is_missing_is_named_with_the_keys_it_needs() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "lost-secret").await?;
        let name = format!("'{}/lost'", team.home());
        let expected = [name.as_str(), "not found", "'identity' and 'known_hosts'"];
        bad_source(
            &stage,
            &team,
            &json!({"secretRef": {"name": "lost"}}),
            "AuthenticationFailed",
            &expected,
        )
        .await?;
        Ok(())
    })
}

#[test]
fn a_secret_that_lacks_keys_is_named_with_those() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "half-secret").await?;
        secret(
            &stage,
            &team,
            "half",
            &json!({"identity": "CANARY-of-a-private-key"}),
        )
        .await?;
        let spec = json!({"secretRef": {"name": "half"}});
        let message = bad_source(
            &stage,
            &team,
            &spec,
            "AuthenticationFailed",
            &["'half'", "'known_hosts'"],
        )
        .await?;
        assert!(!message.contains("CANARY"), "{message}");
        Ok(())
    })
}

#[test]
fn a_branch_that_is_missing_is_named_with_its_repository() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "no-branch").await?;
        let url = stage.git.url(team.repo.name());
        let spec = json!({"ref": {"branch": "nope"}});
        bad_source(
            &stage,
            &team,
            &spec,
            "GitOperationFailed",
            &[&url, "branch", "nope"],
        )
        .await?;
        Ok(())
    })
}

#[test]
fn a_repository_that_is_missing_is_named() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "no-repo").await?;
        let url = stage.git.url("nowhere.git");
        bad_source(&stage, &team, &json!({"url": url}), "GitOperationFailed", &[&url]).await?;
        Ok(())
    })
}

#[test]
fn an_empty_repository_is_said_to_be_empty() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "empty-repo").await?;
        let empty = GitRepo::init(&stage.git, &format!("{}-empty.git", team.fixture.name))?;
        let url = stage.git.url(empty.name());
        bad_source(
            &stage,
            &team,
            &json!({"url": url}),
            "EmptyGitRepository",
            &[&url, "empty", "first commit"],
        )
        .await?;
        Ok(())
    })
}

#[test]
fn a_url_that_the_tenant_may_not_fetch_is_named_with_the_field_that_allows_it() -> anyhow::Result<()> {
    play(|stage| async move {
        let mine = stage.git.url("");
        let team = stage
            .tenant(TenantFixture::new("not-allowed").with(&json!({"sources": {"allow": [mine]}})))
            .await?;
        let commit = team.commit(&[("deploy/kept.yaml", Some(&config_map("kept", "old")))], "first")?;
        team.git_repository(&json!({})).await?;
        team.kustomization(
            "app",
            &json!({"path": "./deploy", "targetNamespace": team.home()}),
        )
        .await?;
        team.applied("app", &commit).await?;
        let url = "https://example.org/app.git";
        let expected = [url, team.fixture.name.as_str(), "spec.sources.allow"];
        bad_source(&stage, &team, &json!({"url": url}), "AccessDenied", &expected).await?;
        Ok(())
    })
}

#[test]
fn a_password_that_is_refused_or_stands_in_a_url_is_never_shown() -> anyhow::Result<()> {
    const CANARY: &str = "canary-8d1f-of-a-password";
    play(|stage| async move {
        let server = HttpsGitServer::start().await?;
        server.set_password("team", "the right one");
        let team = settled(&stage, "password").await?;
        let repo = GitRepo::init(&server, "app.git")?;
        repo.commit(&[("deploy/kept.yaml", Some(&config_map("kept", "old")))], "first")?;
        let data = json!({"username": "team", "password": CANARY, "ca.crt": server.ca()});
        secret(&stage, &team, "https", &data).await?;
        let url = server.url("app.git");
        let spec = json!({"url": url, "secretRef": {"name": "https"}});
        bad_source(&stage, &team, &spec, "GitOperationFailed", &[&url]).await?;
        let with_password = url.replace("https://", &format!("https://team:{CANARY}@"));
        let spec = json!({"url": with_password, "secretRef": null});
        bad_source(&stage, &team, &spec, "GitOperationFailed", &["127.0.0.1"]).await?;
        let status = value(&team.objects("GitRepository"), "app").await?["status"].to_string();
        let places = [
            Place::text("the object's status", status),
            Place::text("events", events(&stage, &team).await?),
            Place::text("the supervisor's and workers' log", stage.tenure.supervisor_log()),
            Place::text("the cache's log", stage.tenure.cache_log()),
            Place::path(PathBuf::from(stage.tenure.dir())),
        ];
        assert_absent(&places, CANARY);
        Ok(())
    })
}

#[test]
fn an_https_source_is_opened_by_the_user_password_and_authority_in_its_secret() -> anyhow::Result<()> {
    play(|stage| async move {
        let server = HttpsGitServer::start().await?;
        server.set_password("team", "the right one");
        let team = settled(&stage, "https").await?;
        let repo = GitRepo::init(&server, "app.git")?;
        let commit = repo.commit(&[("deploy/kept.yaml", Some(&config_map("kept", "new")))], "first")?;
        let data = json!({"username": "team", "password": "the right one", "ca.crt": server.ca()});
        secret(&stage, &team, "https", &data).await?;
        let spec = json!({"url": server.url("app.git"), "secretRef": {"name": "https"}});
        team.git_repository(&spec).await?;
        team.applied("app", &commit).await?;
        Ok(())
    })
}

async fn secret(stage: &Stage, team: &Team<'_>, name: &str, data: &Value) -> anyhow::Result<()> {
    let metadata = json!({"name": name, "namespace": team.home()});
    stage
        .tenure
        .apply(&[json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})])
        .await
}

/// The events in the home, once there is one about a failure.
async fn events(stage: &Stage, team: &Team<'_>) -> anyhow::Result<String> {
    let events: Api<DynamicObject> =
        tenure_tests::objects(&stage.client(), "", "v1", "Event", "events", team.home());
    until("an event about the failure", PATIENCE, || async {
        let text = serde_json::to_string(&events.list(&kube::api::ListParams::default()).await?.items)?;
        ensure!(text.contains("GitOperationFailed"), "{text}");
        Ok(text)
    })
    .await
}

//! Who is let in by the cache, with the tokens that a cluster really gives.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tenure_api::{CACHE_AUDIENCE, CACHE_CONTROL_AUDIENCE};
use tenure_core::{Digest, Secret};
use tenure_proto::source::{Credential, GitSpec, ResolveRequest, Ssh, credential, git_spec, resolve_request};
use tenure_testkit::git::{Access, GitRepo};
use tenure_testkit::{ControlPlane, Installation, TenantFixture, until};
use tenure_tests::{PATIENCE, Stage};
use tenure_worker::source_client::{SourceClient, SourceError};

use tenure_api::rights::SUPERVISOR_ACCOUNT;

use crate::world::{Ask, Caller, collection};

/// A client of the running cache with this token.
pub(crate) fn client(tenure: &Installation, token: Option<Secret>) -> anyhow::Result<SourceClient> {
    let ca = std::fs::read(tenure.dir().join("cache-ca.crt"))?;
    Ok(SourceClient::new(
        &tenure.cache_url(),
        &ca,
        "tenure-cache",
        Arc::new(move || token.clone()),
    )?)
}

/// A client with the cache token that the worker of a home would have.
pub(crate) async fn worker(
    plane: &ControlPlane,
    tenure: &Installation,
    home: &str,
) -> anyhow::Result<SourceClient> {
    let token = plane
        .token_for((tenure.workers(), home), Some(CACHE_AUDIENCE), 600)
        .await?;
    client(tenure, Some(token))
}

/// Waits until a caller is let in; its keys may be newer than the cache's file.
pub(crate) async fn let_in(caller: &SourceClient) -> anyhow::Result<()> {
    until("the cache to accept a token", PATIENCE, || async {
        Ok(caller.release("https://h/x".into()).await?)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_lets_workers_in_and_answers_everybody_else_alike() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let fixture = TenantFixture::new("caller");
    fixture.onboard(&stage.tenure).await?;
    let (system, workers) = (stage.tenure.system(), stage.tenure.workers());
    let_in(&worker(&stage.plane, &stage.tenure, &fixture.home).await?).await?;

    let mut answers = std::collections::BTreeSet::new();
    for (account, audience) in [
        ((workers, fixture.home.as_str()), None),
        ((workers, fixture.home.as_str()), Some(CACHE_CONTROL_AUDIENCE)),
        (
            (fixture.home.as_str(), fixture.account.as_str()),
            Some(CACHE_AUDIENCE),
        ),
        ((fixture.home.as_str(), "default"), Some(CACHE_AUDIENCE)),
        ((system, SUPERVISOR_ACCOUNT), Some(CACHE_AUDIENCE)),
        ((system, SUPERVISOR_ACCOUNT), None),
    ] {
        let token = stage.plane.token_for(account, audience, 600).await?;
        let error = client(&stage.tenure, Some(token))?
            .release("https://h/x".into())
            .await
            .err();
        let error = error.with_context(|| format!("{account:?} with {audience:?} was let in"))?;
        ensure!(matches!(error, SourceError::TokenRefused), "{account:?}: {error}");
        answers.insert(error.to_string());
    }
    let error = client(&stage.tenure, Some(Secret::from("none".to_owned())))?
        .release("https://h/x".into())
        .await
        .err();
    answers.insert(error.context("no token was let in")?.to_string());
    ensure!(answers.len() == 1, "the answers tell refusals apart: {answers:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_the_cache_opens_nothing_at_the_api_server() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let fixture = TenantFixture::new("audience");
    fixture.onboard(&stage.tenure).await?;
    let account = (stage.tenure.workers(), fixture.home.as_str());
    let all = Ask::get(collection(
        "kustomizations.kustomize.toolkit.fluxcd.io",
        &fixture.home,
    ));
    for (audience, code) in [
        (Some(CACHE_AUDIENCE), 401),
        (Some(CACHE_CONTROL_AUDIENCE), 401),
        (None, 200),
    ] {
        let token = stage.plane.token_for(account, audience, 600).await?;
        let caller = Caller::with(&stage.plane, &token, format!("{account:?} for {audience:?}")).await?;
        caller.answered(None, &all, code).await?;
    }
    Ok(())
}

fn resolve(url: &str, identity: &str, known_hosts: &str) -> ResolveRequest {
    let ssh = Ssh {
        identity: identity.as_bytes().to_vec(),
        known_hosts: known_hosts.as_bytes().to_vec(),
        ..Ssh::default()
    };
    let spec = GitSpec {
        url: url.to_owned(),
        r#ref: Some(git_spec::Ref::Branch("main".into())),
        ..GitSpec::default()
    };
    ResolveRequest {
        spec: Some(resolve_request::Spec::Git(spec)),
        credential: Some(Credential {
            kind: Some(credential::Kind::Ssh(ssh)),
            ..Credential::default()
        }),
        ..ResolveRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_opens_nothing_to_another_home() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let (owner, thief) = (TenantFixture::new("owner"), TenantFixture::new("thief"));
    for fixture in [&owner, &thief] {
        fixture.onboard(&stage.tenure).await?;
    }
    let repo = GitRepo::init(&stage.git, &format!("{}.git", owner.name))?;
    repo.commit(&[("private", Some("content"))], "Something private")?;
    let (identity, _) = stage.git.authorized_keypair(Access::All)?;
    let known_hosts = stage.git.known_hosts()?;
    let url = stage.git.url(repo.name());

    let owner = worker(&stage.plane, &stage.tenure, &owner.home).await?;
    let thief = worker(&stage.plane, &stage.tenure, &thief.home).await?;
    let_in(&owner).await?;
    let resolved = owner.resolve(resolve(&url, &identity, &known_hosts)).await?;
    let artifact = resolved.artifact.context("an artifact")?;
    let digest: Digest = artifact.digest.parse()?;
    let grant = Secret::new(resolved.grant);
    let mut bytes = Vec::new();
    owner.fetch(&grant, digest, artifact.size, &mut bytes).await?;
    ensure!(bytes.len() as u64 == artifact.size, "the owner has the artifact");

    let unknown: Digest = format!("sha256:{}", "0".repeat(64)).parse()?;
    let mut answers = std::collections::BTreeSet::new();
    for (what, grant, digest) in [
        ("another's grant", grant.clone(), digest),
        ("no grant", Secret::new(Vec::new()), digest),
        (
            "an invented grant",
            Secret::new(vec![7; grant.expose().len()]),
            digest,
        ),
        ("what does not exist", grant, unknown),
    ] {
        let mut stolen = Vec::new();
        let error = thief
            .fetch(&grant, digest, artifact.size, &mut stolen)
            .await
            .err();
        let error = error.with_context(|| format!("{what} opened the artifact"))?;
        ensure!(
            stolen.is_empty() && matches!(error, SourceError::Stale(_)),
            "{what}: {error}"
        );
        answers.insert(error.to_string());
    }
    ensure!(answers.len() == 1, "the answers tell refusals apart: {answers:?}");
    let (strange, public) = stage.git.authorized_keypair(Access::All)?;
    stage.git.revoke(&public)?;
    let error = thief
        .resolve(resolve(&url, &strange, &known_hosts))
        .await
        .err()
        .context("resolved without a right")?;
    ensure!(
        error.to_string().contains("denied") || !error.cache_down(),
        "the remote decides: {error}"
    );
    Ok(())
}

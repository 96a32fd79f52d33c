//! What `tenure source get` fetches, and what it says when it can't.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tenure_core::Digest;
use tenure_testkit::ControlPlane;
use tenure_testkit::git::{GitRepo, HttpsGitServer};
use tenure_testkit::helm::Charts;
use tenure_testkit::oci::{Artifact, Registry};
use tenure_testkit::s3::S3Server;

/// The command in a directory with the files that it is given.
struct Person {
    plane: ControlPlane,
    dir: tempfile::TempDir,
}

impl Person {
    async fn start() -> anyhow::Result<Self> {
        Ok(Self {
            plane: ControlPlane::start(tenure_testkit::control_plane::Options::default()).await?,
            dir: tempfile::tempdir()?,
        })
    }

    fn file(&self, name: &str, content: &str) -> anyhow::Result<String> {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content)?;
        shown(&path)
    }

    /// Fetches from a server of this machine, and holds what was written to what was said.
    async fn get(&self, ca: &str, args: &[&str]) -> anyhow::Result<Value> {
        let (ca, output) = (self.file("ca.crt", ca)?, self.dir.path().join("artifact"));
        let to = shown(&output)?;
        let common = [
            "--json",
            "--allow-addresses",
            "127.0.0.0/8",
            "--ca-file",
            &ca,
            "-o",
        ];
        let words = [&["source", "get"], args, &common, &[&to]].concat();
        let said: Value = serde_json::from_str(&self.plane.tenure(&words, "").await?)?;
        let written = std::fs::read(&output)?;
        std::fs::remove_file(&output)?;
        ensure!(said["digest"] == Digest::of(&written).to_string(), "{said}");
        ensure!(said["size"] == written.len(), "{said}");
        Ok(said)
    }

    /// Why the same can't be done.
    async fn refused(&self, ca: &str, args: &[&str]) -> anyhow::Result<String> {
        match self.get(ca, args).await {
            Ok(said) => anyhow::bail!("it was fetched: {said}"),
            Err(error) => Ok(format!("{error:#}")),
        }
    }
}

fn shown(path: &Path) -> anyhow::Result<String> {
    path.to_str().map(str::to_owned).context("a path that is text")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_source_is_fetched_with_what_is_given() -> anyhow::Result<()> {
    let person = Person::start().await?;
    let password = person.file("password", "alices-password\n")?;
    let login = ["--username", "alice", "--password-file", &password];

    let git = HttpsGitServer::start().await?;
    git.set_password("alice", "alices-password");
    let repo = GitRepo::init(&git, "app.git")?;
    let commit = repo.commit(&[("a.yaml", Some("a: 1\n"))], "first")?;
    let url = git.url("app.git");
    let said = person
        .get(
            git.ca(),
            &[&["git", &url, "--branch", "main"], &login[..]].concat(),
        )
        .await?;
    assert_eq!(said["revision"], format!("main@sha1:{commit}"));

    let registry = Registry::start().await?;
    registry.set_password("alice", "alices-password")?;
    let artifact = Artifact::flux(&[("a.yaml", "a: 1\n")], "source", "revision");
    let pushed = registry.push("team/app", "v1", &artifact).await?;
    let url = registry.url("team/app");
    let said = person
        .get(
            registry.ca(),
            &[&["oci", &url, "--tag", "v1"], &login[..]].concat(),
        )
        .await?;
    assert_eq!(said["revision"], format!("v1@{}", pushed.digest));

    let charts = Charts::start().await?;
    charts.logins(&[("alice", "alices-password")]);
    let archive = charts.publish("app", "1.2.3", &[("values.yaml", "a: 1\n")]);
    let url = charts.url();
    let chart = ["helm", &url, "--chart", "app", "--version", "1.x"];
    let said = person.get(charts.ca(), &[&chart[..], &login].concat()).await?;
    assert_eq!(said["revision"], "1.2.3");
    assert_eq!(said["digest"], format!("sha256:{archive}"));
    person
        .get(charts.ca(), &[&["helm", &url], &login[..]].concat())
        .await?;

    let store = S3Server::start().await?;
    store.create("team").await?;
    store.put("team", "a.yaml", b"a: 1\n").await?;
    let keys = store.keys();
    let secret = String::from_utf8(keys.secret_key.expose().to_vec())?;
    let secret = person.file("secret", &secret)?;
    let (endpoint, key) = (store.endpoint(), keys.access_key);
    let bucket = [
        "bucket",
        &endpoint,
        "team",
        "--username",
        &key,
        "--password-file",
        &secret,
    ];
    person.get(store.ca(), &bucket).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_fetched_is_said_without_what_opens_it() -> anyhow::Result<()> {
    let person = Person::start().await?;
    let wrong = person.file("password", "not-hers-canary")?;
    let login = ["--username", "alice", "--password-file", &wrong];
    let git = HttpsGitServer::start().await?;
    git.set_password("alice", "alices-password");
    GitRepo::init(&git, "app.git")?.commit(&[("a.yaml", Some("a: 1\n"))], "first")?;
    let url = git.url("app.git");
    let words = [&["git", &url, "--branch", "main"], &login[..]].concat();
    let why = person.refused(git.ca(), &words).await?;
    ensure!(why.contains("does not accept the credential"), "{why}");
    ensure!(!why.contains("not-hers-canary"), "{why}");

    git.set_password("alice", "not-hers-canary");
    let words = [&["git", &url, "--branch", "absent"], &login[..]].concat();
    let why = person.refused(git.ca(), &words).await?;
    ensure!(why.contains("absent"), "{why}");
    let other = tenure_testkit::pki::Authority::new("other")?;
    let words = [&["git", &url, "--branch", "main"], &login[..]].concat();
    let why = person.refused(other.certificate(), &words).await?;
    ensure!(why.contains("certificate"), "{why}");
    Ok(())
}

//! Git sources of which more is asked than that they can be fetched.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use anyhow::ensure;
use serde_json::{Value, json};
use tenure_testkit::git::{GitRepo, keypair};
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, Team, condition, value};

use crate::kustomization::data;
use crate::world::{config_map, play, says};

/// A key to sign with, that only this test's repository has.
struct Signer {
    directory: tempfile::TempDir,
    public: String,
}

impl Signer {
    fn new() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (private, public) = keypair()?;
        // ssh-keygen signs with no key that others may read
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(directory.path().join("key"))?
            .write_all(private.as_bytes())?;
        Ok(Self { directory, public })
    }

    /// From now on the repository's commits and tags are signed.
    fn signs(&self, repo: &GitRepo) -> anyhow::Result<()> {
        let key = self.directory.path().join("key").display().to_string();
        for (name, value) in [
            ("gpg.format", "ssh"),
            ("user.signingkey", key.as_str()),
            ("commit.gpgsign", "true"),
            ("tag.gpgsign", "true"),
        ] {
            repo.git(&["config", name, value])?;
        }
        Ok(())
    }
}

async fn keys(stage: &Stage, team: &Team<'_>, public: &str) -> anyhow::Result<()> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "signers", "namespace": team.home()},
        "stringData": {"signer.sshpub": public},
    });
    stage.tenure.apply(&[secret]).await
}

fn verified(object: &Value) -> String {
    let condition = condition(object, "SourceVerified").cloned().unwrap_or_default();
    format!(
        "{} {} {}",
        condition["status"], condition["reason"], condition["message"]
    )
}

#[test]
fn a_commit_is_applied_only_if_a_trusted_key_has_signed_it() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = stage.tenant(TenantFixture::new("git-verify")).await?;
        let (trusted, other) = (Signer::new()?, Signer::new()?);
        keys(&stage, &team, &trusted.public).await?;
        trusted.signs(&team.repo)?;
        let map = config_map("kept", "one");
        let good = team.commit(&[("kept.yaml", Some(map.as_str()))], "signed")?;
        team.git_repository(&json!({"verify": {"mode": "HEAD", "secretRef": {"name": "signers"}}}))
            .await?;
        team.kustomization("app", &json!({"targetNamespace": team.home()}))
            .await?;
        team.applied("app", &good).await?;
        let object = team.ready("GitRepository", "app").await?;
        let said = verified(&object);
        ensure!(
            said.contains(&format!(
                r"verified signature of\n\t- commit '{good}' with key 'SHA256:"
            )),
            "{said}"
        );
        ensure!(object["status"]["sourceVerificationMode"] == "HEAD", "{object}");

        other.signs(&team.repo)?;
        let map = config_map("kept", "two");
        let bad = team.commit(&[("kept.yaml", Some(map.as_str()))], "signed by another")?;
        team.reconcile("GitRepository", "app").await?;
        let message = team
            .refused("GitRepository", "app", "InvalidCommitSignature")
            .await?;
        says(&message, &[&bad, "no matching key"])?;
        let object = value(&team.objects("GitRepository"), "app").await?;
        ensure!(verified(&object).starts_with("\"False\""), "{object}");
        ensure!(
            object["status"]["artifact"]["revision"] == format!("main@sha1:{good}"),
            "the artifact stays the trusted one: {object}"
        );

        keys(&stage, &team, &format!("{}\n{}", trusted.public, other.public)).await?;
        team.reconcile("GitRepository", "app").await?;
        team.applied("app", &bad).await?;
        ensure!(data(&stage, &team, "kept").await?.as_deref() == Some("two"));
        Ok(())
    })
}

#[test]
fn a_tag_is_trusted_for_its_own_signature() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = stage.tenant(TenantFixture::new("git-verify-tag")).await?;
        let signer = Signer::new()?;
        keys(&stage, &team, &signer.public).await?;
        let map = config_map("kept", "one");
        let commit = team.commit(&[("kept.yaml", Some(map.as_str()))], "unsigned")?;
        team.repo.tag("v1.0.0", None)?;
        let verify = |mode: &str, range: &str| {
            json!({
                "ref": {"semver": range},
                "verify": {"mode": mode, "secretRef": {"name": "signers"}},
            })
        };
        team.git_repository(&verify("Tag", "1.0.x")).await?;
        let message = team.refused("GitRepository", "app", "InvalidGitObject").await?;
        says(&message, &["tag 'v1.0.0'", "not signed"])?;

        signer.signs(&team.repo)?;
        team.repo.tag("v1.1.0", Some("the first that counts"))?;
        team.git_repository(&verify("Tag", "1.1.x")).await?;
        let object = team.ready("GitRepository", "app").await?;
        let said = verified(&object);
        ensure!(
            said.contains("- tag 'v1.1.0@") && !said.contains("- commit"),
            "{said}"
        );
        ensure!(
            object["status"]["artifact"]["revision"] == format!("v1.1.0@sha1:{commit}"),
            "{object}"
        );

        team.git_repository(&verify("TagAndHEAD", "1.1.x")).await?;
        let message = team
            .refused("GitRepository", "app", "InvalidCommitSignature")
            .await?;
        says(&message, &["unsupported signature type: empty"])?;

        let branch = json!({
            "ref": {"branch": "main"}, "verify": {"mode": "Tag", "secretRef": {"name": "signers"}},
        });
        team.git_repository(&branch).await?;
        let message = team
            .refused("GitRepository", "app", "InvalidVerificationMode")
            .await?;
        says(&message, &["a tag reference is not specified"])?;
        Ok(())
    })
}

#[test]
fn another_repository_is_part_of_this_one() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = stage.tenant(TenantFixture::new("git-include")).await?;
        let map = config_map("kept", "own");
        team.commit(&[("kept.yaml", Some(map.as_str()))], "own")?;
        team.git_repository(&json!({"include": [
            {"repository": {"name": "lib"}, "fromPath": "deploy", "toPath": "vendor/lib"},
        ]}))
        .await?;
        team.kustomization("app", &json!({"targetNamespace": team.home()}))
            .await?;
        let message = team.refused("GitRepository", "app", "NotFound").await?;
        says(&message, &["could not get resource for include 'lib'"])?;

        let lib = GitRepo::init(&stage.git, "git-include-lib.git")?;
        let map = config_map("theirs", "one");
        lib.commit(&[("deploy/theirs.yaml", Some(map.as_str()))], "theirs")?;
        let source = json!({
            "url": stage.git.url(lib.name()), "ref": {"branch": "main"}, "secretRef": {"name": "git-ssh"},
        });
        team.source("GitRepository", "lib", &source).await?;
        team.ready("GitRepository", "app").await?;
        holds(&stage, &team, "theirs", "one").await?;

        let map = config_map("theirs", "two");
        let moved = lib.commit(&[("deploy/theirs.yaml", Some(map.as_str()))], "theirs")?;
        team.reconcile("GitRepository", "lib").await?;
        holds(&stage, &team, "theirs", "two").await?;
        holds(&stage, &team, "kept", "own").await?;
        let object = team.ready("GitRepository", "app").await?;
        let included = &object["status"]["includedArtifacts"][0]["revision"];
        ensure!(*included == format!("main@sha1:{moved}"), "{object}");
        ensure!(
            object["status"]["observedInclude"][0]["toPath"] == "vendor/lib",
            "{object}"
        );
        Ok(())
    })
}

async fn holds(stage: &Stage, team: &Team<'_>, name: &str, text: &str) -> anyhow::Result<()> {
    until(&format!("{name} to say {text}"), PATIENCE, || async {
        let is = data(stage, team, name).await?;
        ensure!(is.as_deref() == Some(text), "it says {is:?}");
        Ok(())
    })
    .await
}

#[test]
fn a_repository_with_a_submodule_is_applied_as_a_whole() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = stage.tenant(TenantFixture::new("git-submodule")).await?;
        let name = format!("{}-lib.git", team.home());
        let lib = GitRepo::init(&stage.git, &name)?;
        let map = config_map("kept", "from the submodule");
        let commit = lib.commit(&[("kept.yaml", Some(map.as_str()))], "lib")?;
        std::fs::create_dir(team.repo.work_tree().join("lib"))?;
        let link = format!("160000,{commit},lib");
        team.repo.git(&["update-index", "--add", "--cacheinfo", &link])?;
        let modules = format!("[submodule \"lib\"]\n\tpath = lib\n\turl = ../{name}\n");
        let whole = team.commit(&[(".gitmodules", Some(modules.as_str()))], "with a submodule")?;
        team.git_repository(&json!({"recurseSubmodules": true})).await?;
        team.kustomization("app", &json!({"path": "./lib", "targetNamespace": team.home()}))
            .await?;
        team.applied("app", &whole).await?;
        ensure!(data(&stage, &team, "kept").await?.as_deref() == Some("from the submodule"));
        let object = team.ready("GitRepository", "app").await?;
        ensure!(object["status"]["observedRecurseSubmodules"] == true, "{object}");

        let elsewhere = "[submodule \"lib\"]\n\tpath = lib\n\turl = https://169.254.169.254/lib.git\n";
        team.commit(&[(".gitmodules", Some(elsewhere))], "a submodule somewhere else")?;
        team.reconcile("GitRepository", "app").await?;
        let message = team.refused("GitRepository", "app", "GitOperationFailed").await?;
        says(&message, &["submodule \"lib\"", "the platform does not allow"])
    })
}

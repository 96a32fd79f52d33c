use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use tenure_testkit::git::{Access, GitHost, GitRepo, HttpsGitServer, Kind, SshGitServer, keypair};

/// A client's side: a key, known hosts, and room for clones.
struct Client {
    dir: TempDir,
}

impl Client {
    fn new(key: &str, known_hosts: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, key).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(dir.path().join("known_hosts"), known_hosts).unwrap();
        Self { dir }
    }

    fn ssh(&self) -> String {
        let dir = self.dir.path().display();
        format!(
            "ssh -F none -i {dir}/key -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
             -o StrictHostKeyChecking=yes -o UserKnownHostsFile={dir}/known_hosts"
        )
    }

    async fn git(&self, args: &[&str]) -> Output {
        let mut git = program("git");
        git.current_dir(self.dir.path())
            .env("GIT_SSH_COMMAND", self.ssh())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env_remove("GIT_SSL_CAINFO")
            .args(args);
        finish(git).await
    }

    async fn clones(&self, url: &str, to: &str) -> bool {
        self.git(&["clone", "--quiet", url, to]).await.status.success()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the machine's git and ssh are the clients here"
)]
fn program(name: &str) -> Command {
    Command::new(name)
}

async fn finish(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap()
}

fn sample(host: &impl GitHost, name: &str) -> (GitRepo, String) {
    let repo = GitRepo::init(host, name).unwrap();
    repo.write("run.sh", b"#!/bin/sh\n").unwrap();
    repo.set_executable("run.sh", true).unwrap();
    repo.link("latest", "deep/file").unwrap();
    let commit = repo.commit(&[("deep/file", Some("content"))], "first").unwrap();
    (repo, commit)
}

async fn serves_what_a_key_may_see(kind: Kind) {
    let mut server = SshGitServer::start_kind(kind).await.unwrap();
    assert_eq!(server.kind(), kind);
    let (_repo, commit) = sample(&server, "team-a/app.git");
    sample(&server, "team-b/app.git");
    let only = Access::Only(vec!["team-a/app.git".to_owned()]);
    let (key, public) = server.authorized_keypair(only).unwrap();
    let client = Client::new(&key, &server.known_hosts().unwrap());

    let url = server.url("team-a/app.git");
    let cloned = client.git(&["clone", "--quiet", &url, "a"]).await;
    assert!(
        cloned.status.success(),
        "{}",
        String::from_utf8_lossy(&cloned.stderr)
    );
    let head = client.git(&["-C", "a", "rev-parse", "HEAD"]).await;
    assert_eq!(String::from_utf8_lossy(&head.stdout).trim(), commit);
    assert_eq!(fs::read_to_string(client.path("a/latest")).unwrap(), "content");

    let other = client
        .git(&["clone", "--quiet", &server.url("team-b/app.git"), "b"])
        .await;
    assert!(String::from_utf8_lossy(&other.stderr).contains("repository not found"));
    assert!(!other.status.success());
    let served = answer(&client, &server, "git-upload-pack '/team-a/app.git'").await;
    assert!(served.contains("refs/heads/main"), "{served:?}");
    for command in [
        "",
        "id",
        "git-receive-pack '/team-a/app.git'",
        "git-upload-pack '/../x'",
    ] {
        assert_eq!(answer(&client, &server, command).await, "", "{command:?} was run");
    }

    server.rotate_host_key().await.unwrap();
    assert!(!client.clones(&url, "with-old-host-key").await);
    fs::write(client.path("known_hosts"), server.known_hosts().unwrap()).unwrap();
    assert!(client.clones(&url, "with-new-host-key").await);

    server.revoke(&public).unwrap();
    assert!(!client.clones(&url, "revoked").await);
    server.authorize(&public, Access::All).unwrap();
    server.stop();
    assert!(!client.clones(&url, "stopped").await);
    server.start_again().await.unwrap();
    assert!(client.clones(&server.url("team-b/app.git"), "all").await);
}

/// What a command (or with an empty one, a shell) prints over SSH.
async fn answer(client: &Client, server: &SshGitServer, command: &str) -> String {
    let url = server.url("");
    let port = url.trim_end_matches('/').rsplit(':').next().unwrap().to_owned();
    let mut ssh = program("sh");
    let line = format!("{} -p {port} git@127.0.0.1 \"$0\" </dev/null", client.ssh());
    ssh.args(["-c", &line, command]);
    String::from_utf8_lossy(&finish(ssh).await.stdout).into_owned()
}

#[tokio::test]
async fn openssh_serves_what_a_key_may_see_and_no_shell() {
    if rustix::process::geteuid().is_root() {
        serves_what_a_key_may_see(Kind::OpenSsh).await;
    }
}

#[tokio::test]
async fn the_server_in_this_process_serves_what_a_key_may_see_and_no_shell() {
    serves_what_a_key_may_see(Kind::InProcess).await;
}

#[tokio::test]
async fn a_key_nobody_authorised_is_refused() {
    let server = SshGitServer::start().await.unwrap();
    sample(&server, "app.git");
    let (key, _) = keypair().unwrap();
    let client = Client::new(&key, &server.known_hosts().unwrap());
    assert!(!client.clones(&server.url("app.git"), "x").await);
}

#[tokio::test]
async fn https_asks_for_a_password_and_counts() {
    let server = HttpsGitServer::start().await.unwrap();
    let (repo, _) = sample(&server, "app.git");
    server.set_password("alice", "s3cret");
    let client = Client::new("", "");
    let ca = format!("http.sslCAInfo={}", server.ca_file().unwrap().display());
    let with = |user: &str| server.url("app.git").replace("//", &format!("//{user}@"));
    let clone = async |url: &str, to: &str| client.git(&["-c", &ca, "clone", "--quiet", url, to]).await;

    let right = clone(&with("alice:s3cret"), "right").await;
    assert!(
        right.status.success(),
        "{}",
        String::from_utf8_lossy(&right.stderr)
    );
    assert_eq!(
        fs::read_to_string(client.path("right/deep/file")).unwrap(),
        "content"
    );
    let first = server.traffic();
    assert_eq!((first.ref_requests, first.pack_requests), (1, 2));
    assert!(first.bytes_sent > 200);

    repo.commit(&[("deep/file", None), ("other", Some("x"))], "second")
        .unwrap();
    assert!(
        client
            .git(&["-c", &ca, "-C", "right", "pull", "--quiet"])
            .await
            .status
            .success()
    );
    assert!(!client.path("right/deep/file").exists());

    let before = server.traffic();
    assert!(!clone(&with("alice:wrong"), "wrong").await.status.success());
    assert!(!clone(&server.url("app.git"), "none").await.status.success());
    assert!(!client.clones(&with("alice:s3cret"), "distrusted").await);
    let after = server.traffic();
    assert!(after.refused > before.refused);
    assert_eq!(after.ref_requests, before.ref_requests);
}

#[test]
fn the_same_changes_make_the_same_commits() {
    struct Dir(TempDir);
    impl GitHost for Dir {
        fn repositories(&self) -> &Path {
            self.0.path()
        }
    }
    let ids: Vec<_> = (0..2)
        .map(|_| {
            let host = Dir(tempfile::tempdir().unwrap());
            let (repo, first) = sample(&host, "app.git");
            repo.tag("v1.0.0", Some("release")).unwrap();
            repo.checkout("next").unwrap();
            let second = repo.commit(&[("deep/file", Some("new"))], "second").unwrap();
            (first, second, repo.git(&["ls-remote", "origin"]).unwrap())
        })
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert!(ids[0].2.contains("refs/heads/next") && ids[0].2.contains("refs/tags/v1.0.0^{}"));
}

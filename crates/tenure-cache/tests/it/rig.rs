//! A running cache and its callers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tenure_cache::{Artifacts, Config, Limits, Server};
use tenure_core::{Digest, Name, Secret};
use tenure_net::Guard;
use tenure_proto::source::{
    Basic, Credential, GitSpec, ResolveRequest, ResolveResponse, Ssh, credential, git_spec, resolve_request,
};
use tenure_testkit::git::{GitRepo, HttpsGitServer};
use tenure_testkit::pki::Authority;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::issuer::{ISSUER, Issuer};
use crate::source_client::{SourceClient, SourceError};

pub(crate) struct Rig {
    pub(crate) issuer: Issuer,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) ca: String,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    /// Where artifacts are served to whoever has a link.
    pub(crate) artifacts: Option<SocketAddr>,
    _stop: DropGuard,
}

pub(crate) struct Setup {
    pub(crate) grant_ttl: Duration,
    pub(crate) fetcher: Option<&'static str>,
    pub(crate) limits: Limits,
    pub(crate) no_keys: bool,
    /// Artifacts are served in clear, and there are links.
    pub(crate) links: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            grant_ttl: Duration::from_secs(600),
            fetcher: None,
            limits: Limits {
                addresses: this_machine(),
                ..Limits::default()
            },
            no_keys: false,
            links: false,
        }
    }
}

/// Where the servers of the tests are.
pub(crate) fn this_machine() -> Guard {
    Guard::new(["127.0.0.0/8".parse().expect("a block")], [])
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let authority = Authority::new("cache-test").expect("an authority");
        let identity = authority
            .server("cache", &["tenure-cache"])
            .expect("a certificate");
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).expect("writable");
            path
        };
        let issuer = Issuer::new(dir.path());
        let program = PathBuf::from(env!("CARGO_BIN_EXE_tenure-cache-test-fetcher"));
        let program = match setup.fetcher {
            None => program,
            Some(name) => {
                let link = dir.path().join(name);
                std::os::unix::fs::symlink(program, &link).expect("a link");
                link
            }
        };
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(Config {
            listen: free,
            admin_listen: free,
            artifacts: setup.links.then(|| Artifacts {
                listen: free,
                host: "http://artifacts".into(),
            }),
            tls_cert: file("tls.crt", &identity.certificate),
            tls_key: file("tls.key", &identity.key),
            issuer_keys: if setup.no_keys {
                dir.path().join("none")
            } else {
                issuer.path()
            },
            issuer: Some(ISSUER.into()),
            workers_namespace: Name::new("tenure-workers").expect("valid"),
            supervisor: tenure_core::Account {
                namespace: Name::new("tenure-system").expect("valid"),
                name: Name::new("tenure-supervisor").expect("valid"),
            },
            data_dir: dir.path().join("data"),
            grant_ttl: setup.grant_ttl,
            fetcher_program: Some(program),
            limits: setup.limits,
        })
        .await
        .expect("starts");
        let address = server.address().expect("bound");
        let admin = server.admin_address().expect("bound");
        let artifacts = server.artifacts_address().expect("bound");
        let stop = CancellationToken::new();
        tokio::spawn(server.serve(stop.clone()));
        let ca = authority.certificate().to_owned();
        Self {
            issuer,
            dir,
            ca,
            address,
            admin,
            artifacts,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A worker's client.
    pub(crate) fn home(&self, name: &str) -> SourceClient {
        self.caller(Some(self.issuer.sign(&Issuer::claims(name))))
    }

    /// A client with that token.
    pub(crate) fn caller(&self, token: Option<String>) -> SourceClient {
        self.caller_at(self.address.port(), token)
    }

    /// A client with that token, which connects to another port.
    pub(crate) fn caller_at(&self, port: u16, token: Option<String>) -> SourceClient {
        let token = token.map(Secret::from);
        let url = format!("https://127.0.0.1:{port}");
        SourceClient::new(
            &url,
            self.ca.as_bytes(),
            "tenure-cache",
            Arc::new(move || token.clone()),
        )
        .expect("usable")
    }

    pub(crate) async fn admin(&self, path: &str) -> String {
        String::from_utf8(get(self.admin, path).await).expect("text")
    }

    /// The value of a metric, 0 when it is not there yet.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.admin("/metrics").await;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().expect("a number"))
    }
}

/// Head and body of the answer, as they come.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Vec<u8> {
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("hears");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("answers");
    answer
}

pub(crate) fn ask(url: &str, credential: Credential) -> ResolveRequest {
    let spec = GitSpec {
        url: url.into(),
        r#ref: Some(git_spec::Ref::Branch("main".into())),
        ..GitSpec::default()
    };
    ResolveRequest {
        spec: Some(resolve_request::Spec::Git(spec)),
        credential: Some(credential),
        timeout: Duration::from_secs(20).try_into().ok(),
        ..ResolveRequest::default()
    }
}

pub(crate) fn password(server: &HttpsGitServer, user: &str, password: &str) -> Credential {
    let basic = Basic {
        username: user.into(),
        password: password.into(),
    };
    Credential {
        kind: Some(credential::Kind::Basic(basic)),
        ca_pem: server.ca().as_bytes().to_vec(),
        ..Credential::default()
    }
}

pub(crate) fn key(identity: &str, known_hosts: &str) -> Credential {
    let ssh = Ssh {
        identity: identity.into(),
        known_hosts: known_hosts.into(),
        ..Ssh::default()
    };
    Credential {
        kind: Some(credential::Kind::Ssh(ssh)),
        ..Credential::default()
    }
}

/// The artifact's bytes.
pub(crate) async fn fetch(client: &SourceClient, resolved: &ResolveResponse) -> Result<Vec<u8>, SourceError> {
    let artifact = resolved.artifact.clone().expect("an artifact");
    let digest: Digest = artifact.digest.parse().expect("a digest");
    let mut bytes = Vec::new();
    client
        .fetch(
            &Secret::new(resolved.grant.clone()),
            digest,
            artifact.size,
            &mut bytes,
        )
        .await?;
    Ok(bytes)
}

/// A Git server behind HTTPS with the repository `app.git` of one commit.
pub(crate) async fn served() -> (HttpsGitServer, GitRepo) {
    let server = HttpsGitServer::start().await.expect("a server");
    let repo = GitRepo::init(&server, "app.git").expect("a repository");
    repo.commit(&[("a.yaml", Some("a: 1\n"))], "first")
        .expect("a commit");
    (server, repo)
}

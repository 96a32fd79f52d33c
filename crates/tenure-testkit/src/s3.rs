//! An S3 server that is a real one: versitygw, over a directory.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use reqwest::{Client, Method, Response, Url};
use tempfile::TempDir;
use tenure_core::Secret;
use tenure_net::aws::{Keys, Scope, encode};

use crate::net::free_port;
use crate::pki::{Authority, install_crypto};
use crate::proc::{Proc, Spec, tail};
use crate::rig::s3_program;
use crate::wait::until;

const TIMEOUT: Duration = Duration::from_secs(30);
const REGION: &str = "us-east-1";

/// A running server, with TLS and one account.
#[derive(Debug)]
pub struct S3Server {
    port: u16,
    authority: Authority,
    client: Client,
    _daemon: Proc,
    _dir: TempDir,
}

impl S3Server {
    /// Starts it, without buckets.
    ///
    /// # Errors
    /// When it cannot be built or does not answer.
    pub async fn start() -> anyhow::Result<Self> {
        install_crypto();
        let binary = tokio::task::spawn_blocking(s3_program).await??;
        let dir = tempfile::Builder::new().prefix("s3-").tempdir()?;
        let authority = Authority::new("rig-s3")?;
        let server = authority.server("s3", &[])?;
        let file = |name: &str| dir.path().join(name);
        std::fs::write(file("tls.crt"), &server.certificate)?;
        std::fs::write(file("tls.key"), &server.key)?;
        std::fs::create_dir(file("data"))?;
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only([reqwest::Certificate::from_pem(
                authority.certificate().as_bytes(),
            )?])
            .build()?;
        let port = free_port()?;
        let spec = Spec::new(&binary, file("s3.log"))
            .args([
                "--port",
                &format!("127.0.0.1:{port}"),
                "--region",
                REGION,
                "--quiet",
            ])
            .arg("--cert")
            .arg(file("tls.crt"))
            .arg("--key")
            .arg(file("tls.key"))
            .arg("posix")
            .arg(file("data"))
            .env("ROOT_ACCESS_KEY", ACCESS)
            .env("ROOT_SECRET_KEY", SECRET);
        let mut daemon = Proc::spawn(&spec)?;
        let origin = format!("https://127.0.0.1:{port}/");
        until("the S3 server to answer", TIMEOUT, || {
            let alive = daemon.check();
            let asked = client.get(&origin).send();
            async move {
                if alive.is_err() {
                    return Ok(alive);
                }
                asked.await?;
                Ok(Ok(()))
            }
        })
        .await
        .with_context(|| tail(&file("s3.log")))??;
        Ok(Self {
            port,
            authority,
            client,
            _daemon: daemon,
            _dir: dir,
        })
    }

    /// Where the service is.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The authority that signed its certificate, PEM.
    #[must_use]
    pub fn ca(&self) -> &str {
        self.authority.certificate()
    }

    /// The keys of its account.
    #[must_use]
    pub fn keys(&self) -> Keys {
        Keys {
            access_key: ACCESS.to_owned(),
            secret_key: Secret::from(SECRET.to_owned()),
            session_token: None,
        }
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn create(&self, bucket: &str) -> anyhow::Result<()> {
        self.send(Method::PUT, bucket, "", b"").await.map(drop)
    }

    /// Puts an object.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn put(&self, bucket: &str, key: &str, content: &[u8]) -> anyhow::Result<()> {
        self.send(Method::PUT, bucket, key, content).await.map(drop)
    }

    /// Removes an object.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn delete(&self, bucket: &str, key: &str) -> anyhow::Result<()> {
        self.send(Method::DELETE, bucket, key, b"").await.map(drop)
    }

    async fn send(
        &self,
        method: Method,
        bucket: &str,
        key: &str,
        content: &[u8],
    ) -> anyhow::Result<Response> {
        let key = if key.is_empty() {
            String::new()
        } else {
            format!("/{}", encode(key, false))
        };
        let url = Url::parse(&format!("{}/{bucket}{key}", self.endpoint()))?;
        let scope = Scope {
            region: REGION,
            service: "s3",
            at: SystemTime::now(),
        };
        let mut request = self
            .client
            .request(method.clone(), url.clone())
            .body(content.to_vec());
        for (name, value) in self.keys().sign(scope, method.as_str(), &url, &[], content) {
            request = request.header(name, value.expose());
        }
        let response = request.send().await?;
        let status = response.status();
        ensure!(
            status.is_success(),
            "the server answers {status}: {}",
            response.text().await?
        );
        Ok(response)
    }
}

const ACCESS: &str = "rig-access";
const SECRET: &str = "rig-secret";

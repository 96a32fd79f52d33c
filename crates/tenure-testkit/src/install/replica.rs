//! The source cache of an installation: one replica, or two.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::{Installation, Options, get, ready, tail};
use crate::Proc;
use crate::net::{free_port, local};
use crate::proc::Spec;

/// How long a replica may take to end what it does.
pub(super) const ENDS: Duration = Duration::from_secs(60);

/// One replica.
pub(super) struct Replica {
    spec: Spec,
    port: u16,
    admin: u16,
    running: Option<Proc>,
}

/// The name of a replica's log.
pub(super) fn log(number: usize) -> String {
    match number {
        0 => "cache.log".to_owned(),
        _ => format!("cache-{number}.log"),
    }
}

/// The name of a replica's directory.
fn data(number: usize) -> String {
    match number {
        0 => "data".to_owned(),
        _ => format!("data-{number}"),
    }
}

impl Replica {
    pub(super) fn url(&self) -> String {
        format!("https://{}", local(self.port))
    }
}

impl Installation {
    /// A replica that is not started yet.
    pub(super) fn replica(&self, number: usize, options: &Options) -> anyhow::Result<Replica> {
        let (port, admin) = (free_port()?, free_port()?);
        let data = data(number);
        fs::create_dir_all(self.file(&data))?;
        let flags = [
            ("--listen", local(port).to_string()),
            ("--admin", local(admin).to_string()),
            ("--tls-cert", self.path("cache.crt")),
            ("--tls-key", self.path("cache.key")),
            ("--issuer-keys", self.path("keys/jwks.json")),
            ("--workers-namespace", self.workers.clone()),
            ("--system-namespace", self.system.clone()),
            ("--data", self.path(&data)),
            // where the servers of the tests are
            ("--allow-addresses", "127.0.0.0/8".to_owned()),
        ];
        let mut spec = self.spec("cache", &log(number), &flags, options);
        if let Some(path) = &options.cloud_authorities {
            spec = spec.arg("--cloud-authorities").arg(path);
        }
        Ok(Replica {
            spec,
            port,
            admin,
            running: None,
        })
    }

    /// Where the first replica serves its callers.
    #[must_use]
    pub fn cache_url(&self) -> String {
        self.caches.first().map(Replica::url).unwrap_or_default()
    }

    /// The first replica; `None` while it is stopped.
    pub fn cache(&mut self) -> Option<&mut Proc> {
        self.caches.first_mut()?.running.as_mut()
    }

    /// What the first replica and its fetchers have logged.
    #[must_use]
    pub fn cache_log(&self) -> String {
        fs::read_to_string(self.file(&log(0))).unwrap_or_default()
    }

    /// Ends the first replica at once, as a crash would.
    ///
    /// # Errors
    /// When it can't be killed.
    pub fn kill_cache(&mut self) -> anyhow::Result<()> {
        let running = self.caches.first_mut().and_then(|replica| replica.running.take());
        running.map_or(Ok(()), |mut running| running.kill().map(drop))
    }

    /// Starts the first replica, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready; the log's end is in the error.
    pub async fn start_cache(&mut self) -> anyhow::Result<()> {
        self.start_replica(0).await
    }

    /// Starts a replica, and waits until it is ready.
    ///
    /// # Errors
    /// When there is none of that number, or it does not become ready; the log's end is in the error.
    pub async fn start_replica(&mut self, number: usize) -> anyhow::Result<()> {
        let path = self.file(&log(number));
        let replica = self.caches.get_mut(number).context("there is no such replica")?;
        replica.running = Some(Proc::spawn(&replica.spec)?);
        ready("the cache", replica.admin)
            .await
            .with_context(|| tail(&path))
    }

    /// From its next start on a replica is this program.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn replace_replica(&mut self, number: usize, program: &Path) -> anyhow::Result<()> {
        let replica = self.caches.get_mut(number).context("there is no such replica")?;
        replica.spec.set_program(program);
        Ok(())
    }

    /// Tells a replica to end, as a rolling update does, and waits until it has.
    ///
    /// # Errors
    /// When it is not running, or does not end well.
    pub async fn stop_replica(&mut self, number: usize) -> anyhow::Result<()> {
        let replica = self.caches.get_mut(number);
        let running = replica.and_then(|replica| replica.running.take());
        let mut running = running.context("no such replica runs")?;
        running.terminate()?;
        let status = running.wait(ENDS).await?;
        ensure!(status.success(), "it ended with {status}: {}", running.log());
        Ok(())
    }

    /// The body of the first replica's `/metrics`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn cache_metrics(&self) -> anyhow::Result<String> {
        self.replica_metrics(0).await
    }

    /// The body of a replica's `/metrics`.
    ///
    /// # Errors
    /// When there is none of that number, or it does not answer.
    pub async fn replica_metrics(&self, number: usize) -> anyhow::Result<String> {
        let replica = self.caches.get(number).context("there is no such replica")?;
        Ok(get(replica.admin, "/metrics").await?.1)
    }
}

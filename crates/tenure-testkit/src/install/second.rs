use std::path::Path;

use anyhow::{Context as _, ensure};

use super::replica::ENDS;
use super::{Installation, get, ready, tail};
use crate::proc::{Proc, Spec};

/// A supervisor besides the first.
pub(super) struct Second {
    pub(super) spec: Spec,
    pub(super) admin: u16,
    pub(super) running: Option<Proc>,
}

/// Its log.
pub(super) const LOG: &str = "supervisor-1.log";

impl Installation {
    /// Starts the second supervisor, and waits until it is ready.
    ///
    /// # Errors
    /// When [`Options`](super::Options) said nothing of two, or it does not become ready; the log's end is in the error.
    pub async fn start_second(&mut self) -> anyhow::Result<()> {
        let path = self.file(LOG);
        let second = self.second.as_mut().context("there is no second supervisor")?;
        second.running = Some(Proc::spawn(&second.spec)?);
        ready("the second supervisor", second.admin)
            .await
            .with_context(|| tail(&path))
    }

    /// Ends the second supervisor at once, as a crash would.
    ///
    /// # Errors
    /// When it does not run, or can't be killed.
    pub fn kill_second(&mut self) -> anyhow::Result<()> {
        self.running_second()?.kill().map(drop)
    }

    /// Tells the second supervisor to end, as a rolling update does, and waits until it has.
    ///
    /// # Errors
    /// When it does not run, or does not end well.
    pub async fn stop_second(&mut self) -> anyhow::Result<()> {
        let mut running = self.running_second()?;
        running.terminate()?;
        let status = running.wait(ENDS).await?;
        ensure!(status.success(), "it ended with {status}: {}", running.log());
        Ok(())
    }

    /// From its next start on the second supervisor is this program.
    ///
    /// # Errors
    /// When there is none.
    pub fn replace_second(&mut self, program: &Path) -> anyhow::Result<()> {
        let second = self.second.as_mut().context("there is no second supervisor")?;
        second.spec.set_program(program);
        Ok(())
    }

    /// The body of the second supervisor's `/metrics`.
    ///
    /// # Errors
    /// When there is none, or it does not answer.
    pub async fn second_metrics(&self) -> anyhow::Result<String> {
        let second = self.second.as_ref().context("there is no second supervisor")?;
        Ok(get(second.admin, "/metrics").await?.1)
    }

    fn running_second(&mut self) -> anyhow::Result<Proc> {
        let running = self.second.as_mut().and_then(|second| second.running.take());
        running.context("no second supervisor runs")
    }
}

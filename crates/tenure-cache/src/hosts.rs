//! How a host is treated whoever asks: at a bounded rate, and not at all while it has asked for patience.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tenure_proto::source::FailureKind;

use crate::failure::Failure;

/// No host is left alone for longer than this, whatever it asks for.
const LONGEST: Duration = Duration::from_secs(3600);
/// Seconds of its rate that a host may be asked for at once.
const BURST: f64 = 5.0;

/// All hosts that were asked lately.
pub(crate) struct Hosts {
    per_second: f64,
    hosts: Mutex<HashMap<String, Host>>,
}

struct Host {
    /// Jobs that may begin now; below zero, some wait for their turn.
    left: f64,
    at: Instant,
    not_before: Option<Instant>,
}

impl Hosts {
    /// So many jobs a second for each host, and more at once after a pause.
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second: f64::from(per_second.max(1)),
            hosts: Mutex::default(),
        }
    }

    /// Waits for a turn at the host of the remote called `name`.
    ///
    /// # Errors
    /// When the host has asked to be left alone: says for how long.
    pub(crate) async fn turn(&self, name: &str) -> Result<(), Failure> {
        let wait = self.take(name, Instant::now())?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    fn take(&self, name: &str, now: Instant) -> Result<Duration, Failure> {
        let authority = host(name);
        let mut hosts = self.hosts.lock();
        let host = hosts.entry(authority.to_owned()).or_insert_with(|| Host {
            left: self.most(),
            at: now,
            not_before: None,
        });
        if let Some(left) = host
            .not_before
            .and_then(|until| until.checked_duration_since(now))
        {
            let message = format!("{authority} has asked to be left alone for a while, and is not asked now");
            let mut failure = Failure::new(FailureKind::UpstreamUnavailable, message);
            failure.retry_after = Some(left);
            return Err(failure);
        }
        let refilled = host.left + now.saturating_duration_since(host.at).as_secs_f64() * self.per_second;
        host.left = refilled.min(self.most()) - 1.0;
        host.at = now;
        Ok(Duration::from_secs_f64((-host.left / self.per_second).max(0.0)))
    }

    /// The host of the remote called `name` wants to be left alone for so long.
    pub(crate) fn leave_alone(&self, name: &str, wait: Duration) {
        let now = Instant::now();
        let until = now + wait.min(LONGEST);
        let mut hosts = self.hosts.lock();
        let host = hosts.entry(host(name).to_owned()).or_insert_with(|| Host {
            left: self.most(),
            at: now,
            not_before: None,
        });
        host.not_before = host.not_before.max(Some(until));
    }

    /// Forgets hosts of which nothing has to be known.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        let rested = |host: &Host| now.saturating_duration_since(host.at).as_secs_f64() > 2.0 * BURST;
        self.hosts.lock().retain(|_, host| {
            !rested(host) || host.left < 0.0 || host.not_before.is_some_and(|until| until > now)
        });
    }

    fn most(&self) -> f64 {
        self.per_second * BURST
    }
}

/// The host and port in a remote's name.
fn host(name: &str) -> &str {
    let rest = name.split_once("://").map_or(name, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_asked_at_its_rate_and_others_wait_for_nothing() {
        let hosts = Hosts::new(2);
        let now = Instant::now();
        let waits: Vec<Duration> = (0..12)
            .map(|n| hosts.take(&format!("https://h:443/{n}"), now).expect("a turn"))
            .collect();
        assert!(waits.iter().take(10).all(Duration::is_zero), "{waits:?}");
        assert_eq!(
            waits.get(10..),
            Some(&[Duration::from_millis(500), Duration::from_secs(1)][..])
        );
        assert!(hosts.take("https://other:443/x", now).expect("a turn").is_zero());
        let later = hosts.take("https://h:443/x", now + Duration::from_secs(60));
        assert!(later.expect("a turn").is_zero());
    }

    #[test]
    fn a_host_that_asks_for_patience_is_left_alone_by_all() {
        let hosts = Hosts::new(100);
        hosts.leave_alone("ssh://git@h:22/a", Duration::from_secs(60));
        hosts.leave_alone("ssh://git@h:22/a", Duration::from_secs(5));
        let failure = hosts
            .take("ssh://bob@h:22/b", Instant::now())
            .expect_err("not now");
        assert!(
            failure
                .retry_after
                .is_some_and(|wait| wait > Duration::from_secs(50))
        );
        assert!(
            hosts.take("ssh://git@h:2222/b", Instant::now()).is_ok(),
            "another server"
        );
        let later = Instant::now() + Duration::from_secs(61);
        assert!(hosts.take("ssh://git@h:22/a", later).is_ok());
        hosts.leave_alone("https://x:443/", Duration::from_secs(1 << 30));
        let later = Instant::now() + LONGEST + Duration::from_secs(1);
        assert!(hosts.take("https://x:443/", later).is_ok());
    }
}

//! A job with its secrets in the open: built right before it is sent, taken apart right after it was received.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tenure_core::frame::Open;
use tenure_core::{Digest, SourceUrl};
use tenure_net::wire::Outbound;

use super::Task as Plain;
use crate::{ChartVersion, Credential, Limits, Validators};

mod bucket;

use bucket::Bucket;

#[derive(Serialize, Deserialize)]
pub(super) struct Job {
    task: Task,
    limits: Limits,
}

#[derive(Serialize, Deserialize)]
enum Task {
    Index(Remote, Option<(Validators, Digest)>),
    KeepIndex(Remote, Digest, PathBuf),
    Chart(Remote, String, String, Option<(Validators, ChartVersion)>),
    KeepChart(Remote, ChartVersion, PathBuf),
    Bucket(Bucket, Option<String>),
    KeepBucket(Bucket, Option<String>, Digest, PathBuf),
    File(Remote),
    KeepFile(Remote, Digest, PathBuf),
}

#[derive(Serialize, Deserialize)]
struct Remote {
    url: Open,
    login: Option<(String, Open)>,
    pass_credentials: bool,
    outbound: Outbound,
}

impl From<super::Job> for Job {
    fn from(job: super::Job) -> Self {
        Self {
            task: match job.task {
                Plain::Index(remote, known) => Task::Index(remote.into(), known),
                Plain::KeepIndex(remote, digest, out) => Task::KeepIndex(remote.into(), digest, out),
                Plain::Chart(remote, name, wanted, known) => Task::Chart(remote.into(), name, wanted, known),
                Plain::KeepChart(remote, version, out) => Task::KeepChart(remote.into(), version, out),
                Plain::Bucket(bucket, ignore) => Task::Bucket(bucket.into(), ignore),
                Plain::KeepBucket(bucket, ignore, at, out) => {
                    Task::KeepBucket(bucket.into(), ignore, at, out)
                }
                Plain::File(remote) => Task::File(remote.into()),
                Plain::KeepFile(remote, digest, out) => Task::KeepFile(remote.into(), digest, out),
            },
            limits: job.limits,
        }
    }
}

impl TryFrom<Job> for super::Job {
    type Error = io::Error;

    fn try_from(job: Job) -> io::Result<Self> {
        Ok(Self {
            task: match job.task {
                Task::Index(remote, known) => Plain::Index(remote.read()?, known),
                Task::KeepIndex(remote, digest, out) => Plain::KeepIndex(remote.read()?, digest, out),
                Task::Chart(remote, name, wanted, known) => Plain::Chart(remote.read()?, name, wanted, known),
                Task::KeepChart(remote, version, out) => Plain::KeepChart(remote.read()?, version, out),
                Task::Bucket(bucket, ignore) => Plain::Bucket(bucket.read()?, ignore),
                Task::KeepBucket(bucket, ignore, at, out) => {
                    Plain::KeepBucket(bucket.read()?, ignore, at, out)
                }
                Task::File(remote) => Plain::File(remote.read()?),
                Task::KeepFile(remote, digest, out) => Plain::KeepFile(remote.read()?, digest, out),
            },
            limits: job.limits,
        })
    }
}

impl From<crate::Remote> for Remote {
    fn from(remote: crate::Remote) -> Self {
        Self {
            url: Open(remote.url.expose()),
            login: match remote.credential {
                Credential::None => None,
                Credential::Basic { username, password } => Some((username, Open(password))),
            },
            pass_credentials: remote.pass_credentials,
            outbound: remote.outbound.into(),
        }
    }
}

impl Remote {
    fn read(self) -> io::Result<crate::Remote> {
        Ok(crate::Remote {
            url: url(&self.url)?,
            credential: match self.login {
                None => Credential::None,
                Some((username, password)) => Credential::Basic {
                    username,
                    password: password.0,
                },
            },
            pass_credentials: self.pass_credentials,
            outbound: self.outbound.into(),
        })
    }
}

/// Reads a URL that was sent.
fn url(open: &Open) -> io::Result<SourceUrl> {
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "the job's URL is not one");
    let text = open.0.expose_str().ok_or_else(bad)?;
    text.parse().map_err(|_| bad())
}

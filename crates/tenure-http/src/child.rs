//! The protocol between a parent and the sandboxed child that parses what servers send: the same as that of
//! `tenure-oci`. One [`Job`] goes down, one [`Answer`] comes up, each a [`tenure_core::frame`].

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tenure_core::{Digest, frame};
use zeroize::Zeroizing;

use crate::bucket::{self, Bucket};
use crate::error::local;
use crate::{ChartVersion, Downloaded, HttpError, Limits, Look, Remote, Validators};

mod wire;

/// What the child is to do.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where, and what.
    pub task: Task,
    /// What it may take.
    pub limits: Limits,
}

/// Where, and what.
#[derive(Clone, Debug)]
pub enum Task {
    /// [`crate::look`], with what is known of it.
    Index(Remote, Option<(Validators, Digest)>),
    /// Read it again, and write it as JSON to this file, which must not exist yet.
    KeepIndex(Remote, Digest, PathBuf),
    /// [`crate::locate`] this chart in this range, with what is known of both.
    Chart(Remote, String, String, Option<(Validators, ChartVersion)>),
    /// [`crate::chart`].
    KeepChart(Remote, ChartVersion, PathBuf),
    /// [`bucket::look`], with these ignore rules.
    Bucket(Bucket, Option<String>),
    /// List it again, and [`bucket::pack`] it.
    KeepBucket(Bucket, Option<String>, Digest, PathBuf),
    /// [`crate::reach`].
    File(Remote),
    /// [`crate::file`].
    KeepFile(Remote, Digest, PathBuf),
}

/// What the child answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// The digest of a bucket's listing.
    At(Digest),
    /// The digest of an index, and what the server calls it.
    Index(Digest, Option<Validators>),
    /// The version that a range asks for, and what the server calls the index that says so.
    Chart(ChartVersion, Option<Validators>),
    /// It can be read.
    There,
    /// What was written, and of how many files it was made, if of several.
    Kept(Downloaded, Option<usize>),
    /// To any.
    Failed(HttpError),
}

impl Job {
    /// Does it, here and now. Blocking: not for a thread that drives async tasks.
    #[must_use]
    pub fn run(&self) -> Answer {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                return Answer::Failed(HttpError::Local {
                    what: "starting the network".to_owned(),
                    message: error.to_string(),
                });
            }
        };
        let answer = runtime.block_on(Box::pin(self.work()));
        // a name that is still looked up must not keep the answer back
        runtime.shutdown_background();
        answer.unwrap_or_else(Answer::Failed)
    }

    async fn work(&self) -> Result<Answer, HttpError> {
        let limits = &self.limits;
        Ok(match &self.task {
            Task::Index(remote, known) => look(remote, known.clone(), limits).await?,
            Task::KeepIndex(remote, digest, out) => {
                Answer::Kept(keep_index(remote, *digest, out, limits).await?, None)
            }
            Task::Chart(remote, name, wanted, known) => {
                let known = known.clone();
                let (version, validators) = crate::locate(remote, (name, wanted), known, limits).await?;
                Answer::Chart(version, validators)
            }
            Task::KeepChart(remote, version, out) => {
                Answer::Kept(crate::chart(remote, version, out, limits).await?, None)
            }
            Task::Bucket(bucket, ignore) => {
                let bucket = bucket.opened(limits).await?;
                Answer::At(bucket::look(&bucket, ignore.as_deref(), limits).await?.revision())
            }
            Task::KeepBucket(bucket, ignore, revision, out) => {
                let bucket = bucket.opened(limits).await?;
                let listing = bucket::list(&bucket, ignore.as_deref(), limits).await?;
                let (kept, packed) = bucket::pack(&bucket, &listing, out, limits).await?;
                unmoved(&bucket.shown(), *revision, packed.revision())?;
                Answer::Kept(kept, Some(packed.objects.len()))
            }
            Task::File(remote) => {
                crate::reach(remote, limits).await?;
                Answer::There
            }
            Task::KeepFile(remote, digest, out) => {
                Answer::Kept(crate::file(remote, *digest, out, limits).await?, None)
            }
        })
    }

    /// The job as it goes to the child, secrets and all.
    ///
    /// # Errors
    /// When it is larger than [`frame::LARGEST`].
    pub fn frame(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        frame::encode(&wire::Job::from(self.clone()))
    }
}

async fn look(
    remote: &Remote,
    known: Option<(Validators, Digest)>,
    limits: &Limits,
) -> Result<Answer, HttpError> {
    Ok(match crate::look(remote, known, limits).await? {
        Look::Same(validators, digest) => Answer::Index(digest, Some(validators)),
        Look::New(index, validators) => Answer::Index(index.digest(), validators),
    })
}

async fn keep_index(
    remote: &Remote,
    digest: Digest,
    out: &Path,
    limits: &Limits,
) -> Result<Downloaded, HttpError> {
    let shown = remote.url.to_string();
    let index = crate::index(remote, limits).await?;
    unmoved(&shown, digest, index.digest())?;
    let json = index.to_json();
    if json.len() as u64 > limits.artifact_bytes {
        return Err(HttpError::TooLarge {
            remote: shown,
            message: format!(
                "its index has more than {} bytes; raise the limit",
                limits.artifact_bytes
            ),
        });
    }
    let mut file = std::fs::File::options()
        .write(true)
        .create_new(true)
        .open(out)
        .map_err(|e| local(&shown, &e))?;
    file.write_all(&json).map_err(|e| local(&shown, &e))?;
    Ok(Downloaded {
        digest: Digest::of(&json),
        size: json.len() as u64,
    })
}

/// What is kept under a revision is what had it.
fn unmoved(shown: &str, wanted: Digest, found: Digest) -> Result<(), HttpError> {
    if wanted == found {
        return Ok(());
    }
    Err(HttpError::Unavailable {
        remote: shown.to_owned(),
        message: "it changed while it was read".to_owned(),
    })
}

/// The child's whole life: reads one job, does it, writes one answer.
///
/// # Errors
/// When the parent is gone, or sent something that is not a job.
pub fn serve(stream: impl Read + Write) -> io::Result<()> {
    frame::serve(stream, |job: wire::Job| Ok(Job::try_from(job)?.run()))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::Credential;
    use tenure_core::Secret;
    use tenure_net::Outbound;
    use tenure_net::aws::Keys;

    use crate::bucket::{Account, Application, Azure, Google, Ldap, Proof, S3, Service};

    fn canary() -> Secret {
        Secret::from("CANARY".to_owned())
    }

    /// Each with the canary as its only secret.
    fn services() -> Vec<Service> {
        let s3 = |opener| Service::S3 {
            region: "r".to_owned(),
            opener,
        };
        let keys = Keys {
            access_key: "key".to_owned(),
            secret_key: canary(),
            session_token: None,
        };
        let ldap = Ldap {
            endpoint: "https://127.0.0.1:1".parse().expect("a URL"),
            username: "bob".to_owned(),
            password: canary(),
            outbound: Outbound::default(),
        };
        let account = Account {
            email: "a@p".to_owned(),
            key_id: Some("k".to_owned()),
            key: canary(),
            token_uri: "https://127.0.0.1:1/token".to_owned(),
        };
        let application = |proof| {
            Service::Azure(Azure::Application(Application {
                tenant_id: "t".to_owned(),
                client_id: "c".to_owned(),
                authority: "https://127.0.0.1:1".to_owned(),
                proof,
            }))
        };
        vec![
            application(Proof::Secret(canary())),
            s3(S3::Keys(keys)),
            s3(S3::Ldap(Box::new(ldap))),
            Service::Google(Google::Account(account)),
            Service::Google(Google::Token(canary())),
            Service::Azure(Azure::Sas(canary())),
            Service::Azure(Azure::Token(canary())),
            Service::Azure(Azure::AccountKey {
                account: "a".to_owned(),
                key: canary(),
            }),
        ]
    }

    fn jobs() -> Vec<Job> {
        let credential = Credential::Basic {
            username: "bob".to_owned(),
            password: canary(),
        };
        let url = "https://bob:CANARY@127.0.0.1:1/charts".parse().expect("a URL");
        let remote = Remote::new(url, credential);
        let chart = Task::Chart(remote.clone(), "app".to_owned(), "1.x".to_owned(), None);
        let buckets = services().into_iter().map(|service| {
            let bucket = Bucket {
                endpoint: "https://127.0.0.1:1".parse().expect("a URL"),
                name: "bucket".to_owned(),
                prefix: "p".to_owned(),
                service,
                outbound: Outbound::default(),
            };
            Task::Bucket(bucket, None)
        });
        [Task::Index(remote, None), chart]
            .into_iter()
            .chain(buckets)
            .map(|task| Job {
                task,
                limits: Limits::default(),
            })
            .collect()
    }

    /// Whether anybody is asked: a key that signs nothing gets no further.
    fn asks(job: &Job) -> bool {
        let Task::Bucket(bucket, _) = &job.task else {
            return true;
        };
        !matches!(
            bucket.service,
            Service::Google(Google::Account(_)) | Service::Azure(Azure::AccountKey { .. })
        )
    }

    #[test]
    fn a_job_arrives_with_its_secret_and_does_not_print_it() {
        for job in jobs() {
            assert!(!format!("{job:?}").contains("CANARY"));
            let sent = job.frame().expect("small");
            let received = frame::decode::<wire::Job>(&sent[4..]).expect("as sent");
            let received = Job::try_from(received).expect("a URL");
            assert_eq!(format!("{received:?}"), format!("{job:?}"));
            match received.task {
                Task::Index(remote, _) | Task::Chart(remote, ..) => match remote.credential {
                    Credential::Basic { password, .. } => assert_eq!(password, canary()),
                    other => panic!("{other:?}"),
                },
                Task::Bucket(bucket, _) => assert_eq!(bucket.service.secrets(), ["CANARY"]),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_child_answers_a_job_and_refuses_this_machine() {
        for job in jobs().into_iter().filter(asks) {
            let (mut parent, child) = std::os::unix::net::UnixStream::pair().expect("sockets");
            let served = std::thread::spawn(move || serve(child));
            parent
                .write_all(&job.frame().expect("small"))
                .expect("the child reads");
            let mut answer = Vec::new();
            parent.read_to_end(&mut answer).expect("the child answers");
            served.join().expect("no panic").expect("it served");
            let answer: Answer = frame::decode(&answer[4..]).expect("an answer");
            let Answer::Failed(HttpError::Forbidden { message, .. }) = answer else {
                panic!("{answer:?}");
            };
            assert!(message.contains("127.0.0.1"), "{message}");
        }
    }
}

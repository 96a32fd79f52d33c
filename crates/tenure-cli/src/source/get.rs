//! `tenure source get`: what the cache's fetcher does, done here and now.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::HumanBytes;
use serde_json::json;
use tenure_core::{Digest, GoDuration, Secret};
use tenure_http::child::{Answer, Task};
use tenure_net::aws::Keys;
use {tenure_git as git, tenure_http as web, tenure_oci as oci};

use super::login::{Given, Login};
use super::progress::while_it_runs;
use super::wanted::{self, Wanted};
use crate::{hint, say};

/// Flags of `tenure source get`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    wanted: Wanted,
    #[command(flatten)]
    login: Login,
    /// Where to write the artifact; without it, it is thrown away
    #[arg(short, long, global = true)]
    output: Option<PathBuf>,
    /// File with ignore rules, as spec.ignore has them
    #[arg(long, global = true)]
    ignore_file: Option<PathBuf>,
    /// For each of asking and fetching
    #[arg(long, default_value = "60s", global = true)]
    timeout: GoDuration,
    /// Bytes that the artifact may have
    #[arg(long, default_value_t = 64 << 20, global = true)]
    max_bytes: u64,
    /// Print one object, for programs
    #[arg(long, global = true)]
    json: bool,
}

/// What came of it.
struct Report {
    revision: String,
    digest: Digest,
    size: u64,
    /// Bytes that came from the remote, where the artifact's size does not say it.
    downloaded: Option<u64>,
    asked: Duration,
    fetched: Duration,
}

/// What all kinds have in common.
struct Errand<'a> {
    args: &'a Args,
    ignore: Option<String>,
    /// Where the file is written; not there yet.
    out: PathBuf,
    /// Where bytes arrive.
    dirs: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    // an earlier one serves as well
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let ignore = args.ignore_file.as_deref().map(std::fs::read_to_string);
    // beside the file, so that it is moved and not copied
    let place = args.output.as_deref().and_then(Path::parent);
    let place = place.filter(|place| !place.as_os_str().is_empty());
    let scratch = match (place, &args.output) {
        (Some(place), _) => tempfile::TempDir::new_in(place),
        (None, Some(_)) => tempfile::TempDir::new_in("."),
        (None, None) => tempfile::TempDir::new(),
    };
    let scratch = scratch.context("failed to make a directory for the artifact")?;
    let errand = Errand {
        args,
        ignore: ignore.transpose().context("failed to read the ignore rules")?,
        out: scratch.path().join("artifact"),
        dirs: vec![scratch.path().to_owned()],
    };
    let report = match &args.wanted {
        Wanted::Git(wanted) => errand.git(wanted, scratch.path())?,
        Wanted::Oci(wanted) => errand.oci(wanted)?,
        Wanted::Helm(wanted) => errand.helm(wanted)?,
        Wanted::Bucket(wanted) => errand.bucket(wanted)?,
        Wanted::File(wanted) => errand.file(wanted)?,
    };
    if let Some(output) = &args.output {
        std::fs::rename(&errand.out, output)
            .with_context(|| format!("failed to write {}", output.display()))?;
    }
    report.print(args);
    Ok(())
}

impl Errand<'_> {
    fn git(&self, wanted: &wanted::Git, scratch: &Path) -> anyhow::Result<Report> {
        let credential = match self.args.login.given()? {
            Given::Nothing => git::Credential::None,
            Given::Basic { username, password } => git::Credential::Basic { username, password },
            Given::Token(token) => git::Credential::Bearer { token },
            Given::Ssh {
                identity,
                known_hosts,
            } => git::Credential::Ssh {
                identity,
                passphrase: None,
                known_hosts,
                username: self.args.login.username(),
            },
        };
        let mut remote = git::Remote::new(wanted.url.clone(), credential);
        remote.outbound = self.args.login.outbound()?;
        let limits = git::Limits {
            artifact_bytes: self.args.max_bytes,
            pack_bytes: self.args.max_bytes.saturating_mul(2).max(256 << 20),
            timeout: self.args.timeout.as_duration(),
            ..git::Limits::default()
        };
        let reference = reference(wanted);
        let (resolved, asked) = self.show("asking", || git::resolve(&remote, &reference, &limits))?;
        hint(&format!("found {}", resolved.revision));
        let objects = wanted.objects.clone().unwrap_or_else(|| scratch.join("objects"));
        std::fs::create_dir_all(&objects).with_context(|| format!("failed to make {}", objects.display()))?;
        let filter = git::Filter {
            ignore: self.ignore.clone(),
            sparse: wanted.sparse.clone(),
            submodules: wanted.submodules.then(Vec::new),
        };
        let mut dirs = self.dirs.clone();
        dirs.extend(wanted.objects.clone());
        let (fetched, took) = while_it_runs("fetching", &dirs, || {
            git::fetch(&remote, &resolved, &objects, &self.out, &filter, &limits)
        })?;
        let fetched = fetched?;
        for (path, target) in &fetched.dropped_symlinks {
            hint(&format!("left out the link {path:?} to {target:?}"));
        }
        Ok(Report {
            revision: resolved.revision.to_string(),
            digest: fetched.digest,
            size: fetched.size,
            downloaded: Some(fetched.packed_bytes),
            asked,
            fetched: took,
        })
    }

    fn oci(&self, wanted: &wanted::Oci) -> anyhow::Result<Report> {
        let credential = match self.args.login.given()? {
            Given::Nothing => oci::Credential::None,
            Given::Basic { username, password } => oci::Credential::Basic { username, password },
            Given::Token(token) => oci::Credential::Bearer { token },
            Given::Ssh { .. } => bail!("a registry takes no ssh key"),
        };
        let mut remote = oci::Remote::new(oci::Repository::from_url(&wanted.url)?, credential);
        remote.outbound = self.args.login.outbound()?;
        remote.insecure = wanted.insecure;
        let limits = oci::Limits {
            artifact_bytes: self.args.max_bytes,
            timeout: self.args.timeout.as_duration(),
            ..oci::Limits::default()
        };
        let reference = match (&wanted.tag, &wanted.semver, &wanted.digest) {
            (Some(tag), ..) => oci::Reference::Tag(tag.clone()),
            (_, Some(range), _) => oci::Reference::Semver {
                range: range.clone(),
                filter: None,
                underscore_is_plus: false,
            },
            (.., Some(digest)) => oci::Reference::Digest(*digest),
            _ => oci::Reference::default(),
        };
        let ask = oci::child::Job::Resolve {
            remote: remote.clone(),
            reference,
            limits,
        };
        let (resolved, asked) = self.show("asking", || match ask.run() {
            oci::child::Answer::Resolved(resolved) => Ok(resolved),
            other => Err(other_of_registry(other)),
        })?;
        hint(&format!("found {}", resolved.revision));
        let revision = resolved.revision.to_string();
        let fetch = oci::child::Job::Fetch {
            remote,
            resolved,
            out: self.out.clone(),
            layer: oci::Layer {
                media_type: wanted.layer.clone(),
                operation: match wanted.copy {
                    true => oci::Operation::Copy,
                    false => oci::Operation::Extract,
                },
            },
            ignore: self.ignore.clone(),
            limits,
        };
        let (fetched, took) = self.show("fetching", || match fetch.run() {
            oci::child::Answer::Fetched(fetched) => Ok(fetched),
            other => Err(other_of_registry(other)),
        })?;
        Ok(Report {
            revision,
            digest: fetched.digest,
            size: fetched.size,
            downloaded: Some(fetched.downloaded_bytes),
            asked,
            fetched: took,
        })
    }

    fn helm(&self, wanted: &wanted::Helm) -> anyhow::Result<Report> {
        let mut remote = self.remote(&wanted.url)?;
        remote.pass_credentials = wanted.pass_credentials;
        let Some(chart) = &wanted.chart else {
            let (answer, asked) = self.job("asking", Task::Index(remote.clone(), None))?;
            let Answer::Index(digest, _) = answer else {
                bail!("the answer is one to another question; this is a defect");
            };
            hint(&format!("found {digest}"));
            return self.kept(
                digest.to_string(),
                asked,
                Task::KeepIndex(remote, digest, self.out.clone()),
            );
        };
        let task = Task::Chart(remote.clone(), chart.clone(), wanted.version.clone(), None);
        let (answer, asked) = self.job("asking", task)?;
        let Answer::Chart(version, _) = answer else {
            bail!("the answer is one to another question; this is a defect");
        };
        let revision = version.version.clone();
        hint(&format!("found {chart} {revision}"));
        self.kept(
            revision,
            asked,
            Task::KeepChart(remote, version, self.out.clone()),
        )
    }

    fn bucket(&self, wanted: &wanted::Bucket) -> anyhow::Result<Report> {
        let opener = match self.args.login.given()? {
            Given::Nothing => web::bucket::S3::Anonymous,
            Given::Basic { username, password } => web::bucket::S3::Keys(Keys {
                access_key: username,
                secret_key: password,
                session_token: None::<Secret>,
            }),
            Given::Token(_) | Given::Ssh { .. } => {
                bail!("a bucket takes an access key as --username and a secret key as the password")
            }
        };
        let bucket = web::bucket::Bucket {
            endpoint: wanted.endpoint.clone(),
            name: wanted.bucket.clone(),
            prefix: wanted.prefix.clone(),
            service: web::bucket::Service::S3 {
                region: wanted.region.clone(),
                opener,
            },
            outbound: self.args.login.outbound()?,
        };
        let (answer, asked) = self.job("asking", Task::Bucket(bucket.clone(), self.ignore.clone()))?;
        let Answer::At(digest) = answer else {
            bail!("the answer is one to another question; this is a defect");
        };
        hint(&format!("found {digest}"));
        let task = Task::KeepBucket(bucket, self.ignore.clone(), digest, self.out.clone());
        self.kept(digest.to_string(), asked, task)
    }

    fn file(&self, wanted: &wanted::File) -> anyhow::Result<Report> {
        let remote = self.remote(&wanted.url)?;
        let task = Task::KeepFile(remote, wanted.digest, self.out.clone());
        self.kept(wanted.digest.to_string(), Duration::ZERO, task)
    }

    fn remote(&self, url: &tenure_core::SourceUrl) -> anyhow::Result<web::Remote> {
        let credential = match self.args.login.given()? {
            Given::Nothing => web::Credential::None,
            Given::Basic { username, password } => web::Credential::Basic { username, password },
            Given::Token(_) | Given::Ssh { .. } => bail!("such a server takes user and password only"),
        };
        let mut remote = web::Remote::new(url.clone(), credential);
        remote.outbound = self.args.login.outbound()?;
        Ok(remote)
    }

    fn kept(&self, revision: String, asked: Duration, task: Task) -> anyhow::Result<Report> {
        let (answer, fetched) = self.job("fetching", task)?;
        let Answer::Kept(kept, _) = answer else {
            bail!("the answer is one to another question; this is a defect");
        };
        Ok(Report {
            revision,
            digest: kept.digest,
            size: kept.size,
            downloaded: None,
            asked,
            fetched,
        })
    }

    fn job(&self, what: &str, task: Task) -> anyhow::Result<(Answer, Duration)> {
        let limits = web::Limits {
            artifact_bytes: self.args.max_bytes,
            timeout: self.args.timeout.as_duration(),
            ..web::Limits::default()
        };
        let job = web::child::Job { task, limits };
        self.show(what, || match job.run() {
            Answer::Failed(error) => Err(anyhow::Error::from(error)),
            answer => Ok(answer),
        })
    }

    fn show<T: Send, E: Send + Into<anyhow::Error>>(
        &self,
        what: &str,
        work: impl FnOnce() -> Result<T, E> + Send,
    ) -> anyhow::Result<(T, Duration)> {
        let (result, took) = while_it_runs(what, &self.dirs, work)?;
        Ok((result.map_err(Into::into)?, took))
    }
}

fn reference(wanted: &wanted::Git) -> git::Reference {
    let one = |value: &Option<String>, of: fn(String) -> git::Reference| value.clone().map(of);
    one(&wanted.branch, git::Reference::Branch)
        .or_else(|| one(&wanted.tag, git::Reference::Tag))
        .or_else(|| one(&wanted.semver, git::Reference::Semver))
        .or_else(|| one(&wanted.name, git::Reference::Name))
        .or_else(|| one(&wanted.commit, |id| git::Reference::Commit { id, branch: None }))
        .unwrap_or_default()
}

fn other_of_registry(answer: oci::child::Answer) -> anyhow::Error {
    match answer {
        oci::child::Answer::Failed(error) => error.into(),
        _ => anyhow::anyhow!("the answer is one to another question; this is a defect"),
    }
}

impl Report {
    fn print(&self, args: &Args) {
        if args.json {
            let millis = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            say(&json!({
                "revision": self.revision,
                "digest": self.digest.to_string(),
                "size": self.size,
                "downloaded": self.downloaded,
                "askedMillis": millis(self.asked),
                "fetchedMillis": millis(self.fetched),
            })
            .to_string());
            return;
        }
        say(&format!("revision    {}", self.revision));
        say(&format!("digest      {}", self.digest));
        say(&format!("size        {}", HumanBytes(self.size)));
        if let Some(downloaded) = self.downloaded {
            say(&format!("downloaded  {}", HumanBytes(downloaded)));
        }
        say(&format!(
            "time        {:.1?} to ask, {:.1?} to fetch",
            self.asked, self.fetched
        ));
        if let Some(output) = &args.output {
            say(&format!("written to  {}", output.display()));
        }
    }
}

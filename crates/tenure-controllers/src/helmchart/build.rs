//! From a source to a chart's archive.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tenure_api::{HelmChartStatus, reasons};
use tenure_core::{Digest, Revision, Secret};
use tenure_helm::{ChartFs as _, DirFs, Limits, Metadata, Package, PackageError};

use super::dependencies;
use super::origin::{self, Artifact, Origin};
use super::plan::Question;
use super::remote;
use crate::source::plan::Resolve;
use crate::source::{At, Failure, Notes, Obtained, keep, verify};
use crate::{Effects, Resolved, chain};

const VALUES: &str = "values.yaml";
/// Flux's `--helm-chart-max-size` and `--helm-chart-file-max-size`.
const LIMITS: Limits = Limits {
    archive: 10 << 20,
    file: 5 << 20,
    chart: 100 << 20,
    files: 20_000,
    directories: 40,
    charts: 16,
};

/// What there is to say of a chart that was made.
struct Made {
    name: String,
    version: String,
    /// The files of values that made its values.
    values_files: Vec<String>,
    packaged: bool,
}

/// Makes the archive, or finds that it is made.
pub(super) async fn build(
    resolve: &Resolve<Question>,
    object: &Value,
    effects: &Arc<Effects>,
) -> Result<Obtained, Failure> {
    let status = object.get("status").cloned().unwrap_or_default();
    let status: HelmChartStatus = serde_json::from_value(status).unwrap_or_default();
    let question = &resolve.question;
    let build = Build {
        question,
        status,
        effects,
    };
    match origin::find(question, effects)? {
        Origin::Repository(repository, revision) => {
            let lease = resolve.subject.clone();
            // what was said before the repository moved is not what it has now
            let seen = build.status.observed_source_artifact_revision == revision;
            let looks = remote::Looks {
                max_age: if seen { resolve.max_age } else { Duration::ZERO },
                lease: lease.map(|subject| (subject, resolve.interval)),
            };
            let spec = &repository.spec;
            // a replica of the cache may go between its answer and the bytes: another one is asked then, once
            let obtained = match build.of_repository(spec, looks.clone()).await {
                Err(failure) if failure.cache_down => build.of_repository(spec, looks).await?,
                done => done?,
            };
            Ok(build.observed(obtained, revision))
        }
        Origin::Artifact(artifact) => {
            let obtained = build.of_artifact(&artifact).await?;
            Ok(build.observed(obtained, Some(artifact.revision)))
        }
    }
}

struct Build<'a> {
    question: &'a Question,
    status: HelmChartStatus,
    effects: &'a Arc<Effects>,
}

impl Build<'_> {
    async fn of_repository(
        &self,
        spec: &tenure_api::HelmRepositorySpec,
        looks: remote::Looks,
    ) -> Result<Obtained, Failure> {
        let wanted = &self.question.spec;
        if wanted.chart.is_empty() {
            return Err(reference("no chart name provided"));
        }
        wanted.verify.as_ref().map_or(Ok(()), verify::supported)?;
        let found = remote::find(spec, (&wanted.chart, wanted.version()), looks, self.effects).await?;
        let mut verified = None;
        if let Some(wish) = &wanted.verify {
            let vouched = found.verify(wish, self.effects).await?;
            verified = vouched.then(|| format!("verified signature of version {}", found.version));
        }
        let leased_for = found.resolved.leased_for;
        let mut obtained = self.of_version(found).await?;
        obtained.resolved.leased_for = leased_for;
        obtained.notes.verified = verified;
        Ok(obtained)
    }

    async fn of_version(&self, found: remote::Found) -> Result<Obtained, Failure> {
        let wanted = &self.question.spec;
        let files = wanted.all_values_files();
        let name = wanted.chart.rsplit('/').next().unwrap_or_default().to_owned();
        let mut made = Made {
            name,
            version: found.version,
            packaged: !files.is_empty(),
            values_files: files,
        };
        let metadata = self.question.build_metadata(None);
        if let Some(metadata) = &metadata {
            made.version = with_build(&made.version, metadata)?;
        }
        if let Some(obtained) = self.made_before(&made) {
            return Ok(obtained);
        }
        keep(&found.resolved, self.effects).await.map_err(pulling)?;
        let digest = found.resolved.digest;
        if metadata.is_none() {
            self.blocking(move |artifacts| {
                let bytes = artifacts.read(&digest).map_err(|error| pull(chain(&error)))?;
                Metadata::from_archive(&bytes, &LIMITS).map_err(|error| {
                    pull(format!(
                        "failed to load chart metadata from written chart: {error}"
                    ))
                })
            })
            .await?;
            return Ok(self.obtained(found.resolved, made));
        }
        let ignore_missing = wanted.ignore_missing_values_files;
        let (package, files) = self
            .blocking(move |artifacts| {
                let bytes = artifacts.read(&digest).map_err(|error| pull(chain(&error)))?;
                let mut package = Package::from_archive(&bytes, &LIMITS)
                    .map_err(|error| packing(format!("failed to load downloaded chart: {error}")))?;
                set_build(&mut package, metadata.as_deref())?;
                let read = |path: &str| Ok(package.file(&beneath(path)).map(Cow::into_owned));
                let own = package.values().clone();
                let merged = merge(&made.values_files, Some(&own), ignore_missing, read)
                    .map_err(|error| values(format!("failed to merge chart values: {error}")))?;
                made.values_files = set_values(&mut package, merged)?;
                Ok((package, made))
            })
            .await?;
        self.pack(package, files).await
    }

    async fn of_artifact(&self, source: &Artifact) -> Result<Obtained, Failure> {
        self.source_here(source).await?;
        let wanted = &self.question.spec;
        let (chart, files) = (beneath(&wanted.chart), wanted.all_values_files());
        let ignore_missing = wanted.ignore_missing_values_files;
        let metadata = self.question.build_metadata(Some(&source.revision));
        let (digest, set) = (source.digest, metadata.clone());
        let (read, path) = (files.clone(), chart.clone());
        let loaded = self
            .blocking(move |artifacts| {
                let tree = artifacts.tree(&digest).map_err(|error| untar(chain(&error)))?;
                let fs = DirFs::open(&tree.root).map_err(|error| untar(error.to_string()))?;
                let found = std::fs::symlink_metadata(tree.root.join(&path)).map_err(|_| {
                    reference(&format!(
                        "there is no '{path}' in the source's artifact; spec.chart is a path in it"
                    ))
                })?;
                let directory = found.is_dir();
                let mut package = match directory {
                    true => Package::from_dir(&fs, &path, &LIMITS),
                    false => archived(&fs, &path),
                }
                .map_err(|error| reference(&error.to_string()))?;
                set_build(&mut package, set.as_deref())?;
                let base = merge(&read, None, ignore_missing, |path| beneath_tree(&fs, path));
                let merged = base.map_err(|error| values(error.clone()))?;
                Ok(Local {
                    package,
                    merged: (!read.is_empty()).then_some(merged),
                    directory,
                })
            })
            .await?;
        let mut made = Made {
            name: loaded.package.metadata().name.clone(),
            version: loaded.package.metadata().version.clone(),
            packaged: loaded.directory || metadata.is_some() || !files.is_empty(),
            values_files: files,
        };
        if let Some(obtained) = self.made_before(&made) {
            return Ok(obtained);
        }
        let mut package = loaded.package;
        made.values_files = match loaded.merged {
            Some(merged) => set_values(&mut package, merged)?,
            None => Vec::new(),
        };
        if loaded.directory {
            package = dependencies::build(package, &chart, source.digest, self.effects).await?;
        }
        if !made.packaged {
            let bytes = self
                .blocking(move |artifacts| {
                    let tree = artifacts.tree(&digest).map_err(|error| untar(chain(&error)))?;
                    let fs = DirFs::open(&tree.root).map_err(|error| untar(error.to_string()))?;
                    fs.read(&chart, LIMITS.archive)
                        .map_err(|error| pull(error.to_string()))
                })
                .await?;
            return self.keep(bytes, made).await;
        }
        self.pack(package, made).await
    }

    /// The source's own artifact may have gone with the scratch directory: then it is asked for again, once.
    async fn source_here(&self, source: &Artifact) -> Result<(), Failure> {
        if self.effects.artifacts.holds(&source.digest) {
            return Ok(());
        }
        crate::source::reconcile(&source.key, self.effects).await;
        if self.effects.artifacts.holds(&source.digest) {
            return Ok(());
        }
        let message = format!(
            "failed to open source artifact: that of {} is not here and can't be fetched again; its Ready condition says why",
            source.key
        );
        Err(Failure::fetching(reasons::READ_OPERATION_FAILED, message))
    }

    /// The artifact of this very chart, if it was made for this generation and is here.
    fn made_before(&self, made: &Made) -> Option<Obtained> {
        let status = &self.status;
        let artifact = status.source.artifact.as_ref()?;
        let same = status.source.observed_generation == Some(self.question.generation)
            && status.observed_chart_name.as_deref() == Some(made.name.as_str())
            && artifact.revision == made.version;
        let digest: Digest = artifact.digest.parse().ok()?;
        if !same || !self.effects.artifacts.holds(&digest) {
            return None;
        }
        let resolved = resolved(&made.version, digest, u64::try_from(artifact.size?).ok()?)?;
        let made = Made {
            name: made.name.clone(),
            version: made.version.clone(),
            packaged: made.packaged,
            values_files: match &status.observed_values_files {
                Some(files) => files.clone(),
                None => made.values_files.clone(),
            },
        };
        Some(self.obtained(resolved, made))
    }

    async fn pack(&self, package: Package, made: Made) -> Result<Obtained, Failure> {
        let bytes = self
            .blocking(move |_| package.write().map_err(|error| packing(error.to_string())))
            .await?;
        self.keep(bytes, made).await
    }

    async fn keep(&self, bytes: Vec<u8>, made: Made) -> Result<Obtained, Failure> {
        if bytes.len() as u64 > self.effects.home.max_artifact_bytes {
            return Err(packing(format!(
                "the archive has {} bytes, at most {} are accepted",
                bytes.len(),
                self.effects.home.max_artifact_bytes
            )));
        }
        let digest = Digest::of(&bytes);
        let resolved = resolved(&made.version, digest, bytes.len() as u64)
            .ok_or_else(|| packing(format!("'{}' is no version", made.version)))?;
        let kept = resolved.clone();
        self.blocking(move |artifacts| {
            let storing = |error: String| {
                let message = format!("unable to copy Helm chart to storage: {error}");
                Failure::fetching(reasons::ARCHIVE_OPERATION_FAILED, message)
            };
            let to = artifacts.incoming();
            std::fs::write(&to, bytes).map_err(|error| storing(error.to_string()))?;
            artifacts
                .accept(&to, &kept)
                .map_err(|error| storing(chain(&error)))
        })
        .await?;
        Ok(self.obtained(resolved, made))
    }

    fn obtained(&self, resolved: Resolved, made: Made) -> Obtained {
        let reason = match made.packaged {
            true => reasons::CHART_PACKAGE_SUCCEEDED,
            false => reasons::CHART_PULL_SUCCEEDED,
        };
        let some_may_be_missing = self.question.spec.ignore_missing_values_files;
        let notes = Notes {
            ready: Some((reason, made.summary())),
            verified: None,
            file: Some(format!("{}-{}.tgz", made.name, made.version)),
            observed: vec![
                ("observedChartName", Some(json!(made.name))),
                (
                    "observedValuesFiles",
                    (some_may_be_missing && !made.values_files.is_empty()).then(|| json!(made.values_files)),
                ),
            ],
        };
        Obtained { resolved, notes }
    }

    fn observed(&self, mut obtained: Obtained, revision: Option<String>) -> Obtained {
        let revision = revision.map(Value::from);
        obtained
            .notes
            .observed
            .push(("observedSourceArtifactRevision", revision));
        obtained
    }

    /// On a thread of its own: it does not yield.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(crate::Artifacts) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let artifacts = self.effects.artifacts.clone();
        tokio::task::spawn_blocking(move || work(artifacts))
            .await
            .unwrap_or_else(|error| Err(packing(format!("it was interrupted: {error}"))))
    }
}

struct Local {
    package: Package,
    merged: Option<(Map<String, Value>, Vec<String>)>,
    directory: bool,
}

impl Made {
    fn summary(&self) -> String {
        let action = if self.packaged { "packaged" } else { "pulled" };
        let values = match self.values_files.as_slice() {
            [] => String::new(),
            files => format!(" and merged values files [{}]", files.join(" ")),
        };
        format!(
            "{action} '{}' chart with version '{}'{values}",
            self.name, self.version
        )
    }
}

fn resolved(version: &str, digest: Digest, size: u64) -> Option<Resolved> {
    Some(Resolved {
        revision: Revision::opaque(version).ok()?,
        digest,
        size,
        subject: String::new(),
        metadata: Vec::new(),
        objects: Vec::new(),
        grant: Secret::new(*b""),
        leased_for: None,
        signatures: Vec::new(),
        link: None,
    })
}

fn archived(fs: &DirFs, path: &str) -> Result<Package, tenure_helm::LoadError> {
    let read = fs.read(path, LIMITS.archive);
    let bytes = read.map_err(|source| tenure_helm::LoadError::Read {
        path: path.to_owned(),
        source,
    })?;
    Package::from_archive(&bytes, &LIMITS)
}

/// A file of values in the source's artifact; `None` if there is none.
fn beneath_tree(fs: &DirFs, path: &str) -> Result<Option<Vec<u8>>, String> {
    match fs.read(&beneath(path), LIMITS.file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("could not read values from file '{path}': {error}")),
    }
}

/// The files laid over each other, and those that were there. `own` stands for a chart's own values.
fn merge(
    paths: &[String],
    own: Option<&Map<String, Value>>,
    ignore_missing: bool,
    read: impl Fn(&str) -> Result<Option<Vec<u8>>, String>,
) -> Result<(Map<String, Value>, Vec<String>), String> {
    let (mut merged, mut there) = (Map::new(), Vec::new());
    for path in paths {
        let own = own.filter(|_| beneath(path) == VALUES);
        let over = match own {
            Some(own) => own.clone(),
            None => match read(path)? {
                Some(bytes) => tenure_helm::read_values(&bytes)
                    .map_err(|error| format!("unmarshaling values from '{path}' failed: {error}"))?,
                None if ignore_missing => continue,
                None => return Err(format!("no values file found at path '{path}'")),
            },
        };
        tenure_helm::merge(&mut merged, over);
        there.push(path.clone());
    }
    Ok((merged, there))
}

fn set_build(package: &mut Package, build: Option<&str>) -> Result<(), Failure> {
    let Some(build) = build else { return Ok(()) };
    package.set_build(build).map_err(|error| match error {
        PackageError::Version(..) => metadata_patch(&error.to_string()),
        error => packing(error.to_string()),
    })
}

fn with_build(version: &str, build: &str) -> Result<String, Failure> {
    tenure_helm::with_build(version, build).ok_or_else(|| {
        metadata_patch(&format!(
            "failed to set SemVer metadata on chart version: '{version}' and '{build}' make no version"
        ))
    })
}

/// Gives the chart these values; the files that count.
fn set_values(
    package: &mut Package,
    (merged, there): (Map<String, Value>, Vec<String>),
) -> Result<Vec<String>, Failure> {
    match package.set_values(merged) {
        Ok(true) => Ok(there),
        Ok(false) => Ok(Vec::new()),
        Err(PackageError::NoValues) => Err(values(PackageError::NoValues.to_string())),
        Err(error) => Err(packing(error.to_string())),
    }
}

/// A path that leads nowhere but below the root; `..` at the root stays there, as in Flux.
pub(super) fn beneath(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn failure(reason: &'static str, summary: &str, message: &str, at: At) -> Failure {
    Failure {
        at,
        ..Failure::fetching(reason, format!("{summary}: {message}"))
    }
}

fn reference(message: &str) -> Failure {
    failure(
        reasons::INVALID_CHART_REFERENCE,
        "invalid chart reference",
        message,
        At::Fetch,
    )
    .stalled()
}

fn metadata_patch(message: &str) -> Failure {
    failure(
        reasons::METADATA_PATCH_ERROR,
        "chart metadata patch error",
        message,
        At::Build,
    )
    .stalled()
}

fn values(message: String) -> Failure {
    failure(
        reasons::VALUES_FILES_ERROR,
        "values files merge error",
        &message,
        At::Build,
    )
    .stalled()
}

fn pull(message: String) -> Failure {
    failure(reasons::CHART_PULL_ERROR, "chart pull error", &message, At::Fetch)
}

pub(super) fn packing(message: String) -> Failure {
    failure(
        reasons::CHART_PACKAGE_ERROR,
        "chart package error",
        &message,
        At::Build,
    )
}

pub(super) fn depending(message: String) -> Failure {
    failure(
        reasons::DEPENDENCY_BUILD_ERROR,
        "dependency build error",
        &message,
        At::Build,
    )
}

fn untar(message: String) -> Failure {
    Failure::fetching(reasons::FAILED, format!("artifact untar error: {message}"))
}

/// The cache found the chart and could not give it.
fn pulling(failure: Failure) -> Failure {
    if failure.cache_down {
        return failure;
    }
    Failure {
        reason: reasons::CHART_PULL_ERROR,
        message: format!(
            "chart pull error: failed to download chart for remote reference: {}",
            failure.message
        ),
        ..failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_values_are_laid_over_each_other_in_their_order() {
        let own = json!({"a": 1.0, "b": {"c": 1.0}});
        let own = own.as_object().expect("a table");
        let read = |path: &str| {
            Ok(match path {
                "one.yaml" => Some(b"a: 2\nb: {d: 2}\n".to_vec()),
                "two.yaml" => Some(b"a: null\n".to_vec()),
                "bad.yaml" => Some(b"a: [\n".to_vec()),
                _ => None,
            })
        };
        let paths = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let all = paths(&["./values.yaml", "one.yaml", "none.yaml", "two.yaml"]);
        let (merged, there) = merge(&all, Some(own), true, read).expect("merged");
        assert_eq!(
            Value::Object(merged),
            json!({"a": null, "b": {"c": 1.0, "d": 2.0}})
        );
        assert_eq!(there, paths(&["./values.yaml", "one.yaml", "two.yaml"]));
        let missing = merge(&all, Some(own), false, read).expect_err("one is missing");
        assert_eq!(missing, "no values file found at path 'none.yaml'");
        let bad = merge(&paths(&["bad.yaml"]), None, false, read).expect_err("no YAML");
        assert!(
            bad.starts_with("unmarshaling values from 'bad.yaml' failed: "),
            "{bad}"
        );
    }

    #[test]
    fn no_path_leads_out() {
        for (path, inside) in [
            ("./charts/app", "charts/app"),
            ("../../etc/passwd", "etc/passwd"),
            ("/charts//app/", "charts/app"),
            ("a/../../b", "b"),
        ] {
            assert_eq!(beneath(path), inside);
        }
    }

    #[test]
    fn a_summary_is_fluxs() {
        let mut made = Made {
            name: "podinfo".into(),
            version: "6.5.4+2".into(),
            values_files: vec!["a.yaml".into(), "b.yaml".into()],
            packaged: true,
        };
        assert_eq!(
            made.summary(),
            "packaged 'podinfo' chart with version '6.5.4+2' and merged values files [a.yaml b.yaml]"
        );
        made.values_files.clear();
        made.packaged = false;
        assert_eq!(made.summary(), "pulled 'podinfo' chart with version '6.5.4+2'");
    }
}

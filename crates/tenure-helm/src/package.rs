//! Charts as files that can be changed and put into an archive: what Helm's `package` and `dependency build` do.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::Arc;

use flate2::{Compression, GzBuilder};
use serde_json::{Map, Value};
use tar::{Builder, EntryType, Header};
use tenure_gotmpl::read_yaml;
use tenure_yaml::{EmitOptions, to_string_with};

use crate::chart::{Chart, Dependency, File, Metadata};
use crate::limits::Limits;
use crate::load::{ChartFs, LoadError};
use crate::{values, version};

const CHART: &str = "Chart.yaml";
const VALUES: &str = "values.yaml";

/// A chart that is being packaged. It is whole and valid whenever it is looked at.
#[derive(Debug, Clone)]
pub struct Package {
    files: Vec<File>,
    chart: Chart,
    limits: Limits,
}

/// Why a chart can't be packaged as it should be.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// It is no chart any more.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its version can't have that build metadata.
    #[error("failed to set SemVer metadata on chart version: '{0}' and '{1}' make no version")]
    Version(String, String),
    /// There is nothing that values could replace.
    #[error("failed to locate values file: values.yaml")]
    NoValues,
    /// It can't be written.
    #[error("failed to package chart: {0}")]
    Write(#[from] std::io::Error),
}

impl Package {
    /// The chart in the directory `path` of a file system, without what its `.helmignore` leaves out.
    ///
    /// # Errors
    /// As [`Chart::from_dir`].
    pub fn from_dir(fs: &dyn ChartFs, path: &str, limits: &Limits) -> Result<Self, LoadError> {
        Self::of(crate::load::files_of_dir(fs, path, limits)?, limits)
    }

    /// The chart in an archive.
    ///
    /// # Errors
    /// As [`Chart::from_archive`].
    pub fn from_archive(bytes: &[u8], limits: &Limits) -> Result<Self, LoadError> {
        Self::of(crate::load::files_of_archive(bytes, limits)?, limits)
    }

    fn of(files: Vec<File>, limits: &Limits) -> Result<Self, LoadError> {
        Ok(Self {
            chart: Chart::from_files(files.clone(), limits)?,
            files,
            limits: *limits,
        })
    }

    /// What `Chart.yaml` says.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.chart.metadata
    }

    /// Whether its version is in a range, as Helm reads one.
    #[must_use]
    pub fn fits(&self, range: &str) -> bool {
        version::is_compatible(range, &self.chart.metadata.version)
    }

    /// The default values.
    #[must_use]
    pub fn values(&self) -> &Map<String, Value> {
        &self.chart.values
    }

    /// A file that has no meaning of its own.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let mut files = self.chart.files.iter();
        files.find(|file| &*file.name == name).map(File::bytes)
    }

    /// What is not in `charts/` and should be; what the lock file says counts before what `Chart.yaml` says.
    ///
    /// # Errors
    /// When the lock file is malformed.
    pub fn missing(&self) -> Result<Vec<Dependency>, LoadError> {
        let wanted = match self.lock()? {
            Some(locked) => locked,
            None => self.chart.metadata.dependencies.clone().unwrap_or_default(),
        };
        let there = &self.chart.dependencies;
        // as in Flux: as many as there should be are taken for those that there should be
        if there.len() == wanted.len() {
            return Ok(Vec::new());
        }
        let absent = |wanted: &Dependency| !there.iter().any(|chart| chart.name() == wanted.local_name());
        Ok(wanted.into_iter().filter(absent).collect())
    }

    fn lock(&self) -> Result<Option<Vec<Dependency>>, LoadError> {
        let names = match self.chart.metadata.api_version.as_str() {
            "v1" => ["requirements.lock", "Chart.lock"],
            _ => ["Chart.lock", "requirements.lock"],
        };
        let found = names
            .iter()
            .find_map(|name| self.files.iter().find(|file| &*file.name == *name));
        let Some(file) = found else { return Ok(None) };
        let text = read_yaml(&file.bytes()).map_err(|text| LoadError::yaml("Chart.lock", &text))?;
        let listed = text.get("dependencies").and_then(Value::as_array);
        let read = listed.into_iter().flatten().map(|one| {
            let text = |name: &str| {
                one.get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            Dependency {
                name: text("name"),
                version: text("version"),
                repository: text("repository"),
                alias: text("alias"),
                ..Dependency::default()
            }
        });
        Ok(Some(read.collect()))
    }

    /// Takes in a chart that this one depends on, as an archive.
    ///
    /// # Errors
    /// When it is no chart.
    pub fn add_archive(&mut self, name: &str, version: &str, bytes: &[u8]) -> Result<(), PackageError> {
        let mut files = self.files.clone();
        files.push(File::new(&format!("charts/{name}-{version}.tgz"), bytes));
        *self = Self::of(files, &self.limits)?;
        Ok(())
    }

    /// Takes in a chart that this one depends on, file by file, in a directory of this name.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn add(&mut self, name: &str, chart: &Self) -> Result<(), PackageError> {
        let inside = chart
            .files
            .iter()
            .map(|file| file.renamed(&format!("charts/{name}/{}", file.name)));
        let files = self.files.iter().cloned().chain(inside).collect();
        *self = Self::of(files, &self.limits)?;
        Ok(())
    }

    /// Gives the version build metadata in place of its own.
    ///
    /// # Errors
    /// [`PackageError::Version`].
    pub fn set_build(&mut self, build: &str) -> Result<(), PackageError> {
        let old = &self.chart.metadata.version;
        let new = version::with_build(old, build)
            .ok_or_else(|| PackageError::Version(old.clone(), build.into()))?;
        let text = self.read(CHART)?;
        let mut text = text.unwrap_or_else(|| Value::Object(Map::new()));
        text["version"] = Value::from(new);
        self.replace(CHART, &text);
        *self = Self::of(std::mem::take(&mut self.files), &self.limits)?;
        Ok(())
    }

    /// Replaces the default values; whether they are others now.
    ///
    /// # Errors
    /// [`PackageError::NoValues`].
    pub fn set_values(&mut self, new: Map<String, Value>) -> Result<bool, PackageError> {
        let old = self.files.iter().find(|file| &*file.name == VALUES);
        let old = old.cloned().ok_or(PackageError::NoValues)?;
        match new.is_empty() {
            true => self.put(VALUES, b""),
            false => self.replace(VALUES, &Value::Object(values::whole(new))),
        }
        *self = Self::of(std::mem::take(&mut self.files), &self.limits)?;
        let now = self.files.iter().find(|file| &*file.name == VALUES);
        Ok(now.is_none_or(|file| *file != old))
    }

    fn read(&self, name: &'static str) -> Result<Option<Value>, LoadError> {
        let file = self.files.iter().find(|file| &*file.name == name);
        let text = file.map(|file| read_yaml(&file.bytes())).transpose();
        text.map_err(|text| LoadError::yaml(name, &text))
    }

    fn replace(&mut self, name: &str, value: &Value) {
        let text = to_string_with(value, &EmitOptions::helm());
        self.put(name, text.as_bytes());
    }

    fn put(&mut self, name: &str, data: &[u8]) {
        if let Some(file) = self.files.iter_mut().find(|file| &*file.name == name) {
            *file = File::new(name, data);
        }
    }

    /// The archive: all files below a directory with the chart's name, the same bytes for the same chart.
    ///
    /// # Errors
    /// [`PackageError::Write`].
    pub fn write(&self) -> Result<Vec<u8>, PackageError> {
        let mut files: Vec<&File> = self.files.iter().collect();
        let rank = |name: &str| {
            [CHART, "Chart.lock", VALUES]
                .iter()
                .position(|first| *first == name)
        };
        files.sort_by_key(|file| (rank(&file.name).unwrap_or(usize::MAX), Arc::clone(&file.name)));
        let packed = GzBuilder::new()
            .mtime(0)
            .write(Vec::new(), Compression::default());
        let mut archive = Builder::new(packed);
        for file in files {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_size(file.size() as u64);
            let path = format!("{}/{}", self.chart.name(), file.name);
            archive.append_data(&mut header, path, &*file.bytes())?;
        }
        let mut packed = archive.into_inner()?;
        packed.flush()?;
        Ok(packed.finish()?)
    }
}

impl Metadata {
    /// What the `Chart.yaml` of an archive says, whatever else is in it.
    ///
    /// # Errors
    /// As [`Chart::from_archive`].
    pub fn from_archive(bytes: &[u8], limits: &Limits) -> Result<Self, LoadError> {
        let described = |file: &File| [CHART, "requirements.yaml"].contains(&&*file.name);
        let mut files = crate::load::files_of_archive(bytes, limits)?;
        files.retain(described);
        Ok(Chart::from_files(files, limits)?.metadata)
    }
}

/// The version with this build metadata in place of its own, as Go's semver writes it.
#[must_use]
pub fn with_build(version: &str, build: &str) -> Option<String> {
    version::with_build(version, build)
}

//! Charts from files, archives and directories.

mod archive;
mod directory;
mod error;
mod ignore;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tenure_gotmpl::read_yaml;

pub use directory::{ChartFs, DirFs, Entry, Kind};
pub use error::LoadError;
pub use ignore::IgnoreError;

use crate::chart::{Chart, Draft, File, Metadata};
use crate::limits::{Allowance, Limits};
use crate::values::read_values;

impl Chart {
    /// Reads the chart in the directory `path` of a file system.
    ///
    /// # Errors
    /// When it is no chart, a file is malformed, or a limit is reached.
    pub fn from_dir(fs: &dyn ChartFs, path: &str, limits: &Limits) -> Result<Self, LoadError> {
        let mut allowance = Allowance::new(*limits);
        let files = directory(fs, path, &mut allowance)?;
        assemble(files, &mut allowance, 0)
    }

    /// Reads the chart in an archive: tar in gzip, all of it below one directory.
    ///
    /// # Errors
    /// As [`Chart::from_dir`], and when a name in the archive leads out of it.
    pub fn from_archive(bytes: &[u8], limits: &Limits) -> Result<Self, LoadError> {
        let mut allowance = Allowance::new(*limits);
        let files = archive(bytes, &mut allowance)?;
        assemble(files, &mut allowance, 0)
    }

    /// Makes a chart of files that are in memory.
    ///
    /// # Errors
    /// As [`Chart::from_dir`].
    pub fn from_files(files: Vec<File>, limits: &Limits) -> Result<Self, LoadError> {
        let mut allowance = Allowance::new(*limits);
        for file in &files {
            allowance.take_file(file.size() as u64)?;
        }
        assemble(files, &mut allowance, 0)
    }
}

/// The files of the chart in a directory.
pub(crate) fn files_of_dir(fs: &dyn ChartFs, path: &str, limits: &Limits) -> Result<Vec<File>, LoadError> {
    directory(fs, path, &mut Allowance::new(*limits))
}

/// The files of the chart in an archive.
pub(crate) fn files_of_archive(bytes: &[u8], limits: &Limits) -> Result<Vec<File>, LoadError> {
    archive(bytes, &mut Allowance::new(*limits))
}

fn directory(fs: &dyn ChartFs, path: &str, allowance: &mut Allowance) -> Result<Vec<File>, LoadError> {
    let files = directory::read(fs, path, allowance)?;
    let shown = fs.shown(path);
    detect(&files, || {
        format!(
            "unable to detect chart at {shown}/Chart.yaml: open {shown}/Chart.yaml: no such file or directory"
        )
    })?;
    Ok(files)
}

fn archive(bytes: &[u8], allowance: &mut Allowance) -> Result<Vec<File>, LoadError> {
    let limits = allowance.limits;
    if bytes.len() as u64 > limits.archive {
        return Err(LoadError::TooMuch("bytes in the archive", limits.archive));
    }
    let files = archive::read(bytes, allowance)?;
    detect(&files, || {
        "unable to detect chart version, no Chart.yaml found".to_owned()
    })?;
    Ok(files)
}

/// Refuses what is no chart, or one of a kind that is not known.
fn detect(files: &[File], missing: impl Fn() -> String) -> Result<(), LoadError> {
    let Some(file) = files.iter().find(|file| &*file.name == "Chart.yaml") else {
        return Err(LoadError::NotAChart(missing()));
    };
    let value = read_yaml(&file.bytes()).map_err(|text| LoadError::yaml("Chart.yaml", &text))?;
    let fields = crate::chart::decode::Fields::of(&value, "loader.chartBase");
    let mut version = String::new();
    if let Some(fields) = fields.map_err(|e| LoadError::field("Chart.yaml", e))? {
        fields
            .text("apiVersion", &mut version)
            .map_err(|e| LoadError::field("Chart.yaml", e))?;
    }
    match version.as_str() {
        "" | "v1" | "v2" => Ok(()),
        "v3" => Err(LoadError::NotAChart("invalid chart apiVersion".to_owned())),
        _ => Err(LoadError::NotAChart("unsupported chart version".to_owned())),
    }
}

/// Helm's `LoadFiles`.
fn assemble(files: Vec<File>, allowance: &mut Allowance, depth: usize) -> Result<Chart, LoadError> {
    if depth > allowance.limits.charts {
        return Err(LoadError::TooMuch(
            "charts inside each other",
            allowance.limits.charts as u64,
        ));
    }
    let mut parts = Parts::default();
    let mut draft = Draft::default();
    let mut found = false;
    for file in files.iter().filter(|file| &*file.name == "Chart.yaml") {
        read_metadata(&mut draft, "Chart.yaml", file)?;
        found = true;
    }
    for file in files {
        parts.take(file, &mut draft, &mut found)?;
    }
    if !found {
        return Err(LoadError::NotAChart("Chart.yaml file is missing".to_owned()));
    }
    let metadata = draft.finish().map_err(LoadError::Invalid)?;
    let dependencies = parts.dependencies(&metadata, allowance, depth)?;
    Ok(Chart {
        metadata,
        templates: parts.templates.into(),
        files: parts.files.into(),
        values: Arc::new(parts.values),
        schema: parts.schema,
        dependencies,
        notices: parts.notices,
    })
}

/// The files of a chart, by what they are.
#[derive(Default)]
struct Parts {
    templates: Vec<File>,
    files: Vec<File>,
    values: serde_json::Map<String, Value>,
    schema: Option<Arc<[u8]>>,
    /// What is below `charts/`, by the first part of its path there.
    charts: BTreeMap<String, Vec<File>>,
    notices: Vec<String>,
}

impl Parts {
    fn take(&mut self, file: File, draft: &mut Draft, found: &mut bool) -> Result<(), LoadError> {
        let name = Arc::clone(&file.name);
        match &*name {
            "Chart.yaml" => {}
            "Chart.lock" => check_lock("Chart.lock", &file)?,
            "values.yaml" => {
                self.values = read_values(&file.bytes()).map_err(LoadError::Values)?;
            }
            "values.schema.json" => self.schema = Some(file.shared()),
            "requirements.yaml" => {
                if !draft.is_v1() {
                    self.notices.push("Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". We recommend migrating dependencies to Chart.yaml.".to_owned());
                }
                read_metadata(draft, "requirements.yaml", &file)?;
                *found = true;
                if draft.is_v1() {
                    self.files.push(file);
                }
            }
            "requirements.lock" => {
                check_lock("requirements.lock", &file)?;
                if draft.is_v1() {
                    self.files.push(file);
                } else {
                    self.notices.push("Warning: Dependency locking is handled in Chart.lock since apiVersion \"v2\". We recommend migrating to Chart.lock.".to_owned());
                }
            }
            path if path.starts_with("templates/") => self.templates.push(file),
            path => match path.strip_prefix("charts/") {
                Some(below) if !below.ends_with(".prov") => {
                    let chart = below.split('/').next().unwrap_or(below).to_owned();
                    self.charts.entry(chart).or_default().push(file.renamed(below));
                }
                _ => self.files.push(file),
            },
        }
        Ok(())
    }

    fn dependencies(
        &mut self,
        metadata: &Metadata,
        allowance: &mut Allowance,
        depth: usize,
    ) -> Result<Vec<Chart>, LoadError> {
        let mut loaded = Vec::new();
        for (name, files) in std::mem::take(&mut self.charts) {
            if name.starts_with(['_', '.']) {
                continue;
            }
            let chart = if name.ends_with(".tgz") {
                from_archive_file(&name, &files, allowance).and_then(|f| assemble(f, allowance, depth + 1))
            } else {
                let inside = files.iter().filter_map(|file| {
                    let (_, rest) = file.name.split_once('/')?;
                    Some(file.renamed(rest))
                });
                assemble(inside.collect(), allowance, depth + 1)
            };
            let mut chart = chart.map_err(|source| LoadError::Subchart {
                name,
                parent: metadata.name.clone(),
                source: Box::new(source),
            })?;
            self.notices.append(&mut chart.notices);
            loaded.push(chart);
        }
        Ok(loaded)
    }
}

fn from_archive_file(name: &str, files: &[File], allowance: &mut Allowance) -> Result<Vec<File>, LoadError> {
    match files {
        [file, ..] if &*file.name == name => archive::read(&file.bytes(), allowance),
        [file, ..] => Err(LoadError::NotAChart(format!(
            "expected {name}, got {}",
            file.name
        ))),
        [] => Err(LoadError::NotAChart(format!("expected {name}"))),
    }
}

fn read_metadata(draft: &mut Draft, name: &'static str, file: &File) -> Result<(), LoadError> {
    let value = read_yaml(&file.bytes()).map_err(|text| LoadError::yaml(name, &text))?;
    draft.read(&value).map_err(|e| LoadError::field(name, e))
}

/// A lock file says nothing that rendering needs, but it must be well-formed.
fn check_lock(name: &'static str, file: &File) -> Result<(), LoadError> {
    read_yaml(&file.bytes()).map_err(|text| LoadError::yaml(name, &text))?;
    Ok(())
}

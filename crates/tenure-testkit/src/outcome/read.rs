//! A folder, read and checked.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::home::Needs;
use super::step::{Item, Step};
use super::wish::{Event, Reference, Wish};
use crate::apply::parse;

/// A scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The name of its folder.
    pub name: String,
    pub(super) folder: PathBuf,
    pub(super) script: Script,
    pub(super) expected: Expected,
}

/// `scenario.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    about: String,
    differs: Option<String>,
    #[serde(default)]
    pub(super) home: Needs,
    #[serde(default)]
    pub(super) source: Usual,
    #[serde(default)]
    pub(super) kustomization: Usual,
    pub(super) steps: Vec<Step>,
}

/// Fields over the usual ones of an object, or `none` where it is not made.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Usual {
    With(Map<String, Value>),
    Not(None),
}

impl Default for Usual {
    fn default() -> Self {
        Self::With(Map::new())
    }
}

/// The word `none`.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) enum None {
    #[serde(rename = "none")]
    None,
}

/// `expected.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    #[serde(default)]
    objects: Vec<Wish>,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    events: Vec<Event>,
}

impl Expected {
    /// All of it.
    pub(super) fn wishes(&self) -> impl Iterator<Item = Wish> {
        let absent = self.absent.iter().cloned().map(Wish::Absent);
        let events = self.events.iter().cloned().map(Wish::Event);
        self.objects.iter().cloned().chain(absent).chain(events)
    }
}

impl Scenario {
    /// Reads a folder.
    ///
    /// # Errors
    /// When something of it is missing, wrong, unknown or never used.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let scenario = Self {
            script: document(&folder.join("scenario.yaml"))?,
            expected: document(&folder.join("expected.yaml"))?,
            folder: folder.to_owned(),
            name,
        };
        scenario
            .check()
            .with_context(|| format!("check {}", folder.display()))?;
        Ok(scenario)
    }

    /// What it shows, in a sentence.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.script.about
    }

    /// Why another controller may end up elsewhere; nothing when it should not.
    #[must_use]
    pub fn differs(&self) -> Option<&str> {
        self.script.differs.as_deref()
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(self.name.len() <= 45, "the name is too long for a namespace's");
        ensure!(self.script.about.ends_with('.'), "`about` is a sentence");
        ensure!(!self.script.steps.is_empty(), "there are no steps");
        ensure!(self.expected.wishes().next().is_some(), "nothing is expected");
        let mut used = Vec::new();
        for step in &self.script.steps {
            if let Some(commit) = &step.commit {
                used.push(format!("commits/{}", commit.directory()));
            }
            for item in &step.apply {
                match item {
                    Item::File(file) => used.push(format!("cluster/{file}")),
                    Item::Object(object) if object["kind"].is_string() => {}
                    Item::Object(object) => {
                        bail!("step {:?} applies {object}, which is no object", step.name)
                    }
                }
            }
            let references = step
                .patch
                .iter()
                .map(|patch| &patch.object)
                .chain(&step.delete)
                .chain(&step.request);
            for reference in references {
                Reference::read(reference).with_context(|| format!("read step {:?}", step.name))?;
            }
            step.until.iter().try_for_each(named)?;
        }
        self.expected.wishes().try_for_each(|wish| named(&wish))?;
        self.check_files(&used)
    }

    /// Everything that is used is there, and everything that is there is used.
    fn check_files(&self, used: &[String]) -> anyhow::Result<()> {
        for path in used {
            ensure!(self.folder.join(path).exists(), "{path} is not there");
        }
        for entry in entries(&self.folder)? {
            let name = entry
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            match name.as_str() {
                "scenario.yaml" | "expected.yaml" => {}
                "commits" | "cluster" => {
                    for part in entries(&entry)? {
                        let part = format!(
                            "{name}/{}",
                            part.file_name().unwrap_or_default().to_string_lossy()
                        );
                        let below = format!("{part}/");
                        let serves = used.iter().any(|path| *path == part || path.starts_with(&below));
                        ensure!(serves, "no step uses {part}");
                    }
                }
                other => bail!("nothing is known of a file {other}"),
            }
        }
        Ok(())
    }
}

fn named(wish: &Wish) -> anyhow::Result<()> {
    match wish {
        Wish::Applied(_) => Ok(()),
        Wish::Object(of, _) | Wish::Absent(of) | Wish::Event(Event { of, .. }) => {
            Reference::read(of).map(drop)
        }
    }
}

/// The folders of all scenarios, by name.
///
/// # Errors
/// When the directory can't be read.
pub fn folders(cases: &Path) -> anyhow::Result<Vec<PathBuf>> {
    entries(cases)
}

fn entries(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut all = read().with_context(|| format!("read {}", directory.display()))?;
    all.sort();
    Ok(all)
}

fn document<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let read = || -> anyhow::Result<T> {
        let mut documents = parse(&fs::read_to_string(path)?)?;
        ensure!(documents.len() == 1, "it has {} documents", documents.len());
        Ok(serde_json::from_value(documents.remove(0))?)
    };
    read().with_context(|| format!("read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "about: It applies.\nsteps:\n- {name: apply, commit: 1, until: [applied]}\n";
    const EXPECTED: &str = "objects: [{object: ConfigMap/a, data: {key: x}}]\n";

    /// What reading a folder with these texts says.
    fn read(script: &str, expected: &str) -> Result<Scenario, String> {
        let folder = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(folder.path().join("commits/1")).expect("a directory");
        fs::write(folder.path().join("scenario.yaml"), script).expect("a file");
        fs::write(folder.path().join("expected.yaml"), expected).expect("a file");
        Scenario::read(folder.path()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_folder_says_what_it_shows_and_how() {
        let scenario =
            read(&format!("{SCRIPT}source: none\ndiffers: on purpose\n"), EXPECTED).expect("it is right");
        assert_eq!(
            (scenario.about(), scenario.differs()),
            ("It applies.", Some("on purpose"))
        );
        assert!(matches!(scenario.script.source, Usual::Not(_)));
        assert_eq!(scenario.script.steps.len(), 1);
    }

    #[test]
    fn a_folder_that_expects_nothing_is_refused() {
        for expected in ["objects: []\n", "absent: []\nevents: []\n"] {
            let error = read(SCRIPT, expected).expect_err("it would always pass");
            assert!(error.contains("nothing is expected"), "{error}");
        }
    }

    #[test]
    fn what_is_not_understood_or_not_there_is_named() {
        let step = |step: &str| SCRIPT.replace("{name: apply, commit: 1, until: [applied]}", step);
        for (script, expected, part) in [
            (
                format!("{SCRIPT}kustomisation: {{}}\n"),
                EXPECTED,
                "kustomisation",
            ),
            (SCRIPT.to_owned(), "objects: []\nabsnt: []\n", "absnt"),
            (step("{name: x, comit: 1}"), EXPECTED, "comit"),
            (step("{name: x, commit: 2}"), EXPECTED, "commits/2 is not there"),
            (step("{name: x, delete: [ConfigMap]}"), EXPECTED, "Kind/name"),
            (step("{name: x}"), EXPECTED, "no step uses commits/1"),
            (
                step("{name: x, commit: 1, until: [{object: Widget/a}]}"),
                EXPECTED,
                "Widget",
            ),
            (format!("{SCRIPT}source: nothing\n"), EXPECTED, "source"),
        ] {
            let error = read(&script, expected).expect_err("it is wrong");
            let error = error.replace("did not match any variant of untagged enum Usual", "source");
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

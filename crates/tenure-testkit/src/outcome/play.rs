//! A scenario, played.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use kube::Client;
use serde_json::{Map, Value, json};

use super::act::Cluster;
use super::compare::matches;
use super::home::{ACCOUNT, Home, Onboarding};
use super::place::Places;
use super::read::{Scenario, Usual};
use super::step::{Commit, Item, Patch, Remember, Step};
use super::wish::{Reference, Wish};
use crate::git::{GitRepo, HttpsGitServer};
use crate::until;

/// The one user of the Git server.
const USER: &str = "team";
/// The Secret of every home that opens it.
const SECRET: &str = "git";

/// Where scenarios are played: a cluster on which controllers run, and a Git server that they reach.
pub struct Ground<'a, O> {
    /// The administrator's client.
    pub client: Client,
    /// Serves the repositories.
    pub git: &'a HttpsGitServer,
    /// How namespaces become homes.
    pub onboarding: &'a O,
    /// How long anything may take.
    pub patience: Duration,
}

impl<O: Onboarding> Ground<'_, O> {
    /// Plays a scenario in a namespace of its own, and compares.
    ///
    /// # Errors
    /// When something can't be done, does not come to be, or is not as expected at the end.
    pub async fn play(&self, scenario: &Scenario) -> anyhow::Result<()> {
        let namespace = format!("{}-{:06x}", scenario.name, rand::random::<u32>() & 0x00ff_ffff);
        let mut places = Places::default();
        places.set("namespace", &namespace);
        places.set("account", ACCOUNT);
        let needs = &scenario.script.home;
        let filled = |part: &Option<Value>| part.as_ref().map(|part| places.fill_all(part)).transpose();
        let home = Home {
            targets: needs
                .targets
                .iter()
                .map(|name| format!("{namespace}-{name}"))
                .collect(),
            rules: filled(&needs.rules)?,
            tenant: filled(&needs.tenant)?,
            namespace,
        };
        let mut play = Play::new(self, scenario, &home, places);
        play.set_up(&home).await.context("set up")?;
        let result = play.through().await;
        // whatever came of it, nothing of it goes on
        play.cluster.rest().await.context("let it rest")?;
        self.onboarding.offboard(&home).await.context("offboard")?;
        result.with_context(|| format!("in namespace {}", home.namespace))
    }
}

/// One scenario at work.
pub(super) struct Play<'a, O> {
    pub(super) ground: &'a Ground<'a, O>,
    scenario: &'a Scenario,
    pub(super) cluster: Cluster,
    pub(super) places: Places,
    repositories: HashMap<String, GitRepo>,
    pub(super) newest: String,
    source: Option<Map<String, Value>>,
    kustomization: Option<Map<String, Value>>,
    requests: u32,
}

impl<'a, O: Onboarding> Play<'a, O> {
    fn new(ground: &'a Ground<'a, O>, scenario: &'a Scenario, home: &Home, places: Places) -> Self {
        let fields = |usual: &Usual, own: Value| match (usual, own) {
            (Usual::With(over), Value::Object(mut all)) => {
                lay_over(&mut all, over);
                Some(all)
            }
            _ => None,
        };
        let source = json!({
            "interval": "10m", "url": "$(url)", "ref": {"branch": "main"}, "secretRef": {"name": SECRET},
        });
        let kustomization = json!({
            "interval": "10m", "path": "./", "prune": true, "serviceAccountName": ACCOUNT,
            "targetNamespace": "$(namespace)", "sourceRef": {"kind": "GitRepository", "name": "app"},
        });
        Self {
            cluster: Cluster::new(ground.client.clone(), &home.namespace),
            source: fields(&scenario.script.source, source),
            kustomization: fields(&scenario.script.kustomization, kustomization),
            repositories: HashMap::new(),
            newest: String::new(),
            requests: 0,
            ground,
            scenario,
            places,
        }
    }

    async fn set_up(&mut self, home: &Home) -> anyhow::Result<()> {
        self.ground.onboarding.onboard(home).await.context("onboard")?;
        let password = format!("{:032x}", rand::random::<u128>());
        let user = format!("{USER}-{}", home.namespace);
        self.ground.git.set_password(&user, &password);
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET},
            "stringData": {"username": user, "password": password, "ca.crt": self.ground.git.ca()},
        });
        self.cluster.apply(&secret.to_string()).await?;
        let used = self
            .scenario
            .script
            .steps
            .iter()
            .filter_map(|step| step.commit.as_ref());
        let others: Vec<&str> = used
            .map(Commit::repository)
            .filter(|name| *name != "app")
            .collect();
        for name in std::iter::once("app").chain(others) {
            let path = format!("{}/{name}.git", home.namespace);
            let place = if name == "app" {
                "url".to_owned()
            } else {
                format!("url.{name}")
            };
            self.places.set(&place, &self.ground.git.url(&path));
            if !self.repositories.contains_key(name) {
                let repository = GitRepo::init(self.ground.git, &path)?;
                self.repositories.insert(name.to_owned(), repository);
            }
        }
        Ok(())
    }

    async fn through(&mut self) -> anyhow::Result<()> {
        for (number, step) in self.scenario.script.steps.iter().enumerate() {
            let step_name = || format!("step {} ({})", number + 1, step.name);
            self.step(step, number == 0).await.with_context(step_name)?;
        }
        let wishes: Vec<Wish> = self.scenario.expected.wishes().collect();
        self.come_true(&wishes).await.context("at the end")
    }

    async fn step(&mut self, step: &Step, first: bool) -> anyhow::Result<()> {
        if let Some(commit) = &step.commit {
            self.commit(commit, step).await?;
        }
        self.apply(step).await?;
        self.usual(step, first).await?;
        if let Some(part) = &step.remember {
            self.remember(part).await?;
        }
        for patch in &step.patch {
            let filled = Patch {
                object: self.places.fill(&patch.object)?,
                with: self.places.fill_all(&patch.with)?,
                ..patch.clone()
            };
            self.cluster.patch(&filled).await?;
        }
        for reference in &step.delete {
            self.cluster.delete(&self.places.fill(reference)?).await?;
        }
        let mut requests = step.request.clone();
        let fetch = step
            .commit
            .as_ref()
            .is_some_and(|commit| commit.repository() == "app");
        if fetch && !step.untold && !first && self.source.is_some() && step.source.is_none() {
            requests.insert(0, "GitRepository/app".to_owned());
        }
        for reference in requests {
            self.request(&self.places.fill(&reference)?.clone()).await?;
        }
        self.come_true(&step.until).await
    }

    async fn apply(&self, step: &Step) -> anyhow::Result<()> {
        for item in &step.apply {
            let text = match item {
                Item::File(file) => {
                    let path = self.scenario.folder.join("cluster").join(file);
                    self.places.fill(&fs::read_to_string(path)?)?
                }
                Item::Object(object) => self.places.fill_all(object)?.to_string(),
            };
            let result = self.cluster.apply(&text).await;
            let Some(refused) = &step.refused else {
                result?;
                continue;
            };
            let said = result.err().map(|error| format!("{error:#}"));
            let said = said.with_context(|| format!("the API server has taken {text}"))?;
            ensure!(
                matches(&self.places.fill(refused)?, &said),
                "the API server said {said}"
            );
        }
        Ok(())
    }

    /// Makes a directory the whole of a repository's next commit.
    async fn commit(&mut self, commit: &Commit, step: &Step) -> anyhow::Result<()> {
        let name = commit.repository();
        let repository = self
            .repositories
            .get(name)
            .context("its repository was made before")?;
        let folder = self.scenario.folder.join("commits").join(commit.directory());
        if let Some(branch) = &step.branch {
            repository.checkout(branch)?;
        }
        let mut files = Vec::new();
        collect(&folder, "", &mut files)?;
        let filled: Vec<(String, Vec<u8>)> = files
            .into_iter()
            .map(|(path, bytes)| match String::from_utf8(bytes) {
                Ok(text) => Ok((path, self.places.fill(&text)?.into_bytes())),
                Err(error) => Ok((path, error.into_bytes())),
            })
            .collect::<anyhow::Result<_>>()?;
        let id = repository.replace(&filled, &step.name)?;
        if let Some(tag) = &step.tag {
            repository.tag(tag, None)?;
        }
        if name == "app" {
            self.newest.clone_from(&id);
        }
        self.places.set(&commit.place(), &id);
        Ok(())
    }

    /// The usual objects: made at the first step, and whenever a step changes them.
    async fn usual(&mut self, step: &Step, first: bool) -> anyhow::Result<()> {
        let source = ("source.toolkit.fluxcd.io/v1", "GitRepository");
        let kustomization = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization");
        for ((api_version, kind), fields, over) in [
            (source, &mut self.source, &step.source),
            (kustomization, &mut self.kustomization, &step.kustomization),
        ] {
            if let Some(over) = over {
                let fields = fields.as_mut();
                let fields =
                    fields.with_context(|| format!("the scenario says that there is no usual {kind}"))?;
                lay_over(fields, over);
            }
            if let Some(fields) = fields
                && (first || over.is_some())
            {
                let spec = self.places.fill_all(&Value::Object(fields.clone()))?;
                let metadata = json!({"name": "app", "namespace": self.cluster.namespace});
                let object =
                    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec});
                self.cluster.apply(&object.to_string()).await?;
            }
        }
        Ok(())
    }

    /// Keeps a part of a message.
    async fn remember(&mut self, part: &Remember) -> anyhow::Result<()> {
        let object = self
            .cluster
            .find(&Reference::read(&part.of)?)
            .await?
            .unwrap_or_default();
        let message = ready(&object)["message"].as_str().unwrap_or_default().to_owned();
        let after = message.split_once(&part.after).map(|(_, after)| after);
        let found = after.and_then(|after| after.split_once(&part.before));
        let (found, _) = found.with_context(|| format!("nothing to remember is in {message:?}"))?;
        self.places.set(&part.name, found);
        Ok(())
    }

    async fn request(&mut self, reference: &str) -> anyhow::Result<()> {
        self.requests += 1;
        let of = Reference::read(reference)?;
        let word = format!("request {}", self.requests);
        self.cluster.request(&of, &word).await?;
        until(
            &format!("{reference} to answer a request"),
            self.ground.patience,
            || async {
                let found = self.cluster.find(&of).await?.context("it is not there")?;
                let status = &found["status"];
                ensure!(status["lastHandledReconcileAt"] == word, "its status is {status}");
                Ok(())
            },
        )
        .await
    }
}

/// The Ready condition.
pub(super) fn ready(object: &Value) -> Value {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .into_iter()
        .find(|one| one["type"] == "Ready")
        .cloned()
        .unwrap_or_default()
}

/// Lays fields over others; null takes one away.
fn lay_over(fields: &mut Map<String, Value>, over: &Map<String, Value>) {
    fields.extend(over.clone());
    fields.retain(|_, value| !value.is_null());
}

/// All files below a directory, by path.
fn collect(directory: &Path, below: &str, files: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory).with_context(|| format!("read {}", directory.display()))? {
        let entry = entry?;
        let path = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.push((path, fs::read(entry.path())?));
        }
    }
    Ok(())
}

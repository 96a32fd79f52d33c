//! From a repository to what accounts must be allowed: builds what the tenant's Kustomizations build, renders what its
//! HelmReleases render.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value};
use tenure_kustomize::{DirFs, flux};

use super::catalog::Catalog;
use super::needs::{APPLY, Account, LOOK, Needs, group};
use crate::template::render_objects;

const KUSTOMIZE_GROUP: &str = "kustomize.toolkit.fluxcd.io";
const HELM_GROUP: &str = "helm.toolkit.fluxcd.io";
/// Kustomizations inside each other's repositories end somewhere.
const MOST: usize = 10_000;

/// A checkout of the tenant's repository, and what is not written in it.
pub(super) struct Repository {
    pub(super) root: PathBuf,
    pub(super) files: DirFs,
    /// Whom objects of the home act as that name no account.
    pub(super) default: Account,
    /// Where objects go that name no namespace.
    pub(super) namespace: Option<String>,
    /// Charts that are not in the repository, by HelmRelease.
    pub(super) charts: BTreeMap<String, PathBuf>,
    /// Whether Secrets and ConfigMaps of the home are read as the tenant, too.
    pub(super) strict: bool,
}

/// Goes through a repository.
pub(super) struct Collector<'a> {
    repository: &'a Repository,
    pub(super) catalog: Catalog,
    pub(super) needs: Needs,
    seen: BTreeSet<String>,
    /// Objects that are still to be counted: definitions anywhere in the repository come first.
    found: Vec<Found>,
}

struct Found {
    account: Account,
    namespace: Option<String>,
    object: Value,
    verbs: Vec<&'static str>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(repository: &'a Repository, catalog: Catalog) -> Self {
        Self {
            repository,
            catalog,
            needs: Needs::default(),
            seen: BTreeSet::new(),
            found: Vec::new(),
        }
    }

    /// What the default account applies when it applies a directory.
    pub(super) fn directory(&mut self, path: &str) -> anyhow::Result<()> {
        let built = flux::build(&self.repository.files, path, &flux::Overlay::default())?;
        let account = self.repository.default.clone();
        let namespace = self.repository.namespace.clone();
        let verbs = applied(true);
        self.all(&account, namespace.as_deref(), built.objects.into_vec(), &verbs)
    }

    /// What the Kustomizations and HelmReleases in a file apply; the file itself is somebody else's matter.
    pub(super) fn flux_objects(&mut self, text: &str) -> anyhow::Result<()> {
        let documents = tenure_yaml::parse(text.as_bytes(), &tenure_yaml::Options::helm())
            .context("the file is not YAML")?;
        let before = self.seen.len();
        for document in &documents {
            self.flux_object(&document.value)?;
        }
        anyhow::ensure!(
            self.seen.len() > before,
            "the file holds no Kustomization of {KUSTOMIZE_GROUP} and no HelmRelease"
        );
        Ok(())
    }

    /// Counts what was found.
    pub(super) fn finish(mut self) -> Needs {
        for found in &self.found {
            self.catalog.learn(&found.object);
        }
        for found in &self.found {
            let namespace = found.namespace.as_deref();
            self.needs.object(
                &self.catalog,
                &found.account,
                namespace,
                &found.object,
                &found.verbs,
            );
        }
        self.needs
    }

    fn all(
        &mut self,
        account: &Account,
        namespace: Option<&str>,
        objects: Vec<Value>,
        verbs: &[&'static str],
    ) -> anyhow::Result<()> {
        for object in objects {
            let nested = object.get("items").and_then(Value::as_array).cloned();
            if let Some(items) = nested.filter(|_| text(&object, "/kind").ends_with("List")) {
                self.all(account, namespace, items, verbs)?;
                continue;
            }
            self.flux_object(&object)?;
            self.found.push(Found {
                account: account.clone(),
                namespace: namespace.map(str::to_owned),
                object,
                verbs: verbs.to_vec(),
            });
        }
        Ok(())
    }

    fn flux_object(&mut self, object: &Value) -> anyhow::Result<()> {
        let is =
            |of: &str, kind: &str| group(text(object, "/apiVersion")) == of && text(object, "/kind") == kind;
        let (is_kustomization, is_release) = (
            is(KUSTOMIZE_GROUP, "Kustomization"),
            is(HELM_GROUP, "HelmRelease"),
        );
        if !is_kustomization && !is_release {
            return Ok(());
        }
        let home = match text(object, "/metadata/namespace") {
            "" => self.repository.default.namespace.clone(),
            own => own.to_owned(),
        };
        let id = format!(
            "{} {home}/{}",
            text(object, "/kind"),
            text(object, "/metadata/name")
        );
        if !self.seen.insert(id.clone()) {
            return Ok(());
        }
        anyhow::ensure!(
            self.seen.len() <= MOST,
            "there are more than {MOST} Kustomizations and HelmReleases"
        );
        let account = Account {
            name: match text(object, "/spec/serviceAccountName") {
                "" => self.repository.default.name.clone(),
                own => own.to_owned(),
            },
            namespace: home,
        };
        if object.pointer("/spec/kubeConfig").is_some_and(|v| !v.is_null()) {
            self.needs
                .notes
                .push(format!("{id} is not counted: it applies to another cluster"));
            return Ok(());
        }
        let done = if is_kustomization {
            self.kustomization(&id, &account, object)
        } else {
            self.release(&id, &account, object)
        };
        done.with_context(|| format!("{id} can't be counted"))
    }

    fn kustomization(&mut self, id: &str, account: &Account, object: &Value) -> anyhow::Result<()> {
        let spec = object.get("spec").cloned().unwrap_or_default();
        let path = text(object, "/spec/path");
        let source = format!(
            "{} {}",
            text(object, "/spec/sourceRef/kind"),
            text(object, "/spec/sourceRef/name")
        );
        let overlay = flux::Overlay::from_spec(&spec)?;
        let mut built = match flux::build(&self.repository.files, path, &overlay) {
            Err(error) if matches!(error.reason(), tenure_kustomize::Reason::NoSuchPath(..)) => {
                self.needs.gaps.push(format!(
                    "{id} is not counted: {source} is another repository, as this one has no {path}; run this command there, with --file"
                ));
                return Ok(());
            }
            built => built?,
        };
        if let Some(values) = object
            .pointer("/spec/postBuild/substitute")
            .and_then(Value::as_object)
        {
            let values = values
                .iter()
                .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())));
            flux::substitute(&mut built.objects, &values.collect(), false)?;
        }
        if let Some(from) = object
            .pointer("/spec/postBuild/substituteFrom")
            .and_then(Value::as_array)
        {
            self.needs.gaps.push(format!(
                "{id}: names and namespaces that come from spec.postBuild.substituteFrom are not known here"
            ));
            self.read(
                account,
                from.iter().map(|one| (text(one, "/kind"), text(one, "/name"))),
            );
        }
        let key = text(object, "/spec/decryption/secretRef/name");
        self.read(account, (!key.is_empty()).then_some(("Secret", key)).into_iter());
        for check in object
            .pointer("/spec/healthChecks")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            self.found.push(Found {
                account: account.clone(),
                namespace: Some(account.namespace.clone()),
                object: serde_json::json!({
                    "apiVersion": check.get("apiVersion"), "kind": check.get("kind"),
                    "metadata": {"name": check.get("name"), "namespace": check.get("namespace")},
                }),
                verbs: LOOK.to_vec(),
            });
        }
        let flag = |pointer: &str| object.pointer(pointer).and_then(Value::as_bool) == Some(true);
        let policy = text(object, "/spec/deletionPolicy");
        let deletes =
            flag("/spec/prune") || flag("/spec/force") || ["Delete", "WaitForTermination"].contains(&policy);
        let target = match text(object, "/spec/targetNamespace") {
            "" => self.repository.namespace.clone(),
            target => Some(target.to_owned()),
        };
        self.all(
            account,
            target.as_deref(),
            built.objects.into_vec(),
            &applied(deletes),
        )
    }

    fn release(&mut self, id: &str, account: &Account, object: &Value) -> anyhow::Result<()> {
        let name = text(object, "/metadata/name");
        let given = self.repository.charts.get(name);
        let root = given.is_none().then_some(self.repository.root.as_path());
        let chart = match given {
            Some(path) => Some(path.clone()),
            None if text(object, "/spec/chart/spec/sourceRef/kind") == "GitRepository" => {
                let path = text(object, "/spec/chart/spec/chart").trim_start_matches("./");
                Some(self.repository.root.join(path))
                    .filter(|_| !path.is_empty() && !path.split('/').any(|p| p == ".."))
            }
            None => None,
        };
        let Some(chart) = chart.filter(|path| path.exists()) else {
            self.needs.gaps.push(format!(
                "{id} is not counted: its chart is not in the repository; give it with --chart {name}=PATH"
            ));
            return Ok(());
        };
        if let Some(from) = object.pointer("/spec/valuesFrom").and_then(Value::as_array) {
            self.needs
                .gaps
                .push(format!("{id}: values from spec.valuesFrom are not known here"));
            self.read(
                account,
                from.iter().map(|one| (text(one, "/kind"), text(one, "/name"))),
            );
        }
        let or = |pointer: &str, default: &str| match text(object, pointer) {
            "" => default.to_owned(),
            own => own.to_owned(),
        };
        let target = or("/spec/targetNamespace", &account.namespace);
        let prefixed = match text(object, "/spec/targetNamespace") {
            "" => name.to_owned(),
            target => format!("{target}-{name}"),
        };
        let values = object
            .pointer("/spec/values")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let objects = rendered(
            &chart,
            root,
            &or("/spec/releaseName", &prefixed),
            &target,
            &values,
        )?;
        self.all(account, Some(&target), objects, &applied(true))?;
        // Helm keeps each revision in a Secret of its own, `sh.helm.release.v1.<release>.v<N>`, and RBAC knows no
        // beginnings of names.
        self.found.push(Found {
            account: account.clone(),
            namespace: None,
            object: serde_json::json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {"namespace": or("/spec/storageNamespace", &account.namespace)},
            }),
            verbs: applied(true),
        });
        Ok(())
    }

    /// With the profile `strict`, what an object names in its home is read as the tenant.
    fn read<'o>(&mut self, account: &Account, names: impl Iterator<Item = (&'o str, &'o str)>) {
        if !self.repository.strict {
            return;
        }
        for (kind, name) in names {
            self.found.push(Found {
                account: account.clone(),
                namespace: Some(account.namespace.clone()),
                object: serde_json::json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}),
                verbs: vec!["list"],
            });
        }
    }
}

fn applied(deletes: bool) -> Vec<&'static str> {
    let delete = deletes.then_some("delete");
    APPLY.into_iter().chain(delete).collect()
}

fn rendered(
    chart: &Path,
    root: Option<&Path>,
    name: &str,
    namespace: &str,
    values: &Map<String, Value>,
) -> anyhow::Result<Vec<Value>> {
    let shown = chart.display();
    let manifests = render_objects(chart, root, name, namespace, values)
        .with_context(|| format!("the chart {shown} can't be rendered"))?;
    let mut objects = Vec::new();
    for manifest in manifests {
        let documents = tenure_yaml::parse(manifest.as_bytes(), &tenure_yaml::Options::helm())
            .with_context(|| format!("the chart {shown} renders what is not YAML"))?;
        objects.extend(documents.into_iter().map(|d| d.value).filter(Value::is_object));
    }
    Ok(objects)
}

fn text<'o>(object: &'o Value, pointer: &str) -> &'o str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

//! `patches`, `patchesStrategicMerge` and `patchesJson6902`.

use serde_json::Value;

use super::json6902::{self, Operation};
use super::merge;
use crate::file::{KustFile, Patch, Selector};
use crate::load::Loader;
use crate::resource::Resource;
use crate::select::Matcher;
use crate::{Error, RelPath};

/// What a patch's text turned out to be.
enum Content {
    Merge(Vec<Value>),
    Json(Vec<Operation>),
}

/// Which changes of identity a patch may make.
#[derive(Clone, Copy, Default)]
struct Allow {
    name: bool,
    kind: bool,
}

/// `patchesStrategicMerge`: files or inline text, each object names its target.
pub(crate) fn strategic(
    loader: &mut Loader<'_>,
    dir: &RelPath,
    file: &KustFile,
    all: &mut Vec<Resource>,
) -> Result<(), Error> {
    for (i, entry) in file.patches_strategic_merge.iter().enumerate() {
        let inline = entry.contains('\n') || entry.trim_start().starts_with('{');
        let patch = if inline {
            Patch {
                patch: Some(entry.clone()),
                ..Patch::default()
            }
        } else {
            Patch {
                path: Some(entry.clone()),
                ..Patch::default()
            }
        };
        let done = content(loader, dir, &patch).and_then(|c| match c {
            Content::Merge(documents) if documents.is_empty() => Err(Error::invalid("the patch is empty")),
            Content::Merge(documents) => by_identity(&documents, all, Allow::default()),
            Content::Json(_) => Err(Error::invalid("a strategic merge patch must be an object")),
        });
        done.map_err(|e| file.place(&format!("patchesStrategicMerge/{i}"), e))?;
    }
    Ok(())
}

/// `patches`: either kind of patch, with or without a target.
pub(crate) fn patches(
    loader: &mut Loader<'_>,
    dir: &RelPath,
    file: &KustFile,
    all: &mut Vec<Resource>,
) -> Result<(), Error> {
    for (i, patch) in file.patches.iter().enumerate() {
        one(loader, dir, patch, all).map_err(|e| file.place(&format!("patches/{i}"), e))?;
        loader.check(all.len())?;
    }
    Ok(())
}

fn one(loader: &mut Loader<'_>, dir: &RelPath, patch: &Patch, all: &mut Vec<Resource>) -> Result<(), Error> {
    let allow = allow(patch)?;
    match (content(loader, dir, patch)?, &patch.target) {
        (Content::Merge(documents), None) => by_identity(&documents, all, allow),
        (Content::Json(_), None) => Err(Error::invalid("a JSON patch needs a target")),
        (Content::Merge(documents), Some(target)) => {
            let [document] = documents.as_slice() else {
                return Err(Error::invalid("a patch with a target must be one object"));
            };
            let matcher = Matcher::new(target)?;
            merge_where(document, all, allow, |r| matcher.matches(r))
        }
        (Content::Json(operations), Some(target)) => {
            let matcher = Matcher::new(target)?;
            all.iter_mut()
                .filter(|r| matcher.matches(r))
                .try_for_each(|r| operate(r, &operations))
        }
    }
}

/// `patchesJson6902`: the target is named exactly; none of that name is no error.
pub(crate) fn json6902(
    loader: &mut Loader<'_>,
    dir: &RelPath,
    file: &KustFile,
    all: &mut [Resource],
) -> Result<(), Error> {
    for (i, patch) in file.patches_json6902.iter().enumerate() {
        let done = content(loader, dir, patch).and_then(|c| match (c, &patch.target) {
            (Content::Json(operations), Some(target)) => all
                .iter_mut()
                .filter(|r| exact(target, r))
                .try_for_each(|r| operate(r, &operations)),
            (Content::Json(_), None) => Err(Error::invalid("a JSON patch needs a target")),
            (Content::Merge(_), _) => Err(Error::invalid("a JSON patch must be a list of operations")),
        });
        done.map_err(|e| file.place(&format!("patchesJson6902/{i}"), e))?;
    }
    Ok(())
}

fn exact(target: &Selector, resource: &Resource) -> bool {
    let fits = |want: &Option<String>, is: &str| want.as_deref().is_none_or(|w| w.is_empty() || w == is);
    resource.any_id(|id| {
        let namespace = target.namespace.as_deref().unwrap_or_default();
        let ns = namespace == id.namespace
            || [namespace, id.effective_namespace()] == ["", "default"]
            || id.is_cluster()
            || namespace == id.effective_namespace();
        fits(&target.group, &id.group)
            && fits(&target.version, &id.version)
            && fits(&target.kind, &id.kind)
            && fits(&target.name, &id.name)
            && ns
    })
}

fn operate(resource: &mut Resource, operations: &[Operation]) -> Result<(), Error> {
    resource.remember();
    let shown = resource.id().shown();
    json6902::apply(&mut resource.value, operations).map_err(|e| Error::invalid(format!("{shown}: {e}")))?;
    let id = resource.id();
    if id.kind.is_empty() || id.name.is_empty() {
        Err(Error::invalid(format!(
            "{shown}: the patch leaves no kind or no name"
        )))
    } else {
        Ok(())
    }
}

fn allow(patch: &Patch) -> Result<Allow, Error> {
    let mut allow = Allow::default();
    for (option, on) in patch.options.iter().flatten() {
        match option.as_str() {
            "allowNameChange" => allow.name = *on,
            "allowKindChange" => allow.kind = *on,
            other => return Err(Error::invalid(format!("unknown option {other:?}"))),
        }
    }
    Ok(allow)
}

fn content(loader: &mut Loader<'_>, dir: &RelPath, patch: &Patch) -> Result<Content, Error> {
    let filled = |t: &Option<String>| t.clone().filter(|t| !t.is_empty());
    let (from, bytes) = match (filled(&patch.path), filled(&patch.patch)) {
        (Some(path), None) => {
            let (path, bytes) = loader.read_named(dir, &path)?;
            (Some(path), bytes)
        }
        (None, Some(text)) => (None, text.into_bytes()),
        (Some(_), Some(_)) => return Err(Error::invalid("give either patch or path, not both")),
        (None, None) => return Err(Error::invalid("give patch or path")),
    };
    let documents =
        tenure_yaml::parse(&bytes, &tenure_yaml::Options::kustomize()).map_err(|e| match &from {
            Some(path) => Error::yaml(path, e),
            None => Error::invalid(format!("line {} of the patch: {}", e.location.line, e.reason)),
        })?;
    let mut values: Vec<Value> = documents
        .into_iter()
        .map(|d| d.value)
        .filter(|v| !v.is_null())
        .collect();
    if values.iter().all(Value::is_object) {
        return Ok(Content::Merge(values));
    }
    let shown = from.map_or_else(|| "the patch".to_owned(), |p| p.to_string());
    match (values.pop(), values.is_empty()) {
        // Operations are read in the dialect of kustomization files, objects in that of manifests.
        (Some(Value::Array(_)), true) => tenure_yaml::parse_one(&bytes, &tenure_yaml::Options::helm())
            .map_err(|e| Error::invalid(format!("{shown}: {e}")))
            .and_then(|list| operations(list, &shown)),
        _ => Err(Error::invalid(format!(
            "{shown} is neither an object nor a list of operations"
        ))),
    }
}

fn operations(list: Value, shown: &str) -> Result<Content, Error> {
    serde_json::from_value(list)
        .map(Content::Json)
        .map_err(|e| Error::invalid(format!("{shown}: {e}")))
}

/// Each object of the patch says by its own kind and name what it patches.
fn by_identity(documents: &[Value], all: &mut Vec<Resource>, allow: Allow) -> Result<(), Error> {
    for document in documents {
        let id = Resource::new(document.clone(), String::new()).id();
        if id.kind.is_empty() || id.name.is_empty() {
            return Err(Error::invalid(
                "a patch without a target needs kind and metadata.name",
            ));
        }
        let wanted = |r: &Resource| r.any_id(|other| other.same_object(&id) && other.version == id.version);
        match all.iter().filter(|r| wanted(r)).count() {
            1 => merge_where(document, all, allow, wanted)?,
            0 => {
                return Err(Error::invalid(format!(
                    "no object matches the patch for {}",
                    id.shown()
                )));
            }
            _ => {
                return Err(Error::invalid(format!(
                    "several objects match the patch for {}",
                    id.shown()
                )));
            }
        }
    }
    Ok(())
}

fn merge_where(
    patch: &Value,
    all: &mut Vec<Resource>,
    allow: Allow,
    wanted: impl Fn(&Resource) -> bool,
) -> Result<(), Error> {
    let mut gone = Vec::new();
    for (i, resource) in all.iter_mut().enumerate() {
        if wanted(resource) {
            let id = resource.id();
            match merge::object(resource.value.clone(), patch, &id.group, &id.kind)
                .map_err(|e| Error::invalid(format!("{}: {e}", id.shown())))?
            {
                Some(merged) => keep_identity(resource, merged, allow),
                None => gone.push(i),
            }
        }
    }
    for i in gone.into_iter().rev() {
        all.remove(i);
    }
    Ok(())
}

fn keep_identity(resource: &mut Resource, merged: Value, allow: Allow) {
    let id = resource.id();
    if allow.name || allow.kind {
        resource.remember();
    }
    let version = resource.value.get("apiVersion").cloned();
    resource.value = merged;
    let now = resource.id();
    if !allow.name && now.name != id.name {
        resource.set_name(&id.name);
    }
    if !allow.kind
        && let Some(map) = resource.value.as_object_mut()
    {
        map.insert("kind".into(), Value::from(id.kind));
        if let Some(version) = version {
            map.insert("apiVersion".into(), version);
        }
    }
    if now.namespace != id.namespace
        && let Some(meta) = crate::object::mapping(&mut resource.value, &["metadata"])
    {
        if id.namespace.is_empty() {
            meta.shift_remove("namespace");
        } else {
            meta.insert("namespace".into(), Value::from(id.namespace));
        }
    }
}

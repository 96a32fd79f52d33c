//! Strategic merge and JSON 6902 patches.

use std::collections::HashSet;
use std::rc::Rc;

use serde_json::Value;

use super::json6902::{self, Operation};
use super::{Context, Transform, merge};
use crate::file::Patch;
use crate::meter::Meter;
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::schema::Schemas;
use crate::select::Matcher;
use crate::{Error, load, object};

/// What a patch's text turned out to be.
enum Content {
    Merge(Vec<Resource>),
    Json(Vec<Operation>),
}

/// Which changes of identity a patch may make.
#[derive(Debug, Clone, Copy, Default)]
struct Allow {
    name: bool,
    kind: bool,
}

/// Merges objects that name their targets: `patchesStrategicMerge`.
pub(crate) struct StrategicMerge(Vec<Resource>);

impl StrategicMerge {
    /// Each entry is the patch itself or the file that holds it.
    pub(crate) fn read(
        context: &mut Context<'_, '_>,
        entries: &[String],
        inline: &str,
    ) -> Result<Self, Error> {
        if entries.is_empty() && inline.is_empty() {
            return Err(Error::invalid("give paths or patches"));
        }
        let mut patches = Vec::new();
        for entry in entries {
            let is_text = entry.contains('\n') || entry.trim_start().starts_with('{');
            patches.extend(if is_text {
                parse("the patch", entry.as_bytes(), &context.loader.meter)?
            } else {
                let (path, bytes) = context.loader.read_named(context.dir, entry)?;
                load::resources(&path, &bytes, &context.loader.meter)?
            });
        }
        patches.extend(parse("the patch", inline.as_bytes(), &context.loader.meter)?);
        if patches.is_empty() {
            return Err(Error::invalid("the patch is empty"));
        }
        Ok(Self(patches))
    }
}

impl Transform for StrategicMerge {
    fn apply(&self, all: &mut ResMap, schemas: &Schemas) -> Result<(), Error> {
        for patch in &self.0 {
            let at = all.one(&patch.id())?;
            let chosen = HashSet::from([at]);
            merge_into(all, &chosen, &as_selected(patch), Allow::default(), schemas)?;
            all.distinct()?;
        }
        Ok(())
    }
}

/// Operations on the objects that a selector finds: `patchesJson6902`.
pub(crate) struct Json6902 {
    target: Matcher,
    operations: Vec<Operation>,
}

impl Json6902 {
    pub(crate) fn read(context: &mut Context<'_, '_>, patch: &Patch) -> Result<Self, Error> {
        let target = patch
            .target
            .as_ref()
            .filter(|t| t.name.as_deref().is_some_and(|n| !n.is_empty()))
            .ok_or_else(|| Error::invalid("a JSON patch needs a target with a name"))?;
        let (shown, bytes) = text(context, patch)?;
        let operations = operations(&shown, &bytes, &context.loader.meter)?;
        if operations.is_empty() {
            return Err(Error::invalid(format!("{shown} is empty")));
        }
        Ok(Self {
            target: Matcher::new(target, &context.loader.meter)?,
            operations,
        })
    }
}

impl Transform for Json6902 {
    fn apply(&self, all: &mut ResMap, _: &Schemas) -> Result<(), Error> {
        let meter = all.meter();
        for mut resource in all.iter_mut() {
            meter.step()?;
            if self.target.matches(&resource)? {
                operate(&mut resource, &self.operations, &meter)?;
            }
        }
        Ok(())
    }
}

/// Either kind of patch, with or without a target: `patches`.
pub(crate) struct AnyPatch {
    target: Option<Matcher>,
    content: Content,
    allow: Allow,
}

impl AnyPatch {
    pub(crate) fn read(context: &mut Context<'_, '_>, patch: &Patch) -> Result<Self, Error> {
        let meter = Rc::clone(&context.loader.meter);
        let target = patch.target.as_ref().map(|t| Matcher::new(t, &meter));
        let target = target.transpose()?;
        let content = content(context, patch)?;
        match (&content, &target) {
            (Content::Json(_), None) => Err(Error::invalid("a JSON patch needs a target")),
            (Content::Merge(patches), Some(_)) if patches.len() > 1 => {
                Err(Error::invalid("a patch with a target must be one object"))
            }
            _ => Ok(Self {
                target,
                content,
                allow: allow(patch)?,
            }),
        }
    }
}

impl Transform for AnyPatch {
    fn apply(&self, all: &mut ResMap, schemas: &Schemas) -> Result<(), Error> {
        match (&self.content, &self.target) {
            (Content::Json(operations), Some(target)) => {
                let meter = all.meter();
                for mut resource in all.iter_mut() {
                    meter.step()?;
                    if target.matches(&resource)? {
                        resource.remember(&meter)?;
                        operate(&mut resource, operations, &meter)?;
                        resource.settle("annotations");
                    }
                }
                Ok(())
            }
            (Content::Json(_), None) => Err(Error::invalid("a JSON patch needs a target")),
            (Content::Merge(patches), Some(target)) => {
                let mut chosen = HashSet::new();
                for (at, resource) in all.iter().enumerate() {
                    all.meter().step()?;
                    if target.matches(resource)? {
                        chosen.insert(at);
                    }
                }
                for patch in patches {
                    merge_into(all, &chosen, &as_selected(patch), self.allow, schemas)?;
                }
                all.distinct()
            }
            (Content::Merge(patches), None) => {
                for patch in patches {
                    let chosen = HashSet::from([all.one(&patch.id())?]);
                    merge_into(all, &chosen, patch, self.allow, schemas)?;
                }
                Ok(())
            }
        }
    }
}

/// The patch as the tool merges it unless the entry is one of `patches` without a target.
fn as_selected(patch: &Resource) -> Resource {
    let mut patch = patch.clone();
    patch.settle("labels");
    patch.settle("annotations");
    patch.value = merge::for_selected(&patch.value.view()).into();
    patch
}

fn operate(resource: &mut Resource, operations: &[Operation], meter: &Meter) -> Result<(), Error> {
    let id = resource.id();
    resource.reread();
    // The notes of the tool are annotations, which operations find even where the file has none.
    if resource.has_notes() {
        object::mapping(resource.value.open(), &["metadata", "annotations"]);
    }
    json6902::apply(resource.value.open(), operations, meter).map_err(|e| e.about(&id))?;
    object::drop_empty(resource.value.open(), "annotations");
    if resource.kind().is_empty() || resource.name().is_empty() {
        return Err(Error::invalid(format!(
            "{id}: the patch leaves no kind or no name"
        )));
    }
    Ok(())
}

fn merge_into(
    all: &mut ResMap,
    chosen: &HashSet<usize>,
    patch: &Resource,
    allow: Allow,
    schemas: &Schemas,
) -> Result<(), Error> {
    let meter = all.meter();
    let content = patch.value.view();
    for at in chosen {
        meter.value(&content, 0)?;
        let Some(mut resource) = all.get_mut(*at) else {
            continue;
        };
        let id = resource.id();
        if allow.name || allow.kind {
            resource.remember(&meter)?;
        }
        // The patch takes the group and version of its target; its kind says which schema holds.
        let mut fitted = object::copy(&content);
        if let (Some(map), Some(version)) = (fitted.as_object_mut(), resource.value.part(&["apiVersion"])) {
            map.insert("apiVersion".to_owned(), version.into_owned());
        }
        let bare = resource.written.bare_nulls(&resource.value.view());
        let merged = merge::object(schemas, resource.value.open().take(), fitted, &bare, &meter)
            .map_err(|e| e.about(&id))?;
        let Some(merged) = merged else { continue };
        resource.value = merged.into();
        let resource = &mut *resource;
        resource.written.absorb(&patch.written, &resource.value.view());
        resource.sync();
        if !allow.kind {
            resource.set_kind(&id.gvk.kind);
        }
        if !allow.name {
            resource.set_name(&id.name);
        }
        resource.set_namespace(&id.namespace);
    }
    all.drop_gone();
    Ok(())
}

fn allow(patch: &Patch) -> Result<Allow, Error> {
    let mut allow = Allow::default();
    for (option, on) in patch.options.iter().flatten() {
        match option.to_ascii_lowercase().as_str() {
            "allownamechange" => allow.name = *on,
            "allowkindchange" => allow.kind = *on,
            _ => return Err(Error::invalid(format!("unknown option {option:?}"))),
        }
    }
    Ok(allow)
}

/// The patch's text, and what to call it.
fn text(context: &mut Context<'_, '_>, patch: &Patch) -> Result<(String, Vec<u8>), Error> {
    let filled = |t: &Option<String>| t.as_deref().map(str::trim).unwrap_or_default().to_owned();
    match (filled(&patch.path), filled(&patch.patch)) {
        (path, text) if path.is_empty() && text.is_empty() => Err(Error::invalid("give patch or path")),
        (path, text) if text.is_empty() => {
            let (path, bytes) = context.loader.read_named(context.dir, &path)?;
            Ok((path.to_string(), bytes))
        }
        (path, text) if path.is_empty() => Ok(("the patch".to_owned(), text.into_bytes())),
        _ => Err(Error::invalid("give either patch or path, not both")),
    }
}

fn content(context: &mut Context<'_, '_>, patch: &Patch) -> Result<Content, Error> {
    let (shown, bytes) = text(context, patch)?;
    let meter = &context.loader.meter;
    let merged = parse(&shown, &bytes, meter);
    match (merged, is_list(&bytes)) {
        // One without any object changes nothing, as the tool has it.
        (Ok(patches), false) => Ok(Content::Merge(patches)),
        (_, true) => operations(&shown, &bytes, meter).map(Content::Json),
        (Err(error), false) => Err(error),
    }
}

fn is_list(bytes: &[u8]) -> bool {
    tenure_yaml::parse(bytes, &tenure_yaml::Options::helm().last_wins())
        .is_ok_and(|documents| documents.first().is_some_and(|d| d.value.is_array()))
}

/// The objects of a patch's text.
fn parse(shown: &str, bytes: &[u8], meter: &Meter) -> Result<Vec<Resource>, Error> {
    load::resources_of(shown, bytes, meter)
}

/// Operations are read in the dialect of kustomization files, objects in that of manifests. A text that
/// begins as a JSON list must be JSON.
fn operations(shown: &str, bytes: &[u8], meter: &Meter) -> Result<Vec<Operation>, Error> {
    let fail = |text: String| Error::invalid(format!("{shown}: {text}"));
    if bytes.first() == Some(&b'[') {
        // Every value but the first of a list or mapping has a comma before it.
        let values = bytes.iter().filter(|b| b",[{".contains(b)).count();
        meter.values(values)?;
        return serde_json::from_slice(bytes)
            .map_err(|e| fail(format!("it begins as JSON, so all of it must be: {e}")));
    }
    let documents = tenure_yaml::parse(bytes, &tenure_yaml::Options::helm().last_wins())
        .map_err(|e| fail(e.to_string()))?;
    let first = documents.into_iter().next().map_or(Value::Null, |d| d.value);
    meter.value(&first, 0)?;
    serde_json::from_value(first).map_err(|e| fail(e.to_string()))
}

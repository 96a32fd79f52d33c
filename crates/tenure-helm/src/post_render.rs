//! A step between rendering and sorting, injected from above.

use std::collections::BTreeMap;

use serde_json::Value;
use tenure_gotmpl::read_yaml;
use tenure_yaml::EmitOptions;

use crate::error::Error;
use crate::manifest::{self, Heads};

const FILE: &str = "postrenderer.helm.sh/postrender-filename";

/// Changes objects before they are sorted: kustomize's patches, for one.
pub trait PostRenderer {
    /// The objects as they shall be. An annotation tells the file of each; an object without it becomes a
    /// file of its own.
    ///
    /// # Errors
    /// What went wrong, for a person.
    fn run(&self, objects: Vec<Value>) -> Result<Vec<Value>, String>;
}

impl<F: Fn(Vec<Value>) -> Result<Vec<Value>, String>> PostRenderer for F {
    fn run(&self, objects: Vec<Value>) -> Result<Vec<Value>, String> {
        self(objects)
    }
}

/// Which objects a post-renderer sees together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Hooks and manifests at once, as Helm 4 does.
    #[default]
    Combined,
    /// Hooks and manifests one after the other.
    Separate,
    /// Manifests only, as Helm 3 did.
    NoHooks,
}

type Files = BTreeMap<String, String>;

pub(crate) fn run(files: Files, renderer: &dyn PostRenderer, strategy: Strategy) -> Result<Files, Error> {
    if strategy == Strategy::Combined {
        return once(&files, renderer, "");
    }
    let (hooks, manifests, _) = manifest::sort(files, &Heads::default())?;
    let group = |parts: &mut dyn Iterator<Item = (String, String)>| {
        let mut files = Files::new();
        parts.for_each(|(path, text)| add(&mut files, path, &text));
        files
    };
    let hooks = group(&mut hooks.into_iter().map(|hook| (hook.source, hook.content)));
    let manifests = group(&mut manifests.into_iter().map(|m| (m.source, m.content)));
    let mut merged = match strategy {
        Strategy::NoHooks => hooks,
        _ => once(&hooks, renderer, "hooks-")?,
    };
    for (path, text) in once(&manifests, renderer, "manifests-")? {
        add(&mut merged, path, &text);
    }
    Ok(merged)
}

fn add(files: &mut Files, path: String, text: &str) {
    files
        .entry(path)
        .and_modify(|held| {
            held.push_str("\n---\n");
            held.push_str(text);
        })
        .or_insert_with(|| text.to_owned());
}

fn once(files: &Files, renderer: &dyn PostRenderer, prefix: &str) -> Result<Files, Error> {
    let mut objects = Vec::new();
    for (path, text) in files {
        for document in manifest::split(text) {
            let object = read_yaml(document.as_bytes())
                .map_err(|error| Error::PostRender(format!("parsing {path}: {error}")))?;
            if !object.is_null() {
                objects.push(annotated(object, path)?);
            }
        }
    }
    // Helm writes objects anew here, and folds nothing.
    let unfolded = EmitOptions {
        width: None,
        ..EmitOptions::default()
    };
    let mut grouped = Files::new();
    let done = renderer.run(objects).map_err(Error::PostRender)?;
    for (at, mut object) in done.into_iter().enumerate() {
        let path = take_annotation(&mut object)
            .unwrap_or_else(|| format!("generated-by-postrender-{prefix}{at}.yaml"));
        let text = tenure_yaml::to_string_with(&object, &unfolded);
        grouped
            .entry(path)
            .and_modify(|held| held.push_str(&format!("---\n{text}")))
            .or_insert(text);
    }
    Ok(grouped)
}

fn annotated(mut object: Value, path: &str) -> Result<Value, Error> {
    let annotations = ["metadata", "annotations"]
        .into_iter()
        .try_fold(&mut object, |at, name| {
            let members = at.as_object_mut()?;
            let held = members
                .entry(name)
                .or_insert_with(|| Value::Object(serde_json::Map::new()));
            if held.is_null() {
                *held = Value::Object(serde_json::Map::new());
            }
            Some(held)
        });
    let Some(Value::Object(annotations)) = annotations else {
        return Err(Error::PostRender(format!("annotating {path}: not an object")));
    };
    annotations.insert(FILE.to_owned(), path.into());
    Ok(object)
}

/// Takes the annotation off again, and annotations altogether if there is no other.
fn take_annotation(object: &mut Value) -> Option<String> {
    let metadata = object.get_mut("metadata")?.as_object_mut()?;
    let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
    let path = annotations.remove(FILE)?;
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
    path.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Relabel;

    impl PostRenderer for Relabel {
        fn run(&self, mut objects: Vec<Value>) -> Result<Vec<Value>, String> {
            for object in &mut objects {
                object["metadata"]["name"] = "changed".into();
            }
            objects.push(serde_json::json!({"kind": "New", "metadata": {}}));
            Ok(objects)
        }
    }

    #[test]
    fn objects_go_back_to_their_files_and_new_ones_get_their_own() {
        let files = Files::from([
            (
                "c/a.yaml".to_owned(),
                "kind: A\n---\nkind: B\nmetadata: {annotations: {x: z}}\n".to_owned(),
            ),
            (
                "c/h.yaml".to_owned(),
                "kind: H\nmetadata: {annotations: {helm.sh/hook: test}}\n".to_owned(),
            ),
        ]);
        let done = run(files.clone(), &Relabel, Strategy::NoHooks).expect("runs");
        assert_eq!(
            done["c/a.yaml"],
            "kind: A\nmetadata:\n  name: changed\n---\nkind: B\nmetadata:\n  annotations:\n    x: z\n  name: changed\n"
        );
        assert_eq!(done["c/h.yaml"], files["c/h.yaml"]);
        assert_eq!(
            done["generated-by-postrender-manifests-2.yaml"],
            "kind: New\nmetadata: {}\n"
        );
        let done = run(files, &Relabel, Strategy::Combined).expect("runs");
        assert!(done["c/h.yaml"].contains("name: changed"));
    }
}

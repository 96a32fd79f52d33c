use std::collections::BTreeMap;

use tenure_gotmpl::read_yaml;

use super::hook::{DeletePolicy, Hook, HookEvent};
use super::order::{INSTALL_ORDER, compare};
use super::{Heads, Manifest, split};
use crate::chart::TypeError;
use crate::chart::decode::Fields;

const HOOK: &str = "helm.sh/hook";
const WEIGHT: &str = "helm.sh/hook-weight";
const DELETE: &str = "helm.sh/hook-delete-policy";
const OUTPUT_LOG: &str = "helm.sh/hook-output-log-policy";

/// The start of a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Group and version.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
    annotations: BTreeMap<String, String>,
}

/// A template printed what is not a manifest. Helm's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is not YAML.
    #[error("YAML parse error on {source_file}: {text}")]
    Yaml {
        /// The template.
        source_file: String,
        /// What is wrong, with the line.
        text: String,
    },
    /// A field of the head is of another type.
    #[error("YAML parse error on {source_file}: {error}")]
    Field {
        /// The template.
        source_file: String,
        /// Which field.
        error: TypeError,
    },
}

impl Head {
    pub(super) fn read(source: &str, content: &str) -> Result<Self, ManifestError> {
        let value = read_yaml(content.as_bytes()).map_err(|text| ManifestError::Yaml {
            source_file: source.to_owned(),
            text,
        })?;
        Self::decode(&value).map_err(|error| ManifestError::Field {
            source_file: source.to_owned(),
            error,
        })
    }

    fn decode(value: &serde_json::Value) -> Result<Self, TypeError> {
        let mut head = Self::default();
        let Some(fields) = Fields::of(value, "util.SimpleHead")? else {
            return Ok(head);
        };
        fields.text("apiVersion", &mut head.api_version)?;
        fields.text("kind", &mut head.kind)?;
        if let Some(metadata) = fields.get("metadata")
            && let Some(metadata) = fields.inner(
                "metadata",
                metadata,
                "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }",
            )?
        {
            metadata.text("name", &mut head.name)?;
            let mut annotations = None;
            metadata.text_map("annotations", &mut annotations)?;
            head.annotations = annotations.unwrap_or_default();
        }
        Ok(head)
    }

    fn words<'a>(&'a self, annotation: &str) -> impl Iterator<Item = String> + use<'a> {
        let text = self.annotations.get(annotation);
        text.into_iter()
            .flat_map(|text| text.split(',').map(|word| word.trim().to_lowercase()))
    }
}

/// Hooks and manifests of the rendered files, each in the order of installation, and what to tell a
/// person about what was left out.
pub(crate) type Sorted = (Vec<Hook>, Vec<Manifest>, Vec<String>);

/// Helm's `SortManifests`.
pub(crate) fn sort(files: BTreeMap<String, String>, heads: &Heads) -> Result<Sorted, ManifestError> {
    let (mut hooks, mut manifests, mut notices) = (Vec::new(), Vec::new(), Vec::new());
    for (source, text) in files {
        let base = source.rsplit('/').next().unwrap_or(&source);
        if base.starts_with('_') || text.trim().is_empty() {
            continue;
        }
        for content in documents(text) {
            let head = heads.read(&source, &content)?;
            if let Some(types) = head.annotations.get(HOOK) {
                match hook(&head, &source, content) {
                    Some(hook) => hooks.push(hook),
                    None => notices.push(format!("skipping unknown hooks: {types}")),
                }
            } else {
                manifests.push(Manifest {
                    source: source.clone(),
                    content,
                    head,
                });
            }
        }
    }
    hooks.sort_by(|a, b| compare(&a.kind, &b.kind, INSTALL_ORDER));
    manifests.sort_by(|a, b| compare(&a.head.kind, &b.head.kind, INSTALL_ORDER));
    Ok((hooks, manifests, notices))
}

/// The documents of a text. Most texts are one, which stays where it is.
fn documents(mut text: String) -> Vec<String> {
    let documents = split(&text);
    if let [only] = *documents
        && text.ends_with(only)
    {
        let start = text.len() - only.len();
        text.drain(..start);
        return vec![text];
    }
    documents.into_iter().map(str::to_owned).collect()
}

/// The hook, unless it is for a moment that is not known.
fn hook(head: &Head, source: &str, content: String) -> Option<Hook> {
    let events = head
        .words(HOOK)
        .map(|word| word.parse::<HookEvent>())
        .collect::<Result<_, _>>()
        .ok()?;
    let weight = head.annotations.get(WEIGHT);
    Some(Hook {
        name: head.name.clone(),
        kind: head.kind.clone(),
        source: source.to_owned(),
        content,
        events,
        weight: weight.and_then(|text| text.parse().ok()).unwrap_or(0),
        delete_policies: head
            .words(DELETE)
            .map(|word| DeletePolicy::from(word.as_str()))
            .collect(),
        output_log_policies: head.words(OUTPUT_LOG).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort(files: &BTreeMap<String, String>) -> Result<Sorted, ManifestError> {
        super::sort(files.clone(), &Heads::default())
    }

    fn files(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn manifests_are_in_the_order_of_installation_and_hooks_apart() {
        let (hooks, manifests, notices) = sort(&files(&[
            ("c/templates/a.yaml", "kind: Zed\n---\nkind: Service\n---\n# nothing\n"),
            ("c/templates/b.yaml", "kind: Namespace\n"),
            ("c/templates/_p.tpl", "not: [yaml"),
            ("c/templates/h.yaml", "kind: Job\nmetadata:\n  name: j\n  annotations:\n    helm.sh/hook: pre-install, Post-Upgrade\n    helm.sh/hook-weight: -5\n    helm.sh/hook-delete-policy: hook-succeeded,x\n"),
            ("c/templates/u.yaml", "kind: Job\nmetadata: {annotations: {helm.sh/hook: crd-install}}\n"),
        ]))
        .expect("sorts");
        let kinds: Vec<_> = manifests.iter().map(|m| m.head.kind.as_str()).collect();
        assert_eq!(kinds, ["Namespace", "Service", "", "Zed"]);
        let [hook] = hooks.as_slice() else {
            panic!("one hook: {hooks:?}");
        };
        assert_eq!(hook.weight, -5);
        assert_eq!(hook.events, [HookEvent::PreInstall, HookEvent::PostUpgrade]);
        assert_eq!(
            hook.delete_policies,
            [DeletePolicy::HookSucceeded, DeletePolicy::Other("x".to_owned())]
        );
        assert_eq!(notices, ["skipping unknown hooks: crd-install"]);
    }

    #[test]
    fn what_is_no_manifest_is_refused_with_the_template_s_name() {
        let error = sort(&files(&[("c/templates/a.yaml", "a: b: c")])).expect_err("not YAML");
        let text = error.to_string();
        assert!(
            text.starts_with("YAML parse error on c/templates/a.yaml: error converting YAML to JSON: yaml: "),
            "{text}"
        );
        let error = sort(&files(&[("c/templates/a.yaml", "- a")])).expect_err("a list");
        assert_eq!(
            error.to_string(),
            "YAML parse error on c/templates/a.yaml: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type util.SimpleHead"
        );
    }
}

//! Names that refer to renamed objects follow them.

use std::collections::HashMap;

use serde_json::Value;

use super::field::visit;
use super::reference_table::{ELSEWHERE, IN_POD, POD_SPECS};
use crate::resource::{Id, Resource};
use crate::{Error, object};

/// An object that was renamed or moved, as others may refer to it.
struct Candidate {
    now: Id,
    before: Vec<Id>,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
}

struct Index(HashMap<(String, String), Vec<Candidate>>);

/// Who refers.
struct Referrer<'a> {
    id: Id,
    prefixes: &'a [String],
    suffixes: &'a [String],
    subjects: Vec<String>,
}

/// Updates every reference in the tables.
pub(crate) fn run(all: &mut [Resource]) -> Result<(), Error> {
    let mut index = Index(HashMap::new());
    for resource in all.iter().filter(|r| !r.previous.is_empty()) {
        let now = resource.id();
        let candidate = Candidate {
            before: resource.previous.clone(),
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
            now: now.clone(),
        };
        index.0.entry((now.group, now.kind)).or_default().push(candidate);
    }
    if index.0.is_empty() {
        return Ok(());
    }
    all.iter_mut()
        .try_for_each(|resource| references(resource, &index))
}

fn references(resource: &mut Resource, index: &Index) -> Result<(), Error> {
    let id = resource.id();
    let subjects = subject_namespaces(&resource.value);
    let origin = resource.origin.clone();
    let who = Referrer {
        id,
        prefixes: &resource.prefixes,
        suffixes: &resource.suffixes,
        subjects,
    };
    let value = &mut resource.value;
    for (_, base) in POD_SPECS.iter().filter(|(kind, _)| *kind == who.id.kind) {
        for (group, kind, path) in IN_POD {
            update(value, &who, index, (group, kind), &format!("{base}/{path}"))
                .map_err(|e| e.or_file(&origin))?;
        }
    }
    for (group, kind, _, path) in ELSEWHERE.iter().filter(|row| row.2 == who.id.kind) {
        if *path == "roleRef/name" && object::text(value, &["roleRef", "kind"]) != Some(kind) {
            continue;
        }
        update(value, &who, index, (group, kind), path).map_err(|e| e.or_file(&origin))?;
    }
    Ok(())
}

/// The namespaces of a binding's ServiceAccounts, which it may refer to.
fn subject_namespaces(value: &Value) -> Vec<String> {
    let subjects = value
        .get("subjects")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    subjects
        .filter_map(|s| s.get("namespace")?.as_str().map(str::to_owned))
        .collect()
}

fn update(
    value: &mut Value,
    who: &Referrer<'_>,
    index: &Index,
    target: (&str, &str),
    path: &str,
) -> Result<(), Error> {
    let Some(candidates) = index.0.get(&(target.0.to_owned(), target.1.to_owned())) else {
        return Ok(());
    };
    visit(value, path, false, &mut |node| {
        node_update(node, who, candidates, target.1)
    })
}

fn node_update(
    node: &mut Value,
    who: &Referrer<'_>,
    candidates: &[Candidate],
    kind: &str,
) -> Result<(), Error> {
    match node {
        Value::String(name) => {
            if let Some(found) = select(name, None, who, candidates)? {
                name.clone_from(&found.now.name);
            }
            Ok(())
        }
        Value::Array(items) => items
            .iter_mut()
            .try_for_each(|item| node_update(item, who, candidates, kind)),
        Value::Object(map) => {
            if map.get("kind").and_then(Value::as_str).is_some_and(|k| k != kind) {
                return Ok(());
            }
            let Some(name) = map.get("name").and_then(Value::as_str).map(str::to_owned) else {
                return Ok(());
            };
            let namespace = map.get("namespace").and_then(Value::as_str).map(str::to_owned);
            if let Some(found) = select(&name, namespace.as_deref(), who, candidates)? {
                map.insert("name".into(), Value::from(found.now.name.clone()));
                if !found.now.namespace.is_empty() {
                    map.insert("namespace".into(), Value::from(found.now.namespace.clone()));
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn select<'c>(
    name: &str,
    namespace: Option<&str>,
    who: &Referrer<'_>,
    candidates: &'c [Candidate],
) -> Result<Option<&'c Candidate>, Error> {
    let named = |c: &&Candidate| c.before.iter().any(|id| id.name == name);
    let mut found: Vec<&Candidate> = candidates
        .iter()
        .filter(named)
        .filter(|c| reachable(who, c))
        .collect();
    if let Some(namespace) = namespace {
        let was = |c: &&Candidate| {
            c.before
                .first()
                .is_some_and(|id| id.effective_namespace() == namespace)
        };
        let originally: Vec<&Candidate> = found.iter().copied().filter(was).collect();
        if originally.is_empty() {
            found.retain(|c| c.now.effective_namespace() == namespace);
        } else {
            found = originally;
        }
    }
    if found.len() > 1 {
        let alike: Vec<&Candidate> = found.iter().copied().filter(|c| context(who, c)).collect();
        if !alike.is_empty() {
            found = alike;
        }
    }
    match found.as_slice() {
        [] => Ok(None),
        [first, rest @ ..] if rest.iter().all(|c| c.now.name == first.now.name) => Ok(Some(first)),
        [first, ..] => Err(Error::invalid(format!(
            "{} refers to {} {name:?}, which could be several objects after renaming",
            who.id.shown(),
            first.now.kind
        ))),
    }
}

fn reachable(who: &Referrer<'_>, candidate: &Candidate) -> bool {
    who.id.is_cluster()
        || candidate.now.is_cluster()
        || candidate.now.effective_namespace() == who.id.effective_namespace()
        || candidate.now.kind == "ServiceAccount" && who.subjects.contains(&candidate.now.namespace)
}

/// Whether the same kustomizations renamed both: the shorter history starts the longer one's end.
fn context(who: &Referrer<'_>, candidate: &Candidate) -> bool {
    let outer = |a: &[String], b: &[String]| a.iter().rev().zip(b.iter().rev()).all(|(x, y)| x == y);
    let len =
        who.prefixes.len() == candidate.prefixes.len() && who.suffixes.len() == candidate.suffixes.len();
    len && outer(who.prefixes, &candidate.prefixes) && outer(who.suffixes, &candidate.suffixes)
}

//! `cargo xtask layers`: arrows between crates go down only, and what a crate must not link it does not.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use serde_json::Value;

use crate::cargo::{list, metadata, text};

/// The level of each crate; from the design.
const LEVELS: &[(u8, &[&str])] = &[
    (0, &["core"]),
    (1, &["api", "proto", "yaml"]),
    (2, &["kube", "sandbox", "artifact", "gotmpl", "net", "serve"]),
    (
        3,
        &[
            "kustomize",
            "helm",
            "apply",
            "notify",
            "sops",
            "git",
            "oci",
            "http",
            "verify",
        ],
    ),
    (4, &["controllers"]),
    (5, &["supervisor", "worker", "cache", "cli"]),
];
/// Crates, and what must be nowhere in the tree of what they link.
const BANS: &[(&[&str], &[&str])] = &[
    (
        &["core", "yaml", "gotmpl", "kustomize", "helm"],
        &["tokio", "kube", "kube-core", "kube-client"],
    ),
    (
        &[
            "api", "artifact", "net", "serve", "git", "oci", "http", "verify", "cache",
        ],
        &["kube-client", "tenure-kube"],
    ),
];
/// Crates that are no part of the product.
const OUTSIDE: &[&str] = &["tenure-testkit", "xtask", "tests", "tenure-tests"];

pub(crate) fn run() -> anyhow::Result<()> {
    let found = violations(&metadata()?);
    if !found.is_empty() {
        bail!("dependencies that the design forbids:\n  {}", found.join("\n  "));
    }
    Ok(())
}

/// Normal dependencies of each package, by package id.
struct Graph<'a> {
    names: BTreeMap<&'a str, &'a str>,
    uses: BTreeMap<&'a str, Vec<&'a str>>,
    own: Vec<&'a str>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Value) -> Self {
        let normal = |dep: &&'a Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
        Self {
            names: list(&metadata["packages"])
                .iter()
                .map(|p| (text(&p["id"]), text(&p["name"])))
                .collect(),
            uses: list(&metadata["resolve"]["nodes"])
                .iter()
                .map(|node| {
                    (
                        text(&node["id"]),
                        list(&node["deps"])
                            .iter()
                            .filter(normal)
                            .map(|dep| text(&dep["pkg"]))
                            .collect(),
                    )
                })
                .collect(),
            own: list(&metadata["workspace_members"]).iter().map(text).collect(),
        }
    }

    fn name(&self, id: &str) -> &'a str {
        self.names.get(id).copied().unwrap_or_default()
    }

    fn tree(&self, id: &'a str) -> BTreeSet<&'a str> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![id]);
        while let Some(id) = open.pop() {
            for next in self.uses.get(id).into_iter().flatten() {
                if seen.insert(*next) {
                    open.push(next);
                }
            }
        }
        seen.into_iter().map(|id| self.name(id)).collect()
    }
}

fn level(name: &str) -> Option<u8> {
    if name == "tenure" {
        return Some(6);
    }
    let short = name.strip_prefix("tenure-")?;
    LEVELS
        .iter()
        .find(|(_, names)| names.contains(&short))
        .map(|(level, _)| *level)
}

fn violations(metadata: &Value) -> Vec<String> {
    let graph = Graph::new(metadata);
    let mut found = Vec::new();
    for id in &graph.own {
        let name = graph.name(id);
        if OUTSIDE.contains(&name) {
            continue;
        }
        let Some(own) = level(name) else {
            found.push(format!(
                "{name} has no level; give it one in crates/xtask/src/layers.rs"
            ));
            continue;
        };
        for used in graph
            .uses
            .get(id)
            .into_iter()
            .flatten()
            .filter(|used| graph.own.contains(used))
        {
            let used = graph.name(used);
            if level(used).is_none_or(|level| level >= own) {
                found.push(format!("{name} uses {used}, which is not below it"));
            }
        }
        let short = name.strip_prefix("tenure-").unwrap_or(name);
        let tree = graph.tree(id);
        for (_, banned) in BANS.iter().filter(|(crates, _)| crates.contains(&short)) {
            let links = banned.iter().filter(|banned| tree.contains(*banned));
            found.extend(links.map(|banned| format!("{name} links {banned}")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn workspace(arrows: &[(&str, &str)]) -> Value {
        let names: BTreeSet<_> = arrows.iter().flat_map(|(a, b)| [*a, *b]).collect();
        let nodes: Vec<_> = names
            .iter()
            .map(|name| {
                let deps = arrows.iter().filter(|(from, _)| from == name);
                let deps: Vec<_> = deps
                    .map(|(_, to)| json!({"pkg": to, "dep_kinds": [{"kind": null}]}))
                    .collect();
                json!({"id": name, "deps": deps})
            })
            .collect();
        let packages: Vec<_> = names
            .iter()
            .map(|name| json!({"id": name, "name": name}))
            .collect();
        let own: Vec<_> = names.iter().filter(|name| name.starts_with("tenure")).collect();
        json!({"packages": packages, "resolve": {"nodes": nodes}, "workspace_members": own})
    }

    #[test]
    fn arrows_go_down_and_never_sideways_or_up() {
        for (from, to, good) in [
            ("tenure", "tenure-worker", true),
            ("tenure-git", "tenure-artifact", true),
            ("tenure-worker", "tenure-cache", false),
            ("tenure-core", "tenure-api", false),
            ("tenure-api", "tenure-unheard", false),
        ] {
            assert_eq!(
                violations(&workspace(&[(from, to)])).is_empty(),
                good,
                "{from} -> {to}"
            );
        }
    }

    #[test]
    fn a_ban_reaches_through_other_crates() {
        let found = violations(&workspace(&[
            ("tenure-cache", "middle"),
            ("middle", "kube-client"),
        ]));
        assert_eq!(found, ["tenure-cache links kube-client"]);
    }

    #[test]
    fn this_workspace_keeps_the_rules() {
        assert_eq!(violations(&metadata().expect("metadata")), Vec::<String>::new());
    }
}

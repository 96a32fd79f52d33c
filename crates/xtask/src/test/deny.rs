//! Licences, bans and sources of what is linked, by the list in `deny.toml`.
//!
//! cargo-deny says more, but installing it from source takes longer than most of the tests; it runs as
//! well where it is installed.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use crate::cargo::{cargo, platform};

#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    source: Option<String>,
}

pub(super) fn run() -> anyhow::Result<()> {
    let root = crate::generate::root();
    let read = |name: &str| fs::read_to_string(root.join(name)).with_context(|| format!("read {name}"));
    let rules: Rules = toml::from_str(&read("deny.toml")?).context("read deny.toml")?;
    let lock: Lock = toml::from_str(&read("Cargo.lock")?).context("read Cargo.lock")?;
    let mut found = of_linked(&rules, &linked()?)?;
    found.extend(of_sources(&rules, &lock));
    if !found.is_empty() {
        bail!("dependencies that deny.toml refuses:\n  {}", found.join("\n  "));
    }
    Ok(())
}

/// Whether cargo-deny is installed.
pub(super) fn cargo_deny() -> bool {
    cargo(&["deny", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// `name version|licence` of each crate that is compiled, for the product or for its tests.
fn linked() -> anyhow::Result<String> {
    let output = cargo(&["tree", "--workspace", "--locked", "--prefix=none"])
        .args(["--format={p}|{l}", "--target", &platform()])
        .output()
        .context("run cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn of_linked(rules: &Rules, tree: &str) -> anyhow::Result<Vec<String>> {
    let mut allowed = Vec::new();
    for license in &rules.licenses.allow {
        allowed.push(Licensee::parse(license).with_context(|| format!("deny.toml allows {license}"))?);
    }
    let crates: BTreeSet<&str> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty())
        .collect();
    let mut found = Vec::new();
    for one in crates {
        let (package, license) = one
            .split_once('|')
            .context("a line of cargo tree without a licence")?;
        let name = package.split(' ').next().unwrap_or_default();
        if let Some(ban) = rules.bans.deny.iter().find(|ban| ban.name == name) {
            found.push(format!("{package} is banned: {}", ban.reason));
        }
        if !may_use(&allowed, license) {
            found.push(format!("{package} has the licence '{license}'"));
        }
    }
    Ok(found)
}

fn may_use(allowed: &[Licensee], license: &str) -> bool {
    // Lax for `MIT/Apache-2.0`, which old crates say.
    Expression::parse_mode(license, ParseMode::LAX).is_ok_and(|expression| {
        expression.evaluate(|asked| allowed.iter().any(|licensee| licensee.satisfies(asked)))
    })
}

fn of_sources(rules: &Rules, lock: &Lock) -> Vec<String> {
    let known = |source: &str| {
        let registry = source.strip_prefix("registry+").unwrap_or_default();
        rules.sources.allow_registry.iter().any(|known| known == registry)
    };
    lock.package
        .iter()
        .filter_map(|package| Some((&package.name, package.source.as_deref()?)))
        .filter(|(_, source)| !known(source))
        .map(|(name, source)| format!("{name} comes from {source}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        toml::from_str(
            r#"
            licenses.allow = ["MIT", "Apache-2.0 WITH LLVM-exception"]
            bans.deny = [{ crate = "openssl", reason = "rustls" }]
            sources.allow-registry = ["https://registry.example"]
            "#,
        )
        .expect("rules")
    }

    #[test]
    fn a_crate_needs_one_licence_that_is_allowed_or_all_of_them() {
        for (license, good) in [
            ("MIT OR GPL-3.0-only", true),
            ("GPL-3.0-only/MIT", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT AND GPL-3.0-only", false),
            ("Apache-2.0", false),
            ("", false),
        ] {
            let found = of_linked(&rules(), &format!("one v1.0.0|{license}")).expect("reads");
            assert_eq!(found.is_empty(), good, "{license}: {found:?}");
        }
    }

    #[test]
    fn a_banned_crate_is_named_with_the_reason() {
        let tree = "openssl v0.10.1|MIT\n\nopenssl-probe v0.2.0|MIT\nopenssl v0.10.1|MIT (*)\n";
        let found = of_linked(&rules(), tree).expect("reads");
        assert_eq!(found, ["openssl v0.10.1 is banned: rustls"]);
    }

    #[test]
    fn only_the_known_registry_is_a_source() {
        let lock: Lock = toml::from_str(
            r#"
            package = [
              { name = "own" },
              { name = "good", source = "registry+https://registry.example" },
              { name = "git", source = "git+https://registry.example" },
            ]
            "#,
        )
        .expect("a lock file");
        assert_eq!(
            of_sources(&rules(), &lock),
            ["git comes from git+https://registry.example"]
        );
    }
}

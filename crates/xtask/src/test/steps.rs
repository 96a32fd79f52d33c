//! Which steps there are, and in which order.

use std::process::Command;

use anyhow::Context as _;

use super::{Work, deny};
use crate::cargo::{cargo, list, metadata, target_directory, text};

/// The crate whose test targets are the end-to-end suites.
const SUITES: &str = "tenure-tests";

/// Everything, what fails early first. All tests are built with one set of features, that of the whole
/// workspace: a set per crate would build the dependencies again and again.
pub(super) fn all(long: bool) -> anyhow::Result<Vec<(String, Work)>> {
    let check = |name: &str, check| (name.to_owned(), Work::Check(check));
    let run = |name: &str, args: &[&str]| (name.to_owned(), Work::Run(cargo(args)));
    fetch()?;
    let metadata = metadata()?;
    let (crates, suites) = test_targets(&metadata);
    let mut steps = vec![
        run("format", &["fmt", "--all", "--check"]),
        check("sizes", crate::sizes::run),
        check("layers", crate::layers::run),
        check("dependencies", deny::run),
        check("generated files", || {
            crate::generate::run(&crate::generate::Args { check: true })
        }),
    ];
    if deny::cargo_deny() {
        steps.push(run(
            "cargo deny",
            &["deny", "check", "bans", "licenses", "sources"],
        ));
    }
    steps.extend([
        run(
            "clippy",
            &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        ),
        run("build the program", &["build", "-p", "tenure"]),
        run("build the tests", &["test", "--workspace", "--no-run"]),
        (
            "unit tests".to_owned(),
            Work::Run(tests(&["--lib", "--bins"], long)?),
        ),
        ("programs to test against".to_owned(), Work::Rig),
        (
            "integration tests".to_owned(),
            Work::Run(tests(&flags(&crates), long)?),
        ),
    ]);
    for suite in &suites {
        let tests = tests(&["--test", suite], long)?;
        steps.push((format!("suite {suite}"), Work::Run(tests)));
    }
    steps.push((
        "examples in the docs".to_owned(),
        Work::Run(tests(&["--doc"], long)?),
    ));
    if long {
        steps.push(check("an upgrade", || {
            crate::upgrade::run(crate::upgrade::Args::default())
        }));
    }
    Ok(steps)
}

/// In a fresh clone the crates that only some members use are not here yet.
fn fetch() -> anyhow::Result<()> {
    let output = cargo(&["fetch", "--locked", "--target", &crate::cargo::platform()])
        .output()
        .context("run cargo fetch")?;
    anyhow::ensure!(
        output.status.success(),
        "cargo fetch failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn tests(which: &[&str], long: bool) -> anyhow::Result<Command> {
    let mut command = cargo(&["test", "--workspace"]);
    command.args(which);
    if !which.contains(&"--doc") {
        command.args(["--no-fail-fast"]);
    }
    // Two at least, since tests mostly wait; few, since each may start servers of its own.
    let threads = std::thread::available_parallelism()
        .map_or(2, usize::from)
        .clamp(2, 4);
    command
        .env("RUST_TEST_THREADS", threads.to_string())
        .env("RUST_BACKTRACE", "0")
        .env("TENURE_FUZZ_SECONDS", if long { "600" } else { "60" })
        // Built by a step before: a test that asked Cargo would wait for Cargo's lock.
        .env("TENURE_BIN", target_directory()?.join("debug/tenure"));
    if long {
        command.env("TENURE_LONG", "1").args(["--", "--include-ignored"]);
        if which.contains(&crate::upgrade::SUITE) {
            // last of all: the version before may ask for more than a suite about that allows
            command.args(["--skip", crate::upgrade::TEST]);
        }
    } else {
        // The same trees in every run, so that a failure is that of a change; `--long` tries new ones.
        command.env("TENURE_SEED", "1");
    }
    Ok(command)
}

fn flags(targets: &[String]) -> Vec<&str> {
    targets
        .iter()
        .flat_map(|target| ["--test", target.as_str()])
        .collect()
}

/// Names of the test targets of all crates, and of the suites, each once.
fn test_targets(metadata: &serde_json::Value) -> (Vec<String>, Vec<String>) {
    let members = list(&metadata["workspace_members"]);
    let (mut crates, mut suites) = (Vec::new(), Vec::new());
    for package in list(&metadata["packages"])
        .iter()
        .filter(|package| members.contains(&package["id"]))
    {
        let names = list(&package["targets"])
            .iter()
            .filter(|target| list(&target["kind"]).iter().any(|kind| kind == "test"))
            .map(|target| text(&target["name"]).to_owned());
        let into = if package["name"] == SUITES {
            &mut suites
        } else {
            &mut crates
        };
        into.extend(names);
    }
    crates.sort();
    crates.dedup();
    (crates, suites)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_is_a_step_of_its_own_and_no_crates_test_has_its_name() {
        let metadata = metadata().expect("metadata");
        let (crates, suites) = test_targets(&metadata);
        assert!(suites.contains(&"scenarios".to_owned()), "{suites:?}");
        assert!(crates.contains(&"it".to_owned()), "{crates:?}");
        assert!(
            suites.iter().all(|suite| !crates.contains(suite)),
            "it would run twice"
        );
    }
}

//! Trees made to use up time, memory or stack, or to read what is none of theirs. Each must end in an
//! error, soon, whatever it asks for.

mod growth;
mod input;
mod links;
mod loops;
mod patterns;
mod stack;
mod substitution;

use std::time::{Duration, Instant};

use tenure_kustomize::{Budget, MemFs, Options, Reason, build};

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n";

/// Small limits, so that reaching one takes no time.
fn budget() -> Budget {
    Budget {
        bytes: 8 << 20,
        memory: 2 << 20,
        time: Duration::from_secs(20),
        ..Budget::default()
    }
}

fn within(budget: Budget, files: &[(&str, &str)]) -> Result<usize, tenure_kustomize::Error> {
    let options = Options {
        budget,
        ..Options::default()
    };
    build(&MemFs::new(files.iter().copied()), ".", &options).map(|built| built.objects.len())
}

/// What limit the tree runs into, and where.
fn limit(files: &[(&str, &str)]) -> String {
    limit_within(budget(), files)
}

/// The same, for a tree that would take longer than this.
fn late(files: &[(&str, &str)]) -> String {
    let time = Duration::from_millis(100);
    limit_within(
        Budget {
            time,
            memory: 64 << 20,
            ..budget()
        },
        files,
    )
}

fn limit_within(budget: Budget, files: &[(&str, &str)]) -> String {
    let started = Instant::now();
    let error = within(budget, files).expect_err("it must not build");
    let took = started.elapsed();
    assert!(
        matches!(
            error.reason(),
            Reason::Budget { .. } | Reason::Yaml(tenure_yaml::Reason::TooBig { .. })
        ),
        "no limit: {error}"
    );
    assert!(took < Duration::from_secs(30), "it took {took:?}: {error}");
    error.to_string()
}

/// A kustomization of one object with something added.
fn one(more: &str) -> String {
    limit(&[
        ("kustomization.yaml", &format!("resources: [a.yaml]\n{more}")),
        ("a.yaml", OBJECT),
    ])
}

/// ConfigMaps with different names.
fn many(count: usize) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for i in 0..count {
        let _ = write!(
            out,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a{i}}}\ndata: {{k: v}}\n"
        );
    }
    out
}

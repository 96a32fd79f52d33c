//! Trees made of small valid ones by changing bytes and values at random: whatever comes of it, a build
//! must not panic, must end within its budget, and must come out the same when it is done again.
//!
//! `TENURE_FUZZ_SECONDS` says for how long, `TENURE_SEED` from which seed on; a failure names its own.

mod corpus;
mod mutate;
mod read_set;

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tenure_kustomize::flux::{self, CommonMetadata, Overlay};
use tenure_kustomize::{Budget, Build, Error, Image, MemFs, Options, Patch, build};

use corpus::Tree;

/// What is enough to notice that the test itself is broken.
const SECONDS: u64 = 3;

/// What a busy machine may add to a build's own limit.
const GRACE: Duration = Duration::from_secs(20);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn budget() -> Budget {
    Budget {
        memory: 32 << 20,
        bytes: 1 << 20,
        objects: 1000,
        files: 2000,
        time: Duration::from_secs(2),
        ..Budget::default()
    }
}

/// Does it with one seed after the other; a failure says which one it was.
fn for_a_while(mut work: impl FnMut(&mut StdRng)) -> u64 {
    let seconds = number("TENURE_FUZZ_SECONDS").unwrap_or(SECONDS);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let first = number("TENURE_SEED").unwrap_or(now.as_secs() << 20);
    let started = Instant::now();
    for seed in first.. {
        let mut random = StdRng::seed_from_u64(seed);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(&mut random))) {
            panic!("with TENURE_SEED={seed}: {}", message(&*panic));
        }
        if started.elapsed() > Duration::from_secs(seconds) {
            return seed - first + 1;
        }
    }
    0
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref().copied()).unwrap_or_default()
}

#[test]
fn no_tree_makes_a_build_panic_or_linger() {
    let corpus = corpus::trees();
    let (mut built, mut refused) = (0_u64, 0_u64);
    let seeds = for_a_while(|random| {
        let tree = mutate::tree(random, &corpus);
        let counts = catch_unwind(AssertUnwindSafe(|| everything(random, &tree)))
            .unwrap_or_else(|panic| panic!("{}, of\n{}", message(&*panic), corpus::shown(&tree)));
        built += counts.0;
        refused += counts.1;
    });
    println!("{seeds} trees: {built} builds gave something, {refused} were refused");
    // Nothing but nonsense would say nothing about what builds do.
    assert!(built * 20 > refused, "{built} were built and {refused} refused");
}

/// Builds the tree in every way. Returns how many gave something, and how many did not.
fn everything(random: &mut StdRng, tree: &Tree) -> (u64, u64) {
    let fs = MemFs::new(tree.clone());
    let overlay = overlay(random);
    let options = Options {
        budget: budget(),
        managed_by_label: random.random_bool(0.2),
        ..Options::default()
    };
    let mut counts = (0, 0);
    let there = |dir: &&str| *dir == "." || tree.keys().any(|path| path.split('/').next() == Some(dir));
    for dir in [".", "over", "base", "plain"].into_iter().filter(there) {
        let first = timed(|| build(&fs, dir, &options));
        let again = timed(|| flux::build_within(&fs, dir, &overlay, budget()));
        for (i, done) in [first, again].into_iter().enumerate() {
            match done {
                Err(error) => {
                    assert!(error.to_string().len() < 5000, "a long message");
                    counts.1 += 1;
                }
                Ok(done) => {
                    counts.0 += 1;
                    assert!(done.read_set.unchanged(&fs), "it changed by being built");
                    if i == 0 && random.random_bool(0.1) {
                        let twice = build(&fs, dir, &options).expect("it was built before");
                        assert_eq!(twice.to_yaml(), done.to_yaml());
                        assert_eq!(twice.read_set.digest(), done.read_set.digest());
                    }
                    finish(random, done);
                }
            }
        }
    }
    counts
}

fn timed(work: impl FnOnce() -> Result<Build, Error>) -> Result<Build, Error> {
    let started = Instant::now();
    let done = work();
    let took = started.elapsed();
    assert!(took < budget().time + GRACE, "it took {took:?}");
    done
}

/// What comes after a build: the text, which must say the same, and substitution.
fn finish(random: &mut StdRng, mut done: Build) {
    let text = done.to_yaml();
    let read = tenure_yaml::parse(text.as_bytes(), &tenure_yaml::Options::kustomize());
    let read: Vec<_> = read
        .expect("what was written")
        .into_iter()
        .map(|d| d.value)
        .collect();
    if !done.objects.is_empty() {
        assert_eq!(read, done.objects.clone().into_vec(), "written as\n{text}");
    }
    let variables = BTreeMap::from([
        ("A".to_owned(), mutate::scalar(random)),
        ("b_2".to_owned(), "x: [y".to_owned()),
        ("EMPTY".to_owned(), String::new()),
    ]);
    let _ = flux::substitute_within(&mut done.objects, &variables, random.random_bool(0.5), budget());
}

fn overlay(random: &mut StdRng) -> Overlay {
    let text = |random: &mut StdRng| random.random_bool(0.1).then(|| mutate::scalar(random));
    Overlay {
        target_namespace: text(random),
        name_prefix: text(random),
        name_suffix: text(random),
        patches: text(random)
            .map(|patch| Patch {
                patch: Some(patch),
                ..Patch::default()
            })
            .into_iter()
            .collect(),
        images: text(random)
            .map(|name| Image {
                name,
                new_tag: Some("v1".to_owned()),
                ..Image::default()
            })
            .into_iter()
            .collect(),
        common_metadata: CommonMetadata {
            labels: text(random)
                .map(|value| ("l".to_owned(), value))
                .into_iter()
                .collect(),
            ..CommonMetadata::default()
        },
        ..Overlay::default()
    }
}

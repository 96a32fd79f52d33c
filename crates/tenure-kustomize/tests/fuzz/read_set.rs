//! The read set of a build, held against trees with one thing changed.

use rand::Rng as _;
use rand::rngs::StdRng;
use tenure_kustomize::flux::{self, Overlay};
use tenure_kustomize::{Build, Error, MemFs, Options, RelPath, Seen, build};

use crate::corpus::{self, Tree};
use crate::{budget, for_a_while, mutate};

/// What may turn up beside what is there.
const NEW: &[&str] = &[
    "kustomization.yaml",
    "kustomization.yml",
    "Kustomization",
    "a.yaml",
    "new.yaml",
    "new.txt",
    "new/b.yml",
];

fn built(fs: &MemFs, dir: &str, by_flux: bool) -> Result<Build, Error> {
    if by_flux {
        return flux::build_within(fs, dir, &Overlay::default(), budget());
    }
    let options = Options {
        budget: budget(),
        ..Options::default()
    };
    build(fs, dir, &options)
}

/// The tree with one file changed, added or taken away, and which.
fn changed(random: &mut StdRng, tree: &Tree, corpus: &[Tree], seen: &[String]) -> (Tree, String) {
    let mut after = tree.clone();
    let names: Vec<&String> = tree.keys().collect();
    let beside = names[random.random_range(0..names.len())];
    let dir = beside
        .rsplit_once('/')
        .map_or(String::new(), |(dir, _)| format!("{dir}/"));
    let path = match random.random_range(0..4) {
        0 => beside.clone(),
        1 => format!("{dir}{}", NEW[random.random_range(0..NEW.len())]),
        _ => seen[random.random_range(0..seen.len())].clone(),
    };
    let donors = &corpus[random.random_range(0..corpus.len())];
    let content = match random.random_range(0..4) {
        0 => b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\n".to_vec(),
        1 => tree
            .get(&path)
            .map(|old| [old, &b"# more\n"[..]].concat())
            .unwrap_or_default(),
        2 => mutate::scalar(random).into_bytes(),
        _ => donors
            .values()
            .nth(random.random_range(0..donors.len()))
            .expect("it is there")
            .clone(),
    };
    if path.is_empty() || random.random_bool(0.2) {
        after.remove(&path);
    } else {
        after.insert(path.clone(), content);
    }
    (after, path)
}

#[test]
fn what_is_not_in_the_read_set_does_not_matter_and_what_is_does() {
    let corpus = corpus::trees();
    let mut same = 0;
    let seeds = for_a_while(|random| {
        let tree = mutate::tree(random, &corpus);
        let before = MemFs::new(tree.clone());
        for (dir, by_flux) in [
            (".", false),
            ("over", false),
            ("over", true),
            ("plain", true),
            (".", true),
        ] {
            let Ok(first) = built(&before, dir, by_flux) else {
                continue;
            };
            let seen: Vec<String> = first
                .read_set
                .iter()
                .map(|(path, _)| path.as_str().to_owned())
                .collect();
            for _ in 0..10 {
                let (after, path) = changed(random, &tree, &corpus, &seen);
                let fs = MemFs::new(after.clone());
                let unchanged = first.read_set.unchanged(&fs);
                let told = format!(
                    "{path} changed for {dir} (by Flux: {by_flux}) of\n{}\nto\n{}",
                    corpus::shown(&tree),
                    corpus::shown(&after)
                );
                if unchanged {
                    same += 1;
                    let again = built(&fs, dir, by_flux).unwrap_or_else(|e| panic!("{e}: {told}"));
                    assert!(
                        again.objects == first.objects && again.read_set == first.read_set,
                        "{told}"
                    );
                    assert_eq!(again.read_set.digest(), first.read_set.digest());
                }
                let relative = RelPath::parse(&path).expect("a path of the tree");
                let content = first.read_set.iter().find(|(at, _)| **at == relative);
                if matches!(content, Some((_, Seen::File(_)))) && tree.get(&path) != after.get(&path) {
                    assert!(!unchanged, "it was read: {told}");
                }
                // Every change beneath or above a path may be one of it.
                let near = |at: &RelPath| at.is_beneath(&relative) || relative.is_beneath(at);
                assert!(
                    unchanged || first.read_set.iter().any(|(at, _)| near(at)),
                    "nobody looked: {told}"
                );
            }
        }
    });
    println!("{seeds} trees, {same} changes that did not matter");
    assert!(same > 0, "every change was one of what was read");
}

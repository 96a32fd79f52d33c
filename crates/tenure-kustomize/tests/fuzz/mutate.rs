//! Changes at random: of bytes, of values, of files.

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

use crate::corpus::Tree;

/// What means something somewhere.
const WORDS: &[&str] = &[
    "",
    "null",
    "~",
    "true",
    "0",
    "-1",
    "1e9",
    "9223372036854775808",
    "0x1F",
    "2001-01-01",
    "a",
    "d",
    "g",
    "V",
    "$(V)",
    "$$",
    "${A}",
    "${A:-",
    "${A//x/${A}}",
    "${A%%*}",
    "${b_2}",
    "${#A}",
    "..",
    "../base",
    "/",
    "a/b",
    "a.b",
    "a.*.b",
    "[name=c]",
    "spec.template.spec.containers.[name=c].image",
    "metadata.name",
    "metadata/labels",
    "spec/template",
    "ConfigMap",
    "Deployment",
    "v1",
    "apps/v1",
    "builtin",
    "List",
    "merge",
    "replace",
    "delete",
    "*",
    "^a$",
    "(",
    "[a-z]+",
    ".*",
    "a=b",
    "a in (b,c)",
    "!a",
    "\u{feff}",
    "\u{0}",
    "é",
    "\u{1f600}",
    "'",
    "\"",
    "\n",
    ": ",
    "- ",
    "#",
    "&a",
    "*a",
    "<<",
    "!!binary eA==",
    "|",
    ">-",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    "?",
    "\t",
    "\r\n",
    "$patch",
];

/// Names of fields that a build reads.
const FIELDS: &[&str] = &[
    "resources",
    "components",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "images",
    "replicas",
    "labels",
    "commonLabels",
    "commonAnnotations",
    "namespace",
    "namePrefix",
    "nameSuffix",
    "configMapGenerator",
    "secretGenerator",
    "generatorOptions",
    "replacements",
    "vars",
    "transformers",
    "generators",
    "validators",
    "configurations",
    "crds",
    "openapi",
    "buildMetadata",
    "sortOptions",
    "kind",
    "apiVersion",
    "metadata",
    "name",
    "target",
    "path",
    "patch",
    "options",
    "op",
    "from",
    "value",
    "source",
    "targets",
    "select",
    "fieldPath",
    "fieldPaths",
    "delimiter",
    "index",
    "create",
    "items",
    "data",
    "binaryData",
    "spec",
    "$patch",
    "$ref",
];

fn pick<'a, T: ?Sized>(random: &mut StdRng, list: &[&'a T]) -> &'a T {
    list[random.random_range(0..list.len())]
}

pub(crate) fn scalar(random: &mut StdRng) -> String {
    let parts = random.random_range(0..3);
    (0..=parts).map(|_| pick(random, WORDS)).collect()
}

/// A tree of the corpus with some changes, rarely none.
pub(crate) fn tree(random: &mut StdRng, corpus: &[Tree]) -> Tree {
    let mut tree = corpus[random.random_range(0..corpus.len())].clone();
    for _ in 0..random.random_range(0..5) {
        let names: Vec<String> = tree.keys().cloned().collect();
        let name = names[random.random_range(0..names.len())].clone();
        let other = &corpus[random.random_range(0..corpus.len())];
        let others: Vec<&Vec<u8>> = other.values().collect();
        let donor = others[random.random_range(0..others.len())].clone();
        match random.random_range(0..20) {
            0 if names.len() > 1 => {
                tree.remove(&name);
            }
            1 => {
                tree.insert(name, donor);
            }
            2 => {
                tree.insert(
                    format!(
                        "plain/{}",
                        pick(random, &["x.yaml", "y/z.yml", "kustomization.yaml"])
                    ),
                    donor,
                );
            }
            3..9 => {
                let bytes = tree.get_mut(&name).expect("it is there");
                for _ in 0..random.random_range(1..4) {
                    change_bytes(random, bytes, &donor);
                }
            }
            _ => {
                let bytes = tree.get_mut(&name).expect("it is there");
                change_values(random, bytes, &donor);
            }
        }
    }
    tree
}

fn range(random: &mut StdRng, len: usize) -> std::ops::Range<usize> {
    let from = random.random_range(0..=len);
    from..(from + random.random_range(0..40)).min(len)
}

fn change_bytes(random: &mut StdRng, bytes: &mut Vec<u8>, donor: &[u8]) {
    let at = range(random, bytes.len());
    match random.random_range(0..6) {
        0 => {
            if let Some(byte) = bytes.get_mut(at.start) {
                *byte = random.random();
            }
        }
        1 => drop(bytes.drain(at)),
        2 => {
            let copy = bytes[at.clone()].repeat(random.random_range(1..20));
            bytes.splice(at.start..at.start, copy);
        }
        3 => {
            let part = donor[range(random, donor.len())].to_vec();
            bytes.splice(at, part);
        }
        4 => bytes.truncate(at.start),
        _ => {
            let word = if random.random_bool(0.7) {
                pick(random, WORDS)
            } else {
                pick(random, FIELDS)
            };
            bytes.splice(at.start..at.start, word.bytes());
        }
    }
}

/// Reads the documents, changes a value in one of them and writes them again.
fn change_values(random: &mut StdRng, bytes: &mut Vec<u8>, donor: &[u8]) {
    let read = |bytes: &[u8]| tenure_yaml::parse(bytes, &tenure_yaml::Options::helm()).unwrap_or_default();
    let mut documents: Vec<Value> = read(bytes).into_iter().map(|d| d.value).collect();
    let donors: Vec<Value> = read(donor).into_iter().map(|d| d.value).collect();
    if documents.is_empty() {
        return;
    }
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..documents.len());
        let new = value(random, &donors);
        let count = nodes(&documents[at]);
        let mut left = random.random_range(0..count);
        change(random, &mut documents[at], &mut left, new);
    }
    let texts: Vec<String> = documents.iter().map(tenure_yaml::to_string).collect();
    *bytes = texts.join("---\n").into_bytes();
}

fn value(random: &mut StdRng, donors: &[Value]) -> Value {
    match random.random_range(0..8) {
        0 => Value::Null,
        1 => json!(random.random_range(-3..100_000)),
        2 => json!([]),
        3 => json!({}),
        4 => json!({pick(random, FIELDS): scalar(random)}),
        5 => json!([scalar(random)]),
        6 if !donors.is_empty() => {
            let donor = &donors[random.random_range(0..donors.len())];
            let mut left = random.random_range(0..nodes(donor));
            part(donor, &mut left).cloned().unwrap_or_default()
        }
        _ => json!(scalar(random)),
    }
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(nodes).sum(),
        Value::Object(map) => map.values().map(nodes).sum::<usize>(),
        _ => 0,
    }
}

fn part<'a>(value: &'a Value, left: &mut usize) -> Option<&'a Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter().find_map(|v| part(v, left)),
        Value::Object(map) => map.values().find_map(|v| part(v, left)),
        _ => None,
    }
}

/// Changes the node that comes `left` after this one; whether it was found.
fn change(random: &mut StdRng, node: &mut Value, left: &mut usize, new: Value) -> bool {
    if *left == 0 {
        at_node(random, node, new);
        return true;
    }
    *left -= 1;
    match node {
        Value::Array(items) => items.iter_mut().any(|v| change(random, v, left, new.clone())),
        Value::Object(map) => map.values_mut().any(|v| change(random, v, left, new.clone())),
        _ => false,
    }
}

fn at_node(random: &mut StdRng, node: &mut Value, new: Value) {
    match (node, random.random_range(0..4)) {
        (Value::Array(items), 0 | 1) => {
            let at = random.random_range(0..=items.len());
            items.insert(at, new);
        }
        (Value::Array(items), 2) if !items.is_empty() => {
            let at = random.random_range(0..items.len());
            let copy = items[at].clone();
            items.extend(vec![copy; random.random_range(1..10)]);
        }
        (Value::Object(map), 0 | 1) => {
            let name = if random.random_bool(0.7) {
                pick(random, FIELDS)
            } else {
                pick(random, WORDS)
            };
            map.insert(name.to_owned(), new);
        }
        (Value::Object(map), 2) if !map.is_empty() => {
            let at = random.random_range(0..map.len());
            let kept = std::mem::take(map)
                .into_iter()
                .enumerate()
                .filter(|(i, _)| *i != at);
            *map = kept.map(|(_, member)| member).collect::<Map<_, _>>();
        }
        (Value::Array(items), _) if random.random_bool(0.5) => items.clear(),
        (node, 3) => *node = json!([node.take()]),
        (node, _) => *node = new,
    }
}

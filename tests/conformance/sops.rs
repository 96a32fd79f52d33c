//! Documents made up at random, encrypted by sops: what it decrypts them to, we do, and the MAC fits.
//! `TENURE_DOCUMENTS` says how many, `TENURE_SEED` from which on.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Map, Value, json};
use tenure_sops::{Document, Format, Keyring, Limits, Mac};
use tenure_testkit::rig::Sops;

use crate::random::number;

/// Some of each format; a document takes sops a good part of a second.
const DOCUMENTS: u64 = 40;

const KEYS: [&str; 8] = ["a", "b", "data", "password", "k-2", "yes", "with space", "a.b/c"];
const PIECES: [&str; 40] = [
    "a",
    "data",
    "x y",
    "é",
    "😀",
    "#",
    "# c",
    ": ",
    "- ",
    "\n",
    "\n\n",
    " ",
    "\"",
    "'",
    "\\",
    "\t",
    "1",
    "true",
    "null",
    "~",
    "<",
    "&",
    "*",
    "!",
    "|",
    ">",
    "%",
    "@",
    "`",
    "{",
    "[",
    "]",
    ",",
    "?",
    "=",
    "0x1f",
    "1e3",
    "2024-01-01",
    "no",
    "..",
];
const RULES: [&[&str]; 4] = [
    &[],
    &[],
    &["--encrypted-regex", "^(data|pass.*)$"],
    &["--unencrypted-regex", "^a"],
];

fn key_file() -> PathBuf {
    Path::new("../crates/tenure-sops/tests/fixtures/keys/tenant.agekey").to_path_buf()
}

#[test]
fn a_document_comes_out_as_sops_has_it() -> anyhow::Result<()> {
    let key = std::fs::read_to_string(key_file())?;
    let recipient = key.lines().find_map(|line| line.strip_prefix("# public key: "));
    let recipient = recipient.context("the key file names its public key")?;
    let sops = Sops::ready(&key_file())?;
    let mut keys = Keyring::default();
    keys.add_age(&key)?;
    let first = number("TENURE_SEED", 0);
    let mut compared = 0;
    for seed in first..first + number("TENURE_DOCUMENTS", DOCUMENTS) {
        let mut random = StdRng::seed_from_u64(seed);
        let (format, end, text) = document(&mut random);
        let dir = tempfile::tempdir()?;
        let file = dir.path().join(format!("document.{end}"));
        std::fs::write(&file, &text)?;
        let rule = RULES.choose(&mut random).copied().unwrap_or_default();
        let Some(encrypted) = sops.encrypt(&file, recipient, rule)? else {
            continue;
        };
        std::fs::write(&file, &encrypted)?;
        let Some(theirs) = sops.decrypt(&file)? else {
            continue;
        };
        let ours = decrypt(&encrypted, format, &keys);
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match ours {
            Ok(ours) if ours == theirs => compared += 1,
            Ok(ours) => bail!(
                "seed {seed} of\n{text}\n--- sops\n{}\n--- we\n{}",
                shown(&theirs),
                shown(&ours)
            ),
            Err(error) => bail!(
                "seed {seed} of\n{text}\n--- sops\n{}\n--- we\n{error}",
                shown(&theirs)
            ),
        }
    }
    ensure!(compared > 0, "sops refused all of them");
    Ok(())
}

fn decrypt(bytes: &[u8], format: Format, keys: &Keyring) -> Result<Vec<u8>, tenure_sops::Error> {
    let document = Document::parse(bytes, format, &Limits::default())?;
    let key = keys.data_key(&document)?;
    Ok(document.decrypt(&key, Mac::Verify)?.write(format)?.to_vec())
}

fn document(random: &mut StdRng) -> (Format, &'static str, String) {
    match random.random_range(0..6) {
        0..3 => (Format::Yaml, "yaml", yaml(random)),
        3 => (Format::Json, "json", Value::Object(map(random, 0)).to_string()),
        4 => (Format::Dotenv, "env", lines(random)),
        _ => (Format::Ini, "ini", sections(random)),
    }
}

fn text(random: &mut StdRng) -> String {
    let length = [0, 1, 1, 2, 3, 6].choose(random).copied().unwrap_or(1);
    (0..length)
        .filter_map(|_| PIECES.choose(random).copied())
        .collect()
}

fn map(random: &mut StdRng, depth: usize) -> Map<String, Value> {
    let count = random.random_range(usize::from(depth == 0)..5);
    let mut map = Map::new();
    for _ in 0..count {
        let key = KEYS.choose(random).copied().unwrap_or("a");
        map.insert(key.to_owned(), value(random, depth));
    }
    map
}

fn value(random: &mut StdRng, depth: usize) -> Value {
    match random.random_range(0..12) {
        0 | 1 if depth < 3 => Value::Object(map(random, depth + 1)),
        2 | 3 if depth < 3 => {
            let count = random.random_range(0..4);
            (0..count).map(|_| value(random, depth + 1)).collect()
        }
        4 => json!(random.random_range(-1_000_000_000_000_i64..1_000_000_000_000)),
        5 => json!(
            [1.5, -0.25, 1e22, 3.14e-9, 123_456.75]
                .choose(random)
                .copied()
                .unwrap_or(0.5)
        ),
        6 => json!(random.random_bool(0.5)),
        7 => Value::Null,
        _ => Value::String(text(random)),
    }
}

/// YAML with comments in places where sops keeps them in their places.
fn yaml(random: &mut StdRng) -> String {
    let mut out = String::new();
    branch(&map(random, 0), 0, random, &mut out);
    if random.random_bool(0.2) {
        out.push_str("# the end\n");
    }
    out
}

fn branch(map: &Map<String, Value>, column: usize, random: &mut StdRng, out: &mut String) {
    for (key, value) in map {
        let indent = " ".repeat(column);
        if random.random_bool(0.2) {
            out.push_str(&format!("{indent}# comment {}\n", random.random_range(0..100)));
        }
        out.push_str(&format!("{indent}{}:", json!(key)));
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                branch(inner, column + 2, random, out);
            }
            Value::Array(list) if !list.is_empty() => {
                out.push('\n');
                for entry in list {
                    out.push_str(&format!("{indent}  - {entry}\n"));
                }
            }
            other => out.push_str(&format!(" {other}\n")),
        }
    }
}

fn lines(random: &mut StdRng) -> String {
    let mut out = String::from("# comment\n");
    for number in 0..random.random_range(1..6) {
        out.push_str(&format!("KEY{number}={}\n", text(random).replace('\n', "\\n")));
    }
    out
}

fn sections(random: &mut StdRng) -> String {
    let mut out = String::new();
    for section in ["one", "two", "two"].iter().take(random.random_range(1..4)) {
        out.push_str(&format!("[{section}]\n"));
        for number in 0..random.random_range(0..4) {
            if random.random_bool(0.3) {
                out.push_str("; a comment\n");
            }
            let value = text(random).replace(['\n', '\\', '`', '"', '\''], " ");
            out.push_str(&format!("key{number} = {value}\n"));
        }
    }
    out
}

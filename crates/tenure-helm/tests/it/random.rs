//! Input made up at random: a result or an error, never a panic.

use proptest::prelude::*;
use serde_json::{Map, Value};
use tenure_gotmpl::Seeded;
use tenure_helm::{
    Chart, File, KubeVersion, Limits, Options, Release, Renderer, path_match, read_values, set, set_json,
    set_literal, split,
};

use crate::load::archive;

/// Texts of the characters that mean something to the syntax under test.
fn texts(characters: &'static str) -> impl Strategy<Value = String> {
    let characters: Vec<char> = characters.chars().collect();
    prop::collection::vec(prop::sample::select(characters), 0..40).prop_map(|c| c.into_iter().collect())
}

fn json() -> impl Strategy<Value = Value> {
    const KEYS: &[&str] = &[
        "type",
        "properties",
        "items",
        "$ref",
        "enum",
        "const",
        "required",
        "pattern",
        "minimum",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "format",
        "$id",
        "$schema",
        "definitions",
        "additionalProperties",
        "a",
        "b",
    ];
    const WORDS: &[&str] = &[
        "object",
        "string",
        "integer",
        "#",
        "#/a",
        "#/definitions/a",
        "urn:x",
        "file:///x",
        "[",
        "^a+$",
        "date-time",
        "http://json-schema.org/draft-07/schema#",
        "a",
        "",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..9_i64).prop_map(Value::from),
        prop::sample::select(WORDS).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(KEYS), inner), 0..5).prop_map(|members| {
                Value::Object(members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

fn chart(files: &[(&str, &[u8])]) -> Result<Chart, String> {
    let files = files.iter().map(|(name, data)| File::new(name, data)).collect();
    Chart::from_files(files, &Limits::default()).map_err(|error| error.to_string())
}

proptest! {
    #[test]
    fn set_lines(line in texts("ab01=.,[]{}\\- \"")) {
        let mut values = Map::new();
        for set in [set, set_json, set_literal] {
            let _ = set(&line, &mut values);
        }
    }

    #[test]
    fn patterns_and_versions(pattern in texts("ab*?[]^-!\\/{},"), name in texts("ab/-]"), version in texts("v019.-+x ")) {
        let _ = path_match(&pattern, &name);
        let _ = KubeVersion::parse(&version);
    }

    #[test]
    fn values_and_manifests(text in texts("ab:-[]{}&*!|> \n\"'#%@`\t~0.")) {
        let _ = read_values(text.as_bytes());
        let joined: usize = split(&text).iter().map(|document| document.len()).sum();
        prop_assert!(joined <= text.len());
    }

    #[test]
    fn chart_files(text in texts("ab:-[]{}&* \n\"0."), bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let full = format!("apiVersion: v2\nname: c\nversion: 1.0.0\n{text}");
        let _ = chart(&[("Chart.yaml", text.as_bytes())]);
        let _ = chart(&[("Chart.yaml", full.as_bytes()), ("values.yaml", &bytes), ("requirements.yaml", text.as_bytes())]);
    }

    #[test]
    fn archives(at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let good = archive(&[("c/Chart.yaml", b"name: c\nversion: 1.0.0\n"), ("c/templates/a.yaml", b"kind: A\n")]);
        let mut bytes = good.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        let _ = Chart::from_archive(&bytes, &Limits::default());
        let _ = Chart::from_archive(&good[..cut.index(good.len())], &Limits::default());
    }

    #[test]
    fn tar_headers(at in 0..1536_usize, with in any::<u8>()) {
        use std::io::{Read as _, Write as _};
        let good = archive(&[("c/Chart.yaml", b"name: c\nversion: 1.0.0\n"), ("c/a", b"x")]);
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(&good[..]).read_to_end(&mut tar).expect("unpacks");
        tar[at] ^= with;
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&tar).expect("packs");
        let _ = Chart::from_archive(&gz.finish().expect("packs"), &Limits::default());
    }

    #[test]
    fn schemas(schema in json(), values in json()) {
        let head = b"name: c\nversion: 1.0.0\n";
        let text = schema.to_string();
        let chart = chart(&[("Chart.yaml", head), ("values.schema.json", text.as_bytes())]).expect("loads");
        let renderer = Renderer::new(chart).expect("installable");
        let world = Seeded::new(1);
        let Value::Object(values) = values else {
            return Ok(());
        };
        let _ = renderer.render(&values, &Options::new(Release::new("r", "ns"), &world));
    }
}

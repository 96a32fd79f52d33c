//! The words of a command line, as far as the cases use them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tenure_helm::{
    Capabilities, KubeVersion, Selection, merge, path_match, read_values, set, set_file, set_json,
    set_literal, set_string, split, with_floats,
};

pub(crate) struct Line {
    pub(crate) values: Map<String, Value>,
    pub(crate) capabilities: Capabilities,
    pub(crate) selection: Selection,
    pub(crate) is_upgrade: bool,
    pub(crate) skip_schema: bool,
    show_only: Vec<String>,
}

impl Line {
    pub(crate) fn parse(text: &str, files: &BTreeMap<String, String>) -> Self {
        let mut line = Self {
            values: Map::new(),
            capabilities: Capabilities::default(),
            selection: Selection {
                crds: false,
                hooks: true,
                tests: true,
            },
            is_upgrade: false,
            skip_schema: false,
            show_only: Vec::new(),
        };
        // Helm takes the flags of one kind before those of the next, wherever they stand.
        let mut by_kind: BTreeMap<usize, Vec<(&str, &str)>> = BTreeMap::new();
        let mut words = text.split_whitespace();
        while let Some(flag) = words.next() {
            match flag {
                "--include-crds" => line.selection.crds = true,
                "--no-hooks" => line.selection.hooks = false,
                "--skip-tests" => line.selection.tests = false,
                "--is-upgrade" => line.is_upgrade = true,
                "--skip-schema-validation" => line.skip_schema = true,
                flag => {
                    let word = words.next().expect("a flag with a word");
                    let kinds = [
                        "-f",
                        "--set-json",
                        "--set",
                        "--set-string",
                        "--set-file",
                        "--set-literal",
                    ];
                    match kinds.iter().position(|kind| *kind == flag) {
                        Some(kind) => by_kind.entry(kind).or_default().push((flag, word)),
                        None => line.option(flag, word),
                    }
                }
            }
        }
        for (flag, word) in by_kind.into_values().flatten() {
            line.value(flag, word, files);
        }
        line
    }

    fn option(&mut self, flag: &str, word: &str) {
        match flag {
            "--kube-version" => {
                self.capabilities.kube_version = KubeVersion::parse(word).expect("a version");
            }
            "--api-versions" => self
                .capabilities
                .api_versions
                .extend(word.split(',').map(str::to_owned)),
            "-s" | "--show-only" => self.show_only.push(word.to_owned()),
            other => panic!("the cases know no flag {other}"),
        }
    }

    fn value(&mut self, flag: &str, word: &str, files: &BTreeMap<String, String>) {
        let values = &mut self.values;
        let read = |path: &str| files.get(path).cloned().ok_or_else(|| path.to_owned());
        match flag {
            "-f" => merge(values, read_values(files[word].as_bytes()).expect("values")),
            "--set-json" if word.starts_with('{') => {
                let table = serde_json::from_str(word).expect("JSON");
                merge(values, with_floats(table));
            }
            "--set-json" => set_json(word, values).expect("sets"),
            "--set" => set(word, values).expect("sets"),
            "--set-string" => set_string(word, values).expect("sets"),
            "--set-file" => set_file(word, values, &read).expect("sets"),
            _ => set_literal(word, values).expect("sets"),
        }
    }

    /// The whole text, or the documents that are asked for.
    pub(crate) fn shown(&self, text: String) -> Result<String, String> {
        if self.show_only.is_empty() {
            return Ok(text);
        }
        let mut out = String::new();
        for pattern in &self.show_only {
            let before = out.len();
            for document in split(&text) {
                let source = document.lines().find_map(|line| line.strip_prefix("# Source: "));
                let name = source.and_then(|s| s.split_once('/')).map(|(_, name)| name);
                if name.is_some_and(|name| path_match(pattern, name).expect("a pattern")) {
                    out.push_str(&format!("---\n{document}\n"));
                }
            }
            if out.len() == before {
                return Err(format!("could not find template {pattern} in chart"));
            }
        }
        Ok(out)
    }
}

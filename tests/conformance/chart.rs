//! A made-up chart that shows its values: charts within charts, conditions, tags, aliases, imports,
//! globals, and nulls wherever they may be.

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Map, Value, json};

const CHARTS: [&str; 3] = ["one", "two", "three"];
const KEYS: [&str; 5] = ["x", "y", "table", "enabled", "list"];

/// The files of a chart and of its values, by path.
pub(crate) fn files(rng: &mut StdRng) -> Vec<(String, String)> {
    let mut files = Vec::new();
    chart(rng, "chart", "top", 2, &mut files);
    for name in ["first.yaml", "second.yaml"] {
        files.push((name.to_owned(), table(rng, 3, true).to_string()));
    }
    files
}

/// The words behind `helm template rel chart`.
pub(crate) fn words(rng: &mut StdRng) -> Vec<String> {
    let mut words = vec!["-f".to_owned(), "first.yaml".to_owned()];
    if rng.random() {
        words.extend(["-f".to_owned(), "second.yaml".to_owned()]);
    }
    for _ in 0..rng.random_range(0..3) {
        let mut path = vec![*CHARTS.choose(rng).expect("not empty")];
        if rng.random() {
            path.push("global");
        }
        path.push(KEYS.choose(rng).expect("not empty"));
        let value = ["null", "true", "7", "text", "{a,b}"]
            .choose(rng)
            .expect("not empty");
        words.extend(["--set".to_owned(), format!("{}={value}", path.join("."))]);
    }
    words
}

fn chart(rng: &mut StdRng, path: &str, name: &str, depth: usize, files: &mut Vec<(String, String)>) {
    let mut file = json!({"apiVersion": "v2", "name": name, "version": "1.2.3"});
    if depth > 0 {
        let mut dependencies = Vec::new();
        for child in CHARTS {
            if rng.random_bool(0.6) {
                chart(rng, &format!("{path}/charts/{child}"), child, depth - 1, files);
                dependencies.extend(dependency(rng, child));
            }
        }
        if !dependencies.is_empty() {
            file["dependencies"] = dependencies.into();
        }
    }
    files.push((format!("{path}/Chart.yaml"), file.to_string()));
    files.push((format!("{path}/values.yaml"), table(rng, 3, false).to_string()));
    files.push((
        format!("{path}/templates/values.yaml"),
        "kind: {{ .Chart.Name }}\nvalues: {{ .Values | toJson }}\ndependencies: {{ .Chart.Dependencies | toJson }}\n"
            .to_owned(),
    ));
}

fn dependency(rng: &mut StdRng, name: &str) -> Option<Value> {
    if rng.random_bool(0.2) {
        return None;
    }
    let version = ["1.x", "^1.0.0", "*", ">=1.2.3", "2.x"]
        .choose(rng)
        .expect("not empty");
    let mut dependency = json!({"name": name, "version": version, "repository": ""});
    if rng.random_bool(0.4) {
        dependency["condition"] = format!("{name}.enabled,global.enabled").into();
    }
    if rng.random_bool(0.3) {
        dependency["tags"] = json!(["x", "y"]);
    }
    if rng.random_bool(0.2) {
        dependency["alias"] = format!("{name}-alias").into();
    }
    if rng.random_bool(0.4) {
        dependency["import-values"] = json!(["out", {"child": "table", "parent": "taken.table"}]);
    }
    Some(dependency)
}

/// A table with a few members, those that charts look at among them.
fn table(rng: &mut StdRng, depth: usize, may_be_anything: bool) -> Value {
    let mut table = Map::new();
    for key in KEYS {
        if rng.random_bool(0.5) {
            table.insert(key.to_owned(), value(rng, depth));
        }
    }
    let tables = ["global", "tags", "exports", "one", "two", "three", "one-alias"];
    for key in tables.into_iter().filter(|_| depth > 0) {
        if rng.random_bool(0.4) {
            let inner = if may_be_anything && rng.random_bool(0.05) {
                value(rng, 0)
            } else if key == "exports" {
                json!({"out": table_of_scalars(rng)})
            } else {
                self::table(rng, depth - 1, false)
            };
            table.insert(key.to_owned(), inner);
        }
    }
    table.into()
}

fn table_of_scalars(rng: &mut StdRng) -> Value {
    KEYS.iter().map(|key| (*key, value(rng, 0))).collect::<Value>()
}

fn value(rng: &mut StdRng, depth: usize) -> Value {
    match rng.random_range(0..10) {
        0 | 1 => Value::Null,
        2 => rng.random_range(0..3).into(),
        3 => 1.5.into(),
        4 => rng.random::<bool>().into(),
        5 => json!(["a", 1, null]),
        6 | 7 if depth > 0 => table(rng, depth - 1, false),
        _ => "text".into(),
    }
}

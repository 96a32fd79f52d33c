use std::fs;
use std::io::{self, Read as _};

use serde_json::{Map, Value};
use tenure_helm::{merge, read_values, set, set_file, set_json, set_literal, set_string};

use super::HelmError;
use super::args::ValueArgs;

/// All values of the command line, later ones laid over earlier ones.
pub(super) fn read(args: &ValueArgs) -> Result<Map<String, Value>, HelmError> {
    let mut values = Map::new();
    for path in &args.files {
        let text = read_file(path).map_err(HelmError)?;
        let table =
            read_values(&text).map_err(|error| HelmError(format!("failed to parse {path}: {error}")))?;
        merge(&mut values, table);
    }
    for line in &args.json {
        if line.trim_start().starts_with('{') {
            let table = serde_json::from_str::<Map<String, Value>>(line.trim())
                .map_err(|_| HelmError(format!("failed parsing --set-json data JSON: {line}")))?;
            merge(&mut values, tenure_helm::with_floats(table));
        } else {
            set_json(line, &mut values)
                .map_err(|_| HelmError(format!("failed parsing --set-json data {line}")))?;
        }
    }
    let failed = |flag: &str, error: &dyn ToString| {
        HelmError(format!("failed parsing {flag} data: {}", error.to_string()))
    };
    for line in &args.set {
        set(line, &mut values).map_err(|error| failed("--set", &error))?;
    }
    for line in &args.string {
        set_string(line, &mut values).map_err(|error| failed("--set-string", &error))?;
    }
    let text = |path: &str| read_file(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    for line in &args.file {
        set_file(line, &mut values, &text).map_err(|error| failed("--set-file", &error))?;
    }
    for line in &args.literal {
        set_literal(line, &mut values).map_err(|error| failed("--set-literal", &error))?;
    }
    Ok(values)
}

fn read_file(path: &str) -> Result<Vec<u8>, String> {
    if path.trim() == "-" {
        let mut bytes = Vec::new();
        return match io::stdin().read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(format!("read standard input: {error}")),
        };
    }
    if path.contains("://") {
        return Err(format!("{path:?} is refused: rendering fetches nothing"));
    }
    fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("open {path}: no such file or directory"),
        io::ErrorKind::PermissionDenied => format!("open {path}: permission denied"),
        io::ErrorKind::IsADirectory => format!("read {path}: is a directory"),
        _ => format!("read {path}: {error}"),
    })
}

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use tenure_kustomize::Build;

/// Bytes that are gathered for a write.
const BUFFER: usize = 64 << 10;

/// Everything to standard output; a reader that has seen enough is no failure.
pub(super) fn print(built: &Build) {
    let mut out = io::BufWriter::with_capacity(BUFFER, io::stdout().lock());
    built.write_yaml(&mut out).and_then(|()| out.flush()).ok();
}

/// Everything into a file, or each object into a file of its own if `path` is a directory.
pub(super) fn write(path: &Path, built: &Build) -> anyhow::Result<()> {
    let put = |path: &Path, text: &str| {
        fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
    };
    if !path.is_dir() {
        let written = File::create(path).and_then(|file| {
            let mut out = io::BufWriter::with_capacity(BUFFER, file);
            built.write_yaml(&mut out)?;
            out.flush()
        });
        return written.with_context(|| format!("failed to write {}", path.display()));
    }
    let namespaces: BTreeSet<String> = built
        .objects
        .iter()
        .map(|object| text(&object, "/metadata/namespace").to_owned())
        .filter(|namespace| !namespace.is_empty())
        .collect();
    for object in built.objects.iter() {
        let namespace = text(&object, "/metadata/namespace");
        let name = file_name(&object);
        let name = if namespaces.len() > 1 && !namespace.is_empty() {
            format!("{}_{name}", namespace.to_lowercase())
        } else {
            name
        };
        put(&path.join(name), &tenure_yaml::to_string(&object))?;
    }
    Ok(())
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Group, version, kind and name, as the kustomize command names the files.
fn file_name(object: &Value) -> String {
    let version = text(object, "/apiVersion").replace('/', "_");
    let parts = [
        version.as_str(),
        text(object, "/kind"),
        text(object, "/metadata/name"),
    ];
    let filled: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    // A name may hold what would lead elsewhere.
    format!(
        "{}.yaml",
        filled.join("_").to_lowercase().replace(['/', '\\'], "_")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::file_name;

    #[test]
    fn files_are_named_after_group_version_kind_and_name() {
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "Web"}});
        assert_eq!(file_name(&deployment), "apps_v1_deployment_web.yaml");
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "../x"}});
        assert_eq!(file_name(&map), "v1_configmap_.._x.yaml");
    }
}

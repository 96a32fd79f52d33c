//! `configMapGenerator` and `secretGenerator`, and the plugins of that name.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::file::{Generator, GeneratorOptions, KustFile};
use crate::load::Loader;
use crate::resource::{Behavior, Resource};
use crate::{Error, RelPath, object};

/// What a kustomization's generators make, with their place in the file.
pub(crate) fn all(
    loader: &mut Loader<'_>,
    dir: &RelPath,
    file: &KustFile,
) -> Result<Vec<(&'static str, String, Resource)>, Error> {
    let mut made = Vec::new();
    for (field, kind, list) in [
        ("configMapGenerator", "ConfigMap", &file.config_maps),
        ("secretGenerator", "Secret", &file.secrets),
    ] {
        for (i, generator) in list.iter().enumerate() {
            let place = format!("{field}/{i}");
            let one = generate(loader, dir, kind, generator, file.generator_options.as_ref())
                .map_err(|e| file.place(&place, e))?;
            made.push((kind, place, one));
        }
    }
    Ok(made)
}

type Pairs = BTreeMap<String, Vec<u8>>;

/// A ConfigMap or Secret.
pub(crate) fn generate(
    loader: &mut Loader<'_>,
    dir: &RelPath,
    kind: &str,
    generator: &Generator,
    global: Option<&GeneratorOptions>,
) -> Result<Resource, Error> {
    if generator.name.is_empty() {
        return Err(Error::invalid("a generator needs a name"));
    }
    let pairs = pairs(loader, dir, generator)?;
    let mut value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": generator.name}});
    if let Some(namespace) = generator.namespace.as_ref().filter(|n| !n.is_empty()) {
        value["metadata"]["namespace"] = Value::from(namespace.clone());
    }
    let local = generator.options.as_ref();
    // The generator's own come second and win.
    for options in [global, local].into_iter().flatten() {
        metadata(&mut value, "labels", options.labels.pairs())?;
        metadata(&mut value, "annotations", options.annotations.pairs())?;
    }
    let any = |get: fn(&GeneratorOptions) -> Option<bool>| {
        [global, local]
            .into_iter()
            .flatten()
            .any(|o| get(o) == Some(true))
    };
    if any(|o| o.immutable) {
        value["immutable"] = Value::Bool(true);
    }
    if kind == "Secret" {
        value["type"] = Value::from(generator.secret_type.clone().unwrap_or_else(|| "Opaque".into()));
    }
    fill(&mut value, kind, pairs)?;
    let mut resource = Resource::new(
        value,
        format!("the generator of {kind} {:?} in {dir}", generator.name),
    );
    loader.meter.value(&resource.value.view(), 0)?;
    resource.needs_hash = !any(|o| o.disable_name_suffix_hash);
    resource.behavior = match generator.behavior.as_deref().unwrap_or_default() {
        "merge" => Behavior::Merge,
        "replace" => Behavior::Replace,
        // Any other word means the same to the tool.
        _ => Behavior::Create,
    };
    Ok(resource)
}

fn metadata(value: &mut Value, field: &str, pairs: Vec<(String, String)>) -> Result<(), Error> {
    pairs.iter().try_for_each(|(key, _)| object::plain_key(key))?;
    if !pairs.is_empty()
        && let Some(map) = object::mapping(value, &["metadata", field])
    {
        map.extend(pairs.into_iter().map(|(k, v)| (k, Value::String(v))));
    }
    Ok(())
}

fn fill(value: &mut Value, kind: &str, pairs: Pairs) -> Result<(), Error> {
    let (mut data, mut binary) = (Map::new(), Map::new());
    for (key, bytes) in pairs {
        object::plain_key(&key)?;
        match String::from_utf8(bytes) {
            Ok(text) if kind == "ConfigMap" => data.insert(key, Value::String(text)),
            Ok(text) => data.insert(key, Value::String(base64(text.as_bytes()))),
            Err(e) if kind == "ConfigMap" => binary.insert(key, Value::String(base64(e.as_bytes()))),
            Err(e) => data.insert(key, Value::String(base64(e.as_bytes()))),
        };
    }
    for (field, map) in [("data", data), ("binaryData", binary)] {
        if !map.is_empty() || kind == "Secret" && field == "data" {
            value[field] = Value::Object(map);
        }
    }
    Ok(())
}

/// In lines of 70 characters once there is more than one line, as kustomize writes it.
fn base64(bytes: &[u8]) -> String {
    const LINE: usize = 70;
    let text = STANDARD.encode(bytes);
    if text.len() < LINE {
        return text;
    }
    let mut out = String::with_capacity(text.len() + text.len() / LINE + 1);
    for (i, c) in text.chars().enumerate() {
        if i > 0 && i % LINE == 0 {
            out.push('\n');
        }
        out.push(c);
    }
    out.push('\n');
    out
}

fn pairs(loader: &mut Loader<'_>, dir: &RelPath, generator: &Generator) -> Result<Pairs, Error> {
    let mut pairs = Pairs::new();
    for name in generator.envs.iter().chain(generator.env.iter()) {
        let (path, bytes) = loader.read_named(dir, name)?;
        let text = String::from_utf8(bytes).map_err(|_| Error::invalid(format!("{path} is not UTF-8")))?;
        for line in text
            .trim_start_matches('\u{feff}')
            .lines()
            .map(str::trim_start)
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            valid(key)?;
            insert(&mut pairs, key, value.as_bytes().to_vec())?;
        }
    }
    for literal in &generator.literals {
        // The literal may be a secret: no part of it but the key is shown.
        let (key, value) = literal
            .split_once('=')
            .ok_or_else(|| Error::invalid("a literal must be of the form key=value"))?;
        insert(&mut pairs, key, unquote(value).as_bytes().to_vec())?;
    }
    for spec in &generator.files {
        let (key, name) = match spec.split_once('=') {
            Some((key, name)) => (key.to_owned(), name),
            None => (
                spec.rsplit('/').next().unwrap_or_default().to_owned(),
                spec.as_str(),
            ),
        };
        let (_, bytes) = loader.read_named(dir, name)?;
        insert(&mut pairs, &key, bytes)?;
    }
    Ok(pairs)
}

/// Kustomize checks the keys of env files only; the API server checks them all.
fn valid(key: &str) -> Result<(), Error> {
    let ok = !key.is_empty()
        && key.len() <= 253
        && key != "."
        && key != ".."
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if ok {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "{:?} is not a valid key",
            key.chars().take(100).collect::<String>()
        )))
    }
}

fn insert(pairs: &mut Pairs, key: &str, value: Vec<u8>) -> Result<(), Error> {
    if key.is_empty() {
        return Err(Error::invalid("a key is empty; use key=value"));
    }
    if pairs.insert(key.to_owned(), value).is_some() {
        Err(Error::invalid(format!("key {key:?} is given twice")))
    } else {
        Ok(())
    }
}

fn unquote(text: &str) -> &str {
    let inner = |q: char| text.strip_prefix(q).and_then(|t| t.strip_suffix(q));
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

use serde_json::Value;

use super::Transform;
use super::field::{Create, each, kind};
use crate::config::FieldSpec;
use crate::file::Image;
use crate::meter::Meter;
use crate::resmap::ResMap;
use crate::schema::Schemas;
use crate::select::{Pattern, pattern};
use crate::{Error, object};

/// Replaces names, tags and digests in containers wherever they stand, and where the specifications
/// say.
pub(crate) struct Images {
    pub(crate) image: Image,
    pub(crate) specs: Vec<FieldSpec>,
}

impl Transform for Images {
    fn apply(&self, all: &mut ResMap, _: &Schemas) -> Result<(), Error> {
        let image = &self.image;
        let meter = all.meter();
        let regex = pattern(&format!(
            "^{}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$",
            image.name
        ))?;
        for mut resource in all.iter_mut().filter(|r| r.kind() != "CustomResourceDefinition") {
            meter.check()?;
            let update = &mut |node: &mut Value| update(node, &regex, image, &meter);
            if resource.value.has_member(&|name| CONTAINERS.contains(&name)) {
                walk(resource.value.open(), update)?;
            }
            each(&mut resource, &self.specs, Create::Nothing, &meter, update)?;
        }
        Ok(())
    }
}

/// Members that hold containers, wherever they stand.
const CONTAINERS: [&str; 2] = ["containers", "initContainers"];

type Update<'a> = &'a mut dyn FnMut(&mut Value) -> Result<(), Error>;

fn walk(value: &mut Value, update: Update<'_>) -> Result<(), Error> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|item| walk(item, update)),
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                walk(inner, update)?;
                if CONTAINERS.contains(&key.as_str()) {
                    containers(inner, update)?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn containers(value: &mut Value, update: Update<'_>) -> Result<(), Error> {
    for container in value.as_array_mut().into_iter().flatten() {
        if let Some(node) = container.get_mut("image") {
            update(node)?;
        }
    }
    Ok(())
}

fn update(node: &mut Value, regex: &Pattern, image: &Image, meter: &Meter) -> Result<(), Error> {
    match node {
        Value::Object(_) | Value::Array(_) => {
            Err(Error::invalid(format!("expected an image, not {}", kind(node))))
        }
        scalar => {
            let Some(text) = object::scalar(scalar) else {
                return Ok(());
            };
            if regex.is_match(&text)? {
                let new = replaced(&text, image);
                meter.grow(text.len(), new.len())?;
                object::reset(scalar, &new);
            }
            Ok(())
        }
    }
}

fn replaced(text: &str, image: &Image) -> String {
    let (name, tag, digest) = split(text);
    let name = filled(&image.new_name).unwrap_or(name);
    let (tag, digest) = match (
        filled(&image.new_tag),
        filled(&image.digest),
        filled(&image.tag_suffix),
    ) {
        (Some(tag), Some(digest), _) => (tag.to_owned(), digest),
        (Some(tag), None, _) => (tag.to_owned(), ""),
        (None, Some(digest), _) => (String::new(), digest),
        (None, None, Some(suffix)) => (format!("{tag}{suffix}"), ""),
        (None, None, None) => (tag.to_owned(), digest),
    };
    let tag = if tag.is_empty() { tag } else { format!(":{tag}") };
    let digest = if digest.is_empty() {
        String::new()
    } else {
        format!("@{digest}")
    };
    format!("{name}{tag}{digest}")
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|t| !t.is_empty())
}

/// Name, tag and digest, as kustomize takes them apart: a colon before the first slash is a port.
fn split(text: &str) -> (&str, &str, &str) {
    let slash = text.find('/').unwrap_or(0);
    let (head, tail) = text.split_at(slash);
    let (rest, digest) = match (tail.find('@'), tail.find(':')) {
        (Some(at), colon) if colon.is_none_or(|c| at < c) => {
            let (name, digest) = text.split_at(head.len() + at);
            return (name, "", digest.get(1..).unwrap_or_default());
        }
        (Some(at), _) => (
            tail.get(..at).unwrap_or(tail),
            tail.get(at + 1..).unwrap_or_default(),
        ),
        (None, _) => (tail, ""),
    };
    match rest.find(':') {
        Some(colon) => (
            text.get(..head.len() + colon).unwrap_or(text),
            rest.get(colon + 1..).unwrap_or_default(),
            digest,
        ),
        None => (text.get(..head.len() + rest.len()).unwrap_or(text), "", digest),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn an_image_has_name_tag_and_digest() {
        assert_eq!(
            split("reg:5000/a/b:1@sha256:x"),
            ("reg:5000/a/b", "1", "sha256:x")
        );
        assert_eq!(split("reg:5000/a"), ("reg:5000/a", "", ""));
        assert_eq!(split("a"), ("a", "", ""));
    }
}

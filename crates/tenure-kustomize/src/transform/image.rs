use regex::Regex;
use serde_json::Value;

use crate::Error;
use crate::file::{Image, KustFile};
use crate::resource::Resource;
use crate::select::pattern;

/// `images`: replaces names, tags and digests in containers wherever they stand.
pub(crate) fn run(file: &KustFile, all: &mut [Resource]) -> Result<(), Error> {
    for (i, image) in file.images.iter().enumerate() {
        let fail = |e| file.place(&format!("images/{i}"), e);
        let regex = pattern(&format!(
            "^{}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$",
            image.name
        ))
        .map_err(fail)?;
        for resource in all
            .iter_mut()
            .filter(|r| r.id().kind != "CustomResourceDefinition")
        {
            walk(&mut resource.value, &regex, image);
        }
    }
    Ok(())
}

fn walk(value: &mut Value, regex: &Regex, image: &Image) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, regex, image)),
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                if key == "containers" || key == "initContainers" {
                    containers(inner, regex, image);
                }
                walk(inner, regex, image);
            }
        }
        _ => {}
    }
}

fn containers(value: &mut Value, regex: &Regex, image: &Image) {
    for container in value.as_array_mut().into_iter().flatten() {
        if let Some(Value::String(text)) = container.get_mut("image")
            && regex.is_match(text)
        {
            *text = replaced(text, image);
        }
    }
}

fn replaced(text: &str, image: &Image) -> String {
    let (name, tag, digest) = split(text);
    let name = filled(&image.new_name).unwrap_or(name);
    let (mut tag, mut digest) = (tag.to_owned(), digest.to_owned());
    match (filled(&image.new_tag), filled(&image.digest)) {
        (Some(t), Some(d)) => (tag, digest) = (t.to_owned(), d.to_owned()),
        (Some(t), None) => (tag, digest) = (t.to_owned(), String::new()),
        (None, Some(d)) => (tag, digest) = (String::new(), d.to_owned()),
        (None, None) => {}
    }
    if let Some(suffix) = filled(&image.tag_suffix) {
        tag.push_str(suffix);
        digest.clear();
    }
    let tag = if tag.is_empty() { tag } else { format!(":{tag}") };
    let digest = if digest.is_empty() {
        digest
    } else {
        format!("@{digest}")
    };
    format!("{name}{tag}{digest}")
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|t| !t.is_empty())
}

/// Name, tag and digest; a colon before the last slash is a port.
fn split(text: &str) -> (&str, &str, &str) {
    let (rest, digest) = text.split_once('@').unwrap_or((text, ""));
    let slash = rest.rfind('/').map_or(0, |i| i + 1);
    match rest.get(slash..).and_then(|last| last.find(':')) {
        Some(at) => (
            rest.get(..slash + at).unwrap_or(rest),
            rest.get(slash + at + 1..).unwrap_or_default(),
            digest,
        ),
        None => (rest, "", digest),
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

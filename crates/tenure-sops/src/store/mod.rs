//! Documents of each format as trees, and back to text.

mod dotenv;
mod ini;
mod json;
mod yaml;

use zeroize::Zeroizing;

use crate::tree::{Item, Node};
use crate::{Format, Limits};

pub(crate) use json::{from_value, to_value};

/// The documents of a text; only YAML has several, and none of them is empty-handed: there is one at least.
pub(crate) type Branches = Vec<Vec<Item>>;

/// Counts what a document is made of.
pub(crate) struct Budget<'a> {
    limits: &'a Limits,
    nodes: usize,
}

impl<'a> Budget<'a> {
    pub(crate) const fn new(limits: &'a Limits) -> Self {
        Self { limits, nodes: 0 }
    }

    /// # Errors
    /// When there is too much, or it is too deep.
    pub(crate) fn count(&mut self, nodes: usize, depth: usize) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.limits.nodes {
            return Err(format!("it has more than {} values", self.limits.nodes));
        }
        if depth > self.limits.depth {
            return Err(format!("it is nested deeper than {} levels", self.limits.depth));
        }
        Ok(())
    }
}

/// # Errors
/// Says what the text has that its format does not allow. The text may be a secret that nobody
/// encrypted: its values are not quoted.
pub(crate) fn load(bytes: &[u8], format: Format, limits: &Limits) -> Result<Branches, String> {
    let mut budget = Budget::new(limits);
    match format {
        Format::Json | Format::Binary => json::load(bytes, &mut budget),
        Format::Yaml => yaml::load(bytes, &mut budget),
        Format::Dotenv => dotenv::load(bytes, &mut budget),
        Format::Ini => ini::load(bytes, &mut budget),
    }
}

/// # Errors
/// Says what the format has no form for.
pub(crate) fn emit(branches: &Branches, format: Format) -> Result<Zeroizing<Vec<u8>>, String> {
    match format {
        Format::Json => json::emit(branches),
        Format::Binary => binary(branches),
        Format::Yaml => yaml::emit(branches),
        Format::Dotenv => dotenv::emit(branches),
        Format::Ini => ini::emit(branches),
    }
}

fn binary(branches: &Branches) -> Result<Zeroizing<Vec<u8>>, String> {
    let [branch] = branches.as_slice() else {
        return Err("there must be exactly one document".to_owned());
    };
    let data = crate::tree::pairs(branch).find(|(key, _)| *key == "data");
    match data {
        Some((_, Node::Text(text))) => Ok(text.0.clone()),
        Some(_) => Err("its key data has no text".to_owned()),
        None => Err("it has no key data".to_owned()),
    }
}

/// A value that is neither a list nor a mapping, in formats that know texts only.
fn plain(node: &Node) -> Option<Zeroizing<Vec<u8>>> {
    let text = match node {
        Node::Null => "<nil>".to_owned(),
        Node::Bool(value) => value.to_string(),
        Node::Int(value) => value.to_string(),
        Node::Float(value) => float(*value),
        Node::Text(text) | Node::Time(text) => return Some(text.0.clone()),
        Node::Branch(_) | Node::List(_) => return None,
    };
    Some(Zeroizing::new(text.into_bytes()))
}

/// As Go's `G` format has it, with a decimal point where it could be taken for an integer.
fn float(value: f64) -> String {
    let exponent = format!("{value:e}");
    let (digits, power) = exponent.split_once('e').unwrap_or((&exponent, "0"));
    let power: i32 = power.parse().unwrap_or_default();
    if value.is_finite() && !(-4..6).contains(&power) {
        let sign = if power < 0 { '-' } else { '+' };
        return format!("{digits}E{sign}{:02}", power.abs());
    }
    let text = value.to_string();
    if text.contains('.') || !value.is_finite() {
        text
    } else {
        format!("{text}.0")
    }
}

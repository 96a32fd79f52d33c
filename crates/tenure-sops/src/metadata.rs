//! What sops keeps in a document beside its values.

use std::collections::BTreeMap;

use crate::Limits;
use crate::recipient::Recipient;
use crate::rules::{NAMES, Rule};
use crate::tree::{Entry, Item, Node, pairs};

/// The metadata of a document.
#[derive(Debug, Clone)]
pub(crate) struct Metadata {
    /// Each part of the data key, or the one, with who can open it.
    pub(crate) groups: Vec<Vec<Recipient>>,
    pub(crate) threshold: usize,
    pub(crate) rule: Rule,
    pub(crate) mac: String,
    pub(crate) mac_only_encrypted: bool,
    /// As the MAC is bound to it.
    pub(crate) last_modified: String,
}

impl Metadata {
    /// Reads the branch that a document has under `sops`.
    ///
    /// # Errors
    /// Says which field can't be used.
    pub(crate) fn read(branch: &[Item], limits: &Limits) -> Result<Self, String> {
        let text = |name: &str| field(branch, name).map_or(Ok(String::new()), |node| scalar(node, name));
        let mut rules = Vec::new();
        for (name, make) in NAMES {
            match text(name)? {
                value if value.is_empty() => {}
                value => rules.push(make(&value)?),
            }
        }
        if rules.len() > 1 {
            return Err("more than one rule says what is encrypted".to_owned());
        }
        let threshold = match text("shamir_threshold")? {
            none if none.is_empty() => 0,
            number => number
                .parse()
                .map_err(|_| "shamir_threshold is not a number".to_owned())?,
        };
        let mac_only_encrypted = match text("mac_only_encrypted")?.as_str() {
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
            _ => return Err("mac_only_encrypted is neither true nor false".to_owned()),
        };
        let mut groups = vec![Recipient::read_all(branch)?];
        if groups.iter().all(Vec::is_empty) {
            groups = list(branch, "key_groups")?
                .map(Recipient::read_all)
                .collect::<Result<_, _>>()?;
        }
        let recipients = groups.iter().map(Vec::len).sum::<usize>();
        if recipients == 0 {
            return Err("no keys found in file".to_owned());
        }
        for (what, count, limit) in [
            ("key groups", groups.len(), limits.groups),
            ("recipients", recipients, limits.recipients),
        ] {
            if count > limit {
                return Err(format!("{count} {what} are more than the {limit} that are tried"));
            }
        }
        Ok(Self {
            groups,
            threshold,
            rule: rules.pop().unwrap_or_default(),
            mac: text("mac")?,
            mac_only_encrypted,
            last_modified: last_modified(&text("lastmodified")?)
                .ok_or("lastmodified is not a time in RFC 3339")?,
        })
    }
}

/// The time as sops writes it: seconds, and UTC as `Z`.
fn last_modified(text: &str) -> Option<String> {
    text.parse::<jiff::Timestamp>().ok()?;
    let (seconds, rest) = text.split_at_checked(19)?;
    let zone = rest
        .strip_prefix('.')
        .map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let zone = if matches!(zone, "+00:00" | "-00:00") {
        "Z"
    } else {
        zone
    };
    Some(format!("{seconds}{zone}"))
}

pub(crate) fn field<'a>(branch: &'a [Item], name: &str) -> Option<&'a Node> {
    // Of a key that is there twice, JSON has the last one.
    pairs(branch)
        .filter(|(key, _)| *key == name)
        .last()
        .map(|(_, node)| node)
}

/// A value as text, whatever type it was written with.
pub(crate) fn scalar(node: &Node, name: &str) -> Result<String, String> {
    Ok(match node {
        Node::Null => String::new(),
        Node::Bool(value) => value.to_string(),
        Node::Int(value) => value.to_string(),
        Node::Float(value) => value.to_string(),
        Node::Text(_) | Node::Time(_) => node.as_str().unwrap_or_default().to_owned(),
        Node::Branch(_) | Node::List(_) => return Err(format!("{name} is not a single value")),
    })
}

/// The mappings of a list; nothing if there is no list.
pub(crate) fn list<'a>(branch: &'a [Item], name: &str) -> Result<impl Iterator<Item = &'a [Item]>, String> {
    let entries: &[Entry] = match field(branch, name) {
        None | Some(Node::Null) => &[],
        Some(Node::List(entries)) => entries,
        Some(_) => return Err(format!("{name} is not a list")),
    };
    let mut mappings = Vec::new();
    for entry in entries {
        match entry {
            Entry::Comment(_) => {}
            Entry::Node(Node::Branch(branch)) => mappings.push(branch.as_slice()),
            Entry::Node(_) => return Err(format!("{name} holds what is not a mapping")),
        }
    }
    Ok(mappings.into_iter())
}

/// A mapping of texts; nothing if there is none.
pub(crate) fn texts(branch: &[Item], name: &str) -> Result<BTreeMap<String, String>, String> {
    match field(branch, name) {
        None | Some(Node::Null) => Ok(BTreeMap::new()),
        Some(Node::Branch(branch)) => pairs(branch)
            .map(|(key, node)| Ok((key.to_owned(), scalar(node, name)?)))
            .collect(),
        Some(_) => Err(format!("{name} is not a mapping")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_bound_to_the_mac_as_sops_writes_it() {
        for (text, want) in [
            ("2024-01-02T03:04:05Z", Some("2024-01-02T03:04:05Z")),
            ("2024-01-02T03:04:05.678Z", Some("2024-01-02T03:04:05Z")),
            ("2024-01-02T03:04:05+02:00", Some("2024-01-02T03:04:05+02:00")),
            ("2024-01-02T03:04:05+00:00", Some("2024-01-02T03:04:05Z")),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(last_modified(text).as_deref(), want, "{text}");
        }
    }
}

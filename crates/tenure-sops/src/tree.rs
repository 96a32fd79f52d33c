//! What sops sees in a document of any format: ordered branches, with comments among their items.

use std::fmt;

use zeroize::Zeroizing;

/// Bytes that may be a secret. Mostly text; binary files are anything.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) Zeroizing<Vec<u8>>);

impl Text {
    pub(crate) fn new(text: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Text),
    /// In RFC 3339.
    Time(Text),
    Branch(Vec<Item>),
    List(Vec<Entry>),
}

impl Node {
    /// How a message would show a value; those that say nothing by themselves are left out.
    pub(crate) fn shown(&self) -> Option<Text> {
        match self {
            Self::Text(text) | Self::Time(text) => Some(text.clone()),
            Self::Int(value) => Some(Text::new(value.to_string())),
            Self::Float(value) => Some(Text::new(value.to_string())),
            Self::Null | Self::Bool(_) | Self::Branch(_) | Self::List(_) => None,
        }
    }
}

/// A place in a branch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Comment(Comment),
    Pair(String, Node),
}

/// A place in a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    Comment(Comment),
    Node(Node),
}

/// What stands between `#` and the end of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comment {
    pub(crate) text: Text,
    /// It follows something on its line.
    pub(crate) inline: bool,
}

impl Node {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(Text::new(text))
    }

    /// A text that is no secret: of metadata, or of a rule.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Time(text) => text.as_str(),
            _ => None,
        }
    }
}

/// The pairs of a branch, without its comments.
pub(crate) fn pairs(branch: &[Item]) -> impl Iterator<Item = (&str, &Node)> {
    branch.iter().filter_map(|item| match item {
        Item::Pair(key, node) => Some((key.as_str(), node)),
        Item::Comment(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_as_secret_as_a_text() {
        let shown = |node: Node| node.shown().and_then(|text| text.as_str().map(str::to_owned));
        assert_eq!(shown(Node::Int(123_456)).as_deref(), Some("123456"));
        assert_eq!(shown(Node::Float(0.25)).as_deref(), Some("0.25"));
        assert_eq!(shown(Node::Text(Text::new("words"))).as_deref(), Some("words"));
        assert_eq!(
            shown(Node::Bool(true)),
            None,
            "half of all messages would be hidden"
        );
    }
}

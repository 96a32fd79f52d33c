use zeroize::Zeroizing;

use super::{Branches, Budget, plain};
use crate::tree::{Comment, Item, Node, Text};

pub(super) fn load(bytes: &[u8], budget: &mut Budget<'_>) -> Result<Branches, String> {
    let mut branch = Vec::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        budget.count(1, 1)?;
        branch.push(if let Some(comment) = line.strip_prefix(b"#") {
            Item::Comment(Comment {
                text: Text::new(comment),
                inline: false,
            })
        } else {
            let at = line.iter().position(|byte| *byte == b'=');
            let parts = at.and_then(|at| Some((line.get(..at)?, line.get(at + 1..)?)));
            let pair = parts.and_then(|(key, value)| Some((std::str::from_utf8(key).ok()?, value)));
            let (key, value) = pair.ok_or_else(|| format!("line {}: not KEY=value", number + 1))?;
            Item::Pair(key.to_owned(), Node::Text(Text(replace(value, b"\\n", b"\n"))))
        });
    }
    Ok(vec![branch])
}

pub(super) fn emit(branches: &Branches) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut out = Zeroizing::new(Vec::new());
    for item in branches.first().into_iter().flatten() {
        match item {
            Item::Comment(comment) => {
                out.push(b'#');
                out.extend_from_slice(&comment.text.0);
            }
            Item::Pair(key, node) => {
                let value = plain(node).ok_or_else(|| format!("the value of {key} is not a single one"))?;
                out.extend(key.bytes());
                out.push(b'=');
                out.extend_from_slice(&replace(&value, b"\n", b"\\n"));
            }
        }
        out.push(b'\n');
    }
    Ok(out)
}

pub(crate) fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

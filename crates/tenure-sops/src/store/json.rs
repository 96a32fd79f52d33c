use serde_json::{Map, Number, Value};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Branches, Budget};
use crate::tree::{Entry, Item, Node, Text};

pub(super) fn load(bytes: &[u8], budget: &mut Budget<'_>) -> Result<Branches, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        // The error's own words may quote a value.
        format!("line {}, column {}: not JSON", error.line(), error.column())
    })?;
    Ok(vec![from_value(value, budget)?])
}

/// # Errors
/// When the value is no object, or beyond the budget.
pub(crate) fn from_value(value: Value, budget: &mut Budget<'_>) -> Result<Vec<Item>, String> {
    match node(value, 0, budget)? {
        Node::Branch(branch) => Ok(branch),
        _ => Err("its top level is not an object".to_owned()),
    }
}

fn node(value: Value, depth: usize, budget: &mut Budget<'_>) -> Result<Node, String> {
    budget.count(1, depth)?;
    Ok(match value {
        Value::Null => Node::Null,
        Value::Bool(value) => Node::Bool(value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Node::Int(integer),
            (None, Some(float)) => Node::Float(float),
            (None, None) => return Err("it has a number that is too large".to_owned()),
        },
        Value::String(text) => Node::Text(Text::new(text.into_bytes())),
        Value::Array(list) => {
            let entry = |value| Ok(Entry::Node(node(value, depth + 1, budget)?));
            Node::List(list.into_iter().map(entry).collect::<Result<_, String>>()?)
        }
        Value::Object(map) => {
            let pair = |(key, value)| Ok(Item::Pair(key, node(value, depth + 1, budget)?));
            Node::Branch(map.into_iter().map(pair).collect::<Result<_, String>>()?)
        }
    })
}

/// The branch as a JSON object, without its comments.
///
/// # Errors
/// When a float is not a number.
pub(crate) fn to_value(branch: Vec<Item>) -> Result<Value, String> {
    let mut map = Map::new();
    for item in branch {
        if let Item::Pair(key, node) = item {
            map.insert(key, value(node)?);
        }
    }
    Ok(Value::Object(map))
}

fn value(node: Node) -> Result<Value, String> {
    Ok(match node {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(value),
        Node::Int(value) => Value::Number(value.into()),
        Node::Float(value) => Value::Number(
            Number::from_f64(value)
                .ok_or_else(|| "JSON has no form for a float that is no number".to_owned())?,
        ),
        Node::Text(text) | Node::Time(text) => Value::String(String::from_utf8_lossy(&text.0).into_owned()),
        Node::Branch(branch) => to_value(branch)?,
        Node::List(list) => {
            let nodes = list.into_iter().filter_map(|entry| match entry {
                Entry::Node(node) => Some(value(node)),
                Entry::Comment(_) => None,
            });
            Value::Array(nodes.collect::<Result<_, String>>()?)
        }
    })
}

pub(super) fn emit(branches: &Branches) -> Result<Zeroizing<Vec<u8>>, String> {
    let Some(branch) = branches.first() else {
        return Err("there is no document".to_owned());
    };
    let mut out = Zeroizing::new(Vec::new());
    object(branch, 0, &mut out)?;
    out.push(b'\n');
    Ok(out)
}

fn line(depth: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    out.extend(std::iter::repeat_n(b'\t', depth));
}

fn object(branch: &[Item], depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let mut any = false;
    out.push(b'{');
    for (key, node) in crate::tree::pairs(branch) {
        if any {
            out.push(b',');
        }
        any = true;
        line(depth + 1, out);
        string(key, out);
        out.extend(b": ");
        write(node, depth + 1, out)?;
    }
    if any {
        line(depth, out);
    }
    out.push(b'}');
    Ok(())
}

fn write(node: &Node, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    match node {
        Node::Null => out.extend(b"null"),
        Node::Bool(value) => out.extend(value.to_string().bytes()),
        Node::Int(value) => out.extend(value.to_string().bytes()),
        Node::Float(value) if !value.is_finite() => {
            return Err("JSON has no form for a float that is no number".to_owned());
        }
        // Of an exponent's two digits, JSON's encoder drops a zero.
        Node::Float(value) => out.extend(tenure_yaml::go_float(*value).replace("e-0", "e-").bytes()),
        Node::Text(text) | Node::Time(text) => {
            let mut lossy = String::from_utf8_lossy(&text.0);
            string(&lossy, out);
            if let std::borrow::Cow::Owned(copy) = &mut lossy {
                copy.zeroize();
            }
        }
        Node::Branch(branch) => object(branch, depth, out)?,
        Node::List(list) => {
            let mut any = false;
            out.push(b'[');
            for entry in list {
                let Entry::Node(node) = entry else { continue };
                if any {
                    out.push(b',');
                }
                any = true;
                line(depth + 1, out);
                write(node, depth + 1, out)?;
            }
            if any {
                line(depth, out);
            }
            out.push(b']');
        }
    }
    Ok(())
}

/// As Go's encoder escapes, which has HTML in mind.
fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend(b"\\\""),
            '\\' => out.extend(b"\\\\"),
            '\n' => out.extend(b"\\n"),
            '\r' => out.extend(b"\\r"),
            '\t' => out.extend(b"\\t"),
            '\u{8}' => out.extend(b"\\b"),
            '\u{c}' => out.extend(b"\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.extend(format!("\\u{:04x}", u32::from(c)).bytes());
            }
            c => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    out.push(b'"');
}

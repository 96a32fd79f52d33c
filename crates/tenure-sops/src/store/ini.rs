//! INI as gopkg.in/ini.v1 reads and writes it with the options that sops sets: sections may come twice,
//! values in quotes may span lines, a backslash at the end continues one.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::{Branches, Budget, plain};
use crate::tree::{Comment, Item, Node, Text};

/// What stands before the first header.
const DEFAULT: &str = "DEFAULT";

pub(super) fn load(bytes: &[u8], budget: &mut Budget<'_>) -> Result<Branches, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not in UTF-8".to_owned())?;
    let mut reader = Reader {
        lines: text
            .strip_prefix('\u{feff}')
            .unwrap_or(text)
            .split_inclusive('\n'),
        number: 0,
        comment: String::new(),
    };
    let mut sections = vec![(DEFAULT.to_owned(), Section::default())];
    while let Some(line) = reader.line() {
        budget.count(1, 1)?;
        let line = line.trim_start();
        let at = |why: &str| format!("line {}: {why}", reader.number);
        if line.is_empty() {
        } else if line.starts_with(['#', ';']) {
            reader.comment.push_str(line);
        } else if let Some(rest) = line.strip_prefix('[') {
            let (name, rest) = rest
                .rsplit_once(']')
                .ok_or_else(|| at("a header without its end"))?;
            reader.remark(rest);
            let comment = reader.take_comment();
            sections.push((
                name.to_owned(),
                Section {
                    comment,
                    keys: Vec::new(),
                },
            ));
        } else {
            let (key, rest) = key(line).map_err(at)?;
            let value = reader.value(rest)?;
            let comment = reader.take_comment();
            if let Some((_, section)) = sections.last_mut() {
                match section.keys.iter_mut().find(|(known, ..)| *known == key) {
                    Some(known) => *known = (key, value, comment),
                    None => section.keys.push((key, value, comment)),
                }
            }
        }
    }
    let section = |(name, section): (String, Section)| Item::Pair(name, Node::Branch(section.items()));
    Ok(vec![sections.into_iter().map(section).collect()])
}

#[derive(Default)]
struct Section {
    comment: String,
    keys: Vec<(String, String, String)>,
}

impl Section {
    /// Of a key the comment stands after it, as sops has it.
    fn items(self) -> Vec<Item> {
        let comment = |text: String| {
            let text = match text.as_bytes().first() {
                Some(b';') => text.trim_start_matches([';', ' ']),
                Some(b'#') => text.trim_start_matches(['#', ' ']),
                _ => return None,
            };
            let text = Text::new(text);
            Some(Item::Comment(Comment { text, inline: false }))
        };
        let mut items: Vec<Item> = comment(self.comment).into_iter().collect();
        for (key, value, remark) in self.keys {
            items.push(Item::Pair(key, Node::text(&value)));
            items.extend(comment(remark));
        }
        items
    }
}

/// The name before the delimiter, and what is after it.
fn key(line: &str) -> Result<(String, &str), &'static str> {
    const NONE: &str = "neither a comment, a header, nor a key with a value";
    let quote = ["\"\"\"", "\"", "`"]
        .into_iter()
        .find(|quote| line.starts_with(quote) && (quote.len() < 3 || line.len() > 6));
    if let Some(quote) = quote {
        let inner = line.strip_prefix(quote).unwrap_or_default();
        let (name, rest) = inner.split_once(quote).ok_or("a key without its closing quote")?;
        let (_, value) = rest.split_once(['=', ':']).ok_or(NONE)?;
        return Ok((name.trim().to_owned(), value));
    }
    let (name, value) = line.split_once(['=', ':']).ok_or(NONE)?;
    if name.is_empty() {
        return Err("a value without a key");
    }
    Ok((name.trim().to_owned(), value))
}

struct Reader<'a> {
    lines: std::str::SplitInclusive<'a, char>,
    number: usize,
    comment: String,
}

impl<'a> Reader<'a> {
    fn line(&mut self) -> Option<&'a str> {
        self.number += 1;
        self.lines.next()
    }

    /// Notes the comment that a rest of a line has.
    fn remark(&mut self, rest: &str) {
        if let Some(at) = rest.find(['#', ';']) {
            self.comment.push_str(rest.get(at..).unwrap_or_default());
        }
    }

    fn take_comment(&mut self) -> String {
        std::mem::take(&mut self.comment).trim().to_owned()
    }

    fn value(&mut self, rest: &'a str) -> Result<String, String> {
        let line = rest.trim_start();
        let quote = if line.len() > 3 && line.starts_with("\"\"\"") {
            Some("\"\"\"")
        } else {
            line.starts_with('`').then_some("`")
        };
        if let Some(quote) = quote {
            let inner = line.strip_prefix(quote).unwrap_or_default();
            return match inner.rsplit_once(quote) {
                Some((value, _)) => Ok(value.to_owned()),
                None => self.lines_until(quote, inner),
            };
        }
        let line = line.trim_end();
        if let Some(start) = line.strip_suffix('\\') {
            return Ok(self.continued(start));
        }
        let line = match line.find(['#', ';']) {
            Some(at) => {
                self.remark(line);
                line.get(..at).unwrap_or_default().trim()
            }
            None => line,
        };
        let quoted = |quote: char| {
            let inner = line.strip_prefix(quote)?.strip_suffix(quote)?;
            (!inner.contains(quote)).then_some(inner)
        };
        Ok(quoted('\'').or_else(|| quoted('"')).unwrap_or(line).to_owned())
    }

    fn lines_until(&mut self, quote: &str, first: &str) -> Result<String, String> {
        let start = self.number;
        let mut value = first.to_owned();
        while let Some(line) = self.line() {
            match line.rsplit_once(quote) {
                Some((_, rest)) if rest.trim().ends_with('\\') => value.push_str(line),
                Some((last, rest)) => {
                    value.push_str(last);
                    self.remark(rest);
                    return Ok(value);
                }
                None => value.push_str(line),
            }
        }
        Err(format!("line {start}: a value without its closing quote"))
    }

    fn continued(&mut self, start: &str) -> String {
        let mut value = start.to_owned();
        while let Some(line) = self.line() {
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            value.push_str(line);
            if !value.ends_with('\\') {
                break;
            }
            value.pop();
        }
        value
    }
}

pub(super) fn emit(branches: &Branches) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut out = Zeroizing::new(String::new());
    let sections: Vec<(&str, &Node)> = branches
        .iter()
        .flat_map(|branch| crate::tree::pairs(branch))
        .collect();
    for (i, (name, node)) in sections.iter().enumerate() {
        let Node::Branch(items) = node else {
            return Err(format!("{name} is not a section"));
        };
        let (comment, items) = match items.split_first() {
            Some((Item::Comment(comment), rest)) => (Some(comment), rest),
            _ => (None, items.as_slice()),
        };
        remark(comment, false, &mut out);
        if i > 0 || !name.eq_ignore_ascii_case(DEFAULT) {
            let _ = writeln!(*out, "[{name}]");
        } else if items.iter().all(|item| matches!(item, Item::Comment(_))) {
            continue;
        }
        section(items, &mut out)?;
        if i + 1 < sections.len() {
            out.push('\n');
        }
    }
    Ok(Zeroizing::new(std::mem::take(&mut *out).into_bytes()))
}

fn section(items: &[Item], out: &mut String) -> Result<(), String> {
    let mut keys: Vec<(&str, Zeroizing<String>, Option<&Comment>)> = Vec::new();
    for item in items {
        match item {
            Item::Comment(comment) => {
                if let Some((_, _, of)) = keys.last_mut() {
                    *of = Some(comment);
                }
            }
            Item::Pair(key, node) => {
                let value = plain(node).ok_or_else(|| format!("the value of {key} is not a single one"))?;
                let value =
                    std::str::from_utf8(&value).map_err(|_| format!("the value of {key} is not text"))?;
                keys.push((key, Zeroizing::new(value.to_owned()), None));
            }
        }
    }
    let extra = |key: &str| match key {
        key if key.contains(['"', '=', ':']) => 2,
        key if key.contains('`') => 6,
        _ => 0,
    };
    let width = keys
        .iter()
        .map(|(key, ..)| key.len() + extra(key))
        .max()
        .unwrap_or(0);
    for (key, value, comment) in &keys {
        remark(*comment, true, out);
        let key = match extra(key) {
            2 => format!("`{key}`"),
            6 => format!("\"\"\"{key}\"\"\""),
            _ => (*key).to_owned(),
        };
        let quote = match value.as_str() {
            value if value.contains(['\n', '`']) => "\"\"\"",
            value if value.contains(['#', ';']) => "`",
            value if value.trim().len() != value.len() => "\"",
            _ => "",
        };
        let padding = width.saturating_sub(key.len());
        out.push_str(&key);
        out.extend(std::iter::repeat_n(' ', padding));
        for part in [" = ", quote, value, quote, "\n"] {
            out.push_str(part);
        }
    }
    Ok(())
}

fn remark(comment: Option<&Comment>, of_key: bool, out: &mut String) {
    let text = comment.map(|comment| String::from_utf8_lossy(&comment.text.0));
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return;
    };
    for line in text.split('\n') {
        match line.strip_prefix(['#', ';']) {
            Some(rest) => {
                out.push_str(line.get(..1).unwrap_or_default());
                out.push(' ');
                out.push_str(rest.trim());
            }
            None => {
                out.push_str("; ");
                out.push_str(if of_key { line.trim() } else { line });
            }
        }
        out.push('\n');
    }
}

use serde_json::{Value, json};
use tenure_yaml::EmitOptions;
use zeroize::Zeroizing;

use crate::store::Branches;
use crate::tree::{Comment, Entry, Item, Node};

/// Columns that sops indents by.
const STEP: usize = 4;

/// Keys longer than this are written with `?`.
const LONGEST_SIMPLE_KEY: usize = 128;

/// # Errors
/// When something is neither text nor a value.
pub(in crate::store) fn emit(branches: &Branches) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut writer = Writer {
        out: Zeroizing::new(String::new()),
        foot: None,
    };
    for (i, branch) in branches.iter().enumerate() {
        if i > 0 {
            writer.out.push_str("---\n");
        }
        writer.foot = None;
        if pairs(branch) == 0 {
            let comments = branch.iter().filter_map(|item| match item {
                Item::Comment(comment) => Some(comment),
                Item::Pair(..) => None,
            });
            writer.comments(&comments.collect::<Vec<_>>(), 0);
            writer.out.push_str("{}\n");
        } else {
            writer.branch(branch, 0)?;
        }
    }
    Ok(Zeroizing::new(std::mem::take(&mut *writer.out).into_bytes()))
}

fn pairs(branch: &[Item]) -> usize {
    crate::tree::pairs(branch).count()
}

fn nodes(list: &[Entry]) -> usize {
    list.iter()
        .filter(|entry| matches!(entry, Entry::Node(_)))
        .count()
}

fn is_head(item: &Item) -> bool {
    matches!(item, Item::Comment(comment) if !comment.inline)
}

/// The comments that a mapping starts with.
fn heads(node: &Node) -> impl Iterator<Item = &Comment> {
    let branch = match node {
        Node::Branch(branch) if pairs(branch) > 0 => branch.as_slice(),
        _ => &[],
    };
    branch.iter().map_while(|item| match item {
        Item::Comment(comment) if !comment.inline => Some(comment),
        _ => None,
    })
}

struct Writer {
    out: Zeroizing<String>,
    /// The column of the comment that is the last thing written, if it belongs to what is above it:
    /// an empty line follows, unless the next thing stands at another column.
    foot: Option<usize>,
}

impl Writer {
    fn indent(&mut self, column: usize) {
        if self.foot.take() == Some(column) {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', column));
    }

    fn comments(&mut self, comments: &[&Comment], column: usize) {
        for comment in comments {
            self.indent(column);
            self.out.push('#');
            self.out.push_str(&String::from_utf8_lossy(&comment.text.0));
            self.out.push('\n');
        }
    }

    fn end_line(&mut self, beside: &mut Vec<&Comment>) {
        for (i, comment) in beside.drain(..).enumerate() {
            self.out.push_str(if i == 0 { " #" } else { "\n#" });
            self.out.push_str(&String::from_utf8_lossy(&comment.text.0));
        }
        self.out.push('\n');
    }

    fn branch(&mut self, branch: &[Item], column: usize) -> Result<(), String> {
        self.items(branch.iter(), column, false)
    }

    /// The items of a branch at a column; the first one on the line at hand if `inline`.
    fn items<'t>(
        &mut self,
        items: impl Iterator<Item = &'t Item>,
        column: usize,
        mut inline: bool,
    ) -> Result<(), String> {
        let (mut head, mut beside) = (Vec::new(), Vec::new());
        for item in items {
            match item {
                Item::Comment(comment) if comment.inline => beside.push(comment),
                Item::Comment(comment) => head.push(comment),
                Item::Pair(key, node) => {
                    // What is written so far may be the dash.
                    if !(std::mem::take(&mut inline) && head.is_empty()) {
                        self.comments(&std::mem::take(&mut head), column);
                        self.indent(column);
                    }
                    self.key(key, column)?;
                    self.value(node, column, &mut beside)?;
                }
            }
        }
        head.append(&mut beside);
        self.foot(&head, column);
        Ok(())
    }

    fn foot(&mut self, comments: &[&Comment], column: usize) {
        if !comments.is_empty() {
            self.comments(comments, column);
            self.foot = Some(column);
        }
    }

    fn key(&mut self, key: &str, column: usize) -> Result<(), String> {
        if key.contains('\n') || key.len() > LONGEST_SIMPLE_KEY {
            self.out.push_str("? ");
            self.text(key, column)?;
            self.out.push('\n');
            self.indent(column);
            self.out.push(':');
        } else {
            let line = tenure_yaml::to_string_with(&json!({ key: null }), &options());
            self.out.push_str(line.strip_suffix(" null\n").unwrap_or(&line));
        }
        Ok(())
    }

    /// What follows the colon.
    fn value(&mut self, node: &Node, column: usize, beside: &mut Vec<&Comment>) -> Result<(), String> {
        match node {
            Node::Branch(branch) if pairs(branch) > 0 => {
                self.end_line(beside);
                self.branch(branch, next(column))
            }
            Node::List(list) if nodes(list) > 0 => {
                self.end_line(beside);
                self.list(list, next(column), false)
            }
            other => {
                self.out.push(' ');
                self.leaf(other, next(column), beside)
            }
        }
    }

    fn list(&mut self, list: &[Entry], column: usize, mut inline: bool) -> Result<(), String> {
        let (mut head, mut beside) = (Vec::new(), Vec::new());
        for entry in list {
            match entry {
                Entry::Comment(comment) if comment.inline => beside.push(comment),
                Entry::Comment(comment) => head.push(comment),
                Entry::Node(node) => {
                    // What stands before the first thing in it goes before its dash.
                    head.extend(heads(node));
                    if !(std::mem::take(&mut inline) && head.is_empty()) {
                        self.comments(&std::mem::take(&mut head), column);
                        self.indent(column);
                    }
                    self.out.push_str("- ");
                    match node {
                        Node::Branch(branch) if pairs(branch) > 0 => {
                            let rest = branch.iter().skip_while(|item| is_head(item));
                            self.items(rest, column + 2, true)?;
                        }
                        Node::List(list) if nodes(list) > 0 => self.list(list, column + 2, true)?,
                        other => self.leaf(other, column + 2, &mut beside)?,
                    }
                }
            }
        }
        head.append(&mut beside);
        self.foot(&head, column);
        Ok(())
    }

    fn leaf(&mut self, node: &Node, column: usize, beside: &mut Vec<&Comment>) -> Result<(), String> {
        let value = match node {
            Node::Null => Value::Null,
            Node::Bool(value) => json!(value),
            Node::Int(value) => json!(value),
            Node::Float(value) if !value.is_finite() => {
                self.out.push_str(match *value {
                    value if value.is_nan() => ".nan",
                    value if value > 0.0 => ".inf",
                    _ => "-.inf",
                });
                self.end_line(beside);
                return Ok(());
            }
            Node::Float(value) => json!(value),
            Node::Time(time) => {
                self.out.push_str(&String::from_utf8_lossy(&time.0));
                self.end_line(beside);
                return Ok(());
            }
            Node::Text(text) => {
                if let Some(text) = text.as_str() {
                    self.text(text, column)?;
                } else {
                    use base64::Engine as _;
                    self.out.push_str("!!binary ");
                    self.out
                        .push_str(&base64::engine::general_purpose::STANDARD.encode(&*text.0));
                }
                self.end_line(beside);
                return Ok(());
            }
            Node::Branch(_) => json!({}),
            Node::List(_) => json!([]),
        };
        let text = tenure_yaml::to_string_with(&value, &options());
        self.out.push_str(text.trim_end_matches('\n'));
        self.end_line(beside);
        Ok(())
    }

    /// A text, without the end of its line.
    fn text(&mut self, text: &str, column: usize) -> Result<(), String> {
        if !text.contains('\n') || !can_be_block(text) {
            let line = Zeroizing::new(tenure_yaml::to_string_with(&json!(text), &options()));
            self.out.push_str(line.trim_end_matches('\n'));
            return Ok(());
        }
        self.out.push('|');
        if text.starts_with([' ', '\n']) {
            self.out.push_str(&STEP.to_string());
        }
        let body = match text.strip_suffix('\n') {
            None => {
                self.out.push('-');
                text
            }
            Some(body) => {
                if body.is_empty() || body.ends_with('\n') {
                    self.out.push('+');
                }
                body
            }
        };
        // Unicode's own line breaks are indented after, too.
        let mut fresh = true;
        self.out.push('\n');
        for c in body.chars() {
            let is_break = matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}');
            if fresh && !is_break {
                self.out.extend(std::iter::repeat_n(' ', column));
            }
            fresh = is_break;
            self.out.push(c);
        }
        Ok(())
    }
}

/// Everything but what is in a list aligns to the step.
const fn next(column: usize) -> usize {
    (column + STEP) / STEP * STEP
}

fn options() -> EmitOptions {
    EmitOptions {
        sort: false,
        width: None,
        operators: &["<<"],
        exponents: true,
        ..EmitOptions::default()
    }
}

/// Whether Go's package writes a text as a block: nothing in it has to be escaped, and no blank ends a line.
fn can_be_block(text: &str) -> bool {
    let printable = |c: char| matches!(c, '\n' | '\t' | '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}');
    text.chars().all(printable) && !text.contains(" \n") && !text.ends_with(' ')
}

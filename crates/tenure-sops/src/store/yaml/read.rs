use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;
use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, StructureStyle};
use tenure_yaml::Dialect;

use super::comments::{self, Found};
use crate::store::{Branches, Budget};
use crate::tree::{Entry, Item, Node};

/// # Errors
/// With the place of what is not well-formed, or not as sops needs it.
pub(in crate::store) fn load(bytes: &[u8], budget: &mut Budget<'_>) -> Result<Branches, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not in UTF-8".to_owned())?;
    let mut options = Options::default();
    options.emit_comments = false;
    let parser: Parser<'_, StrInput<'_>> = Parser::new_from_str_with_options(text, options);
    let mut events = Vec::new();
    for event in parser {
        let (event, span) = event.map_err(|error| {
            let mark = error.marker();
            format!(
                "line {}, column {}: {}",
                mark.line().max(1),
                mark.col() + 1,
                error.info()
            )
        })?;
        // Nodes are counted again, with aliases; this keeps the list of events short.
        budget.count(usize::from(events.len() % 2 == 0), 0)?;
        events.push((event, span));
    }
    let scalars: Vec<_> = events
        .iter()
        .filter(|(event, _)| matches!(event, Event::Scalar(..)))
        .map(|(_, span)| span.start.index()..span.end.index())
        .collect();
    let reader = Reader {
        comments: comments::find(text, &scalars),
        cut: (!text.ends_with('\n')).then(|| text.chars().count()),
        events: events.into(),
        anchors: HashMap::new(),
        budget,
    };
    reader.documents()
}

type Spanned<'a> = (Event<'a>, Span);

struct Reader<'a, 'b, 'c> {
    events: VecDeque<Spanned<'a>>,
    comments: VecDeque<Found>,
    anchors: HashMap<usize, (Node, usize)>,
    /// How many characters the text has, if its last line has no break.
    cut: Option<usize>,
    budget: &'b mut Budget<'c>,
}

fn place(span: &Span) -> String {
    format!(
        "line {}, column {}",
        span.start.line().max(1),
        span.start.col() + 1
    )
}

impl<'a> Reader<'a, '_, '_> {
    fn documents(mut self) -> Result<Branches, String> {
        let mut branches = Vec::new();
        while let Some((event, _)) = self.events.pop_front() {
            if matches!(event, Event::DocumentStart(..)) {
                self.anchors.clear();
                branches.push(self.document()?);
            }
        }
        Ok(branches)
    }

    fn document(&mut self) -> Result<Vec<Item>, String> {
        let (event, span) = self.next()?;
        let mut branch = Vec::new();
        match event {
            Event::MappingStart(style, ..) => branch = self.mapping(style, &span, 1)?,
            Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(&*text, "" | "~" | "null") => {}
            Event::SequenceStart(..) => {
                return Err("YAML documents that are sequences are not supported".to_owned());
            }
            _ => return Err("YAML documents that are values are not supported".to_owned()),
        }
        let end = self.end();
        let rest = self.before(end).into_iter();
        branch.extend(rest.map(|found| Item::Comment(found.into_comment(false))));
        Ok(branch)
    }

    fn next(&mut self) -> Result<Spanned<'a>, String> {
        self.events
            .pop_front()
            .ok_or_else(|| "the text ends inside a value".to_owned())
    }

    /// Where the next thing starts, of whatever level.
    fn end(&self) -> usize {
        let is_end =
            |event: &Event<'_>| matches!(event, Event::MappingEnd | Event::SequenceEnd | Event::DocumentEnd);
        let next = self.events.iter().find(|(event, _)| !is_end(event));
        match next {
            Some((Event::StreamEnd, _)) | None => usize::MAX,
            Some((_, span)) => span.start.index(),
        }
    }

    /// The comments that start before a place, and have not been taken yet.
    fn before(&mut self, index: usize) -> Vec<Found> {
        let count = self.comments.partition_point(|found| found.index < index);
        self.comments.drain(..count).collect()
    }

    /// Those at the end of something whose members stand at a column.
    fn trailing(&mut self, column: usize) -> Vec<Found> {
        let end = self.end();
        let mut found = Vec::new();
        while let Some(next) = self.comments.front()
            && next.index < end
            && next.column >= column
        {
            found.extend(self.comments.pop_front());
        }
        found
    }

    /// What is left of the comments of something that ends: of what has brackets, the one beside them.
    fn rest(&mut self, style: StructureStyle, column: usize, end: Option<&Span>) -> Vec<Found> {
        match (style, end) {
            (StructureStyle::Block, _) => self.trailing(column),
            (_, Some(end)) => self.beside(end).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// The comment that follows a scalar on its line.
    fn beside(&mut self, span: &Span) -> Option<Found> {
        let front = self.comments.front()?;
        let is_beside = front.inline && front.index >= span.end.index() && front.line == span.end.line();
        if is_beside {
            self.comments.pop_front()
        } else {
            None
        }
    }

    fn mapping(&mut self, style: StructureStyle, start: &Span, depth: usize) -> Result<Vec<Item>, String> {
        let mut branch = Vec::new();
        let mut column = start.start.col();
        let mut keys = HashSet::new();
        let end = loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => break span,
                Event::Scalar(text, style, _, tag) => {
                    let is_text = style != ScalarStyle::Plain || tag.is_some();
                    if !is_text && text != "<<" && !tenure_yaml::is_text(&text, Dialect::V3) {
                        return Err(format!(
                            "{}: the key is not a string, which sops can't encrypt",
                            place(&span)
                        ));
                    }
                    text.into_owned()
                }
                _ => {
                    return Err(format!(
                        "{}: the key is not a string, which sops can't encrypt",
                        place(&span)
                    ));
                }
            };
            if !keys.insert(key.clone()) {
                return Err(format!("{}: the key {key:?} is there twice", place(&span)));
            }
            if branch.is_empty() {
                column = span.start.col();
            }
            for found in self.before(span.start.index()) {
                branch.push(Item::Comment(found.into_comment(false)));
            }
            let (node, inline) = self.value(depth)?;
            branch.extend(inline.map(|found| Item::Comment(found.into_comment(true))));
            branch.push(Item::Pair(key, node));
        };
        let rest = self.rest(style, column, Some(&end)).into_iter();
        branch.extend(rest.map(|found| Item::Comment(found.into_comment(false))));
        Ok(branch)
    }

    fn sequence(&mut self, style: StructureStyle, start: &Span, depth: usize) -> Result<Vec<Entry>, String> {
        let mut list = Vec::new();
        while !matches!(self.events.front(), Some((Event::SequenceEnd, _))) {
            let at = self
                .events
                .front()
                .map_or(usize::MAX, |(_, span)| span.start.index());
            for found in self.before(at) {
                list.push(Entry::Comment(found.into_comment(false)));
            }
            let (node, inline) = self.value(depth)?;
            list.extend(inline.map(|found| Entry::Comment(found.into_comment(true))));
            list.push(Entry::Node(node));
        }
        let end = self.events.pop_front().map(|(_, span)| span);
        let rest = self.rest(style, start.start.col(), end.as_ref()).into_iter();
        list.extend(rest.map(|found| Entry::Comment(found.into_comment(false))));
        Ok(list)
    }

    /// A value, and the comment beside it if it is on one line.
    fn value(&mut self, depth: usize) -> Result<(Node, Option<Found>), String> {
        let (event, span) = self.next()?;
        self.budget.count(1, depth)?;
        let at = |why: String| format!("{}: {why}", place(&span));
        let (node, anchor, inline) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text = self.without_missing_break(text, style, &span);
                let tag = tag.as_deref().map(|tag| tag.suffix().to_owned());
                let node = scalar(&text, style, tag.as_deref()).map_err(at)?;
                let inline = self.beside(&span);
                (node, anchor, inline)
            }
            Event::MappingStart(style, anchor, _) => {
                (Node::Branch(self.mapping(style, &span, depth + 1)?), anchor, None)
            }
            Event::SequenceStart(style, anchor, _) => {
                (Node::List(self.sequence(style, &span, depth + 1)?), anchor, None)
            }
            Event::Alias(id) => {
                let (node, size) = self
                    .anchors
                    .get(&id)
                    .ok_or_else(|| at("an anchor that contains itself".to_owned()))?;
                self.budget.count(*size, depth)?;
                let node = node.clone();
                let inline = self.beside(&span);
                (node, 0, inline)
            }
            _ => return Err(at("expected a value".to_owned())),
        };
        if anchor > 0 {
            let size = size(&node);
            self.budget.count(size, depth)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok((node, inline))
    }

    /// A block scalar whose last line ends the text has no line break there in Go's package.
    fn without_missing_break<'t>(&self, text: Cow<'t, str>, style: ScalarStyle, span: &Span) -> Cow<'t, str> {
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        match text.strip_suffix('\n') {
            Some(shorter) if is_block && self.cut.is_some_and(|cut| span.end.index() >= cut) => {
                Cow::Owned(shorter.to_owned())
            }
            _ => text,
        }
    }
}

/// What a node costs: a long text as much as many short ones.
fn size(node: &Node) -> usize {
    1 + match node {
        Node::Branch(branch) => crate::tree::pairs(branch).map(|(_, node)| 1 + size(node)).sum(),
        Node::List(list) => list
            .iter()
            .map(|entry| match entry {
                Entry::Node(node) => size(node),
                Entry::Comment(_) => 1,
            })
            .sum(),
        Node::Text(text) | Node::Time(text) => text.0.len() / 64,
        _ => 0,
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&str>) -> Result<Node, String> {
    match tag {
        Some("str") => return Ok(Node::text(text)),
        Some("int" | "float" | "bool" | "null" | "timestamp") | None => {}
        Some("binary") => {
            use base64::Engine as _;
            let joined: String = text.split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(joined);
            let bytes = bytes.map_err(|_| "a binary value is not in base64".to_owned())?;
            return Ok(Node::Text(crate::tree::Text::new(bytes)));
        }
        Some(_) => return Ok(Node::text(text)),
    }
    if (style != ScalarStyle::Plain && tag.is_none())
        || tenure_yaml::is_text(text, Dialect::V3)
        || text == "<<"
    {
        return Ok(Node::text(text));
    }
    let value = tenure_yaml::parse_one(text.as_bytes(), &tenure_yaml::Options::kustomize());
    Ok(match value.map_err(|_| "a float that is no number".to_owned())? {
        Value::Null => Node::Null,
        Value::Bool(value) => Node::Bool(value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Node::Int(integer),
            (None, Some(float)) if number.is_f64() => Node::Float(float),
            _ => return Err("an integer that is too large".to_owned()),
        },
        Value::String(time) => Node::Time(crate::tree::Text::new(time.into_bytes())),
        Value::Array(_) | Value::Object(_) => Node::text(text),
    })
}

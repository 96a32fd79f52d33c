use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{
    Event, Marker, Options as ParserOptions, Parser, ScalarStyle, ScanError, Span, StrInput, Tag,
};

use crate::resolve::{self, Plain};
use crate::surrogate::Halves;
use crate::{Dialect, Error, Limits, Location, Options, Reason, fold, go_float};

/// How much is kept of how scalars are written, in bytes.
const KEPT: usize = 16 << 20;

/// One document of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it says; null if it is empty.
    pub value: Value,
    /// Where its first node starts.
    pub location: Location,
    /// With [`Options::nodes`], the scalars that are written in another way than their value is
    /// printed, such as `1.10`, `~`, `0x10`, a date or folded lines: JSON pointer and text.
    pub texts: Vec<(String, String)>,
}

/// Reads all documents of a text, empty ones included.
///
/// # Errors
/// At the first thing that is not well-formed, ambiguous or beyond the limits.
pub fn parse(text: &[u8], options: &Options) -> Result<Vec<Document>, Error> {
    Composer::new(decode(text, &options.limits)?, options).documents()
}

/// Reads a text of at most one document; nothing at all is null.
///
/// # Errors
/// As [`parse`], and if there is a second document.
pub fn parse_one(text: &[u8], options: &Options) -> Result<Value, Error> {
    let mut documents = parse(text, options)?.into_iter();
    let first = documents.next().map_or(Value::Null, |d| d.value);
    match documents.next() {
        None => Ok(first),
        Some(second) => Err(Error::new(second.location, Reason::ManyDocuments)),
    }
}

/// Where the node at a JSON pointer of the `document`-th document (from 0) stands.
///
/// For a mapping's member it is the place of the key. Nothing if the text or the pointer is bad.
#[must_use]
pub fn locate(text: &[u8], options: &Options, document: usize, pointer: &str) -> Option<Location> {
    let mut composer = Composer::new(decode(text, &options.limits).ok()?, options);
    composer.search = Some(Search {
        document,
        pointer,
        found: None,
        current: 0,
    });
    composer.path = Some(String::new());
    composer.documents().ok()?;
    composer.search.and_then(|s| s.found)
}

fn decode<'a>(text: &'a [u8], limits: &Limits) -> Result<&'a str, Error> {
    if text.len() > limits.bytes {
        return Err(Error::new(
            Location { line: 1, column: 1 },
            Reason::TooBig {
                what: "bytes",
                limit: limits.bytes,
            },
        ));
    }
    std::str::from_utf8(text).map_err(|e| {
        let good = text.get(..e.valid_up_to()).unwrap_or_default();
        let line = good.iter().filter(|b| **b == b'\n').count() + 1;
        let column = good.iter().rev().take_while(|b| **b != b'\n').count() + 1;
        Error::new(Location { line, column }, Reason::NotUtf8)
    })
}

struct Search<'a> {
    document: usize,
    pointer: &'a str,
    found: Option<Location>,
    current: usize,
}

/// A finished anchor, or one whose node is still being read.
enum Anchor {
    Open,
    Done(Value, usize, Option<String>),
}

struct Composer<'a> {
    parser: Parser<'a, StrInput<'a>>,
    options: Options,
    anchors: HashMap<usize, Anchor>,
    nodes: usize,
    /// What texts weigh beside their nodes, see [`weight`].
    texts: usize,
    alias_nodes: usize,
    depth: usize,
    search: Option<Search<'a>>,
    /// Where the reader is, as a JSON pointer, if anybody wants to know.
    path: Option<String>,
    written: Vec<(String, String)>,
    /// Bytes in `written`, of all documents.
    kept: usize,
    /// How many characters the text has, if its last line has no break.
    cut: Option<usize>,
    /// Where the node at hand starts and ends, in characters.
    span: (usize, usize),
    halves: Halves,
}

type Spanned<'a> = (Event<'a>, Location);

fn place(mark: &Marker) -> Location {
    Location {
        line: mark.line().max(1),
        column: mark.col() + 1,
    }
}

impl<'a> Composer<'a> {
    fn new(text: &'a str, options: &Options) -> Self {
        let depth = options.limits.depth.min(200);
        let mut parser = ParserOptions::default();
        // Its buffer for comments refuses ordinary files with long commented-out blocks.
        parser.emit_comments = false;
        parser.flow_nesting_limit = depth + 1;
        parser.block_nesting_limit = depth + 1;
        Self {
            parser: Parser::new_from_str_with_options(text, parser),
            options: Options {
                limits: Limits {
                    depth,
                    ..options.limits
                },
                ..*options
            },
            anchors: HashMap::new(),
            nodes: 0,
            texts: 0,
            alias_nodes: 0,
            depth: 0,
            search: None,
            path: options.nodes.then(String::new),
            cut: cut(text),
            span: (0, 0),
            halves: Halves::of(text),
            written: Vec::new(),
            kept: 0,
        }
    }

    fn documents(&mut self) -> Result<Vec<Document>, Error> {
        let mut documents = Vec::new();
        loop {
            match self.next()? {
                None | Some((Event::StreamEnd, _)) => return Ok(documents),
                Some((Event::DocumentStart(..), at)) => {
                    let limit = self.options.limits.documents;
                    if documents.len() >= limit {
                        return Err(Error::new(
                            at,
                            Reason::TooBig {
                                what: "documents",
                                limit,
                            },
                        ));
                    }
                    self.anchors.clear();
                    let event = self.need(at)?;
                    let location = event.1;
                    let value = self.node(event)?;
                    documents.push(Document {
                        value,
                        location,
                        texts: std::mem::take(&mut self.written),
                    });
                    if let Some(search) = &mut self.search {
                        search.current += 1;
                    }
                }
                Some(_) => {}
            }
        }
    }

    fn next(&mut self) -> Result<Option<Spanned<'a>>, Error> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => {
                self.span = (span.start.index(), span.end.index());
                let at = start(&span);
                if matches!(event, Event::Scalar(_, ScalarStyle::DoubleQuoted, ..))
                    && self.halves.within(self.span)
                {
                    let reason = "found invalid Unicode character escape code";
                    return Err(Error::new(at, Reason::Syntax(reason.into())));
                }
                Ok(Some((event, at)))
            }
            Some(Err(error)) => Err(syntax(&error)),
        }
    }

    fn need(&mut self, at: Location) -> Result<Spanned<'a>, Error> {
        self.next()?
            .ok_or_else(|| Error::new(at, Reason::Syntax("the text ends inside a node".into())))
    }

    fn count(&mut self, at: Location, nodes: usize) -> Result<(), Error> {
        self.nodes = self.nodes.saturating_add(nodes);
        let limit = self.options.limits.nodes;
        if self.nodes > limit {
            Err(Error::new(at, Reason::TooBig { what: "nodes", limit }))
        } else {
            Ok(())
        }
    }

    fn node(&mut self, (event, at): Spanned<'a>) -> Result<Value, Error> {
        self.count(at, 1)?;
        self.found(at);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text = self.without_missing_break(text, style);
                let mut value = scalar(&text, style, tag.as_deref(), self.options.dialect)
                    .map_err(|r| Error::new(at, r))?;
                if self.options.nodes
                    && style == ScalarStyle::Folded
                    && let Some(new) = fold::rewritten(&text)
                {
                    value = Value::String(new);
                }
                let texts = weight(&text);
                self.texts = self.texts.saturating_add(texts);
                // The parser has a tilde for what is not there.
                let is_bare = value.is_null() && self.span.0 == self.span.1;
                let written = (self.options.nodes && !prints_as(&value, &text))
                    .then(|| if is_bare { String::new() } else { text.into_owned() });
                self.keep(written.as_deref(), at)?;
                self.define(anchor, (value, written), 1 + texts, at)
            }
            Event::Alias(id) => self.alias(id, at),
            Event::SequenceStart(_, anchor, _) => self.nested(anchor, at, Self::sequence),
            Event::MappingStart(_, anchor, _) => self.nested(anchor, at, Self::mapping),
            _ => Err(Error::new(at, Reason::Syntax("expected a value".into()))),
        }
    }

    fn nested(
        &mut self,
        anchor: usize,
        at: Location,
        read: fn(&mut Self, Location) -> Result<Value, Error>,
    ) -> Result<Value, Error> {
        let limit = self.options.limits.depth;
        if self.depth >= limit {
            return Err(Error::new(
                at,
                Reason::TooBig {
                    what: "levels",
                    limit,
                },
            ));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, Anchor::Open);
        }
        let before = self.nodes + self.texts;
        self.depth += 1;
        let value = read(self, at)?;
        self.depth -= 1;
        let size = self.nodes + self.texts - before + 1;
        self.define(anchor, (value, None), size, at)
    }

    fn define(
        &mut self,
        anchor: usize,
        (value, written): (Value, Option<String>),
        size: usize,
        at: Location,
    ) -> Result<Value, Error> {
        if anchor > 0 {
            self.repeat(size, at)?;
            self.anchors
                .insert(anchor, Anchor::Done(value.clone(), size, written));
        }
        Ok(value)
    }

    /// A block scalar whose last line ends the text has no line break there in Go's packages.
    fn without_missing_break(&self, text: Cow<'a, str>, style: ScalarStyle) -> Cow<'a, str> {
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if !is_block || self.cut.is_none_or(|cut| self.span.1 < cut) {
            return text;
        }
        match text.strip_suffix('\n') {
            Some(shorter) => Cow::Owned(shorter.to_owned()),
            None => text,
        }
    }

    /// Notes how the scalar at hand is written.
    fn keep(&mut self, written: Option<&str>, at: Location) -> Result<(), Error> {
        let (Some(path), Some(text)) = (&self.path, written) else {
            return Ok(());
        };
        self.kept = self.kept.saturating_add(path.len() + text.len());
        if self.kept > KEPT {
            let (what, limit) = ("bytes of scalars in unusual forms, and the way to them", KEPT);
            return Err(Error::new(at, Reason::TooBig { what, limit }));
        }
        self.written.push((path.clone(), text.to_owned()));
        Ok(())
    }

    fn alias(&mut self, id: usize, at: Location) -> Result<Value, Error> {
        let size = match self.anchors.get(&id) {
            Some(Anchor::Done(_, size, _)) => *size,
            Some(Anchor::Open) => return Err(Error::new(at, Reason::Cycle)),
            None => return Err(Error::new(at, Reason::Syntax("unknown anchor".into()))),
        };
        self.repeat(size, at)?;
        self.count(at, size)?;
        match self.anchors.get(&id) {
            Some(Anchor::Done(value, _, written)) => {
                let (value, written) = (value.clone(), written.clone());
                self.keep(written.as_deref(), at)?;
                Ok(value)
            }
            _ => Err(Error::new(at, Reason::Cycle)),
        }
    }

    /// Counts what an anchor keeps or an alias brings.
    fn repeat(&mut self, size: usize, at: Location) -> Result<(), Error> {
        self.alias_nodes = self.alias_nodes.saturating_add(size);
        let limit = self.options.limits.alias_nodes;
        if self.alias_nodes > limit {
            let what = "nodes from anchors and aliases";
            return Err(Error::new(at, Reason::TooBig { what, limit }));
        }
        Ok(())
    }

    fn sequence(&mut self, at: Location) -> Result<Value, Error> {
        let mut items = Vec::new();
        loop {
            let event = self.need(at)?;
            if matches!(event.0, Event::SequenceEnd) {
                items.shrink_to_fit();
                return Ok(Value::Array(items));
            }
            let mark = self.enter(|| items.len().to_string());
            items.push(self.node(event)?);
            self.leave(mark);
        }
    }

    fn mapping(&mut self, at: Location) -> Result<Value, Error> {
        let mut members = Map::new();
        // Of the members, in their order; keys that come again in it are an error or add none.
        let mut lines = Vec::new();
        let mut merges = Vec::new();
        loop {
            let (event, key_at) = self.need(at)?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let (key, merge) = self.key(event, key_at)?;
            if merge {
                let event = self.need(key_at)?;
                let value = self.node(event)?;
                merges.push((value, key_at));
                continue;
            }
            let is_new = !members.contains_key(&key);
            if !is_new && !self.options.last_wins {
                let at = members.keys().position(|k| *k == key);
                let first = at.and_then(|at| lines.get(at)).copied().unwrap_or_default();
                return Err(Error::new(key_at, Reason::DuplicateKey { key, first }));
            }
            let mark = self.enter(|| key.replace('~', "~0").replace('/', "~1"));
            self.found(key_at);
            let event = self.need(key_at)?;
            let value = self.node(event)?;
            self.leave(mark);
            if is_new {
                lines.push(key_at.line);
            }
            members.insert(key, value);
        }
        for (value, at) in merges {
            merge(&mut members, value).map_err(|r| Error::new(at, r))?;
        }
        Ok(Value::Object(exact(members)))
    }

    fn key(&mut self, event: Event<'a>, at: Location) -> Result<(String, bool), Error> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(at, 1)?;
                let merge = style == ScalarStyle::Plain && tag.is_none() && text == "<<";
                let texts = weight(&text);
                self.texts = self.texts.saturating_add(texts);
                if anchor > 0 {
                    self.define(anchor, (Value::String(text.to_string()), None), 1 + texts, at)?;
                }
                let key = if style == ScalarStyle::Plain && tag.is_none() {
                    plain_key(&text, self.options.dialect, self.depth).map_err(|r| Error::new(at, r))?
                } else {
                    text.into_owned()
                };
                Ok((key, merge))
            }
            Event::Alias(_) => match self.node((event, at))? {
                Value::String(s) => Ok((s, false)),
                Value::Number(n) => Ok((n.to_string(), false)),
                Value::Bool(b) => Ok((b.to_string(), false)),
                _ => Err(Error::new(at, Reason::ComplexKey)),
            },
            _ => Err(Error::new(at, Reason::ComplexKey)),
        }
    }

    fn enter(&mut self, segment: impl FnOnce() -> String) -> usize {
        let Some(path) = &mut self.path else { return 0 };
        let mark = path.len();
        path.push('/');
        path.push_str(&segment());
        mark
    }

    fn leave(&mut self, mark: usize) {
        if let Some(path) = &mut self.path {
            path.truncate(mark);
        }
    }

    fn found(&mut self, at: Location) {
        if let Some(search) = &mut self.search
            && search.found.is_none()
            && search.current == search.document
            && self.path.as_deref() == Some(search.pointer)
        {
            search.found = Some(at);
        }
    }
}

fn cut(text: &str) -> Option<usize> {
    let last = text.rsplit('\n').next().unwrap_or_default();
    (!last.trim_end_matches(' ').is_empty()).then(|| text.chars().count())
}

/// Whether a scalar is written as its value is printed.
fn prints_as(value: &Value, text: &str) -> bool {
    match value {
        Value::String(s) => s == text,
        Value::Null => text == "null",
        Value::Bool(b) => text == if *b { "true" } else { "false" },
        Value::Number(n) => match n.as_f64() {
            Some(f) if n.is_f64() => text == go_float(f),
            _ => text == n.to_string(),
        },
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// What a text counts for where it is repeated: as many nodes as take its room.
const fn weight(text: &str) -> usize {
    text.len() / 64
}

fn start(span: &Span) -> Location {
    place(&span.start)
}

fn syntax(error: &ScanError) -> Error {
    Error::new(place(error.marker()), Reason::Syntax(error.info()))
}

/// At the top of a document every key becomes a string; deeper, version 3 keeps other types, which
/// JSON then cannot carry.
fn plain_key(text: &str, dialect: Dialect, depth: usize) -> Result<String, Reason> {
    match (resolve::plain(text, dialect), dialect) {
        (Plain::Value(_) | Plain::NotFinite(_) | Plain::Timestamp(_), Dialect::V3) if depth > 1 => {
            Err(Reason::NotAString(text.to_owned()))
        }
        (Plain::Value(Value::Bool(b)), Dialect::V2) => Ok(b.to_string()),
        (Plain::Value(Value::Number(n)), Dialect::V2) => Ok(n.to_string()),
        _ => Ok(text.to_owned()),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, dialect: Dialect) -> Result<Value, Reason> {
    let is_plain = style == ScalarStyle::Plain;
    match tag {
        Some(tag) => match tag.suffix_in_namespace("tag:yaml.org,2002:") {
            Some(name) => resolve::tagged(text, &name, is_plain, dialect),
            None => Ok(Value::String(text.to_owned())),
        },
        None if is_plain => match resolve::plain(text, dialect) {
            Plain::Value(value) => Ok(value),
            Plain::Timestamp(time) if dialect == Dialect::V3 => Ok(Value::String(time)),
            Plain::NotFinite(what) => Err(Reason::NotFinite(what)),
            Plain::Timestamp(_) | Plain::Text => Ok(Value::String(text.to_owned())),
        },
        None => Ok(Value::String(text.to_owned())),
    }
}

/// The same members without the room that a map has grown by: a text can have many, and they live as long as it
/// does.
fn exact(members: Map<String, Value>) -> Map<String, Value> {
    let mut all = Map::with_capacity(members.len());
    all.extend(members);
    all
}

/// Adds what `<<` brings; a member that is already there stays.
fn merge(members: &mut Map<String, Value>, value: Value) -> Result<(), Reason> {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                members.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::Array(list) => list.into_iter().try_for_each(|item| {
            if item.is_object() {
                merge(members, item)
            } else {
                Err(Reason::BadMerge)
            }
        }),
        _ => Err(Reason::BadMerge),
    }
}

//! The parsed form of a template.

use std::fmt::{self, Display, Write as _};
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::functions::Function;
use crate::golang::quote::quote;
use crate::value::Str;

/// A parsed template.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The name under which it can be called.
    pub(crate) name: String,
    /// The text it is part of, for places in errors.
    pub(crate) source: Arc<Source>,
    pub(crate) root: Arc<[Node]>,
}

/// A text and the name under which it was parsed.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: Str,
}

impl Source {
    /// A part of the text.
    pub(crate) fn bytes(&self, span: &Range<u32>) -> &[u8] {
        let text = self.text.as_bytes();
        text.get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// A place as errors show it: name, line and the bytes before it on the line.
    pub(crate) fn place(&self, position: u32) -> String {
        let before = self.text.as_bytes().get(..position as usize).unwrap_or_default();
        let column = before.iter().rev().take_while(|b| **b != b'\n').count();
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        format!("{}:{line}:{column}", self.name)
    }
}

impl Tree {
    /// Whether there is nothing but space, so that it does not replace another.
    pub(crate) fn is_empty(&self) -> bool {
        self.root.iter().all(|node| match node {
            Node::Text(span) => crate::golang::unicode::runes(self.source.bytes(span))
                .all(|(c, _)| crate::golang::unicode::is_space(c)),
            _ => false,
        })
    }
}

/// Trees are kept for as long as their charts are, so that none has room to grow, and text stays where it is.
#[derive(Debug)]
pub(crate) enum Node {
    Text(Range<u32>),
    Action(Box<Pipe>),
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Branch>),
    Template(Box<Call>),
    Break,
    Continue,
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) list: Box<[Node]>,
    pub(crate) otherwise: Option<Box<[Node]>>,
}

/// `{{template "name" pipeline}}`.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) position: u32,
    pub(crate) name: Str,
    pub(crate) pipe: Option<Pipe>,
}

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) position: u32,
    pub(crate) assign: bool,
    pub(crate) variables: Box<[Str]>,
    pub(crate) commands: Few<Command>,
}

/// One or more: most often one, which needs no room of its own.
#[derive(Debug)]
pub(crate) enum Few<T> {
    One(T),
    Many(Box<[T]>),
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(items: Vec<T>) -> Self {
        match <[T; 1]>::try_from(items) {
            Ok([only]) => Self::One(only),
            Err(items) => Self::Many(items.into()),
        }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::One(item) => std::slice::from_ref(item),
            Self::Many(items) => items,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) position: u32,
    pub(crate) words: Few<Word>,
}

/// An operand of a command and where it stands.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) position: u32,
    pub(crate) term: Term,
}

#[derive(Debug)]
pub(crate) enum Term {
    Bool(bool),
    Chain(Box<(Word, Arc<[Str]>)>),
    Dot,
    Field(Arc<[Str]>),
    Function(&'static Function),
    Nil,
    Number(Box<Number>),
    Pipe(Box<Pipe>),
    /// As written, and what it means.
    String(Box<(Str, Str)>),
    /// The name, then the fields.
    Variable(Arc<[Str]>),
}

/// A number and all the types that it can have.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) text: String,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: Option<(f64, f64)>,
}

/// What a pipeline declares or assigns to.
#[derive(Default)]
pub(super) struct Head {
    pub(super) assign: bool,
    pub(super) variables: Vec<Str>,
}

impl Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", quote(self.name.as_bytes()))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}

impl Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, variable) in self.variables.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            variable.fmt(f)?;
        }
        if !self.variables.is_empty() {
            f.write_str(if self.assign { " = " } else { " := " })?;
        }
        for (i, command) in self.commands.iter().enumerate() {
            if i > 0 {
                f.write_str(" | ")?;
            }
            command.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, word) in self.words.iter().enumerate() {
            if i > 0 {
                f.write_char(' ')?;
            }
            word.parenthesised(f)?;
        }
        Ok(())
    }
}

impl Word {
    fn parenthesised(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.term {
            Term::Pipe(pipe) => write!(f, "({pipe})"),
            _ => self.fmt(f),
        }
    }
}

impl Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = |f: &mut fmt::Formatter<'_>, fields: &[Str]| {
            fields.iter().try_for_each(|field| write!(f, ".{field}"))
        };
        match &self.term {
            Term::Bool(value) => value.fmt(f),
            Term::Chain(parts) => {
                let (word, chain) = &**parts;
                word.parenthesised(f)?;
                fields(f, chain)
            }
            Term::Dot => f.write_char('.'),
            Term::Field(chain) => fields(f, chain),
            Term::Function(function) => f.write_str(function.name),
            Term::Nil => f.write_str("nil"),
            Term::Number(number) => f.write_str(&number.text),
            Term::Pipe(pipe) => pipe.fmt(f),
            Term::String(text) => text.0.fmt(f),
            Term::Variable(chain) => match chain.split_first() {
                Some((name, chain)) => {
                    name.fmt(f)?;
                    fields(f, chain)
                }
                None => Ok(()),
            },
        }
    }
}

//! Pipelines, commands and their operands.

use std::sync::Arc;

use super::{At, Item, State};
use crate::error::Error;
use crate::parse::{Command, Number, Pipe, Term, Word};
use crate::value::{Str, Value};

/// What a pipeline hands to its next command; nothing at the first one.
pub(super) type Final = Option<Item>;

impl<'t> State<'_, 't, '_> {
    pub(super) fn pipeline(&mut self, dot: &Item, pipe: &'t Pipe) -> Result<Item, Error> {
        self.step()?;
        self.at = At::Pipe(pipe);
        let mut value: Final = None;
        for command in &*pipe.commands {
            let mut item = self.command(dot, command, value)?;
            item.interface = false;
            value = Some(item);
        }
        let item = value.unwrap_or_default();
        for name in &*pipe.variables {
            if pipe.assign {
                self.assign(name, item.clone())?;
            } else {
                self.variables.push((name.as_bytes(), item.clone()));
            }
        }
        Ok(item)
    }

    pub(super) fn assign(&mut self, name: &Str, item: Item) -> Result<(), Error> {
        let held = &mut self.variables.iter_mut().rev();
        match held.find(|(known, _)| *known == name.as_bytes()) {
            Some(slot) => {
                slot.1 = item;
                Ok(())
            }
            None => self.error(format!("undefined variable: {name}")),
        }
    }

    pub(super) fn variable(&self, name: &Str) -> Result<Item, Error> {
        let held = &mut self.variables.iter().rev();
        match held.find(|(known, _)| *known == name.as_bytes()) {
            Some((_, item)) => Ok(item.clone()),
            None => self.error(format!("undefined variable: {name}")),
        }
    }

    fn command(&mut self, dot: &Item, command: &'t Command, last: Final) -> Result<Item, Error> {
        let Some(word) = command.words.first() else {
            return self.error("empty command");
        };
        let words = &*command.words;
        match &word.term {
            Term::Field(chain) => {
                self.at = At::Word(word);
                return self.chain(dot, dot.clone(), word, chain, words, last);
            }
            Term::Chain(parts) => return self.chained(dot, word, parts, words, last),
            Term::Function(function) => {
                self.at = At::Word(word);
                return self.call_function(dot, function, At::Command(command), words, last);
            }
            Term::Pipe(pipe) => {
                self.not_a_function(words, &last)?;
                return self.pipeline(dot, pipe);
            }
            Term::Variable(chain) => return self.variable_chain(dot, word, chain, words, last),
            _ => {}
        }
        self.at = At::Word(word);
        self.not_a_function(words, &last)?;
        match &word.term {
            Term::Bool(value) => Ok(Item::plain(Value::Bool(*value))),
            Term::Dot => Ok(dot.clone()),
            Term::Nil => self.error("nil is not a command"),
            Term::Number(number) => self.constant(word, number).map(Item::plain),
            Term::String(text) => Ok(Item::plain(Value::String(text.1.clone()))),
            _ => self.error(format!("can't evaluate command {:?}", word.to_string())),
        }
    }

    fn not_a_function(&self, words: &[Word], last: &Final) -> Result<(), Error> {
        if words.len() < 2 && last.is_none() {
            return Ok(());
        }
        let first = words.first().map(ToString::to_string).unwrap_or_default();
        self.error(format!("can't give argument to non-function {first}"))
    }

    pub(super) fn variable_chain(
        &mut self,
        dot: &Item,
        word: &'t Word,
        chain: &'t [Str],
        words: &'t [Word],
        last: Final,
    ) -> Result<Item, Error> {
        self.at = At::Word(word);
        let Some((name, chain)) = chain.split_first() else {
            return self.error("a variable without a name");
        };
        let item = self.variable(name)?;
        if chain.is_empty() {
            self.not_a_function(words, &last)?;
            return Ok(item);
        }
        self.chain(dot, item, word, chain, words, last)
    }

    pub(super) fn chained(
        &mut self,
        dot: &Item,
        word: &'t Word,
        (head, chain): &'t (Word, Arc<[Str]>),
        words: &'t [Word],
        last: Final,
    ) -> Result<Item, Error> {
        self.at = At::Word(word);
        if matches!(head.term, Term::Nil) {
            return self.error(format!("indirection through explicit nil in {word}"));
        }
        self.at = At::Word(head);
        let receiver = match &head.term {
            Term::Pipe(pipe) => self.pipeline(dot, pipe)?,
            Term::Function(function) => {
                self.at = At::Word(head);
                self.call_function(dot, function, At::Word(head), &[], None)?
            }
            _ => return self.error(format!("can't evaluate command {:?}", head.to_string())),
        };
        self.chain(dot, receiver, word, chain, words, last)
    }

    /// A number where nothing says which type it should have: its spelling decides.
    pub(super) fn constant(&mut self, word: &'t Word, number: &Number) -> Result<Value, Error> {
        self.at = At::Word(word);
        if let Some((real, imaginary)) = number.complex {
            return Ok(Value::Complex(real, imaginary));
        }
        let text = &number.text;
        let hexadecimal = text.len() > 2
            && (text.starts_with("0x") || text.starts_with("0X"))
            && !text.contains(['p', 'P']);
        if let Some(float) = number.float
            && !hexadecimal
            && !text.starts_with('\'')
            && text.contains(['.', 'e', 'E', 'p', 'P'])
        {
            return Ok(Value::Float(float));
        }
        match (number.int, number.uint) {
            (Some(int), _) => Ok(Value::Int(int)),
            (None, Some(_)) => self.error(format!("{text} overflows int")),
            (None, None) => Ok(Value::Nil),
        }
    }
}

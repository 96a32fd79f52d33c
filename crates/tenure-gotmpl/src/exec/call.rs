//! Calls: arguments are evaluated for the type that the parameter has.

use super::eval::Final;
use super::{At, Item, State};
use crate::error::Error;
use crate::functions::{Body, Function};
use crate::parse::{Number, Term, Word};
use crate::value::{List, ListType, Map, MapType, Param, Value};

/// A name, the types of its parameters, and that of any number of further ones.
pub(super) type Signature = (&'static str, &'static [Param], Option<Param>);

impl<'t> State<'_, 't, '_> {
    pub(super) fn call_function(
        &mut self,
        dot: &Item,
        function: &'static Function,
        node: At<'t>,
        words: &'t [Word],
        last: Final,
    ) -> Result<Item, Error> {
        let words = words.get(1..).unwrap_or_default();
        let signature = (function.name, function.parameters, function.variadic);
        if let Body::Choice(or) = function.body {
            return self.choose(dot, signature, or, words, last);
        }
        let callee = match function.body {
            Body::Call => words.first().map(ToString::to_string),
            _ => None,
        };
        let mut nil_pointer = false;
        let mut arguments = self.arguments(dot, signature, words, last, &mut nil_pointer)?;
        let result = match function.body {
            Body::Plain(body) => body(self.run, &arguments),
            Body::Length(_) if nil_pointer => Err(Error::plain("len of nil pointer")),
            Body::Length(body) => body(self.run, &arguments),
            Body::Include => match arguments.as_mut_slice() {
                [Value::String(name), data] => self.run.include(self.scope, name, std::mem::take(data)),
                _ => Ok(Value::Nil),
            },
            Body::Tpl => match arguments.as_mut_slice() {
                [Value::String(text), data] => self.run.tpl(self.scope, text, std::mem::take(data)),
                _ => Ok(Value::Nil),
            },
            Body::Call => Err(Error::plain(not_callable(callee, arguments.first()))),
            Body::Choice(_) => Ok(Value::Nil),
        };
        self.run.give_back(arguments);
        match result.and_then(|value| self.run.charge_value(&value).map(|()| value)) {
            Ok(value) => {
                let interface = matches!(value, Value::Nil);
                Ok(Item { value, interface })
            }
            Err(cause) => {
                self.at = node;
                Err(self.error_around(&format!("error calling {}: ", function.name), Some(cause)))
            }
        }
    }

    /// `and` and `or`, which evaluate no more than they need.
    fn choose(
        &mut self,
        dot: &Item,
        signature: Signature,
        or: bool,
        words: &'t [Word],
        last: Final,
    ) -> Result<Item, Error> {
        self.check_count(signature, words, &last)?;
        let mut item = Item::default();
        for word in words {
            item = self.argument(dot, Param::Reflect, word)?;
            if item.value.is_true() == or {
                return Ok(item);
            }
        }
        Ok(last.unwrap_or(item))
    }

    fn check_count(
        &self,
        (name, parameters, variadic): Signature,
        words: &[Word],
        last: &Final,
    ) -> Result<(), Error> {
        let count = words.len() + usize::from(last.is_some());
        let fixed = parameters.len();
        if variadic.is_some() {
            if count < fixed {
                return self.error(format!(
                    "wrong number of args for {name}: want at least {fixed} got {}",
                    words.len()
                ));
            }
        } else if count != fixed {
            return self.error(format!(
                "wrong number of args for {name}: want {fixed} got {count}"
            ));
        }
        Ok(())
    }

    /// The values of the arguments, and whether the first is a nil out of an interface.
    pub(super) fn arguments(
        &mut self,
        dot: &Item,
        signature: Signature,
        words: &'t [Word],
        last: Final,
        nil_pointer: &mut bool,
    ) -> Result<Vec<Value>, Error> {
        self.check_count(signature, words, &last)?;
        let (_, parameters, variadic) = signature;
        let parameter = |at: usize| parameters.get(at).copied().or(variadic).unwrap_or(Param::Any);
        let mut arguments = self.run.take_list();
        let mut push = |item: Item| {
            *nil_pointer |= arguments.is_empty() && item.interface && matches!(item.value, Value::Nil);
            arguments.push(item.value);
        };
        for (at, word) in words.iter().enumerate() {
            push(self.argument(dot, parameter(at), word)?);
        }
        if let Some(item) = last {
            push(self.fit(item, parameter(words.len()))?);
        }
        Ok(arguments)
    }

    fn argument(&mut self, dot: &Item, parameter: Param, word: &'t Word) -> Result<Item, Error> {
        self.step()?;
        self.at = At::Word(word);
        let alone = std::slice::from_ref(word);
        let item = match &word.term {
            Term::Dot => dot.clone(),
            Term::Nil => return self.nil_argument(parameter),
            Term::Field(chain) => self.chain(dot, dot.clone(), word, chain, alone, None)?,
            Term::Variable(chain) => self.variable_chain(dot, word, chain, alone, None)?,
            Term::Pipe(pipe) => self.pipeline(dot, pipe)?,
            Term::Function(function) => self.call_function(dot, function, At::Word(word), &[], None)?,
            Term::Chain(parts) => self.chained(dot, word, parts, alone, None)?,
            Term::Bool(_) | Term::Number(_) | Term::String(..) => return self.literal(parameter, word),
        };
        self.fit(item, parameter)
    }

    fn nil_argument(&self, parameter: Param) -> Result<Item, Error> {
        match nil_of(parameter) {
            Some(value) => Ok(Item::plain(value)),
            None => self.error(format!("cannot assign nil to {}", parameter.name())),
        }
    }

    /// A literal takes the type of its parameter, if it can.
    fn literal(&mut self, parameter: Param, word: &'t Word) -> Result<Item, Error> {
        let term = &word.term;
        let number = match term {
            Term::Number(number) => Some(number.as_ref()),
            _ => None,
        };
        let value = match parameter {
            Param::Any | Param::Reflect => match term {
                Term::Bool(value) => Some(Value::Bool(*value)),
                Term::String(text) => Some(Value::String(text.1.clone())),
                _ => match number {
                    Some(number) => Some(self.constant(word, number)?),
                    None => None,
                },
            },
            Param::Bool => match term {
                Term::Bool(value) => Some(Value::Bool(*value)),
                _ => return self.error(format!("expected bool; found {word}")),
            },
            Param::String => match term {
                Term::String(text) => Some(Value::String(text.1.clone())),
                _ => return self.error(format!("expected string; found {word}")),
            },
            Param::Int | Param::Int64 => match number.and_then(|number| number.int) {
                Some(int) if parameter == Param::Int64 => Some(Value::Int64(int)),
                Some(int) => Some(Value::Int(int)),
                None => return self.error(format!("expected integer; found {word}")),
            },
            Param::Uint32 => match number.and_then(|number| number.uint) {
                Some(uint) => Some(Value::Uint64(uint & u64::from(u32::MAX))),
                None => return self.error(format!("expected unsigned integer; found {word}")),
            },
            Param::Float64 => match number.and_then(|number: &Number| number.float) {
                Some(float) => Some(Value::Float(float)),
                None => return self.error(format!("expected float; found {word}")),
            },
            Param::Map | Param::List | Param::Named(_) => None,
        };
        match value {
            Some(value) => Ok(Item::plain(value)),
            None => self.error(format!(
                "can't handle {word} for arg of type {}",
                parameter.name()
            )),
        }
    }

    /// Makes sure that a value can be assigned to a parameter.
    fn fit(&self, item: Item, parameter: Param) -> Result<Item, Error> {
        if item.is_invalid() {
            return match nil_of(parameter) {
                Some(value) => Ok(Item::plain(value)),
                None => self.error(format!("invalid value; expected {}", parameter.name())),
            };
        }
        let Item { value, interface } = item;
        let value = match assigned(value, parameter) {
            Ok(value) => return Ok(Item { value, interface }),
            Err(value) => value,
        };
        let found = match value {
            Value::Nil => "interface {}",
            ref value => value.type_name(),
        };
        self.error(format!(
            "wrong type for value; expected {}; got {found}",
            parameter.name()
        ))
    }
}

/// The nil of a type that has one.
const fn nil_of(parameter: Param) -> Option<Value> {
    match parameter {
        Param::Any | Param::Reflect => Some(Value::Nil),
        Param::Map => Some(Value::Map(Map::nil(&MapType::ANY))),
        Param::List => Some(Value::List(List::nil(&ListType::ANY))),
        _ => None,
    }
}

/// The value as a variable of the type holds it, or as it was if the type cannot.
fn assigned(value: Value, parameter: Param) -> Result<Value, Value> {
    let fits = match parameter {
        Param::Any | Param::Reflect => true,
        Param::String => matches!(value, Value::String(_)),
        Param::Int => matches!(value, Value::Int(_)),
        Param::Int64 => matches!(value, Value::Int64(_)),
        Param::Uint32 => false,
        Param::Float64 => matches!(value, Value::Float(_)),
        Param::Bool => matches!(value, Value::Bool(_)),
        Param::Named(name) => value.type_name() == name,
        Param::Map => {
            return match value.as_map() {
                Some(map) if *map.kind() == MapType::ANY => Ok(Value::Map(map)),
                _ => Err(value),
            };
        }
        Param::List => {
            return match value.as_list() {
                Some(list) if *list.kind() == ListType::ANY => Ok(Value::List(list)),
                _ => Err(value),
            };
        }
    };
    if fits { Ok(value) } else { Err(value) }
}

fn not_callable(callee: Option<String>, value: Option<&Value>) -> String {
    let Some(value) = value.filter(|value| !matches!(value, Value::Nil)) else {
        return "call of nil".into();
    };
    let name = callee.unwrap_or_else(|| match value {
        Value::String(text) => text.to_string(),
        other => format!("<{} Value>", other.type_name()),
    });
    format!("non-function {name} of type {}", value.type_name())
}

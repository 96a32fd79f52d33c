//! Fields: members of maps and structs, and methods.

use super::eval::Final;
use super::{At, Item, State};
use crate::error::Error;
use crate::parse::Word;
use crate::value::{Kind, List, ListType, Map, Method, Object, Shape, Str, Value};

impl<'t> State<'_, 't, '_> {
    /// Follows `.A.B.C`; arguments go to the last of them.
    pub(super) fn chain(
        &mut self,
        dot: &Item,
        mut receiver: Item,
        word: &'t Word,
        chain: &'t [Str],
        words: &'t [Word],
        last: Final,
    ) -> Result<Item, Error> {
        let Some((name, before)) = chain.split_last() else {
            return Ok(receiver);
        };
        for name in before {
            receiver = self.field(dot, &receiver, name, word, &[], None)?;
        }
        self.field(dot, &receiver, name, word, words, last)
    }

    fn field(
        &mut self,
        dot: &Item,
        receiver: &Item,
        name: &Str,
        word: &'t Word,
        words: &'t [Word],
        last: Final,
    ) -> Result<Item, Error> {
        self.step()?;
        if receiver.is_invalid() {
            if self.run.strict {
                let name = crate::golang::quote::quote(name.as_bytes());
                return self.error(format!("nil data; no entry for key {name}"));
            }
            return Ok(Item::default());
        }
        let arguments = words.len() > 1 || last.is_some();
        match &receiver.value {
            Value::Nil => self.error(format!("nil pointer evaluating {}.{name}", receiver.type_name())),
            Value::Map(map) => self.member(map, name, arguments),
            Value::Object(object) => {
                let is_it = |known: &str| known.as_bytes() == name.as_bytes();
                if let Some(method) = object.methods().iter().find(|method| is_it(method.name)) {
                    return self.method(dot, object.as_ref(), method, word, words, last);
                }
                match object.shape() {
                    Shape::Map(map) => self.member(&map, name, arguments),
                    Shape::Struct(fields) | Shape::Pointer(fields) => {
                        match fields.into_iter().find(|field| is_it(field.name)) {
                            Some(field) if field.name.starts_with(char::is_lowercase) => self.error(format!(
                                "{name} is an unexported field of struct type {}",
                                receiver.type_name()
                            )),
                            Some(_) if arguments => {
                                self.error(format!("{name} has arguments but cannot be invoked as function"))
                            }
                            Some(field) => Ok(Item::plain(field.value)),
                            None => self.no_field(receiver, name),
                        }
                    }
                    _ => self.no_field(receiver, name),
                }
            }
            _ => self.no_field(receiver, name),
        }
    }

    fn no_field(&self, receiver: &Item, name: &Str) -> Result<Item, Error> {
        self.error(format!(
            "can't evaluate field {name} in type {}",
            receiver.type_name()
        ))
    }

    fn member(&self, map: &Map, name: &Str, arguments: bool) -> Result<Item, Error> {
        if arguments {
            return self.error(format!("{name} is not a method but has arguments"));
        }
        let boxed = map.kind().element == Kind::Interface;
        if let Some(value) = map.get(name.as_bytes()) {
            return Ok(Item {
                value,
                interface: boxed,
            });
        }
        if self.run.strict {
            let name = crate::golang::quote::quote(name.as_bytes());
            return self.error(format!("map has no entry for key {name}"));
        }
        Ok(missing(map))
    }

    fn method(
        &mut self,
        dot: &Item,
        object: &dyn Object,
        method: &'static Method,
        word: &'t Word,
        words: &'t [Word],
        last: Final,
    ) -> Result<Item, Error> {
        let arguments = self.arguments(
            dot,
            (method.name, method.parameters, None),
            words.get(1..).unwrap_or_default(),
            last,
            &mut false,
        )?;
        let result = object.call(method.name, &arguments);
        self.run.give_back(arguments);
        match result {
            Ok(value) => {
                let charged = self.run.charge_value(&value);
                self.limited(charged)?;
                Ok(Item::plain(value))
            }
            Err(reason) => {
                self.at = At::Word(word);
                Err(self.error_around(
                    &format!("error calling {}: ", method.name),
                    Some(Error::plain(reason)),
                ))
            }
        }
    }
}

/// What a map gives for a key it does not have: the zero value of its elements.
pub(crate) fn missing(map: &Map) -> Item {
    match map.kind().element {
        Kind::Interface => Item::interface(Value::Nil),
        Kind::Slice => Item::plain(Value::List(List::nil(&ListType::UINT8))),
        kind => Item::plain(kind.zero()),
    }
}

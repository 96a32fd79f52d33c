//! Objects at rest.
//!
//! A build holds thousands of objects and works on one at a time. As a tree of mappings an object takes ten times the
//! memory of its text, nearly all of it for keys and spare room, so those that nobody works on are kept packed: one
//! block of bytes each, in which names and kinds can be looked up without unpacking.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Number, Value};

use crate::meter::written;
use crate::object;

/// A value that is packed until it is changed, and again when [`Packed::pack`] says so.
#[derive(Debug, Clone)]
pub(crate) struct Packed(State);

#[derive(Debug, Clone)]
enum State {
    Open(Box<Value>),
    Packed(Box<[u8]>),
}

impl Default for Packed {
    fn default() -> Self {
        Self::from(Value::Null)
    }
}

impl From<Value> for Packed {
    fn from(value: Value) -> Self {
        Self(State::Open(Box::new(value)))
    }
}

impl From<Packed> for Value {
    fn from(packed: Packed) -> Self {
        match packed.0 {
            State::Open(value) => *value,
            State::Packed(bytes) => Reader(&bytes).value(),
        }
    }
}

impl PartialEq for Packed {
    fn eq(&self, other: &Self) -> bool {
        self.view() == other.view()
    }
}

impl Packed {
    /// The value, to be changed. It stays unpacked.
    pub(crate) fn open(&mut self) -> &mut Value {
        if let State::Packed(bytes) = &self.0 {
            self.0 = State::Open(Box::new(Reader(bytes).value()));
        }
        match &mut self.0 {
            State::Open(value) => value,
            State::Packed(_) => unreachable!("it was just unpacked"),
        }
    }

    /// Changes one member of a mapping, which is all that is unpacked of it. `change` gets a mapping that lacks the
    /// others, and may take the member away or add some.
    pub(crate) fn edit<T>(&mut self, member: &str, change: impl FnOnce(&mut Value) -> T) -> T {
        let State::Packed(bytes) = &self.0 else {
            return change(self.open());
        };
        let Some((place, part)) = Reader(bytes).find(member) else {
            return change(self.open());
        };
        let mut alone = Value::Object(
            part.map(|part| (member.to_owned(), part.value()))
                .into_iter()
                .collect(),
        );
        let done = change(&mut alone);
        let Value::Object(mut alone) = alone else {
            return done;
        };
        match (part, alone.get(member), alone.len()) {
            (None, None, 0) => {}
            (Some(_), Some(new), 1) => self.0 = State::Packed(spliced(bytes, place, new)),
            (_, kept, _) => {
                let is_kept = kept.is_some();
                if let Some(map) = self.open().as_object_mut() {
                    if !is_kept {
                        map.shift_remove(member);
                    }
                    object::make_room(map, alone.len());
                    map.append(&mut alone);
                }
                self.pack();
            }
        }
        done
    }

    /// Whether a mapping anywhere in it has such a member.
    pub(crate) fn has_member(&self, test: &dyn Fn(&str) -> bool) -> bool {
        match &self.0 {
            State::Open(_) => true,
            State::Packed(bytes) => Reader(bytes).has_member(test),
        }
    }

    /// The value, to be looked at.
    pub(crate) fn view(&self) -> Cow<'_, Value> {
        match &self.0 {
            State::Open(value) => Cow::Borrowed(value),
            State::Packed(bytes) => Cow::Owned(Reader(bytes).value()),
        }
    }

    /// The string at a path of member names.
    pub(crate) fn text(&self, path: &[&str]) -> Option<&str> {
        match &self.0 {
            State::Open(value) => object::text(value, path),
            State::Packed(bytes) => Reader(bytes).at(path)?.string(),
        }
    }

    /// A part of the value, by a path of member names.
    pub(crate) fn part(&self, path: &[&str]) -> Option<Cow<'_, Value>> {
        match &self.0 {
            State::Open(value) => path
                .iter()
                .try_fold(&**value, |v, key| v.get(key))
                .map(Cow::Borrowed),
            State::Packed(bytes) => Some(Cow::Owned(Reader(bytes).at(path)?.value())),
        }
    }

    /// Whether a path may lead to something: `false` only if the object has nothing there, so that nothing is to be
    /// unpacked. Lists are gone through, and a part that ends in `[]` is a list.
    pub(crate) fn leads<'p>(&self, path: impl Iterator<Item = &'p str> + Clone) -> bool {
        match &self.0 {
            State::Open(_) => true,
            State::Packed(bytes) => Reader(bytes).leads(path),
        }
    }

    /// About the bytes that it comes to as YAML.
    pub(crate) fn written(&self) -> u64 {
        match &self.0 {
            State::Open(value) => written(value, 0),
            State::Packed(bytes) => Reader(bytes).written(0),
        }
    }

    /// Whether it is null, or a mapping of nothing.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.0 {
            State::Open(value) => value.is_null() || value.as_object().is_some_and(Map::is_empty),
            State::Packed(bytes) => Reader(bytes).is_empty(),
        }
    }

    /// Packs it, if it was changed since.
    pub(crate) fn pack(&mut self) {
        if let State::Open(value) = &self.0 {
            let mut bytes = Vec::with_capacity(size(value));
            write(&mut bytes, value);
            self.0 = State::Packed(bytes.into_boxed_slice());
        }
    }
}

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const SIGNED: u8 = 3;
const UNSIGNED: u8 = 4;
const FLOAT: u8 = 5;
const STRING: u8 = 6;
const LIST: u8 = 7;
const MAPPING: u8 = 8;

/// A tag, then what it says: numbers in eight bytes; strings after their length; lists and mappings after the length
/// of all that they hold, by which they can be passed over, and the count of it.
fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(false) => out.push(FALSE),
        Value::Bool(true) => out.push(TRUE),
        Value::Number(number) => {
            let (tag, bytes) = match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(n), _, _) => (SIGNED, n.to_le_bytes()),
                (_, Some(n), _) => (UNSIGNED, n.to_le_bytes()),
                (_, _, n) => (FLOAT, n.unwrap_or_default().to_le_bytes()),
            };
            out.push(tag);
            out.extend_from_slice(&bytes);
        }
        Value::String(text) => {
            out.push(STRING);
            write_text(out, text);
        }
        Value::Array(items) => write_all(out, LIST, items.len(), |out| {
            items.iter().for_each(|item| write(out, item));
        }),
        Value::Object(members) => write_all(out, MAPPING, members.len(), |out| {
            for (key, member) in members {
                write_text(out, key);
                write(out, member);
            }
        }),
    }
}

/// The bytes that [`write`] makes of a value.
fn size(value: &Value) -> usize {
    let all = |count: usize, inside: usize| 1 + length_size(count) + 8 + inside;
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Number(_) => 9,
        Value::String(text) => 1 + text_size(text),
        Value::Array(items) => all(items.len(), items.iter().map(size).sum()),
        Value::Object(members) => {
            let sizes = members.iter().map(|(key, member)| text_size(key) + size(member));
            all(members.len(), sizes.sum())
        }
    }
}

const fn text_size(text: &str) -> usize {
    length_size(text.len()) + text.len()
}

const fn length_size(length: usize) -> usize {
    match length.checked_ilog2() {
        Some(highest) => highest as usize / 7 + 1,
        None => 1,
    }
}

fn write_all(out: &mut Vec<u8>, tag: u8, count: usize, all: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    write_length(out, count);
    let from = out.len();
    out.extend_from_slice(&[0; 8]);
    all(out);
    let length = out.len() - from - 8;
    if let Some(place) = out.get_mut(from..from + 8) {
        place.copy_from_slice(&(length as u64).to_le_bytes());
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Seven bits to the byte, lowest first.
fn write_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// The mapping with another value at the place of one of its members.
fn spliced(bytes: &[u8], place: Range<usize>, new: &Value) -> Box<[u8]> {
    let (before, after) = (bytes.get(..place.start), bytes.get(place.end..));
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let mut out = Vec::with_capacity(before.len() + size(new) + after.len());
    out.extend_from_slice(before);
    write(&mut out, new);
    out.extend_from_slice(after);
    let count = Reader(bytes.get(1..).unwrap_or_default()).length();
    let from = 1 + length_size(count);
    let length = out.len() - from - 8;
    if let Some(place) = out.get_mut(from..from + 8) {
        place.copy_from_slice(&(length as u64).to_le_bytes());
    }
    out.into_boxed_slice()
}

/// Reads what [`write`] wrote. Nothing else ever gets here, so what does not fit is a fault of this module.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn word(&mut self) -> [u8; 8] {
        let mut word = [0; 8];
        word.copy_from_slice(self.take(8));
        word
    }

    fn length(&mut self) -> usize {
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return length;
            }
            shift += 7;
        }
    }

    fn text(&mut self) -> &'a str {
        let length = self.length();
        std::str::from_utf8(self.take(length)).expect("it was written from a string")
    }

    /// What a list or a mapping holds, apart, and how many.
    fn inside(&mut self) -> (usize, Self) {
        let count = self.length();
        let length = u64::from_le_bytes(self.word());
        (count, Self(self.take(length as usize)))
    }

    fn value(mut self) -> Value {
        self.next()
    }

    fn next(&mut self) -> Value {
        match self.byte() {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            SIGNED => Value::from(i64::from_le_bytes(self.word())),
            UNSIGNED => Value::from(u64::from_le_bytes(self.word())),
            FLOAT => Number::from_f64(f64::from_le_bytes(self.word())).map_or(Value::Null, Value::Number),
            STRING => Value::from(self.text()),
            LIST => {
                let (count, mut inside) = self.inside();
                Value::Array((0..count).map(|_| inside.next()).collect())
            }
            _ => {
                let (count, mut inside) = self.inside();
                let mut members = Map::with_capacity(count);
                members.extend((0..count).map(|_| (inside.text().to_owned(), inside.next())));
                Value::Object(members)
            }
        }
    }

    fn skip(&mut self) {
        match self.byte() {
            NULL | FALSE | TRUE => {}
            SIGNED | UNSIGNED | FLOAT => drop(self.word()),
            STRING => drop(self.text()),
            _ => drop(self.inside()),
        }
    }

    fn at(mut self, path: &[&str]) -> Option<Self> {
        path.iter().try_for_each(|part| self.enter(part))?;
        Some(self)
    }

    /// Goes on to a member.
    fn enter(&mut self, part: &str) -> Option<()> {
        if self.byte() != MAPPING {
            return None;
        }
        let (count, mut inside) = self.inside();
        for _ in 0..count {
            if inside.text() == part {
                *self = inside;
                return Some(());
            }
            inside.skip();
        }
        None
    }

    /// The value of a member of this mapping, and where in it its bytes are. Nothing if it is no mapping.
    fn find(mut self, member: &str) -> Option<(Range<usize>, Option<Self>)> {
        let all = self.0.len();
        if self.byte() != MAPPING {
            return None;
        }
        let (count, mut inside) = self.inside();
        for _ in 0..count {
            let is_it = inside.text() == member;
            let part = inside;
            inside.skip();
            if is_it {
                return Some((all - part.0.len()..all - inside.0.len(), Some(part)));
            }
        }
        Some((0..0, None))
    }

    fn has_member(&mut self, test: &dyn Fn(&str) -> bool) -> bool {
        match self.0.first() {
            Some(&(LIST | MAPPING)) => {
                let is_mapping = self.byte() == MAPPING;
                let (count, mut inside) = self.inside();
                (0..count).any(|_| is_mapping && test(inside.text()) || inside.has_member(test))
            }
            _ => {
                self.skip();
                false
            }
        }
    }

    /// Goes over one value.
    fn leads<'p>(&mut self, path: impl Iterator<Item = &'p str> + Clone) -> bool {
        let mut rest = path.clone();
        let Some(part) = rest.next() else {
            return true;
        };
        match self.0.first() {
            Some(&LIST) => {
                self.byte();
                let (count, mut inside) = self.inside();
                (0..count).any(|_| inside.leads(path.clone()))
            }
            Some(&MAPPING) => {
                self.byte();
                let (count, mut inside) = self.inside();
                let name = part.strip_suffix("[]").unwrap_or(part);
                for _ in 0..count {
                    if inside.text() == name {
                        return name.len() != part.len() || inside.leads(rest);
                    }
                    inside.skip();
                }
                name.is_empty()
            }
            Some(&NULL) => {
                self.byte();
                false
            }
            // That is an error, for whoever goes there to find.
            _ => true,
        }
    }

    /// As [`written`](crate::meter::written) has it.
    fn written(&mut self, indent: u64) -> u64 {
        match self.0.first() {
            Some(&STRING) => {
                self.byte();
                self.text().len() as u64 + 3
            }
            Some(&(LIST | MAPPING)) => {
                let is_mapping = self.byte() == MAPPING;
                let (count, mut inside) = self.inside();
                let mut member = || {
                    let key = if is_mapping { inside.text().len() } else { 0 };
                    indent + 3 + key as u64 + inside.written(indent + 2)
                };
                (0..count).map(|_| member()).sum()
            }
            _ => {
                self.skip();
                8
            }
        }
    }

    fn string(mut self) -> Option<&'a str> {
        (self.byte() == STRING).then(|| self.text())
    }

    fn is_empty(mut self) -> bool {
        match self.byte() {
            NULL => true,
            MAPPING => self.length() == 0,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn packed(value: &Value) -> Packed {
        let mut packed = Packed::from(value.clone());
        packed.pack();
        let State::Packed(bytes) = &packed.0 else {
            panic!("it is packed");
        };
        assert_eq!(bytes.len(), size(value));
        packed
    }

    fn values() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,300}".prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((".{0,9}", inner), 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out_as_it_was(value in values()) {
            let mut packed = packed(&value);
            prop_assert_eq!(&*packed.view(), &value);
            prop_assert_eq!(packed.view().to_string(), value.to_string(), "in the same order");
            prop_assert_eq!(packed.is_empty(), Packed::from(value.clone()).is_empty());
            prop_assert_eq!(packed.written(), written(&value, 0));
            for (key, member) in value.as_object().into_iter().flatten() {
                prop_assert_eq!(packed.part(&[key]).map(Cow::into_owned), Some(member.clone()));
                prop_assert_eq!(packed.text(&[key]), member.as_str());
            }
            prop_assert_eq!(packed.open(), &value);
        }

        #[test]
        fn a_member_is_changed_as_if_all_was_unpacked(value in values(), new in values(), pick in 0_usize..9, way in 0..4) {
            let key = value.as_object().and_then(|map| map.keys().nth(pick).cloned()).unwrap_or_else(|| "new".to_owned());
            let change = |root: &mut Value| {
                let Some(map) = root.as_object_mut() else { return };
                match way {
                    0 => drop(map.insert(key.clone(), new.clone())),
                    1 => drop(map.shift_remove(&key)),
                    2 => drop(map.insert(format!("{key}-too"), new.clone())),
                    _ => {}
                }
            };
            let (mut packed, mut whole) = (packed(&value), value.clone());
            packed.edit(&key, change);
            change(&mut whole);
            prop_assert_eq!(packed.view().to_string(), whole.to_string());
            prop_assert!(packed.has_member(&|name| name == key) || !has(&whole, &key));
        }
    }

    fn has(value: &Value, key: &str) -> bool {
        match value {
            Value::Object(map) => map.iter().any(|(name, inner)| name == key || has(inner, key)),
            Value::Array(list) => list.iter().any(|inner| has(inner, key)),
            _ => false,
        }
    }

    #[test]
    fn a_part_is_found_without_unpacking() {
        let packed =
            packed(&json!({"kind": "A", "metadata": {"labels": {"a": 1}, "name": "b", "x": null}, "z": []}));
        assert_eq!(packed.text(&["metadata", "name"]), Some("b"));
        assert_eq!(packed.text(&["metadata", "labels", "a"]), None);
        assert_eq!(packed.text(&["metadata", "name", "x"]), None);
        assert_eq!(packed.part(&["z"]).as_deref(), Some(&json!([])));
        assert_eq!(packed.part(&["nothing"]), None);
        assert_eq!(packed.text(&["kind"]), Some("A"));
    }

    #[test]
    fn a_path_that_leads_nowhere_is_known_without_unpacking() {
        let packed = packed(&json!({"a": {"b": null, "c": 1}, "l": [null, {"x": 1}, {"y": {"z": 2}}]}));
        for (path, leads) in [
            ("a", true),
            ("a/b", true),
            ("a/b/c", false),
            ("a/b[]", true),
            ("a/c/d", true),
            ("a/d", false),
            ("l/x", true),
            ("l/y/z", true),
            ("l/y/q", false),
            ("l/q", false),
            ("a//d", true),
        ] {
            assert_eq!(packed.leads(path.split('/')), leads, "{path}");
        }
    }
}

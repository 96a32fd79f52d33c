//! Values of all types.

use super::Printer;
use crate::value::{Field, Kind, List, Map, Shape, Value};

/// Levels of lists and maps that are printed.
const DEPTH: usize = 500;

/// Where Go prints the address of something in memory.
const ADDRESS: u64 = 0xc000_0000_0000;

impl Printer {
    /// An operand at top level.
    pub(super) fn argument(&mut self, value: &Value, verb: char) {
        if matches!(value, Value::Nil) {
            return match verb {
                'T' | 'v' => self.pad(b"<nil>"),
                _ => self.bad_verb(verb, value),
            };
        }
        match verb {
            'T' => self.string(value.type_name().as_bytes()),
            'p' => self.pointer(value, 'p'),
            _ => {
                if let Value::Bytes(bytes) = value {
                    return self.bytes(value, bytes.as_bytes(), verb, "[]byte");
                }
                self.value(value, verb, 0);
            }
        }
    }

    pub(super) fn value(&mut self, value: &Value, verb: char, depth: usize) {
        if self.failure.is_some() {
            return;
        }
        if depth > DEPTH {
            self.fail("a value is nested too deeply to be printed");
            return;
        }
        match value {
            Value::Nil => {
                self.write(if self.flags.sharp_v {
                    b"interface {}(nil)"
                } else {
                    b"<nil>"
                });
            }
            Value::Bool(truth) => match verb {
                't' | 'v' => self.pad(if *truth { b"true" } else { b"false" }),
                _ => self.bad_verb(verb, value),
            },
            Value::Int(number) | Value::Int64(number) => {
                self.integer(value, number.unsigned_abs(), Some(*number < 0), verb);
            }
            Value::Uint8(number) => self.integer(value, u64::from(*number), None, verb),
            Value::Uint64(number) => self.integer(value, *number, None, verb),
            Value::Float(number) => self.float(value, *number, verb),
            Value::Complex(real, imaginary) => self.complex(value, (*real, *imaginary), verb),
            Value::String(text) => self.text(value, text.as_bytes(), verb),
            Value::Bytes(bytes) => self.bytes(value, bytes.as_bytes(), verb, "[]uint8"),
            Value::List(list) => self.list(list.kind().name, list, verb, depth),
            Value::Map(map) => self.map(map.kind().name, map, verb, depth),
            Value::Object(object) => {
                if !self.erroring
                    && !self.flags.sharp_v
                    && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
                    && let Some(text) = object.text()
                {
                    return self.text(value, text.as_bytes(), verb);
                }
                match object.shape() {
                    Shape::Struct(fields) => self.fields(object.type_name(), &fields, verb, depth),
                    Shape::Pointer(fields) if depth == 0 => {
                        self.write(b"&");
                        let name = object.type_name();
                        self.fields(name.strip_prefix('*').unwrap_or(name), &fields, verb, 1);
                    }
                    Shape::Pointer(_) => self.pointer(value, verb),
                    Shape::Map(map) => self.map(object.type_name(), &map, verb, depth),
                    Shape::List(list) => self.list(object.type_name(), &list, verb, depth),
                    Shape::Plain(plain) => self.value(&plain, verb, depth),
                }
            }
        }
    }

    fn list(&mut self, name: &str, list: &List, verb: char, depth: usize) {
        if list.kind().element == Kind::Uint8 && matches!(verb, 's' | 'q' | 'x' | 'X') {
            let bytes: Vec<u8> = list
                .to_vec()
                .iter()
                .map(|item| match item {
                    Value::Uint8(byte) => *byte,
                    _ => 0,
                })
                .collect();
            return self.bytes(&Value::List(list.clone()), &bytes, verb, name);
        }
        let sharp = self.flags.sharp_v;
        if sharp {
            self.write(name.as_bytes());
            if list.is_nil() {
                return self.write(b"(nil)");
            }
        }
        self.write(if sharp { b"{" } else { b"[" });
        for at in 0..list.len() {
            if at > 0 {
                self.write(if sharp { b", " } else { b" " });
            }
            self.value(&list.get(at).unwrap_or_default(), verb, depth + 1);
            if self.failure.is_some() {
                return;
            }
        }
        self.write(if sharp { b"}" } else { b"]" });
    }

    fn map(&mut self, name: &str, map: &Map, verb: char, depth: usize) {
        let sharp = self.flags.sharp_v;
        if sharp {
            self.write(name.as_bytes());
            if map.is_nil() {
                return self.write(b"(nil)");
            }
        }
        self.write(if sharp { b"{" } else { b"map[" });
        for (at, (key, value)) in map.entries().into_iter().enumerate() {
            if at > 0 {
                self.write(if sharp { b", " } else { b" " });
            }
            self.value(&Value::String(key), verb, depth + 1);
            self.write(b":");
            self.value(&value, verb, depth + 1);
            if self.failure.is_some() {
                return;
            }
        }
        self.write(if sharp { b"}" } else { b"]" });
    }

    pub(super) fn fields(&mut self, name: &str, fields: &[Field], verb: char, depth: usize) {
        let sharp = self.flags.sharp_v;
        if sharp {
            self.write(name.as_bytes());
        }
        self.write(b"{");
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                self.write(if sharp { b", " } else { b" " });
            }
            if sharp || self.flags.plus_v {
                self.write(field.name.as_bytes());
                self.write(b":");
            }
            self.value(&field.value, verb, depth + 1);
        }
        self.write(b"}");
    }

    fn pointer(&mut self, value: &Value, verb: char) {
        if !matches!(value.kind(), Kind::Map | Kind::Slice | Kind::Ptr) {
            return self.bad_verb(verb, value);
        }
        let address = if value.is_nil() { 0 } else { ADDRESS };
        match verb {
            'v' if self.flags.sharp_v => {
                self.write(format!("({})({address:#x})", value.type_name()).as_bytes());
            }
            'v' | 'p' => self.hexadecimal(address, !self.flags.sharp),
            'b' | 'o' | 'd' | 'x' | 'X' => self.integer(value, address, None, verb),
            _ => self.bad_verb(verb, value),
        }
    }
}

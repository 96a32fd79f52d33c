//! Go's `fmt`: values as text, with and without verbs.

mod number;
mod text;
mod value;
mod verbs;

use crate::error::Error;
use crate::golang::unicode::push;
use crate::value::Value;

/// A value as a template prints it.
pub(crate) fn display(value: &Value, limit: usize) -> Result<Vec<u8>, Error> {
    if let Value::Object(object) = value
        && let Some(text) = object.printed()
    {
        return Ok(text.as_bytes().to_vec());
    }
    let mut printer = Printer::new(limit);
    match value {
        Value::Object(object) => match object.shape() {
            // Templates follow a pointer before they print.
            crate::value::Shape::Pointer(fields) => printer.fields(object.type_name(), &fields, 'v', 0),
            _ => printer.argument(value, 'v'),
        },
        _ => printer.argument(value, 'v'),
    }
    printer.finish()
}

/// `fmt.Sprintf`.
pub(crate) fn sprintf(format: &[u8], arguments: &[Value], limit: usize) -> Result<Vec<u8>, Error> {
    let mut printer = Printer::new(limit);
    verbs::print(&mut printer, format, arguments);
    printer.finish()
}

/// `fmt.Sprint`: spaces between operands if neither is a string.
pub(crate) fn sprint(arguments: &[Value], limit: usize) -> Result<Vec<u8>, Error> {
    let mut printer = Printer::new(limit);
    let mut after_string = true;
    for argument in arguments {
        let string = argument.kind() == crate::value::Kind::String;
        if !string && !after_string {
            printer.write(b" ");
        }
        printer.argument(argument, 'v');
        after_string = string;
    }
    printer.finish()
}

/// `fmt.Sprintln`: spaces between all operands, and a newline.
pub(crate) fn sprintln(arguments: &[Value], limit: usize) -> Result<Vec<u8>, Error> {
    let mut printer = Printer::new(limit);
    for (at, argument) in arguments.iter().enumerate() {
        if at > 0 {
            printer.write(b" ");
        }
        printer.argument(argument, 'v');
    }
    printer.write(b"\n");
    printer.finish()
}

/// `%v`.
pub(crate) fn plain(value: &Value, limit: usize) -> Result<Vec<u8>, Error> {
    let mut printer = Printer::new(limit);
    printer.argument(value, 'v');
    printer.finish()
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    width: Option<usize>,
    precision: Option<usize>,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// `%+v` and `%#v`.
    plus_v: bool,
    sharp_v: bool,
}

struct Printer {
    out: Vec<u8>,
    flags: Flags,
    /// Inside a message about a bad verb.
    erroring: bool,
    limit: usize,
    failure: Option<Error>,
}

impl Printer {
    fn new(limit: usize) -> Self {
        Self {
            out: Vec::new(),
            flags: Flags::default(),
            erroring: false,
            limit,
            failure: None,
        }
    }

    fn finish(self) -> Result<Vec<u8>, Error> {
        match self.failure {
            None => Ok(self.out),
            Some(error) => Err(error),
        }
    }

    fn fail(&mut self, reason: &str) {
        self.failure.get_or_insert_with(|| Error::limit(reason));
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        if self.out.len() + bytes.len() > self.limit {
            self.fail("a text is longer than the run may make");
            return;
        }
        self.out.extend_from_slice(bytes);
    }

    fn write_char(&mut self, c: char) {
        let mut bytes = Vec::with_capacity(4);
        push(&mut bytes, c);
        self.write(&bytes);
    }

    fn padding(&mut self, count: usize) {
        if self.failure.is_some() {
            return;
        }
        if self.out.len().saturating_add(count) > self.limit {
            self.fail("a text is longer than the run may make");
            return;
        }
        let with = if self.flags.zero && !self.flags.minus {
            b'0'
        } else {
            b' '
        };
        self.out.resize(self.out.len() + count, with);
    }

    /// Writes text, filled up to the width.
    fn pad(&mut self, bytes: &[u8]) {
        let width = self.flags.width.map_or(0, |width| {
            width.saturating_sub(crate::golang::unicode::count(bytes))
        });
        if !self.flags.minus {
            self.padding(width);
        }
        self.write(bytes);
        if self.flags.minus {
            self.padding(width);
        }
    }

    fn bad_verb(&mut self, verb: char, value: &Value) {
        let outer = std::mem::replace(&mut self.erroring, true);
        self.write(b"%!");
        self.write_char(verb);
        self.write(b"(");
        if matches!(value, Value::Nil) {
            self.write(b"<nil>");
        } else {
            self.write(value.type_name().as_bytes());
            self.write(b"=");
            self.value(value, 'v', 0);
        }
        self.write(b")");
        self.erroring = outer;
    }
}

//! The format string.

use super::{Flags, Printer};
use crate::golang::unicode::decode;
use crate::value::Value;

/// Widths and precisions beyond this are mistakes.
const LARGEST: i64 = 1_000_000;

struct Scan<'a> {
    format: &'a [u8],
    at: usize,
    arguments: &'a [Value],
    next: usize,
    reordered: bool,
    good_number: bool,
}

pub(super) fn print(printer: &mut Printer, format: &[u8], arguments: &[Value]) {
    let mut scan = Scan {
        format,
        at: 0,
        arguments,
        next: 0,
        reordered: false,
        good_number: true,
    };
    while scan.at < format.len() {
        let rest = scan.rest();
        let plain = rest.iter().position(|b| *b == b'%').unwrap_or(rest.len());
        printer.write(rest.get(..plain).unwrap_or_default());
        scan.at += plain;
        if scan.at < format.len() {
            scan.at += 1;
            if !scan.verb(printer) {
                break;
            }
        }
        if printer.failure.is_some() {
            return;
        }
    }
    scan.extra(printer);
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a [u8] {
        self.format.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// One verb after its percent sign; false at the end of the format.
    fn verb(&mut self, printer: &mut Printer) -> bool {
        printer.flags = Flags::default();
        self.good_number = true;
        self.read_flags(printer);
        let mut after_index = self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            self.width_argument(printer);
            after_index = false;
        } else {
            printer.flags.width = self.number();
            if after_index && printer.flags.width.is_some() {
                self.good_number = false;
            }
        }
        if self.peek() == Some(b'.') && self.at + 1 < self.format.len() {
            self.at += 1;
            if after_index {
                self.good_number = false;
            }
            after_index = self.index();
            if self.peek() == Some(b'*') {
                self.at += 1;
                self.precision_argument(printer);
                after_index = false;
            } else {
                printer.flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        let Some((verb, width)) = decode(self.rest()) else {
            printer.write(b"%!(NOVERB)");
            return false;
        };
        self.at += width;
        self.print_verb(printer, verb);
        true
    }

    fn print_verb(&mut self, printer: &mut Printer, verb: char) {
        if verb == '%' {
            printer.write(b"%");
            return;
        }
        if !self.good_number {
            printer.write(b"%!");
            printer.write_char(verb);
            printer.write(b"(BADINDEX)");
            return;
        }
        let Some(argument) = self.arguments.get(self.next) else {
            printer.write(b"%!");
            printer.write_char(verb);
            printer.write(b"(MISSING)");
            return;
        };
        if matches!(verb, 'v' | 'w') {
            let flags = &mut printer.flags;
            flags.sharp_v = std::mem::take(&mut flags.sharp);
            flags.plus_v = std::mem::take(&mut flags.plus);
        }
        printer.argument(argument, verb);
        self.next += 1;
    }

    fn read_flags(&mut self, printer: &mut Printer) {
        while let Some(flag) = self.peek() {
            match flag {
                b'#' => printer.flags.sharp = true,
                b'0' => printer.flags.zero = true,
                b'+' => printer.flags.plus = true,
                b'-' => printer.flags.minus = true,
                b' ' => printer.flags.space = true,
                _ => return,
            }
            self.at += 1;
        }
    }

    /// Digits; a number that is too large ends the format.
    fn number(&mut self) -> Option<usize> {
        let mut number: Option<i64> = None;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            let before = number.unwrap_or(0);
            if before > LARGEST {
                self.at = self.format.len();
                return None;
            }
            number = Some(before * 10 + i64::from(digit - b'0'));
            self.at += 1;
        }
        number.and_then(|number| usize::try_from(number).ok())
    }

    /// `[3]`, which says which argument comes next.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = self.rest();
        let Some(close) = rest.iter().position(|b| *b == b']').filter(|_| rest.len() >= 3) else {
            self.good_number = false;
            self.at += 1;
            return false;
        };
        let digits = rest.get(1..close).unwrap_or_default();
        self.at += close + 1;
        let number = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse::<usize>().ok())
            .filter(|number| *number <= 10_000_000);
        match number {
            Some(number) if (1..=self.arguments.len()).contains(&number) => {
                self.next = number - 1;
                true
            }
            other => {
                self.good_number = false;
                other.is_some()
            }
        }
    }

    fn width_argument(&mut self, printer: &mut Printer) {
        match self.int_argument() {
            Some(width) => {
                if width < 0 {
                    printer.flags.minus = true;
                    printer.flags.zero = false;
                }
                printer.flags.width = usize::try_from(width.unsigned_abs()).ok();
            }
            None => printer.write(b"%!(BADWIDTH)"),
        }
    }

    fn precision_argument(&mut self, printer: &mut Printer) {
        match self.int_argument() {
            Some(precision) if precision >= 0 => printer.flags.precision = usize::try_from(precision).ok(),
            Some(_) | None => printer.write(b"%!(BADPREC)"),
        }
    }

    fn int_argument(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.next)?;
        self.next += 1;
        let number = match argument {
            Value::Int(number) | Value::Int64(number) => *number,
            Value::Uint8(number) => i64::from(*number),
            Value::Uint64(number) => i64::try_from(*number).ok()?,
            _ => return None,
        };
        (-LARGEST..=LARGEST).contains(&number).then_some(number)
    }

    /// Arguments that no verb asked for.
    fn extra(&self, printer: &mut Printer) {
        let left = self.arguments.get(self.next..).unwrap_or_default();
        if self.reordered || left.is_empty() {
            return;
        }
        printer.flags = Flags::default();
        printer.write(b"%!(EXTRA ");
        for (at, argument) in left.iter().enumerate() {
            if at > 0 {
                printer.write(b", ");
            }
            if matches!(argument, Value::Nil) {
                printer.write(b"<nil>");
            } else {
                printer.write(argument.type_name().as_bytes());
                printer.write(b"=");
                printer.argument(argument, 'v');
            }
        }
        printer.write(b")");
    }
}

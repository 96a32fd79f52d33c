//! Integers, floats and complex numbers.

use super::Printer;
use crate::golang::number::format_float;
use crate::golang::quote::quote_rune;
use crate::golang::unicode::is_print;
use crate::value::Value;

impl Printer {
    /// An integer by its magnitude; `negative` is nothing for the unsigned types.
    pub(super) fn integer(&mut self, value: &Value, magnitude: u64, negative: Option<bool>, verb: char) {
        let minus = negative == Some(true);
        match verb {
            'v' if self.flags.sharp_v && negative.is_none() => self.hexadecimal(magnitude, true),
            'v' | 'd' => self.digits(&magnitude.to_string(), minus, "", magnitude),
            'b' => self.digits(
                &format!("{magnitude:b}"),
                minus,
                if self.flags.sharp { "0b" } else { "" },
                magnitude,
            ),
            'o' | 'O' => {
                let digits = format!("{magnitude:o}");
                let prefix = match (verb, self.flags.sharp) {
                    ('O', true) if !digits.starts_with('0') => "0o0",
                    ('O', _) => "0o",
                    (_, true) => "0",
                    _ => "",
                };
                self.digits(&digits, minus, prefix, magnitude);
            }
            'x' => self.digits(
                &format!("{magnitude:x}"),
                minus,
                if self.flags.sharp { "0x" } else { "" },
                magnitude,
            ),
            'X' => self.digits(
                &format!("{magnitude:X}"),
                minus,
                if self.flags.sharp { "0X" } else { "" },
                magnitude,
            ),
            'c' => {
                let c = rune(magnitude, minus);
                let mut bytes = Vec::new();
                crate::golang::unicode::push(&mut bytes, c);
                self.pad(&bytes);
            }
            'q' => {
                let quoted = quote_rune(rune(magnitude, minus), self.flags.plus);
                self.pad(quoted.as_bytes());
            }
            'U' => self.unicode(if minus {
                magnitude.wrapping_neg()
            } else {
                magnitude
            }),
            _ => self.bad_verb(verb, value),
        }
    }

    pub(super) fn hexadecimal(&mut self, number: u64, prefix: bool) {
        let digits = format!("{number:x}");
        self.digits(&digits, false, if prefix { "0x" } else { "" }, number);
    }

    /// Digits with zeros before them as precision or width ask, then prefix and sign.
    fn digits(&mut self, digits: &str, minus: bool, prefix: &str, number: u64) {
        let flags = self.flags;
        let least = match flags.precision {
            Some(0) if number == 0 => {
                self.flags.zero = false;
                self.padding(flags.width.unwrap_or(0));
                self.flags = flags;
                return;
            }
            Some(precision) => precision,
            None if flags.zero && !flags.minus => {
                let signed = minus || flags.plus || flags.space;
                flags.width.unwrap_or(0).saturating_sub(usize::from(signed))
            }
            None => 0,
        };
        if least > self.limit {
            self.fail("a text is longer than the run may make");
            return;
        }
        let padded = format!("{digits:0>least$}");
        // An octal number that starts with a zero needs no prefix.
        let prefix = if prefix == "0" && padded.starts_with('0') {
            ""
        } else {
            prefix
        };
        let sign = if minus {
            "-"
        } else if flags.plus {
            "+"
        } else if flags.space {
            " "
        } else {
            ""
        };
        self.flags.zero = false;
        self.pad(format!("{sign}{prefix}{padded}").as_bytes());
        self.flags = flags;
    }

    fn unicode(&mut self, code: u64) {
        let flags = self.flags;
        let least = flags.precision.map_or(4, |precision| precision.max(4));
        let mut text = format!("U+{code:0least$X}");
        if flags.sharp
            && let Some(c) = u32::try_from(code)
                .ok()
                .and_then(char::from_u32)
                .filter(|c| is_print(*c))
        {
            text.push_str(&format!(" '{c}'"));
        }
        self.flags.zero = false;
        self.pad(text.as_bytes());
        self.flags = flags;
    }

    pub(super) fn float(&mut self, value: &Value, number: f64, verb: char) {
        match verb {
            'v' => self.formatted(number, 'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => self.formatted(number, verb, None),
            'f' | 'e' | 'E' => self.formatted(number, verb, Some(6)),
            'F' => self.formatted(number, 'f', Some(6)),
            _ => self.bad_verb(verb, value),
        }
    }

    pub(super) fn complex(&mut self, value: &Value, (real, imaginary): (f64, f64), verb: char) {
        if !"vbgGxXfFeE".contains(verb) {
            return self.bad_verb(verb, value);
        }
        let plus = self.flags.plus;
        self.write(b"(");
        self.float(value, real, verb);
        self.flags.plus = true;
        self.float(value, imaginary, verb);
        self.write(b"i)");
        self.flags.plus = plus;
    }

    fn formatted(&mut self, number: f64, verb: char, precision: Option<usize>) {
        let flags = self.flags;
        let precision = flags.precision.or(precision);
        if precision.is_some_and(|precision| precision > self.limit) {
            self.fail("a text is longer than the run may make");
            return;
        }
        let text = format_float(number, verb, precision);
        let (sign, body) = match text.as_bytes().first() {
            Some(b'-') => ('-', text.get(1..).unwrap_or_default()),
            Some(b'+') => ('+', text.get(1..).unwrap_or_default()),
            _ => ('+', text.as_str()),
        };
        let sign = if flags.space && sign == '+' && !flags.plus {
            ' '
        } else {
            sign
        };
        if number.is_infinite() || number.is_nan() {
            self.flags.zero = false;
            let shown = match sign {
                '+' if number.is_nan() && !flags.plus => body.to_owned(),
                '+' if number.is_infinite() => format!("+{body}"),
                sign => format!("{sign}{body}"),
            };
            self.pad(shown.as_bytes());
            self.flags = flags;
            return;
        }
        let body = if flags.sharp && verb != 'b' {
            with_point(body, verb, precision)
        } else {
            body.to_owned()
        };
        if !flags.plus && sign == '+' {
            return self.pad(body.as_bytes());
        }
        let length = body.len() + 1;
        match flags.width {
            Some(width) if flags.zero && !flags.minus && width > length => {
                self.write_char(sign);
                self.padding(width - length);
                self.write(body.as_bytes());
            }
            _ => self.pad(format!("{sign}{body}").as_bytes()),
        }
    }
}

fn rune(magnitude: u64, minus: bool) -> char {
    if minus {
        return char::REPLACEMENT_CHARACTER;
    }
    u32::try_from(magnitude)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// `%#g` and its like: a decimal point always, and the trailing zeros.
fn with_point(body: &str, verb: char, precision: Option<usize>) -> String {
    let mut digits = match verb {
        'g' | 'G' | 'x' | 'v' => precision.unwrap_or(6),
        _ => 0,
    };
    let exponent =
        body.find(|c| matches!(c, 'p' | 'P') || matches!(c, 'e' | 'E') && !matches!(verb, 'x' | 'X'));
    let (number, tail) = body.split_at(exponent.unwrap_or(body.len()));
    let mut nonzero = false;
    for c in number.chars().filter(|c| *c != '.') {
        nonzero |= c != '0';
        if nonzero {
            digits = digits.saturating_sub(1);
        }
    }
    let mut out = number.to_owned();
    if !number.contains('.') {
        if number == "0" {
            digits = digits.saturating_sub(1);
        }
        out.push('.');
    }
    out.extend(std::iter::repeat_n('0', digits));
    out.push_str(tail);
    out
}

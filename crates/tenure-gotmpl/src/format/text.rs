//! Strings and bytes.

use super::Printer;
use crate::golang::quote::{can_backquote, quote, quote_ascii};
use crate::golang::unicode::runes;
use crate::value::Value;

impl Printer {
    pub(super) fn text(&mut self, value: &Value, text: &[u8], verb: char) {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => self.string(text),
            'x' | 'X' => self.hex(text, verb == 'X'),
            'q' => self.quoted(text),
            _ => self.bad_verb(verb, value),
        }
    }

    pub(super) fn bytes(&mut self, value: &Value, bytes: &[u8], verb: char, name: &str) {
        match verb {
            'v' | 'd' if self.flags.sharp_v => {
                self.write(name.as_bytes());
                self.write(b"{");
                for (at, byte) in bytes.iter().enumerate() {
                    if at > 0 {
                        self.write(b", ");
                    }
                    self.hexadecimal(u64::from(*byte), true);
                }
                self.write(b"}");
            }
            's' => self.string(bytes),
            'x' | 'X' => self.hex(bytes, verb == 'X'),
            'q' => self.quoted(bytes),
            _ => {
                self.write(b"[");
                for (at, byte) in bytes.iter().enumerate() {
                    if at > 0 {
                        self.write(b" ");
                    }
                    self.integer(&Value::Uint8(*byte), u64::from(*byte), None, verb);
                    if self.failure.is_some() {
                        return;
                    }
                }
                self.write(b"]");
                let _ = value;
            }
        }
    }

    /// As many runes as the precision allows.
    fn truncated<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        match self.flags.precision {
            None => text,
            Some(count) => {
                let end: usize = runes(text).take(count).map(|(_, bytes)| bytes.len()).sum();
                text.get(..end).unwrap_or(text)
            }
        }
    }

    pub(super) fn string(&mut self, text: &[u8]) {
        let text = self.truncated(text);
        self.pad(text);
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.truncated(text);
        if self.flags.sharp && can_backquote(text) {
            return self.pad(&[b"`", text, b"`"].concat());
        }
        let quoted = if self.flags.plus {
            quote_ascii(text)
        } else {
            quote(text)
        };
        self.pad(quoted.as_bytes());
    }

    fn hex(&mut self, text: &[u8], upper: bool) {
        let length = self.flags.precision.map_or(text.len(), |p| p.min(text.len()));
        let text = text.get(..length).unwrap_or(text);
        if text.is_empty() {
            let width = self.flags.width.unwrap_or(0);
            return self.padding(width);
        }
        let prefix = if upper { "0X" } else { "0x" };
        let mut out = String::with_capacity(text.len() * 2);
        for (at, byte) in text.iter().enumerate() {
            if self.flags.space && at > 0 {
                out.push(' ');
            }
            if self.flags.sharp && (at == 0 || self.flags.space) {
                out.push_str(prefix);
            }
            out.push_str(&if upper {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            });
        }
        self.pad(out.as_bytes());
    }
}

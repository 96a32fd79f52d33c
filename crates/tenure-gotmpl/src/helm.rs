//! What Helm makes of the output and of the errors of templates.

use std::fmt::Write as _;

use crate::error::{Error, ParseError};

/// Around the messages of `fail` and `required`, so that they are found in the error of the run.
pub(crate) const WARN_START: &str = "HELM_ERR_START";
pub(crate) const WARN_END: &str = "HELM_ERR_END";

/// Takes out `<no value>`, which Go prints for missing values. Helm does so with the output of a file.
#[must_use]
pub fn without_no_value(output: Vec<u8>) -> Vec<u8> {
    shortened(&output).unwrap_or(output)
}

/// The same, or nothing if there is nothing to take out.
pub(crate) fn shortened(bytes: &[u8]) -> Option<Vec<u8>> {
    const NO_VALUE: &[u8] = b"<no value>";
    let mut found = memchr::memmem::find_iter(bytes, NO_VALUE).peekable();
    found.peek()?;
    let (mut kept, mut start) = (Vec::with_capacity(bytes.len()), 0);
    for at in found {
        kept.extend_from_slice(bytes.get(start..at).unwrap_or_default());
        start = at + NO_VALUE.len();
    }
    kept.extend_from_slice(bytes.get(start..).unwrap_or_default());
    Some(kept)
}

/// Helm's message for a file that was not parsed.
#[must_use]
pub fn parse_error(file: &str, error: &ParseError) -> String {
    let text = error.to_string();
    let tokens: Vec<&str> = text.split(": ").collect();
    match tokens.as_slice() {
        [_, location, .., last] => format!("parse error at ({location}): {last}"),
        [_, location] => format!("parse error at ({location}): {location}"),
        _ => format!("parse error in ({file}): {text}"),
    }
}

/// Helm's message for a file whose execution failed.
#[must_use]
pub fn execution_error(file: &str, error: &Error) -> String {
    let text = error.to_string();
    if !error.is_execution() {
        return text;
    }
    let tokens: Vec<&str> = text.splitn(3, ": ").collect();
    let [_, location, rest] = tokens.as_slice() else {
        return format!("execution error in ({file}): {text}");
    };
    if let Some(warning) = warning(rest) {
        return format!("execution error at ({location}): {warning}");
    }
    let mut places: Vec<Place> = Vec::new();
    for link in error.chain() {
        // What a place says ends where the next place starts, so that few links show all of it.
        let start: String = link.chain().take(3).map(Error::head).collect();
        let Some(place) = Place::read(&start) else {
            return text;
        };
        if places.last() != Some(&place) {
            places.push(place);
        }
    }
    let mut out = String::new();
    places.iter().for_each(|place| place.write(&mut out));
    out.trim().to_owned()
}

/// What stands between the first start mark and the last end mark.
fn warning(text: &str) -> Option<&str> {
    let (_, after) = text.split_once(WARN_START)?;
    after.rsplit_once(WARN_END).map(|(inside, _)| inside)
}

/// One line of an error, taken apart.
#[derive(PartialEq)]
struct Place {
    location: String,
    function: Option<(String, String)>,
    message: String,
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("template: ")?;
        if rest.starts_with("no template ") {
            return Some(Self {
                location: String::new(),
                function: None,
                message: text.to_owned(),
            });
        }
        Self::read_executing(rest).or_else(|| Self::read_simple(rest))
    }

    fn read_executing(rest: &str) -> Option<Self> {
        let (location, after) = rest.split_once(": executing ")?;
        let (name, after) = after.strip_prefix('"')?.split_once('"')?;
        let (context, message) = after.strip_prefix(" at <")?.split_once(">: ")?;
        Some(Self {
            location: location.to_owned(),
            function: Some((name.to_owned(), context.to_owned())),
            message: before_next(message).to_owned(),
        })
    }

    fn read_simple(rest: &str) -> Option<Self> {
        let (location, message) = rest.rsplit_once(": ")?;
        Some(Self {
            location: location.to_owned(),
            function: None,
            message: before_next(message).to_owned(),
        })
    }

    fn write(&self, out: &mut String) {
        if !self.location.is_empty() {
            let _ = write!(out, "{}\n  ", self.location);
        }
        if let Some((name, context)) = &self.function {
            let _ = write!(out, "executing \"{name}\" at <{context}>:\n    ");
        }
        if !self.message.is_empty() {
            let _ = writeln!(out, "{}", self.message);
        }
    }
}

fn before_next(message: &str) -> &str {
    message
        .find(" template:")
        .map_or(message, |at| message.get(..at).unwrap_or(message))
}

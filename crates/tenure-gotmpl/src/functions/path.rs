//! Paths; those of the operating system are the same on Unix.

use super::argument::{bytes, text};
use super::{Function, Outcome, fixed};
use crate::golang::path;
use crate::value::{Param, Value};

const STRING: &[Param] = &[Param::String];

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("base", STRING, |_, a| with(a, path::base)),
    fixed("osBase", STRING, |_, a| with(a, path::base)),
    fixed("dir", STRING, |_, a| with(a, path::dir)),
    fixed("osDir", STRING, |_, a| with(a, path::dir)),
    fixed("clean", STRING, |_, a| with(a, path::clean)),
    fixed("osClean", STRING, |_, a| with(a, path::clean)),
    fixed("ext", STRING, |_, a| with(a, |path| path::ext(path).to_owned())),
    fixed("osExt", STRING, |_, a| with(a, |path| path::ext(path).to_owned())),
    fixed("isAbs", STRING, |_, a| {
        Ok(Value::Bool(text(a, 0).starts_with('/')))
    }),
    fixed("osIsAbs", STRING, |_, a| {
        Ok(Value::Bool(text(a, 0).starts_with('/')))
    }),
];

/// Only slashes and dots mean anything in a path; all other bytes pass through, be they text or not.
fn with(a: &[Value], part: impl Fn(&str) -> String) -> Outcome {
    let path: String = bytes(a, 0).iter().map(|byte| char::from(*byte)).collect();
    let part: Vec<u8> = part(&path)
        .chars()
        .filter_map(|c| u8::try_from(u32::from(c)).ok())
        .collect();
    Ok(Value::String(part.into()))
}

//! Paths; those of the operating system are the same on Unix.

use super::argument::text;
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

fn with(a: &[Value], change: impl Fn(&str) -> String) -> Outcome {
    Ok(change(&text(a, 0)).into())
}

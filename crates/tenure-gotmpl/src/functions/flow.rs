//! Helm's functions that act on the run: other templates, failing, looking up.

use super::argument::{any, str, text};
use super::{Body, Function, Outcome, fixed};
use crate::environment::Lookup;
use crate::exec::Run;
use crate::helm::{WARN_END, WARN_START};
use crate::value::{Param, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "include",
        parameters: &[Param::String, Param::Any],
        variadic: None,
        body: Body::Include,
    },
    Function {
        name: "tpl",
        parameters: &[Param::String, Param::Any],
        variadic: None,
        body: Body::Tpl,
    },
    fixed("required", &[Param::String, Param::Any], required),
    fixed("fail", &[Param::String], |_, a| {
        Err(format!("{WARN_START}{}{WARN_END}", text(a, 0)).into())
    }),
    fixed(
        "lookup",
        &[Param::String, Param::String, Param::String, Param::String],
        lookup,
    ),
    // Helm gives templates no name service unless it is told to.
    fixed(
        "getHostByName",
        &[Param::String],
        |_, _| Ok(Value::empty_string()),
    ),
    fixed("hello", &[], |_, _| Ok("Hello!".into())),
];

fn required(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    match any(a, 1) {
        Value::Nil => {}
        Value::String(text) if text.is_empty() => {}
        value => return Ok(value),
    }
    Err(format!("{WARN_START}{}{WARN_END}", str(a, 0)).into())
}

fn lookup(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let request = Lookup {
        api_version: &text(a, 0),
        kind: &text(a, 1),
        namespace: &text(a, 2),
        name: &text(a, 3),
    };
    run.steps(1_000)?;
    Ok(run.world.lookup(&request)?)
}

//! Regular expressions.

use std::rc::Rc;

use super::argument::{bytes, int, str};
use super::{Function, Outcome, fixed};
use crate::error::Error;
use crate::exec::Run;
use crate::golang::regexp::{Regexp, quote_meta};
use crate::value::{List, ListType, Param, Str, Value};

const TWO: &[Param] = &[Param::String, Param::String];
const THREE: &[Param] = &[Param::String, Param::String, Param::String];
const LIMITED: &[Param] = &[Param::String, Param::String, Param::Int];

/// Most expressions that a run keeps compiled.
const MOST: usize = 512;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("regexMatch", TWO, |run, a| {
        let found = compiled(run, a).is_ok_and(|expression| expression.is_match(bytes(a, 1)));
        Ok(Value::Bool(found))
    }),
    fixed("mustRegexMatch", TWO, |run, a| {
        Ok(Value::Bool(compiled(run, a)?.is_match(bytes(a, 1))))
    }),
    fixed("regexFind", TWO, |run, a| find(&*compiled_or_panic(run, a)?, a)),
    fixed("mustRegexFind", TWO, |run, a| find(&*compiled(run, a)?, a)),
    fixed("regexFindAll", LIMITED, |run, a| {
        find_all(&*compiled_or_panic(run, a)?, a)
    }),
    fixed("mustRegexFindAll", LIMITED, |run, a| {
        find_all(&*compiled(run, a)?, a)
    }),
    fixed("regexReplaceAll", THREE, |run, a| {
        let expression = compiled_or_panic(run, a)?;
        replace(run, &expression, a, false)
    }),
    fixed("mustRegexReplaceAll", THREE, |run, a| {
        let expression = compiled(run, a)?;
        replace(run, &expression, a, false)
    }),
    fixed("regexReplaceAllLiteral", THREE, |run, a| {
        let expression = compiled_or_panic(run, a)?;
        replace(run, &expression, a, true)
    }),
    fixed("mustRegexReplaceAllLiteral", THREE, |run, a| {
        let expression = compiled(run, a)?;
        replace(run, &expression, a, true)
    }),
    fixed("regexSplit", LIMITED, |run, a| {
        split(&*compiled_or_panic(run, a)?, a)
    }),
    fixed("mustRegexSplit", LIMITED, |run, a| split(&*compiled(run, a)?, a)),
    fixed("regexQuoteMeta", &[Param::String], |_, a| {
        Ok(Value::String(quote_meta(bytes(a, 0)).into()))
    }),
];

fn compiled(run: &mut Run<'_>, a: &[Value]) -> Result<Rc<Regexp>, Error> {
    run.steps(8 + u64::try_from(bytes(a, 1).len() / 64).unwrap_or(u64::MAX))?;
    let source: Str = str(a, 0);
    if let Some(known) = run.expressions.borrow().get(&source) {
        return Ok(Rc::clone(known));
    }
    run.steps(500)?;
    let Ok(text) = std::str::from_utf8(source.as_bytes()) else {
        return Err(format!("error parsing regexp: invalid UTF-8: `{source}`").into());
    };
    let compiled = Rc::new(Regexp::compile(text, run.limits.regex)?);
    let mut known = run.expressions.borrow_mut();
    if known.len() >= MOST {
        known.clear();
    }
    known.insert(source, Rc::clone(&compiled));
    Ok(compiled)
}

/// The same for functions that panic where their `must` twins return an error.
fn compiled_or_panic(run: &mut Run<'_>, a: &[Value]) -> Result<Rc<Regexp>, Error> {
    compiled(run, a).map_err(|error| {
        if error.is_limit() {
            return error;
        }
        let source = bytes(a, 0);
        let shown = if crate::golang::quote::can_backquote(source) {
            format!("`{}`", String::from_utf8_lossy(source))
        } else {
            crate::golang::quote::quote(source)
        };
        Error::plain(format!("regexp: Compile({shown}): {error}"))
    })
}

fn find(expression: &Regexp, a: &[Value]) -> Outcome {
    Ok(Value::String(
        expression.find(bytes(a, 1)).unwrap_or_default().into(),
    ))
}

fn find_all(expression: &Regexp, a: &[Value]) -> Outcome {
    let found = expression.find_all(bytes(a, 1), int(a, 2));
    if found.is_empty() {
        return Ok(Value::List(List::nil(&ListType::STRING)));
    }
    Ok(Value::strings(found))
}

fn replace(run: &mut Run<'_>, expression: &Regexp, a: &[Value], literal: bool) -> Outcome {
    let limit = run.text_limit();
    match expression.replace(bytes(a, 1), bytes(a, 2), literal, limit) {
        Some(text) => Ok(Value::String(text.into())),
        None => Err(Error::limit("a text is longer than the run may make")),
    }
}

fn split(expression: &Regexp, a: &[Value]) -> Outcome {
    Ok(match expression.split(bytes(a, 1), int(a, 2)) {
        Some(parts) => Value::strings(parts),
        None => Value::List(List::nil(&ListType::STRING)),
    })
}

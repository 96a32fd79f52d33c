//! Lists.

use super::argument::{NIL_POINTER, any, int, rest, strings};
use super::{Function, Outcome, fixed, variadic};
use crate::error::Error;
use crate::exec::{Run, list_of};
use crate::value::{Kind, List, ListType, Param, Value, deep_equal};

const ANY: Param = Param::Any;

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("list", &[], ANY, |run, a| list_of(run, a.to_vec())),
    variadic("tuple", &[], ANY, |run, a| list_of(run, a.to_vec())),
    fixed("append", &[ANY, ANY], push),
    fixed("push", &[ANY, ANY], push),
    fixed("mustAppend", &[ANY, ANY], push),
    fixed("mustPush", &[ANY, ANY], push),
    fixed("prepend", &[ANY, ANY], prepend),
    fixed("mustPrepend", &[ANY, ANY], prepend),
    fixed("first", &[ANY], first),
    fixed("mustFirst", &[ANY], first),
    fixed("last", &[ANY], last),
    fixed("mustLast", &[ANY], last),
    fixed("rest", &[ANY], |run, a| window(run, a, "rest", 1, 0)),
    fixed("mustRest", &[ANY], |run, a| window(run, a, "rest", 1, 0)),
    fixed("initial", &[ANY], |run, a| window(run, a, "initial", 0, 1)),
    fixed("mustInitial", &[ANY], |run, a| window(run, a, "initial", 0, 1)),
    fixed("reverse", &[ANY], reverse),
    fixed("mustReverse", &[ANY], reverse),
    fixed("compact", &[ANY], compact),
    fixed("mustCompact", &[ANY], compact),
    fixed("uniq", &[ANY], uniq),
    fixed("mustUniq", &[ANY], uniq),
    variadic("without", &[ANY], ANY, without),
    variadic("mustWithout", &[ANY], ANY, without),
    fixed("has", &[ANY, ANY], has),
    fixed("mustHas", &[ANY, ANY], has),
    variadic("slice", &[ANY], ANY, slice),
    variadic("mustSlice", &[ANY], ANY, slice),
    fixed("chunk", &[Param::Int, ANY], chunk),
    fixed("mustChunk", &[Param::Int, ANY], chunk),
    variadic("concat", &[], ANY, concat),
    fixed("sortAlpha", &[ANY], sort),
];

/// The list of an argument, or the error of a function that needs one.
fn list(a: &[Value], at: usize, refusal: &str) -> Result<List, Error> {
    let value = any(a, at);
    if matches!(value, Value::Nil) {
        return Err(NIL_POINTER.into());
    }
    value
        .as_list()
        .ok_or_else(|| format!("{refusal} {}", value.kind().name()).into())
}

/// Counts a walk over a list.
fn walk(run: &mut Run<'_>, list: &List) -> Result<Vec<Value>, Error> {
    run.steps(u64::try_from(list.len() / 16).unwrap_or(u64::MAX))?;
    run.charge(list.len().saturating_mul(size_of::<Value>()))?;
    Ok(list.to_vec())
}

fn push(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let list = list(a, 0, "Cannot push on type")?;
    let mut items = walk(run, &list)?;
    items.push(any(a, 1));
    list_of(run, items)
}

fn prepend(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let list = list(a, 0, "Cannot prepend on type")?;
    let mut items = vec![any(a, 1)];
    items.extend(walk(run, &list)?);
    list_of(run, items)
}

fn first(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    Ok(list(a, 0, "Cannot find first on type")?
        .get(0)
        .unwrap_or_default())
}

fn last(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    let list = list(a, 0, "Cannot find last on type")?;
    Ok(list
        .len()
        .checked_sub(1)
        .and_then(|at| list.get(at))
        .unwrap_or_default())
}

/// All but some items at the start and at the end; nil of nothing.
fn window(run: &mut Run<'_>, a: &[Value], name: &str, start: usize, end: usize) -> Outcome {
    let list = list(a, 0, &format!("Cannot find {name} on type"))?;
    if list.is_empty() {
        return Ok(Value::List(List::nil(&ListType::ANY)));
    }
    let items = walk(run, &list)?;
    let kept = items.get(start..items.len() - end).unwrap_or_default().to_vec();
    list_of(run, kept)
}

fn reverse(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let list = list(a, 0, "Cannot find reverse on type")?;
    let mut items = walk(run, &list)?;
    items.reverse();
    list_of(run, items)
}

fn compact(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let list = list(a, 0, "Cannot compact on type")?;
    let mut items = walk(run, &list)?;
    items.retain(|item| !super::defaults::empty(item));
    list_of(run, items)
}

/// Whether a list of values has one, at the cost of looking at all.
fn found(run: &mut Run<'_>, among: &[Value], wanted: &Value) -> Result<bool, Error> {
    run.steps(1 + u64::try_from(among.len() / 16).unwrap_or(u64::MAX))?;
    Ok(among.iter().any(|item| deep_equal(wanted, item)))
}

fn uniq(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let list = list(a, 0, "Cannot find uniq on type")?;
    let mut kept: Vec<Value> = Vec::new();
    for item in walk(run, &list)? {
        if !found(run, &kept, &item)? {
            kept.push(item);
        }
    }
    list_of(run, kept)
}

fn without(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let list = list(a, 0, "Cannot find without on type")?;
    let mut kept = Vec::new();
    for item in walk(run, &list)? {
        if !found(run, rest(a, 1), &item)? {
            kept.push(item);
        }
    }
    list_of(run, kept)
}

fn has(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    if matches!(any(a, 1), Value::Nil) {
        return Ok(Value::Bool(false));
    }
    let list = list(a, 1, "Cannot find has on type")?;
    let items = walk(run, &list)?;
    Ok(Value::Bool(found(run, &items, &any(a, 0))?))
}

fn slice(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    let list = list(a, 0, "list should be type of slice or array but")?;
    if list.is_empty() {
        return Ok(Value::Nil);
    }
    let index = |at: usize| a.get(at).map(super::number::to_int);
    let start = index(1).unwrap_or(0);
    let end = index(2).unwrap_or_else(|| i64::try_from(list.len()).unwrap_or(i64::MAX));
    let part = usize::try_from(start)
        .ok()
        .zip(usize::try_from(end).ok())
        .and_then(|(start, end)| list.slice(start, end));
    match part {
        Some(part) => Ok(Value::List(part)),
        None => Err("reflect.Value.Slice: slice index out of bounds".into()),
    }
}

fn chunk(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let size = int(a, 0);
    let list = list(a, 1, "Cannot chunk type")?;
    let items = walk(run, &list)?;
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if size == 0 {
        // Go divides by zero as floats do: infinitely many chunks, or for one item not a number.
        return Err("runtime error: makeslice: len out of range".into());
    }
    if size < 0 {
        return match length {
            0 => Err("runtime error: makeslice: len out of range".into()),
            1 => Err("runtime error: makeslice: len out of range".into()),
            _ => Ok(Value::List(List::typed(&ListType::LISTS, Vec::new()))),
        };
    }
    let chunks = items
        .chunks(usize::try_from(size).unwrap_or(usize::MAX))
        .map(|chunk| chunk.to_vec().into())
        .collect();
    Ok(Value::List(List::typed(&ListType::LISTS, chunks)))
}

fn concat(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let mut items = Vec::new();
    for at in 0..a.len() {
        let value = any(a, at);
        if matches!(value, Value::Nil) {
            return Err(NIL_POINTER.into());
        }
        let Some(list) = value.as_list() else {
            return Err(format!("Cannot concat type {} as list", value.kind().name()).into());
        };
        items.extend(walk(run, &list)?);
    }
    if items.is_empty() {
        return Ok(Value::List(List::nil(&ListType::ANY)));
    }
    list_of(run, items)
}

/// The strings of a list in order; a list of strings is put in order itself.
fn sort(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let value = any(a, 0);
    if value.kind() != Kind::Slice {
        let text = super::argument::strval(run, &value)?;
        return Ok(Value::strings([text]));
    }
    let by_text = |a: &Value, b: &Value| match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => std::cmp::Ordering::Equal,
    };
    let sorted = match value {
        Value::List(list) if *list.kind() == ListType::STRING => list,
        other => match Value::strings(strings(run, &other)?) {
            Value::List(list) => list,
            _ => List::nil(&ListType::STRING),
        },
    };
    run.steps(u64::try_from(sorted.len()).unwrap_or(u64::MAX))?;
    sorted.sort_by(by_text);
    Ok(Value::List(sorted))
}

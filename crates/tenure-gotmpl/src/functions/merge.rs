//! `merge`, as the Go package mergo does it: empty values give way, and lists go as a whole.

use super::argument::map;
use super::dict::put;
use super::{Function, Outcome, variadic};
use crate::error::Error;
use crate::exec::Run;
use crate::value::{Kind, Map, Param, Shape, Value};

const MAP: Param = Param::Map;

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("merge", &[MAP], MAP, |run, a| merged(run, a, false)),
    variadic("mustMerge", &[MAP], MAP, |run, a| merged(run, a, false)),
    variadic("mergeOverwrite", &[MAP], MAP, |run, a| merged(run, a, true)),
    variadic("mustMergeOverwrite", &[MAP], MAP, |run, a| merged(run, a, true)),
];

fn merged(run: &mut Run<'_>, a: &[Value], overwrite: bool) -> Outcome {
    let mut target = map(a, 0);
    for at in 1..a.len() {
        let source = map(a, at);
        if target.is_nil() && !source.is_nil() {
            target = Map::new();
        }
        merge(run, &target, &source, overwrite)?;
    }
    Ok(target.into())
}

fn merge(run: &mut Run<'_>, target: &Map, source: &Map, overwrite: bool) -> Result<(), Error> {
    run.step()?;
    if target.same(source) {
        return Ok(());
    }
    for (key, from) in source.entries() {
        run.step()?;
        let to = target.get(key.as_bytes());
        if matches!(from, Value::Nil) {
            if overwrite {
                put(run, target, key, from)?;
            }
            continue;
        }
        // Looked at again after a merge, which may have filled it.
        let kept = || to.as_ref().is_some_and(|to| !empty(to));
        match from.kind() {
            Kind::Map => {
                if let (Some(to), Some(from)) = (to.as_ref().and_then(Value::as_map), from.as_map())
                    && !to.is_nil()
                {
                    merge(run, &to, &from, overwrite)?;
                }
                if kept() && to.as_ref().is_some_and(|to| to.kind() == Kind::Map) {
                    continue;
                }
            }
            Kind::Slice => {
                let source_counts = !source.is_empty();
                let replaced = source_counts && (overwrite || target.is_empty());
                let list = match &to {
                    Some(to) if !replaced && !to.is_nil() => to.clone(),
                    None | Some(Value::Nil) if !replaced => empty_like(&from),
                    _ => from.clone(),
                };
                put(run, target, key.clone(), list)?;
                if kept() {
                    continue;
                }
            }
            _ => {}
        }
        if overwrite || !kept() {
            put(run, target, key, from)?;
        }
    }
    Ok(())
}

/// An empty list of the same type.
fn empty_like(list: &Value) -> Value {
    match list.as_list() {
        Some(list) => Value::List(crate::value::List::typed(list.kind(), Vec::new())),
        None => Value::Nil,
    }
}

/// mergo's idea of empty: structs never are, pointers are what they point to.
fn empty(value: &Value) -> bool {
    match value {
        Value::Object(object) if matches!(object.shape(), Shape::Struct(_) | Shape::Pointer(_)) => false,
        other => !other.is_true(),
    }
}

//! Defaults, emptiness and types.

use super::argument::{any, text};
use super::{Function, Outcome, fixed, variadic};
use crate::error::Error;
use crate::exec::Run;
use crate::value::{List, Map, Param, Shape, Value, deep_equal};

const ANY: Param = Param::Any;

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("default", &[ANY], ANY, |_, a| {
        Ok(match a.get(1) {
            Some(given) if !empty(given) => given.clone(),
            _ => any(a, 0),
        })
    }),
    fixed("empty", &[ANY], |_, a| Ok(Value::Bool(empty(&any(a, 0))))),
    variadic("coalesce", &[], ANY, |_, a| {
        Ok(a.iter().find(|value| !empty(value)).cloned().unwrap_or_default())
    }),
    variadic("all", &[], ANY, |_, a| Ok(Value::Bool(!a.iter().any(empty)))),
    variadic("any", &[], ANY, |_, a| Ok(Value::Bool(!a.iter().all(empty)))),
    fixed("ternary", &[ANY, ANY, Param::Bool], |_, a| {
        Ok(any(a, usize::from(!any(a, 2).is_true())))
    }),
    fixed("typeOf", &[ANY], |_, a| Ok(any(a, 0).type_name().into())),
    fixed("typeIs", &[Param::String, ANY], |_, a| {
        Ok(Value::Bool(text(a, 0) == any(a, 1).type_name()))
    }),
    fixed("typeIsLike", &[Param::String, ANY], |_, a| {
        let (target, name) = (text(a, 0), any(a, 1).type_name());
        Ok(Value::Bool(target == name || format!("*{target}") == name))
    }),
    fixed("kindOf", &[ANY], |_, a| Ok(any(a, 0).kind().name().into())),
    fixed("kindIs", &[Param::String, ANY], |_, a| {
        Ok(Value::Bool(text(a, 0) == any(a, 1).kind().name()))
    }),
    fixed("deepEqual", &[ANY, ANY], |run, a| {
        run.steps(16)?;
        Ok(Value::Bool(deep_equal(&any(a, 0), &any(a, 1))))
    }),
    fixed("deepCopy", &[ANY], deep_copy),
    fixed("mustDeepCopy", &[ANY], deep_copy),
];

/// sprig's `empty`: as false in a template, but for structs, which are never empty.
pub(super) fn empty(value: &Value) -> bool {
    !value.is_true()
}

fn deep_copy(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    if matches!(a.first(), None | Some(Value::Nil)) {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    copy(run, &any(a, 0))
}

/// A copy that shares nothing with its original.
fn copy(run: &mut Run<'_>, value: &Value) -> Outcome {
    run.step()?;
    run.charge(size_of::<Value>())?;
    match value {
        Value::List(list) if !list.is_nil() => {
            let items: Result<Vec<_>, _> = list.to_vec().iter().map(|item| copy(run, item)).collect();
            Ok(Value::List(List::typed(list.kind(), items?)))
        }
        Value::Map(map) if !map.is_nil() => copy_map(run, map).map(Value::Map),
        Value::Object(object) => match object.shape() {
            Shape::Map(map) if !map.is_nil() => {
                let new = copy_map(run, &map)?;
                Ok(object.with_map(new).unwrap_or_else(|| value.clone()))
            }
            _ => Ok(value.clone()),
        },
        other => Ok(other.clone()),
    }
}

fn copy_map(run: &mut Run<'_>, map: &Map) -> Result<Map, Error> {
    let new = Map::typed(map.kind());
    for (key, value) in map.entries() {
        new.insert(key, copy(run, &value)?);
    }
    Ok(new)
}

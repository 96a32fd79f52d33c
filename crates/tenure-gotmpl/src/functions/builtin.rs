//! Go's own functions, without comparing and escaping.

use super::argument::{any, rest};
use super::{Body, Function, Outcome, fixed, variadic};
use crate::error::Error;
use crate::exec::{Run, missing};
use crate::format;
use crate::value::{Param, Shape, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    choice("and", false),
    choice("or", true),
    Function {
        name: "call",
        parameters: &[Param::Reflect],
        variadic: Some(Param::Reflect),
        body: Body::Call,
    },
    Function {
        name: "len",
        parameters: &[Param::Reflect],
        variadic: None,
        body: Body::Length(length),
    },
    fixed("not", &[Param::Reflect], |_, arguments| {
        Ok(Value::Bool(!any(arguments, 0).is_true()))
    }),
    variadic("index", &[Param::Reflect], Param::Reflect, index),
    variadic("print", &[], Param::Any, |run, arguments| {
        Ok(Value::String(format::sprint(arguments, run.text_limit())?.into()))
    }),
    variadic("printf", &[Param::String], Param::Any, |run, arguments| {
        let format = super::argument::bytes(arguments, 0);
        let text = format::sprintf(format, rest(arguments, 1), run.text_limit())?;
        Ok(Value::String(text.into()))
    }),
    variadic("println", &[], Param::Any, |run, arguments| {
        Ok(Value::String(
            format::sprintln(arguments, run.text_limit())?.into(),
        ))
    }),
];

const fn choice(name: &'static str, or: bool) -> Function {
    Function {
        name,
        parameters: &[Param::Reflect],
        variadic: Some(Param::Reflect),
        body: Body::Choice(or),
    }
}

fn length(_: &mut Run<'_>, arguments: &[Value]) -> Outcome {
    let value = any(arguments, 0);
    let length = match &value {
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        Value::String(text) | Value::Bytes(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Object(object) => match object.shape() {
            Shape::Map(map) => map.len(),
            Shape::List(list) => list.len(),
            Shape::Plain(Value::String(text)) => text.len(),
            Shape::Pointer(_) => {
                let name = value.type_name();
                return Err(format!("len of type {}", name.strip_prefix('*').unwrap_or(name)).into());
            }
            _ => return Err(no_length(&value)),
        },
        _ => return Err(no_length(&value)),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn no_length(value: &Value) -> Error {
    format!("len of type {}", value.type_name()).into()
}

fn index(_: &mut Run<'_>, arguments: &[Value]) -> Outcome {
    let mut item = any(arguments, 0);
    if matches!(item, Value::Nil) {
        return Err("index of untyped nil".into());
    }
    for key in rest(arguments, 1) {
        item = element(&item, key)?;
    }
    Ok(item)
}

fn element(item: &Value, key: &Value) -> Outcome {
    if matches!(item, Value::Nil) {
        return Err("index of nil pointer".into());
    }
    if let Some(map) = item.as_map() {
        return match key {
            Value::String(text) => Ok(map.get(text.as_bytes()).unwrap_or_else(|| missing(&map).value)),
            Value::Nil => Err("value is nil; should be of type string".into()),
            other => Err(format!("value has type {}; should be string", other.type_name()).into()),
        };
    }
    if let Value::String(text) = item {
        let at = position(key, text.len())?;
        let byte = text.as_bytes().get(at).copied();
        return byte
            .map(Value::Uint8)
            .ok_or_else(|| "reflect: string index out of range".into());
    }
    if let Some(list) = item.as_list() {
        let at = position(key, list.len())?;
        return list
            .get(at)
            .ok_or_else(|| "reflect: slice index out of range".into());
    }
    {
        let name = item.type_name();
        Err(format!(
            "can't index item of type {}",
            name.strip_prefix('*').unwrap_or(name)
        )
        .into())
    }
}

/// A position in something of a length, which it may equal.
fn position(key: &Value, length: usize) -> Result<usize, Error> {
    let at = match key {
        Value::Int(at) | Value::Int64(at) => *at,
        Value::Uint8(at) => i64::from(*at),
        Value::Uint64(at) => i64::try_from(*at).unwrap_or(i64::MAX),
        Value::Nil => return Err("cannot index slice/array with nil".into()),
        other => return Err(format!("cannot index slice/array with type {}", other.type_name()).into()),
    };
    usize::try_from(at)
        .ok()
        .filter(|at| *at <= length)
        .ok_or_else(|| format!("index out of range: {at}").into())
}

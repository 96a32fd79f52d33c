//! Comparing, which Go does only between values of the same kind.

use std::cmp::Ordering;

use super::argument::{any, rest};
use super::{Function, Outcome, fixed, variadic};
use crate::error::Error;
use crate::format;
use crate::value::{Kind, Param, Shape, Value};

const BAD: &str = "invalid type for comparison";

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("eq", &[Param::Reflect], Param::Reflect, |_, a| {
        equal_to_any(&any(a, 0), rest(a, 1)).map(Value::Bool)
    }),
    fixed("ne", &[Param::Reflect, Param::Reflect], |_, a| {
        equal_to_any(&any(a, 0), rest(a, 1)).map(|equal| Value::Bool(!equal))
    }),
    fixed("lt", &[Param::Reflect, Param::Reflect], |_, a| {
        less(&any(a, 0), &any(a, 1)).map(Value::Bool)
    }),
    fixed("le", &[Param::Reflect, Param::Reflect], |_, a| {
        less_or_equal(&any(a, 0), &any(a, 1)).map(Value::Bool)
    }),
    fixed("gt", &[Param::Reflect, Param::Reflect], |_, a| {
        less_or_equal(&any(a, 0), &any(a, 1)).map(|less| Value::Bool(!less))
    }),
    fixed("ge", &[Param::Reflect, Param::Reflect], greater_or_equal),
];

fn greater_or_equal(_: &mut crate::exec::Run<'_>, a: &[Value]) -> Outcome {
    less(&any(a, 0), &any(a, 1)).map(|less| Value::Bool(!less))
}

/// A value of one of the kinds that have an order or at least equality.
enum Basic<'a> {
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Complex(f64, f64),
    String(&'a [u8]),
}

fn basic(value: &Value) -> Option<Basic<'_>> {
    Some(match value {
        Value::Bool(value) => Basic::Bool(*value),
        Value::Int(value) | Value::Int64(value) => Basic::Int(*value),
        Value::Uint8(value) => Basic::Uint(u64::from(*value)),
        Value::Uint64(value) => Basic::Uint(*value),
        Value::Float(value) => Basic::Float(*value),
        Value::Complex(re, im) => Basic::Complex(*re, *im),
        Value::String(text) => Basic::String(text.as_bytes()),
        _ => return None,
    })
}

/// The plain value beneath a named number or string.
fn unnamed(value: &Value) -> Value {
    if let Value::Object(object) = value
        && let Shape::Plain(plain) = object.shape()
    {
        return plain;
    }
    value.clone()
}

fn equal_to_any(first: &Value, others: &[Value]) -> Result<bool, Error> {
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[expect(clippy::float_cmp, reason = "as Go compares")]
fn equal(a: &Value, b: &Value) -> Result<bool, Error> {
    let (plain_a, plain_b) = (unnamed(a), unnamed(b));
    Ok(match (basic(&plain_a), basic(&plain_b)) {
        (Some(Basic::Bool(a)), Some(Basic::Bool(b))) => a == b,
        (Some(Basic::Int(a)), Some(Basic::Int(b))) => a == b,
        (Some(Basic::Uint(a)), Some(Basic::Uint(b))) => a == b,
        (Some(Basic::Float(a)), Some(Basic::Float(b))) => a == b,
        (Some(Basic::Complex(a, b)), Some(Basic::Complex(c, d))) => a == c && b == d,
        (Some(Basic::String(a)), Some(Basic::String(b))) => a == b,
        (Some(Basic::Int(int)), Some(Basic::Uint(uint)))
        | (Some(Basic::Uint(uint)), Some(Basic::Int(int))) => u64::try_from(int) == Ok(uint),
        (None, None) => return equal_others(a, b),
        _ if matches!(a, Value::Nil) || matches!(b, Value::Nil) => false,
        _ => return Err(incompatible(a, b)),
    })
}

fn incompatible(a: &Value, b: &Value) -> Error {
    format!(
        "incompatible types for comparison: {} and {}",
        a.type_name(),
        b.type_name()
    )
    .into()
}

/// Equality of nils, lists, maps and structs, of which only nils and structs have one.
fn equal_others(a: &Value, b: &Value) -> Result<bool, Error> {
    let (kind_a, kind_b) = (a.kind(), b.kind());
    if kind_a != kind_b && kind_a != Kind::Invalid && kind_b != Kind::Invalid {
        return Err(format!(
            "non-comparable types {}: {}, {}: {}",
            shown(a)?,
            a.type_name(),
            b.type_name(),
            plain(b)?
        )
        .into());
    }
    if a.is_nil() || b.is_nil() {
        return Ok(a.is_nil() == b.is_nil());
    }
    if matches!(kind_b, Kind::Slice | Kind::Map) {
        return Err(format!("non-comparable type {}: {}", shown(b)?, b.type_name()).into());
    }
    if let (Value::Object(a), Value::Object(b)) = (a, b)
        && kind_a == Kind::Ptr
    {
        return Ok(std::rc::Rc::ptr_eq(a, b));
    }
    Ok(crate::value::deep_equal(a, b))
}

/// Most bytes of a value in a message.
const SHOWN: usize = 1 << 20;

fn shown(value: &Value) -> Result<String, Error> {
    let text = format::sprintf(b"%s", std::slice::from_ref(value), SHOWN)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn plain(value: &Value) -> Result<String, Error> {
    let text = format::plain(value, SHOWN)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn less(a: &Value, b: &Value) -> Result<bool, Error> {
    let (plain_a, plain_b) = (unnamed(a), unnamed(b));
    let (Some(basic_a), Some(basic_b)) = (basic(&plain_a), basic(&plain_b)) else {
        return Err(BAD.into());
    };
    Ok(match (basic_a, basic_b) {
        (Basic::Bool(_), Basic::Bool(_)) | (Basic::Complex(..), Basic::Complex(..)) => return Err(BAD.into()),
        (Basic::Int(a), Basic::Int(b)) => a < b,
        (Basic::Uint(a), Basic::Uint(b)) => a < b,
        (Basic::Float(a), Basic::Float(b)) => a < b,
        (Basic::String(a), Basic::String(b)) => a.cmp(b) == Ordering::Less,
        (Basic::Int(a), Basic::Uint(b)) => u64::try_from(a).is_ok_and(|a| a < b) || a < 0,
        (Basic::Uint(a), Basic::Int(b)) => u64::try_from(b).is_ok_and(|b| a < b),
        _ => return Err(incompatible(a, b)),
    })
}

fn less_or_equal(a: &Value, b: &Value) -> Result<bool, Error> {
    Ok(less(a, b)? || equal(a, b)?)
}

//! Numbers.

use super::argument::{any, bytes, int, rest, text};
use super::decimal::Decimal;
use super::{Function, Outcome, fixed, variadic};
use crate::error::Error;
use crate::exec::Run;
use crate::format;
use crate::golang::number::{parse_float, parse_int};
use crate::value::{List, ListType, Param, Shape, Value};

const ANY: Param = Param::Any;
const INT: Param = Param::Int;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("int", &[ANY], |_, a| Ok(Value::Int(to_int(&any(a, 0))))),
    fixed("int64", &[ANY], |_, a| Ok(Value::Int64(to_int(&any(a, 0))))),
    fixed("float64", &[ANY], |_, a| Ok(Value::Float(to_float(&any(a, 0))))),
    fixed("atoi", &[Param::String], |_, a| {
        // Go gives the nearest number where one does not fit.
        let text = text(a, 0);
        let number = parse_int(&text, 10).unwrap_or_else(|bad| match bad {
            crate::golang::number::BadNumber::Syntax => 0,
            crate::golang::number::BadNumber::Range if text.starts_with('-') => i64::MIN,
            crate::golang::number::BadNumber::Range => i64::MAX,
        });
        let _ = bytes(a, 0);
        Ok(Value::Int(number))
    }),
    fixed("toDecimal", &[ANY], |run, a| {
        let shown = format::sprint(a, run.text_limit())?;
        let number = std::str::from_utf8(&shown)
            .ok()
            .and_then(|text| parse_int(text, 8).ok());
        Ok(Value::Int64(number.unwrap_or(0)))
    }),
    fixed("add1", &[ANY], |_, a| {
        Ok(Value::Int64(to_int(&any(a, 0)).wrapping_add(1)))
    }),
    variadic("add", &[], ANY, |_, a| {
        Ok(Value::Int64(
            a.iter().fold(0, |sum: i64, b| sum.wrapping_add(to_int(b))),
        ))
    }),
    fixed("sub", &[ANY, ANY], |_, a| {
        Ok(Value::Int64(to_int(&any(a, 0)).wrapping_sub(to_int(&any(a, 1)))))
    }),
    fixed("div", &[ANY, ANY], |_, a| divided(a, i64::wrapping_div)),
    fixed("mod", &[ANY, ANY], |_, a| divided(a, i64::wrapping_rem)),
    variadic("mul", &[ANY], ANY, |_, a| {
        Ok(Value::Int64(
            a.iter()
                .fold(1, |product: i64, b| product.wrapping_mul(to_int(b))),
        ))
    }),
    variadic("max", &[ANY], ANY, |_, a| {
        Ok(Value::Int64(a.iter().map(to_int).max().unwrap_or(0)))
    }),
    variadic("biggest", &[ANY], ANY, |_, a| {
        Ok(Value::Int64(a.iter().map(to_int).max().unwrap_or(0)))
    }),
    variadic("min", &[ANY], ANY, |_, a| {
        Ok(Value::Int64(a.iter().map(to_int).min().unwrap_or(0)))
    }),
    variadic("maxf", &[ANY], ANY, |_, a| folded(a, larger)),
    variadic("minf", &[ANY], ANY, |_, a| folded(a, smaller)),
    fixed("add1f", &[ANY], |_, a| {
        let one = [any(a, 0), Value::Int(1)];
        decimals(&one, Decimal::add)
    }),
    variadic("addf", &[], ANY, |_, a| {
        let mut terms = vec![Value::Float(0.0)];
        terms.extend_from_slice(a);
        decimals(&terms, Decimal::add)
    }),
    variadic("subf", &[ANY], ANY, |_, a| decimals(a, Decimal::sub)),
    variadic("mulf", &[ANY], ANY, |_, a| decimals(a, Decimal::mul)),
    variadic("divf", &[ANY], ANY, divide_decimals),
    fixed("floor", &[ANY], |_, a| {
        Ok(Value::Float(to_float(&any(a, 0)).floor()))
    }),
    fixed("ceil", &[ANY], |_, a| {
        Ok(Value::Float(to_float(&any(a, 0)).ceil()))
    }),
    variadic("round", &[ANY, INT], Param::Float64, round),
    fixed("until", &[INT], |run, a| {
        let count = int(a, 0);
        numbers(run, 0, count, if count < 0 { -1 } else { 1 })
    }),
    fixed("untilStep", &[INT, INT, INT], |run, a| {
        numbers(run, int(a, 0), int(a, 1), int(a, 2))
    }),
    variadic("seq", &[], INT, sequence),
];

/// A float as an integer, as the processor converts it: what does not fit becomes the smallest.
#[expect(clippy::cast_possible_truncation, reason = "checked before")]
fn truncate(float: f64) -> i64 {
    if float.is_nan() || float.abs() >= 9_223_372_036_854_775_808.0 {
        i64::MIN
    } else {
        float as i64
    }
}

/// `cast.ToInt64`: zero for what is no number.
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(number) | Value::Int64(number) => *number,
        Value::Uint8(number) => i64::from(*number),
        Value::Uint64(number) => number.cast_signed(),
        Value::Float(number) => truncate(*number),
        Value::Bool(truth) => i64::from(*truth),
        Value::String(text) => parse_int(without_zero_decimals(&text.to_str()), 0).unwrap_or(0),
        Value::Object(object) => match object.shape() {
            Shape::Plain(Value::Int(number)) if object.type_name() != "time.Duration" => number,
            _ => 0,
        },
        _ => 0,
    }
}

/// A decimal fraction of zeros does not count.
fn without_zero_decimals(text: &str) -> &str {
    let trimmed = text.trim_end_matches('0');
    if trimmed.len() == text.len() {
        return text;
    }
    trimmed.strip_suffix('.').unwrap_or(text)
}

/// `cast.ToFloat64`.
#[expect(clippy::cast_precision_loss, reason = "as Go converts it")]
pub(super) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Float(number) => *number,
        Value::Int(number) | Value::Int64(number) => *number as f64,
        Value::Uint8(number) => f64::from(*number),
        Value::Uint64(number) => *number as f64,
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        Value::String(text) => parse_float(&text.to_str()).unwrap_or(0.0),
        _ => 0.0,
    }
}

fn divided(a: &[Value], divide: fn(i64, i64) -> i64) -> Outcome {
    let divisor = to_int(&any(a, 1));
    if divisor == 0 {
        return Err("runtime error: integer divide by zero".into());
    }
    Ok(Value::Int64(divide(to_int(&any(a, 0)), divisor)))
}

fn folded(a: &[Value], choose: fn(f64, f64) -> f64) -> Outcome {
    let numbers = a.iter().map(to_float);
    Ok(Value::Float(numbers.reduce(choose).unwrap_or(0.0)))
}

/// Go's `math.Max`, which lets NaN win and takes zero for larger than minus zero.
fn larger(a: f64, b: f64) -> f64 {
    -smaller(-a, -b)
}

fn smaller(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { a } else { b }
    } else {
        a.min(b)
    }
}

fn decimals(a: &[Value], operate: fn(&Decimal, &Decimal) -> Decimal) -> Outcome {
    let mut result: Option<Decimal> = None;
    for value in a {
        let next = decimal(value)?;
        result = Some(match result {
            None => next,
            Some(before) => operate(&before, &next),
        });
    }
    Ok(Value::Float(result.map_or(0.0, |result| result.to_float())))
}

fn decimal(value: &Value) -> Result<Decimal, Error> {
    let float = to_float(value);
    Decimal::from_float(float).ok_or_else(|| {
        format!(
            "Cannot create a Decimal from {}",
            crate::golang::number::shortest(float)
        )
        .into()
    })
}

fn divide_decimals(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    let mut result = decimal(&any(a, 0))?;
    for value in rest(a, 1) {
        result = result.div(&decimal(value)?).ok_or("decimal division by 0")?;
    }
    Ok(Value::Float(result.to_float()))
}

#[expect(clippy::cast_precision_loss, reason = "as Go converts it")]
fn round(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    let on = a.get(2).map_or(0.5, to_float);
    let power = 10.0_f64.powf(int(a, 1) as f64);
    let digit = power * to_float(&any(a, 0));
    let rounded = if digit.fract() >= on {
        digit.ceil()
    } else {
        digit.floor()
    };
    Ok(Value::Float(rounded / power))
}

/// The numbers from `start` to before `stop`.
fn steps(run: &mut Run<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Error> {
    let mut numbers = Vec::new();
    if stop < start && step >= 0 || stop >= start && step <= 0 {
        return Ok(numbers);
    }
    let distance = i128::from(stop) - i128::from(start);
    let count = distance.unsigned_abs().div_ceil(i128::from(step).unsigned_abs());
    run.steps(u64::try_from(count).unwrap_or(u64::MAX))?;
    run.charge(
        usize::try_from(count)
            .unwrap_or(usize::MAX)
            .saturating_mul(size_of::<Value>()),
    )?;
    let mut next = i128::from(start);
    while next != i128::from(stop) && (next < i128::from(stop)) == (step > 0) {
        numbers.push(i64::try_from(next).unwrap_or_default());
        next += i128::from(step);
    }
    Ok(numbers)
}

fn numbers(run: &mut Run<'_>, start: i64, stop: i64, step: i64) -> Outcome {
    let items = steps(run, start, stop, step)?
        .into_iter()
        .map(Value::Int)
        .collect();
    Ok(Value::List(List::typed(&ListType::INT, items)))
}

fn sequence(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let (start, end, step) = match a.len() {
        1 => (1, int(a, 0), if int(a, 0) < 1 { -1 } else { 1 }),
        2 => (int(a, 0), int(a, 1), if int(a, 1) < int(a, 0) { -1 } else { 1 }),
        3 => (int(a, 0), int(a, 2), int(a, 1)),
        _ => return Ok(Value::empty_string()),
    };
    let increment = if end < start { -1 } else { 1 };
    if a.len() == 3 && increment < 0 && step > 0 {
        return Ok(Value::empty_string());
    }
    let numbers = steps(run, start, end.wrapping_add(increment), step)?;
    let shown: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    Ok(shown.join(" ").into())
}

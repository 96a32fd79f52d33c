use serde_json::{Number, Value};

/// A float as Go's JSON encoder hands it on.
#[must_use]
pub fn go_float(value: f64) -> String {
    written(value, 21)
}

/// A float as Go's `strconv.FormatFloat(f, 'g', -1, 64)` writes it.
pub(crate) fn go_general_float(value: f64) -> String {
    written(value, 6)
}

/// With an exponent if there are more digits before the point than `most`.
fn written(value: f64, most: i32) -> String {
    let sci = format!("{value:e}");
    let Some((mantissa, exponent)) = sci.split_once('e') else {
        return sci;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..most).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// The integer that Go's `strconv.ParseInt(text, 0, 64)` or `ParseUint` would read.
pub(crate) fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, body) = if let Some(hex) = lower.strip_prefix("0x") {
        (16, hex)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (2, binary)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (8, octal)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, lower.get(1..)?)
    } else {
        (10, lower.as_str())
    };
    if body.is_empty() || body.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(body, radix).ok()?;
    if !negative {
        // ParseUint, the second try, knows no sign.
        return (!text.starts_with('+') || i64::try_from(magnitude).is_ok()).then(|| Number::from(magnitude));
    }
    i64::try_from(-i128::from(magnitude)).ok().map(Number::from)
}

/// The float of a plain scalar in YAML's own form, which has neither words nor hex digits.
pub(crate) fn yaml_float(text: &str) -> Option<f64> {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = rest
        .split_once(['e', 'E'])
        .map_or((rest, None), |(m, e)| (m, Some(e)));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let ok = match mantissa.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty()),
        None => digits(mantissa) && !mantissa.is_empty(),
    };
    let exponent_ok = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    if !ok || !exponent_ok {
        return None;
    }
    text.parse().ok().filter(|f: &f64| f.is_finite())
}

/// A float as JSON carries it: whole numbers become integers, as after Go's JSON encoder.
pub(crate) fn float_value(value: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[allow(clippy::cast_possible_truncation)]
        return Some(Value::from(value as i64));
    }
    Number::from_f64(value).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_follow_gos_prefixes() {
        for (text, want) in [
            ("0123", Some("83")),
            ("0x1F", Some("31")),
            ("0b11", Some("3")),
            ("0o17", Some("15")),
            ("-7", Some("-7")),
            ("08", None),
            ("", None),
            ("--1", None),
            ("18446744073709551615", Some("18446744073709551615")),
            ("18446744073709551616", None),
        ] {
            assert_eq!(integer(text).map(|n| n.to_string()).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (value, want) in [
            (1.5, "1.5"),
            (1e21, "1e+21"),
            (1e-7, "1e-07"),
            (0.0001, "0.0001"),
            (2.5e30, "2.5e+30"),
        ] {
            assert_eq!(go_float(value), want);
        }
    }
}

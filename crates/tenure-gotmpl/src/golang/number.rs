//! Numbers as `strconv` reads and writes them.

/// Why a text is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadNumber {
    /// It is not written like one.
    Syntax,
    /// It does not fit.
    Range,
}

/// `strconv.ParseUint(text, base, 64)`; base 0 looks at the prefix.
pub(crate) fn parse_uint(text: &str, base: u32) -> Result<u64, BadNumber> {
    let (digits, radix, underscores) = if base == 0 {
        let lower = text.get(..2).unwrap_or_default().to_ascii_lowercase();
        let tail = |n| text.get(n..).unwrap_or_default();
        match lower.as_str() {
            "0x" => (tail(2), 16, true),
            "0o" => (tail(2), 8, true),
            "0b" => (tail(2), 2, true),
            two if two.len() == 2 && two.starts_with('0') => (tail(1), 8, true),
            _ => (text, 10, true),
        }
    } else {
        (text, base, false)
    };
    if digits.is_empty() || underscores && !underscores_ok(text) {
        return Err(BadNumber::Syntax);
    }
    let (mut number, mut over) = (0_u64, false);
    for c in digits.chars().filter(|c| !(underscores && *c == '_')) {
        let digit = c.to_digit(radix).ok_or(BadNumber::Syntax)?;
        match number
            .checked_mul(u64::from(radix))
            .and_then(|n| n.checked_add(u64::from(digit)))
        {
            Some(next) => number = next,
            None => over = true,
        }
    }
    if over { Err(BadNumber::Range) } else { Ok(number) }
}

/// `strconv.ParseInt(text, base, 64)`.
pub(crate) fn parse_int(text: &str, base: u32) -> Result<i64, BadNumber> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = i128::from(parse_uint(digits, base)?);
    i64::try_from(if negative { -magnitude } else { magnitude }).map_err(|_| BadNumber::Range)
}

/// Underscores separate digits, or stand after a base prefix.
fn underscores_ok(text: &str) -> bool {
    if !text.contains('_') {
        return true;
    }
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let lower = text.to_ascii_lowercase();
    let (mut last, body, hex) = match lower.get(..2) {
        Some(prefix @ ("0x" | "0o" | "0b")) => ('0', lower.get(2..).unwrap_or_default(), prefix == "0x"),
        _ => ('^', lower.as_str(), false),
    };
    for c in body.chars() {
        if c.is_ascii_digit() || hex && c.is_ascii_hexdigit() {
            last = '0';
        } else if c == '_' {
            if last != '0' {
                return false;
            }
            last = '_';
        } else {
            if last == '_' {
                return false;
            }
            last = '!';
        }
    }
    last != '_'
}

/// `strconv.ParseFloat(text, 64)`.
pub(crate) fn parse_float(text: &str) -> Result<f64, BadNumber> {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let lower = rest.to_ascii_lowercase();
    let negative = text.starts_with('-');
    match lower.as_str() {
        "inf" | "infinity" => {
            return Ok(if negative {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            });
        }
        "nan" => {
            return if rest.len() == text.len() {
                Ok(f64::NAN)
            } else {
                Err(BadNumber::Syntax)
            };
        }
        _ => {}
    }
    if let Some(hex) = lower.strip_prefix("0x") {
        if !underscores_ok(text) {
            return Err(BadNumber::Syntax);
        }
        let value = parse_hex_float(&hex.replace('_', ""))?;
        return Ok(if negative { -value } else { value });
    }
    if !underscores_ok(text) {
        return Err(BadNumber::Syntax);
    }
    let (text, lower) = (text.replace('_', ""), lower.replace('_', ""));
    let written = lower
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-'))
        && lower.bytes().any(|b| b.is_ascii_digit());
    if !written {
        return Err(BadNumber::Syntax);
    }
    let value: f64 = text.parse().map_err(|_| BadNumber::Syntax)?;
    if value.is_infinite() {
        Err(BadNumber::Range)
    } else {
        Ok(value)
    }
}

/// The digits of a hexadecimal float, which needs an exponent.
fn parse_hex_float(text: &str) -> Result<f64, BadNumber> {
    let (mantissa, exponent) = text.split_once('p').ok_or(BadNumber::Syntax)?;
    let exponent: i32 = exponent.parse().map_err(|_| BadNumber::Syntax)?;
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && part.is_empty() {
        return Err(BadNumber::Syntax);
    }
    let mut value = 0.0_f64;
    for c in whole.chars().chain(part.chars()) {
        value = value.mul_add(16.0, f64::from(c.to_digit(16).ok_or(BadNumber::Syntax)?));
    }
    let shift = exponent.saturating_sub(4_i32.saturating_mul(i32::try_from(part.len()).unwrap_or(i32::MAX)));
    let value = value * 2.0_f64.powi(shift);
    if value.is_infinite() {
        Err(BadNumber::Range)
    } else {
        Ok(value)
    }
}

/// `strconv.FormatFloat(value, verb, precision, 64)`; without a precision, as many digits as it takes.
pub(crate) fn format_float(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.into();
    }
    match (verb, precision) {
        ('e' | 'E', precision) => exponential(value, verb, precision),
        ('f' | 'F', Some(precision)) => format!("{value:.precision$}"),
        ('f' | 'F', None) => format!("{value}"),
        ('g' | 'G', precision) => general(value, verb, precision),
        ('b', _) => binary(value),
        ('x' | 'X', precision) => hexadecimal(value, verb, precision),
        _ => format!("%{verb}"),
    }
}

/// As JSON and `%v` print it: the shortest digits.
pub(crate) fn shortest(value: f64) -> String {
    format_float(value, 'g', None)
}

fn exponential(value: f64, verb: char, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}{verb}{sign}{digits:0>2}")
}

/// `%g`: like `%e` for small and large exponents, otherwise like `%f`, both without trailing zeros.
fn general(value: f64, verb: char, precision: Option<usize>) -> String {
    let digits_wanted = precision.map(|p| p.max(1));
    let text = match digits_wanted {
        Some(digits) => format!("{value:.*e}", digits - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let trimmed = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    let significant = trimmed.bytes().filter(u8::is_ascii_digit).count();
    // The shortest form decides as if the precision was 6.
    let threshold = match digits_wanted {
        None => 6,
        Some(digits) if digits > significant && i64::try_from(significant).unwrap_or(0) > exponent => {
            i64::try_from(significant).unwrap_or(0)
        }
        Some(digits) => i64::try_from(digits).unwrap_or(i64::MAX),
    };
    if exponent < -4 || exponent >= threshold {
        let e = if verb == 'g' { 'e' } else { 'E' };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{trimmed}{e}{sign}{:02}", exponent.abs());
    }
    match digits_wanted {
        None => format!("{value}"),
        Some(digits) => {
            let decimals = i64::try_from(digits).unwrap_or(i64::MAX) - 1 - exponent;
            let text = format!("{value:.*}", usize::try_from(decimals.max(0)).unwrap_or(0));
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
    }
}

/// The parts of a float: whether it is negative, its mantissa and its binary exponent.
fn parts(value: f64) -> (bool, u64, i64) {
    let bits = value.to_bits();
    let exponent = i64::try_from((bits >> 52) & 0x7ff).unwrap_or(0);
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, exponent) = if exponent == 0 {
        (fraction, 1)
    } else {
        (fraction | 1 << 52, exponent)
    };
    (bits >> 63 == 1, mantissa, exponent - 1023)
}

fn binary(value: f64) -> String {
    let (negative, mantissa, exponent) = parts(value);
    let sign = if negative { "-" } else { "" };
    format!("{sign}{mantissa}p{:+}", exponent - 52)
}

fn hexadecimal(value: f64, verb: char, precision: Option<usize>) -> String {
    let (negative, mut mantissa, mut exponent) = parts(value);
    if mantissa == 0 {
        exponent = 0;
    }
    // One digit before the point: the leading one of 53 bits, at the top of 60.
    mantissa <<= 8;
    while mantissa != 0 && mantissa & (1 << 60) == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(digits) = precision.filter(|p| *p < 15) {
        let shift = 60 - 4 * u32::try_from(digits).unwrap_or(0);
        let extra = mantissa & ((1 << shift) - 1);
        mantissa >>= shift;
        let half = 1 << (shift - 1);
        if extra > half || extra == half && mantissa & 1 == 1 {
            mantissa += 1;
        }
        mantissa <<= shift;
        if mantissa & (1 << 61) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let lead = (mantissa >> 60) & 1;
    let mut digits = format!("{:015x}", mantissa & ((1 << 60) - 1));
    match precision {
        None => digits.truncate(digits.trim_end_matches('0').len()),
        Some(precision) => {
            digits.truncate(precision);
            while digits.len() < precision {
                digits.push('0');
            }
        }
    }
    let point = if digits.is_empty() { "" } else { "." };
    let sign = if negative { "-" } else { "" };
    let plus = if exponent < 0 { '-' } else { '+' };
    let text = format!("{sign}0x{lead}{point}{digits}p{plus}{:02}", exponent.abs());
    if verb == 'X' {
        text.to_ascii_uppercase()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_read_as_in_go() {
        for (text, base, want) in [
            ("42", 10, Ok(42)),
            ("0x1f", 0, Ok(31)),
            ("0755", 0, Ok(0o755)),
            ("1_000", 0, Ok(1000)),
            ("1_000", 10, Err(BadNumber::Syntax)),
            ("1__0", 0, Err(BadNumber::Syntax)),
            ("-9223372036854775808", 10, Ok(i64::MIN)),
            ("9223372036854775808", 10, Err(BadNumber::Range)),
            ("08", 0, Err(BadNumber::Syntax)),
            ("", 10, Err(BadNumber::Syntax)),
        ] {
            assert_eq!(parse_int(text, base), want, "{text}");
        }
    }

    #[test]
    fn floats_print_as_in_go() {
        for (value, verb, precision, want) in [
            (1e6, 'g', None, "1e+06"),
            (100_000.0, 'g', None, "100000"),
            (12_345_678.0, 'g', None, "1.2345678e+07"),
            (1e-5, 'g', None, "1e-05"),
            (0.0001, 'g', None, "0.0001"),
            (1e21, 'g', None, "1e+21"),
            (123_456_789.123, 'g', Some(4), "1.235e+08"),
            (100.0, 'g', Some(3), "100"),
            (2.5, 'e', Some(6), "2.500000e+00"),
            (2.5, 'b', None, "5629499534213120p-51"),
            (2.5, 'x', None, "0x1.4p+01"),
            (-0.0, 'g', None, "-0"),
            (1.0, 'x', Some(2), "0x1.00p+00"),
        ] {
            assert_eq!(format_float(value, verb, precision), want, "{value} {verb}");
        }
    }
}

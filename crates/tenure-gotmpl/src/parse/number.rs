use super::node::Number;
use crate::golang::number::{parse_float, parse_int, parse_uint};
use crate::golang::quote::{quote, unquote_char};

/// Reads a character constant such as `'x'`.
pub(super) fn character(text: &[u8]) -> Result<Number, String> {
    let inner = text.get(1..).unwrap_or_default();
    let (code, rest) = unquote_char(inner).ok_or("invalid syntax")?;
    let shown = String::from_utf8_lossy(text);
    if rest != b"'" {
        return Err(format!("malformed character constant: {shown}"));
    }
    Ok(Number {
        text: shown.into_owned(),
        int: Some(i64::from(code)),
        uint: Some(u64::from(code)),
        float: Some(f64::from(code)),
        complex: None,
    })
}

/// Reads a sum such as `1+2i`.
pub(super) fn complex(text: &str) -> Result<Number, String> {
    let body = text.strip_suffix('i').unwrap_or(text);
    let split = body
        .char_indices()
        .rev()
        .find(|(at, c)| {
            matches!(c, '+' | '-')
                && *at > 0
                && !body
                    .get(..*at)
                    .is_some_and(|before| before.ends_with(['e', 'E', 'p', 'P']))
        })
        .map(|(at, _)| at);
    let (real, imaginary) = split
        .and_then(|at| body.split_at_checked(at))
        .ok_or_else(|| "syntax error scanning complex number".to_owned())?;
    let read = |part: &str| parse_float(part).map_err(|_| "syntax error scanning complex number".to_owned());
    Ok(simplified(text, read(real)?, read(imaginary)?))
}

/// A complex number, and the simpler ones that it is if its imaginary part is zero.
fn simplified(text: &str, real: f64, imaginary: f64) -> Number {
    let mut number = Number {
        text: text.to_owned(),
        complex: Some((real, imaginary)),
        ..Number::default()
    };
    if imaginary == 0.0 {
        number.float = Some(real);
        number.int = whole(real);
        number.uint = whole_unsigned(real);
    }
    number
}

/// Reads any other number.
pub(super) fn number(text: &str) -> Result<Number, String> {
    if let Some(body) = text.strip_suffix('i')
        && let Ok(imaginary) = parse_float(body)
    {
        return Ok(simplified(text, 0.0, imaginary));
    }
    let mut number = Number {
        text: text.to_owned(),
        uint: parse_uint(text, 0).ok(),
        int: parse_int(text, 0).ok(),
        ..Number::default()
    };
    if number.int == Some(0) {
        number.uint = Some(number.uint.unwrap_or_default());
    }
    if let Some(int) = number.int {
        #[expect(clippy::cast_precision_loss, reason = "as Go converts it")]
        let float = int as f64;
        number.float = Some(float);
    } else if let Some(uint) = number.uint {
        #[expect(clippy::cast_precision_loss, reason = "as Go converts it")]
        let float = uint as f64;
        number.float = Some(float);
    } else if let Ok(float) = parse_float(text) {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", quote(text.as_bytes())));
        }
        number.float = Some(float);
        number.int = whole(float);
        number.uint = whole_unsigned(float);
    } else {
        return Err(format!("illegal number syntax: {}", quote(text.as_bytes())));
    }
    Ok(number)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "checked by going back"
)]
fn whole(float: f64) -> Option<i64> {
    let int = float as i64;
    (int as f64 == float && float.abs() < 9.3e18).then_some(int)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "checked by going back"
)]
fn whole_unsigned(float: f64) -> Option<u64> {
    let uint = float as u64;
    (float >= 0.0 && uint as f64 == float).then_some(uint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_has_all_the_types_it_fits() {
        let read = |text| number(text).expect("a number");
        assert_eq!((read("3").int, read("3").float), (Some(3), Some(3.0)));
        assert_eq!((read("1e3").int, read("1e3").uint), (Some(1000), Some(1000)));
        assert_eq!((read("-0").int, read("-0").uint), (Some(0), Some(0)));
        assert_eq!(read("1.5").int, None);
        assert_eq!(read("18446744073709551615").int, None);
        assert_eq!(read("2i").complex, Some((0.0, 2.0)));
        assert_eq!(complex("1e+2-3i").map(|n| n.complex), Ok(Some((100.0, -3.0))));
        assert_eq!(character(b"'\\n'").map(|n| n.int), Ok(Some(10)));
    }

    #[test]
    fn what_is_none_says_why() {
        assert_eq!(number("089"), Err("integer overflow: \"089\"".into()));
        assert_eq!(number("0x"), Err("illegal number syntax: \"0x\"".into()));
        assert_eq!(
            number("99999999999999999999"),
            Err("integer overflow: \"99999999999999999999\"".into())
        );
        assert_eq!(
            character(b"'ab'"),
            Err("malformed character constant: 'ab'".into())
        );
    }
}

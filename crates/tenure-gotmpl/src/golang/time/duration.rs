use crate::golang::quote::quote;

/// Nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Duration(pub(crate) i64);

const SECOND: u64 = 1_000_000_000;

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nanos = self.0.unsigned_abs();
        if nanos == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let fraction = |whole: u64, part: u64, digits: usize| {
            let decimals = format!("{part:0digits$}");
            let decimals = decimals.trim_end_matches('0');
            if decimals.is_empty() {
                whole.to_string()
            } else {
                format!("{whole}.{decimals}")
            }
        };
        match nanos {
            0..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => write!(f, "{}µs", fraction(nanos / 1_000, nanos % 1_000, 3)),
            1_000_000..SECOND => write!(f, "{}ms", fraction(nanos / 1_000_000, nanos % 1_000_000, 6)),
            _ => {
                let seconds = nanos / SECOND;
                let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
                if hours > 0 {
                    write!(f, "{hours}h")?;
                }
                if hours > 0 || minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                write!(f, "{}s", fraction(seconds % 60, nanos % SECOND, 9))
            }
        }
    }
}

/// `time.ParseDuration`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let failed = |reason: &str| format!("time: {reason} {}", quote(text.as_bytes()));
    let invalid = || failed("invalid duration");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Duration(0));
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (part, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && part.is_empty() {
            return Err(invalid());
        }
        let length = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let (name, after) = after.split_at(length);
        if name.is_empty() {
            return Err(failed("missing unit in duration"));
        }
        let unit: u64 = match name {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3600 * SECOND,
            _ => {
                return Err(failed(&format!(
                    "unknown unit {} in duration",
                    quote(name.as_bytes())
                )));
            }
        };
        let number: u64 = if whole.is_empty() {
            0
        } else {
            whole.parse().map_err(|_| invalid())?
        };
        let value = number.checked_mul(unit).ok_or_else(invalid)?;
        total = total
            .checked_add(value)
            .and_then(|total| total.checked_add(fraction(part, unit)))
            .filter(|total| *total <= 1 << 63)
            .ok_or_else(invalid)?;
        rest = after;
    }
    let signed = i128::from(total) * if negative { -1 } else { 1 };
    i64::try_from(signed).map(Duration).map_err(|_| invalid())
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as Go computes it"
)]
fn fraction(digits: &str, unit: u64) -> u64 {
    let kept = digits.get(..digits.len().min(18)).unwrap_or_default();
    let number: u64 = kept.parse().unwrap_or(0);
    let scale = 10.0_f64.powi(i32::try_from(kept.len()).unwrap_or(0));
    (number as f64 * (unit as f64 / scale)) as u64
}

fn digits(text: &str) -> (&str, &str) {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_in_go() {
        for (text, shown) in [
            ("1.5h", "1h30m0s"),
            ("90s", "1m30s"),
            ("-1m", "-1m0s"),
            ("1500us", "1.5ms"),
            ("1h1ns", "1h0m0.000000001s"),
            ("0", "0s"),
            (".5s", "500ms"),
        ] {
            assert_eq!(parse_duration(text).map(|d| d.to_string()), Ok(shown.into()));
        }
        for (text, reason) in [
            ("bad", "time: invalid duration \"bad\""),
            ("1", "time: missing unit in duration \"1\""),
            ("1x", "time: unknown unit \"x\" in duration \"1x\""),
            ("", "time: invalid duration \"\""),
        ] {
            assert_eq!(parse_duration(text), Err(reason.into()));
        }
    }
}

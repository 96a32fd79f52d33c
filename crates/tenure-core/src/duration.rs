use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A duration as Kubernetes and Flux write it: `5m0s`, `1h30m`, `750ms`, `1.5s`.
///
/// Units are `h`, `m`, `s`, `ms`, `us`, `µs` and `ns`; a sign is refused because no field takes one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoDuration(Duration);

/// Why a string is not a duration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a duration such as 30s, 5m0s or 1h")]
pub struct DurationError(String);

impl GoDuration {
    /// Wraps a duration.
    #[must_use]
    pub const fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// The duration.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }
}

impl From<Duration> for GoDuration {
    fn from(d: Duration) -> Self {
        Self(d)
    }
}

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let bad = || DurationError(s.chars().take(40).collect());
        if s == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let mut rest = s;
        let mut nanos: f64 = 0.0;
        let mut whole: u128 = 0;
        if rest.is_empty() {
            return Err(bad());
        }
        while !rest.is_empty() {
            let end = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .ok_or_else(bad)?;
            let (number, tail) = rest.split_at(end);
            let unit_end = tail
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let scale: u64 = match unit {
                "ns" => 1,
                "us" | "µs" | "μs" => 1_000,
                "ms" => 1_000_000,
                "s" => 1_000_000_000,
                "m" => 60_000_000_000,
                "h" => 3_600_000_000_000,
                _ => return Err(bad()),
            };
            match number.parse::<u64>() {
                Ok(n) => {
                    whole = whole
                        .checked_add(u128::from(n) * u128::from(scale))
                        .ok_or_else(bad)?
                }
                Err(_) => nanos += number.parse::<f64>().map_err(|_| bad())? * scale as f64,
            }
            rest = tail;
        }
        let total = whole.checked_add(nanos as u128).ok_or_else(bad)?;
        let total = u64::try_from(total)
            .ok()
            .filter(|n| i64::try_from(*n).is_ok())
            .ok_or_else(bad)?;
        Ok(Self(Duration::from_nanos(total)))
    }
}

impl TryFrom<String> for GoDuration {
    type Error = DurationError;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<GoDuration> for String {
    fn from(d: GoDuration) -> Self {
        d.to_string()
    }
}

/// As Go's `time.Duration.String`: `5m0s`, `1h0m0s`, `1.5s`, `750ms`.
impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0s");
        }
        let fraction = |f: &mut fmt::Formatter<'_>, value: u128, unit: u128, name: &str| {
            let rest = value % unit;
            write!(f, "{}", value / unit)?;
            if rest > 0 {
                let digits = unit.ilog10() as usize;
                write!(f, ".{}", format!("{rest:0digits$}").trim_end_matches('0'))?;
            }
            f.write_str(name)
        };
        match nanos {
            0..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => fraction(f, nanos, 1_000, "µs"),
            1_000_000..1_000_000_000 => fraction(f, nanos, 1_000_000, "ms"),
            _ => {
                let minutes = nanos / 60_000_000_000;
                if minutes >= 60 {
                    write!(f, "{}h", minutes / 60)?;
                }
                if minutes > 0 {
                    write!(f, "{}m", minutes % 60)?;
                }
                fraction(f, nanos % 60_000_000_000, 1_000_000_000, "s")
            }
        }
    }
}

impl fmt::Debug for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_as_go_does() {
        for (text, written, millis) in [
            ("5m0s", "5m0s", 300_000),
            ("1h", "1h0m0s", 3_600_000),
            ("90s", "1m30s", 90_000),
            ("1.5s", "1.5s", 1_500),
            ("750ms", "750ms", 750),
            ("1h30m", "1h30m0s", 5_400_000),
            ("0", "0s", 0),
        ] {
            let d: GoDuration = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(
                (d.to_string().as_str(), d.as_duration().as_millis()),
                (written, millis),
                "{text}"
            );
        }
        for bad in ["", "5", "m", "5x", "-5m", "1..5s", "99999999999999h", "5 m"] {
            assert!(bad.parse::<GoDuration>().is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(nanos in 0u64..i64::MAX as u64) {
            let d = GoDuration::new(Duration::from_nanos(nanos));
            let back: GoDuration = d.to_string().parse().expect("own output parses");
            // fractions of a second travel as a decimal; a nanosecond may round
            proptest::prop_assert!(d.as_duration().abs_diff(back.as_duration()).as_nanos() <= 1);
        }
    }
}

//! Go's package `time`.

mod duration;
mod layout;
mod object;
mod read;

use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(crate) use self::duration::{Duration, parse_duration};
use self::layout::Layout;
pub(crate) use self::read::parse;

/// Seconds from the first year to 1970.
pub(super) const UNIX_TO_YEAR_1: i64 = 62_135_596_800;

/// A place with its rules for the time of day.
#[derive(Debug, Clone)]
pub(crate) enum Zone {
    Utc,
    /// Where the run takes place, which is always UTC.
    Local,
    Fixed(Rc<str>, i64),
    Named(TimeZone),
}

impl Zone {
    /// `time.LoadLocation`.
    pub(crate) fn load(name: &str) -> Option<Self> {
        match name {
            "" | "UTC" => Some(Self::Utc),
            "Local" => Some(Self::Local),
            _ => {
                let zone = TimeZone::get(name).ok()?;
                // Go looks a name up as it is written, here case does not matter.
                (zone.iana_name() == Some(name)).then(|| Self::Named(zone))
            }
        }
    }

    /// The abbreviation and the offset in seconds at a time.
    fn at(&self, unix: i64) -> (String, i64) {
        match self {
            Self::Utc | Self::Local => ("UTC".into(), 0),
            Self::Fixed(name, offset) => (name.to_string(), *offset),
            Self::Named(zone) => {
                let clamped = unix.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
                let Ok(timestamp) = Timestamp::from_second(clamped) else {
                    return ("UTC".into(), 0);
                };
                let info = zone.to_offset_info(timestamp);
                (info.abbreviation().to_owned(), i64::from(info.offset().seconds()))
            }
        }
    }
}

/// A point in time.
#[derive(Debug, Clone)]
pub(crate) struct Time {
    /// Seconds since 1970.
    pub(crate) unix: i64,
    pub(crate) nanos: u32,
    pub(crate) zone: Zone,
    /// Read off the clock: it prints a reading of the monotonic clock, too.
    pub(crate) monotonic: bool,
}

/// A time of day on a date, in some zone.
pub(super) struct Clock {
    pub(super) year: i64,
    pub(super) month: u32,
    pub(super) day: u32,
    pub(super) year_day: u32,
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) second: u32,
    /// Sunday is 0.
    pub(super) week_day: u32,
    pub(super) abbreviation: String,
    pub(super) offset: i64,
}

/// Days from 1970 to a date of the Gregorian calendar.
pub(super) const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days since 1970.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

impl Time {
    /// The zero time: the start of the first year.
    pub(crate) const fn zero() -> Self {
        Self {
            unix: -UNIX_TO_YEAR_1,
            nanos: 0,
            zone: Zone::Utc,
            monotonic: false,
        }
    }

    /// `time.Unix`.
    pub(crate) const fn unix(seconds: i64) -> Self {
        Self {
            unix: seconds,
            nanos: 0,
            zone: Zone::Local,
            monotonic: false,
        }
    }

    /// `time.Now`.
    pub(crate) fn now(timestamp: Timestamp) -> Self {
        Self {
            unix: timestamp.as_second(),
            nanos: u32::try_from(timestamp.subsec_nanosecond()).unwrap_or(0),
            zone: Zone::Local,
            monotonic: true,
        }
    }

    /// `time.Date`, whose fields may lie outside their usual ranges.
    pub(super) fn date((year, month, day): (i64, i64, i64), seconds: i64, nanos: u32, zone: Zone) -> Self {
        let months = month - 1;
        let (year, month) = (year + months.div_euclid(12), months.rem_euclid(12) + 1);
        let local = days_from_civil(year, month, 1) * 86_400 + (day - 1) * 86_400 + seconds;
        // The offset at that time, found in two steps as Go finds it.
        let (_, guess) = zone.at(local);
        let (_, offset) = zone.at(local - guess);
        let offset = if zone.at(local - offset).1 == offset {
            offset
        } else {
            guess
        };
        Self {
            unix: local - offset,
            nanos,
            zone,
            monotonic: false,
        }
    }

    /// The same time in another zone.
    pub(crate) fn within(&self, zone: Zone) -> Self {
        Self {
            zone,
            monotonic: false,
            ..self.clone()
        }
    }

    pub(super) fn clock(&self) -> Clock {
        let (abbreviation, offset) = self.zone.at(self.unix);
        let local = self.unix.saturating_add(offset);
        let (days, rest) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        let small = |number: i64| u32::try_from(number).unwrap_or(0);
        Clock {
            year,
            month: small(month),
            day: small(day),
            year_day: small(days - days_from_civil(year, 1, 1) + 1),
            hour: small(rest / 3600),
            minute: small(rest / 60 % 60),
            second: small(rest % 60),
            week_day: small((days + 4).rem_euclid(7)),
            abbreviation,
            offset,
        }
    }

    /// `Time.Format`.
    pub(crate) fn format(&self, layout: &str) -> String {
        Layout(layout).write(self)
    }

    pub(crate) fn add(&self, duration: Duration) -> Self {
        let nanos = i64::from(self.nanos) + duration.0.rem_euclid(1_000_000_000);
        let seconds = duration.0.div_euclid(1_000_000_000) + nanos / 1_000_000_000;
        Self {
            unix: self.unix.saturating_add(seconds),
            nanos: u32::try_from(nanos % 1_000_000_000).unwrap_or(0),
            ..self.clone()
        }
    }

    /// `Time.Sub`: as much as a duration can hold.
    pub(crate) fn since(&self, other: &Self) -> Duration {
        let nanos = (i128::from(self.unix) - i128::from(other.unix)) * 1_000_000_000 + i128::from(self.nanos)
            - i128::from(other.nanos);
        let clamped = nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Duration(i64::try_from(clamped).unwrap_or(0))
    }

    /// As `String` prints it.
    pub(crate) fn shown(&self) -> String {
        let mut out = self.format("2006-01-02 15:04:05.999999999 -0700 MST");
        if self.monotonic {
            out.push_str(" m=+0.000000001");
        }
        out
    }
}

/// The days of a month.
pub(super) const fn days_in(month: i64, year: i64) -> i64 {
    days_from_civil(year + month / 12, month % 12 + 1, 1) - days_from_civil(year, month, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_in_go() {
        let time = Time::unix(1_700_000_000);
        for (layout, want) in [
            ("2006-01-02T15:04:05Z07:00", "2023-11-14T22:13:20Z"),
            ("002 Mon January _2 3PM .000", "318 Tue November 14 10PM .000"),
            ("Jan 02 06 -0700 MST", "Nov 14 23 +0000 UTC"),
        ] {
            assert_eq!(time.format(layout), want);
        }
        let zone = Zone::load("America/New_York").expect("a zone");
        assert_eq!(time.within(zone).format("15:04 MST -07:00"), "17:13 EST -05:00");
        assert_eq!(Time::zero().shown(), "0001-01-01 00:00:00 +0000 UTC");
        assert!(Zone::load("america/new_york").is_none());
    }

    #[test]
    fn months_may_run_over() {
        let time = Time::date((2023, 14, 31), 0, 0, Zone::Utc);
        assert_eq!(time.format("2006-01-02"), "2024-03-02");
        assert_eq!((days_in(2, 2024), days_in(12, 2023)), (29, 31));
    }
}

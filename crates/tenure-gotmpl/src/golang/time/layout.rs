//! Layouts: the reference time, Mon Jan 2 15:04:05 MST 2006, as an example of how to write.

use super::{Clock, Time};

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// What a part of a layout stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekDay,
    WeekDay,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    Zone,
    /// An offset: `Z` for zero, colons, and how many fields.
    Offset(bool, bool, u8),
    /// A fraction of a second: how many digits, whether trailing zeros go, and its separator.
    Fraction(usize, bool, char),
}

const FIXED: &[(&str, Part)] = &[
    ("January", Part::LongMonth),
    ("Monday", Part::LongWeekDay),
    ("MST", Part::Zone),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroHour12),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::Year),
    ("002", Part::ZeroYearDay),
    ("15", Part::Hour),
    ("1", Part::NumMonth),
    ("2006", Part::LongYear),
    ("2", Part::Day),
    ("__2", Part::UnderYearDay),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::UpperPm),
    ("pm", Part::LowerPm),
    ("-070000", Part::Offset(false, false, 3)),
    ("-07:00:00", Part::Offset(false, true, 3)),
    ("-0700", Part::Offset(false, false, 2)),
    ("-07:00", Part::Offset(false, true, 2)),
    ("-07", Part::Offset(false, false, 1)),
    ("Z070000", Part::Offset(true, false, 3)),
    ("Z07:00:00", Part::Offset(true, true, 3)),
    ("Z0700", Part::Offset(true, false, 2)),
    ("Z07:00", Part::Offset(true, true, 2)),
    ("Z07", Part::Offset(true, false, 1)),
];

/// A layout, or what is left of one.
#[derive(Clone, Copy)]
pub(super) struct Layout<'a>(pub(super) &'a str);

impl<'a> Layout<'a> {
    /// The text before the next part, the part with its spelling, and the rest.
    pub(super) fn next(self) -> (&'a str, Option<(Part, &'a str)>, Self) {
        for (at, _) in self.0.char_indices() {
            let here = self.0.get(at..).unwrap_or_default();
            // An underscore before a year is only an underscore.
            let skipped = usize::from(here.starts_with("_2006"));
            let here = here.get(skipped..).unwrap_or(here);
            if let Some((part, length)) = part_at(here) {
                let (spelling, rest) = here.split_at(length);
                return (
                    self.0.get(..at + skipped).unwrap_or_default(),
                    Some((part, spelling)),
                    Self(rest),
                );
            }
        }
        (self.0, None, Self(""))
    }

    pub(super) fn write(self, time: &Time) -> String {
        let clock = time.clock();
        let (mut out, mut rest) = (String::new(), self);
        loop {
            let (before, part, after) = rest.next();
            out.push_str(before);
            let Some((part, _)) = part else {
                return out;
            };
            out.push_str(&written(part, &clock, time.nanos));
            rest = after;
        }
    }
}

fn part_at(text: &str) -> Option<(Part, usize)> {
    let lower_follows = |text: &str| text.starts_with(|c: char| c.is_ascii_lowercase());
    for (name, part) in [("Jan", Part::Month), ("Mon", Part::WeekDay)] {
        if let Some(rest) = text.strip_prefix(name) {
            let long = if part == Part::Month { "uary" } else { "day" };
            if rest.starts_with(long) {
                break;
            }
            return (part == Part::WeekDay && !lower_follows(rest)
                || part == Part::Month && !lower_follows(rest))
            .then_some((part, 3));
        }
    }
    if text.starts_with("_2") {
        return Some((Part::UnderDay, 2));
    }
    if let Some(found) = fraction_at(text) {
        return Some(found);
    }
    FIXED
        .iter()
        .find(|(spelling, _)| text.starts_with(spelling))
        .map(|(spelling, part)| (*part, spelling.len()))
}

fn fraction_at(text: &str) -> Option<(Part, usize)> {
    let separator = text.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let digit = *text.as_bytes().get(1).filter(|b| matches!(b, b'0' | b'9'))?;
    let digits = text.bytes().skip(1).take_while(|b| *b == digit).count();
    let ended = !text.as_bytes().get(1 + digits).is_some_and(u8::is_ascii_digit);
    ended.then_some((Part::Fraction(digits, digit == b'9', separator), 1 + digits))
}

fn written(part: Part, clock: &Clock, nanos: u32) -> String {
    let month = MONTHS
        .get(clock.month.saturating_sub(1) as usize)
        .copied()
        .unwrap_or("");
    let day = DAYS.get(clock.week_day as usize).copied().unwrap_or("");
    let short = |name: &str| name.get(..3).unwrap_or(name).to_owned();
    let hour12 = match clock.hour % 12 {
        0 => 12,
        hour => hour,
    };
    match part {
        Part::LongMonth => month.to_owned(),
        Part::Month => short(month),
        Part::NumMonth => clock.month.to_string(),
        Part::ZeroMonth => format!("{:02}", clock.month),
        Part::LongWeekDay => day.to_owned(),
        Part::WeekDay => short(day),
        Part::Day => clock.day.to_string(),
        Part::UnderDay => format!("{:2}", clock.day),
        Part::ZeroDay => format!("{:02}", clock.day),
        Part::UnderYearDay => format!("{:3}", clock.year_day),
        Part::ZeroYearDay => format!("{:03}", clock.year_day),
        Part::Hour => format!("{:02}", clock.hour),
        Part::Hour12 => hour12.to_string(),
        Part::ZeroHour12 => format!("{hour12:02}"),
        Part::Minute => clock.minute.to_string(),
        Part::ZeroMinute => format!("{:02}", clock.minute),
        Part::Second => clock.second.to_string(),
        Part::ZeroSecond => format!("{:02}", clock.second),
        Part::LongYear if clock.year < 0 => format!("-{:04}", -clock.year),
        Part::LongYear => format!("{:04}", clock.year),
        Part::Year => format!("{:02}", clock.year.rem_euclid(100)),
        Part::UpperPm => if clock.hour >= 12 { "PM" } else { "AM" }.to_owned(),
        Part::LowerPm => if clock.hour >= 12 { "pm" } else { "am" }.to_owned(),
        Part::Zone if !clock.abbreviation.is_empty() => clock.abbreviation.clone(),
        Part::Zone => {
            let minutes = clock.offset.abs() / 60;
            let sign = if clock.offset < 0 { '-' } else { '+' };
            let rest = minutes % 60;
            let rest = if rest == 0 {
                String::new()
            } else {
                format!("{rest:02}")
            };
            format!("{sign}{:02}{rest}", minutes / 60)
        }
        Part::Offset(true, ..) if clock.offset == 0 => "Z".to_owned(),
        Part::Offset(_, colons, fields) => {
            let seconds = clock.offset.abs();
            let parts = [seconds / 3600, seconds / 60 % 60, seconds % 60];
            let shown: Vec<String> = parts
                .iter()
                .take(usize::from(fields))
                .map(|part| format!("{part:02}"))
                .collect();
            let sign = if clock.offset < 0 { "-" } else { "+" };
            sign.to_owned() + &shown.join(if colons { ":" } else { "" })
        }
        Part::Fraction(digits, trim, separator) => {
            let all = format!("{nanos:09}");
            let mut shown = all.get(..digits.min(9)).unwrap_or(&all).to_owned();
            if trim {
                shown.truncate(shown.trim_end_matches('0').len());
                if shown.is_empty() {
                    return shown;
                }
            } else {
                while shown.len() < digits {
                    shown.push('0');
                }
            }
            format!("{separator}{shown}")
        }
    }
}

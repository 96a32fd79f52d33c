//! Reading times by a layout.

use super::layout::{DAYS, Layout, MONTHS, Part};
use super::{Time, Zone, days_from_civil, days_in};

/// A text in quotes as the package of times has it: what is not plain ASCII byte by byte.
fn quote(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in text {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b' '..=b'~' | 0x7f => out.push(char::from(*byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// Why a part was not read.
enum Bad {
    Syntax,
    Range(&'static str),
}

#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: u32,
    afternoon: Option<bool>,
    utc: bool,
    offset: Option<i64>,
    zone: String,
}

/// `time.ParseInLocation` in the local zone.
pub(crate) fn parse(layout: &str, value: &str) -> Result<Time, String> {
    let time = |rest: &str| format!("parsing time {}{rest}", quote(value.as_bytes()));
    let cannot = |left: &str, part: &str| {
        time(&format!(
            " as {}: cannot parse {} as {}",
            quote(layout.as_bytes()),
            quote(left.as_bytes()),
            quote(part.as_bytes())
        ))
    };
    let mut fields = Fields::default();
    let (mut rest, mut left) = (Layout(layout), value);
    loop {
        let (before, part, after) = rest.next();
        left = match skip(left, before) {
            Ok(left) => left,
            Err(at) => return Err(cannot(at, before)),
        };
        let Some((part, spelling)) = part else {
            if !left.is_empty() {
                return Err(time(&format!(": extra text: {}", quote(left.as_bytes()))));
            }
            break;
        };
        match fields.read(part, left, after) {
            Ok(remaining) => left = remaining,
            Err(Bad::Syntax) => return Err(cannot(left, spelling)),
            Err(Bad::Range(what)) => return Err(time(&format!(": {what} out of range"))),
        }
        rest = after;
    }
    fields.time().map_err(|reason| time(&reason))
}

/// Skips the text of a layout; a run of spaces stands for any.
fn skip<'v>(value: &'v str, text: &str) -> Result<&'v str, &'v str> {
    let (mut value, mut text) = (value, text);
    while let Some(c) = text.chars().next() {
        if c == ' ' {
            if !value.is_empty() && !value.starts_with(' ') {
                return Err(value);
            }
            text = text.trim_start_matches(' ');
            value = value.trim_start_matches(' ');
            continue;
        }
        value = value.strip_prefix(c).ok_or(value)?;
        text = text.get(c.len_utf8()..).unwrap_or_default();
    }
    Ok(value)
}

type Read<'v, T> = Result<(T, &'v str), Bad>;

/// One or two digits; exactly two if `fixed`.
fn number(value: &str, fixed: bool) -> Read<'_, i64> {
    digits(value, if fixed { 2 } else { 1 }, 2)
}

fn digits(value: &str, least: usize, most: usize) -> Read<'_, i64> {
    let length = value.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if length < least {
        return Err(Bad::Syntax);
    }
    let (digits, rest) = value.split_at(length);
    Ok((digits.parse().map_err(|_| Bad::Syntax)?, rest))
}

/// A name in any case; gives its place in the list.
fn lookup<'v>(names: &[&str], length: usize, value: &'v str) -> Read<'v, i64> {
    for (at, name) in names.iter().enumerate() {
        let name = name.get(..length.min(name.len())).unwrap_or(name);
        if let Some(head) = value.get(..name.len())
            && head.eq_ignore_ascii_case(name)
        {
            let rest = value.get(name.len()..).unwrap_or_default();
            return Ok((i64::try_from(at).unwrap_or(0), rest));
        }
    }
    Err(Bad::Syntax)
}

fn within(number: i64, range: std::ops::Range<i64>, name: &'static str) -> Result<i64, Bad> {
    if range.contains(&number) {
        Ok(number)
    } else {
        Err(Bad::Range(name))
    }
}

impl Fields {
    fn read<'v>(&mut self, part: Part, value: &'v str, after: Layout<'_>) -> Result<&'v str, Bad> {
        let rest;
        match part {
            Part::Year => {
                let (year, left) = digits(value, 2, 2)?;
                self.year = if year >= 69 { year + 1900 } else { year + 2000 };
                rest = left;
            }
            Part::LongYear => (self.year, rest) = digits(value, 4, 4)?,
            Part::Month | Part::LongMonth => {
                let (month, left) = lookup(&MONTHS, if part == Part::Month { 3 } else { 9 }, value)?;
                self.month = Some(month + 1);
                rest = left;
            }
            Part::NumMonth | Part::ZeroMonth => {
                let (month, left) = number(value, part == Part::ZeroMonth)?;
                self.month = Some(within(month, 1..13, "month")?);
                rest = left;
            }
            Part::WeekDay => rest = lookup(&DAYS, 3, value)?.1,
            Part::LongWeekDay => rest = lookup(&DAYS, 9, value)?.1,
            Part::Day | Part::UnderDay | Part::ZeroDay => {
                let value = match part {
                    Part::UnderDay => value.strip_prefix(' ').unwrap_or(value),
                    _ => value,
                };
                let (day, left) = number(value, part == Part::ZeroDay)?;
                self.day = Some(day);
                rest = left;
            }
            Part::UnderYearDay | Part::ZeroYearDay => {
                let mut value = value;
                if part == Part::UnderYearDay {
                    value = value.strip_prefix(' ').unwrap_or(value);
                    value = value.strip_prefix(' ').unwrap_or(value);
                }
                let (day, left) = digits(value, if part == Part::ZeroYearDay { 3 } else { 1 }, 3)?;
                self.year_day = Some(day);
                rest = left;
            }
            Part::Hour => {
                let (hour, left) = number(value, false)?;
                self.hour = within(hour, 0..24, "hour")?;
                rest = left;
            }
            Part::Hour12 | Part::ZeroHour12 => {
                let (hour, left) = number(value, part == Part::ZeroHour12)?;
                self.hour = within(hour, 0..13, "hour")?;
                rest = left;
            }
            Part::Minute | Part::ZeroMinute => {
                let (minute, left) = number(value, part == Part::ZeroMinute)?;
                self.minute = within(minute, 0..60, "minute")?;
                rest = left;
            }
            Part::Second | Part::ZeroSecond => {
                let (second, left) = number(value, part == Part::ZeroSecond)?;
                self.second = within(second, 0..60, "second")?;
                let expected = matches!(after.next().1, Some((Part::Fraction(..), _)));
                rest = if expected { left } else { self.fraction(left) };
            }
            Part::UpperPm | Part::LowerPm => {
                let (head, left) = value.split_at_checked(2).ok_or(Bad::Syntax)?;
                self.afternoon = match (head, part) {
                    ("PM", Part::UpperPm) | ("pm", Part::LowerPm) => Some(true),
                    ("AM", Part::UpperPm) | ("am", Part::LowerPm) => Some(false),
                    _ => return Err(Bad::Syntax),
                };
                rest = left;
            }
            Part::Offset(zulu, colons, fields) => rest = self.offset(value, zulu, colons, fields)?,
            Part::Zone => {
                if let Some(left) = value.strip_prefix("UTC") {
                    self.utc = true;
                    rest = left;
                } else {
                    let length = zone_length(value).ok_or(Bad::Syntax)?;
                    let (name, left) = value.split_at_checked(length).ok_or(Bad::Syntax)?;
                    self.zone = name.to_owned();
                    rest = left;
                }
            }
            Part::Fraction(count, false, _) => {
                let (head, left) = value.split_at_checked(count + 1).ok_or(Bad::Syntax)?;
                let plain = head.starts_with(['.', ',']) && head.bytes().skip(1).all(|b| b.is_ascii_digit());
                if !plain {
                    return Err(Bad::Syntax);
                }
                self.fraction(head);
                rest = left;
            }
            Part::Fraction(..) => rest = self.fraction(value),
        }
        Ok(rest)
    }

    /// A fraction of a second, if one stands here.
    fn fraction<'v>(&mut self, value: &'v str) -> &'v str {
        let Some(body) = value.strip_prefix(['.', ',']) else {
            return value;
        };
        let length = body.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 {
            return value;
        }
        let (digits, rest) = body.split_at(length);
        let digits = digits.get(..length.min(9)).unwrap_or(digits);
        self.nanos = format!("{digits:0<9}").parse().unwrap_or(0);
        rest
    }

    fn offset<'v>(&mut self, value: &'v str, zulu: bool, colons: bool, count: u8) -> Result<&'v str, Bad> {
        if zulu && let Some(rest) = value.strip_prefix('Z') {
            self.utc = true;
            return Ok(rest);
        }
        let (sign, mut rest) = value.split_at_checked(1).ok_or(Bad::Syntax)?;
        let mut fields = [0; 3];
        for (at, field) in fields.iter_mut().take(usize::from(count)).enumerate() {
            if colons && at > 0 {
                rest = rest.strip_prefix(':').ok_or(Bad::Syntax)?;
            }
            (*field, rest) = digits(rest, 2, 2)?;
        }
        let [hours, minutes, seconds] = fields;
        within(hours, 0..25, "time zone offset hour")?;
        within(minutes, 0..61, "time zone offset minute")?;
        within(seconds, 0..61, "time zone offset second")?;
        let offset = (hours * 60 + minutes) * 60 + seconds;
        self.offset = match sign {
            "+" => Some(offset),
            "-" => Some(-offset),
            _ => return Err(Bad::Syntax),
        };
        Ok(rest)
    }

    fn time(mut self) -> Result<Time, String> {
        match self.afternoon {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => {}
        }
        let (month, day) = match self.year_day {
            Some(year_day) => self.by_year_day(year_day)?,
            None => (self.month.unwrap_or(1), self.day.unwrap_or(1)),
        };
        if day < 1 || day > days_in(month, self.year) {
            return Err(": day out of range".into());
        }
        let seconds = self.hour * 3600 + self.minute * 60 + self.second;
        let at = |zone| Time::date((self.year, month, day), seconds, self.nanos, zone);
        if self.utc {
            return Ok(at(Zone::Utc));
        }
        if let Some(offset) = self.offset {
            let mut time = at(Zone::Utc);
            time.unix -= offset;
            let local = offset == 0 && (self.zone.is_empty() || self.zone == "UTC");
            time.zone = if local {
                Zone::Local
            } else {
                Zone::Fixed(self.zone.into(), offset)
            };
            return Ok(time);
        }
        if !self.zone.is_empty() {
            // A zone that is not known here keeps its name, and its clock is taken for UTC's.
            let offset = self
                .zone
                .strip_prefix("GMT")
                .and_then(|hours| hours.parse::<i64>().ok());
            let mut time = at(Zone::Utc);
            time.zone = Zone::Fixed(self.zone.into(), offset.unwrap_or(0) * 3600);
            return Ok(time);
        }
        Ok(at(Zone::Local))
    }

    fn by_year_day(&self, year_day: i64) -> Result<(i64, i64), String> {
        let length = days_from_civil(self.year + 1, 1, 1) - days_from_civil(self.year, 1, 1);
        if !(1..=length).contains(&year_day) {
            return Err(": day-of-year out of range".into());
        }
        let (mut month, mut day) = (1, year_day);
        while day > days_in(month, self.year) {
            day -= days_in(month, self.year);
            month += 1;
        }
        if self.month.is_some_and(|given| given != month) {
            return Err(": day-of-year does not match month".into());
        }
        if self.day.is_some_and(|given| given != day) {
            return Err(": day-of-year does not match day".into());
        }
        Ok((month, day))
    }
}

/// How long the abbreviation of a zone is.
fn zone_length(value: &str) -> Option<usize> {
    if value.len() < 3 {
        return None;
    }
    if value.starts_with("ChST") || value.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = value.strip_prefix("GMT") {
        return Some(3 + signed_offset(rest).unwrap_or(0));
    }
    if value.starts_with(['+', '-']) {
        return signed_offset(value);
    }
    let upper = value.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    match upper {
        5 if value.as_bytes().get(4) == Some(&b'T') => Some(5),
        4 if value.as_bytes().get(3) == Some(&b'T') || value.starts_with("WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

fn signed_offset(value: &str) -> Option<usize> {
    let body = value.strip_prefix(['+', '-'])?;
    let length = body.bytes().take_while(u8::is_ascii_digit).count();
    let hours: u32 = body.get(..length)?.parse().ok()?;
    (hours <= 23).then_some(length + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_in_go() {
        for (layout, value, unix) in [
            ("2006-01-02", "2023-04-05", 1_680_652_800),
            ("02 Jan 06 15:04 MST", "05 Apr 23 10:00 UTC", 1_680_688_800),
            (
                "2006-01-02T15:04:05Z07:00",
                "2023-04-05T02:00:00+02:00",
                1_680_652_800,
            ),
            ("2006 002 3:04PM", "2023 095 12:00AM", 1_680_652_800),
            ("2006-01-02 15:04:05", "2023-04-05 00:00:00.25", 1_680_652_800),
        ] {
            assert_eq!(parse(layout, value).map(|time| time.unix), Ok(unix), "{value}");
        }
    }

    #[test]
    fn what_does_not_fit_says_where() {
        for (layout, value, reason) in [
            (
                "2006-01-02",
                "bad",
                "parsing time \"bad\" as \"2006-01-02\": cannot parse \"bad\" as \"2006\"",
            ),
            (
                "2006-01-02",
                "2023-02-30",
                "parsing time \"2023-02-30\": day out of range",
            ),
            (
                "2006-01-02",
                "2023-13-01",
                "parsing time \"2023-13-01\": month out of range",
            ),
            ("2006", "2023x", "parsing time \"2023x\": extra text: \"x\""),
            (
                "2006-01",
                "2023/01",
                "parsing time \"2023/01\" as \"2006-01\": cannot parse \"/01\" as \"-\"",
            ),
        ] {
            assert_eq!(parse(layout, value).map(|_| ()), Err(reason.into()));
        }
    }
}

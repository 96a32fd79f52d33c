//! Dates and durations.

use super::argument::{any, text};
use super::{Function, Outcome, fixed};
use crate::exec::Run;
use crate::golang::number::parse_int;
use crate::golang::time::{Duration, Time, Zone, parse, parse_duration};
use crate::value::{Param, Value};

const ANY: Param = Param::Any;
const STRING: Param = Param::String;
const TIME: Param = Param::Named("time.Time");

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("now", &[], |run, _| Ok(Value::object(Time::now(run.world.now())))),
    fixed("date", &[STRING, ANY], |run, a| {
        Ok(shown(run, &text(a, 0), &any(a, 1), "Local"))
    }),
    fixed("dateInZone", &[STRING, ANY, STRING], date_in_zone),
    fixed("date_in_zone", &[STRING, ANY, STRING], date_in_zone),
    fixed("htmlDate", &[ANY], |run, a| {
        Ok(shown(run, "2006-01-02", &any(a, 0), "Local"))
    }),
    fixed("htmlDateInZone", &[ANY, STRING], |run, a| {
        Ok(shown(run, "2006-01-02", &any(a, 0), &text(a, 1)))
    }),
    fixed("dateModify", &[STRING, TIME], modified),
    fixed("date_modify", &[STRING, TIME], modified),
    fixed("mustDateModify", &[STRING, TIME], must_modify),
    fixed("must_date_modify", &[STRING, TIME], must_modify),
    fixed("toDate", &[STRING, STRING], |_, a| {
        Ok(Value::object(
            parse(&text(a, 0), &text(a, 1)).unwrap_or_else(|_| Time::zero()),
        ))
    }),
    fixed("mustToDate", &[STRING, STRING], |_, a| {
        Ok(Value::object(parse(&text(a, 0), &text(a, 1))?))
    }),
    fixed("unixEpoch", &[TIME], |_, a| {
        Ok(time(a, 0).unix.to_string().into())
    }),
    fixed("ago", &[ANY], ago),
    fixed("duration", &[ANY], |_, a| {
        let seconds = match any(a, 0) {
            Value::String(text) => parse_int(&text.to_str(), 10).unwrap_or(0),
            Value::Int64(seconds) => seconds,
            _ => 0,
        };
        Ok(Duration(seconds.wrapping_mul(1_000_000_000)).to_string().into())
    }),
    fixed("durationRound", &[ANY], duration_round),
];

fn time(a: &[Value], at: usize) -> Time {
    a.get(at)
        .and_then(Value::downcast::<Time>)
        .cloned()
        .unwrap_or_else(Time::zero)
}

/// A time, or seconds since 1970, or else now.
fn moment(run: &Run<'_>, value: &Value) -> Time {
    match value {
        Value::Int(seconds) | Value::Int64(seconds) => Time::unix(*seconds),
        other => match other.downcast::<Time>() {
            Some(time) => time.clone(),
            None => Time::now(run.world.now()),
        },
    }
}

fn shown(run: &Run<'_>, layout: &str, date: &Value, zone: &str) -> Value {
    let zone = Zone::load(zone).unwrap_or(Zone::Utc);
    moment(run, date).within(zone).format(layout).into()
}

fn date_in_zone(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    Ok(shown(run, &text(a, 0), &any(a, 1), &text(a, 2)))
}

fn modified(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    let date = time(a, 1);
    Ok(Value::object(match parse_duration(&text(a, 0)) {
        Ok(duration) => date.add(duration),
        Err(_) => date,
    }))
}

fn must_modify(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    Ok(Value::object(time(a, 1).add(parse_duration(&text(a, 0))?)))
}

fn ago(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let since = Time::now(run.world.now()).since(&moment(run, &any(a, 0)));
    Ok(since.round(Duration(1_000_000_000)).to_string().into())
}

/// The largest unit of which there is more than one.
fn duration_round(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    const SECOND: u64 = 1_000_000_000;
    const UNITS: [(u64, &str); 6] = [
        (365 * 86_400 * SECOND, "y"),
        (30 * 86_400 * SECOND, "mo"),
        (86_400 * SECOND, "d"),
        (3_600 * SECOND, "h"),
        (60 * SECOND, "m"),
        (SECOND, "s"),
    ];
    let duration = match any(a, 0) {
        Value::String(text) => parse_duration(&text.to_str()).map_or(0, |duration| duration.0),
        Value::Int64(nanos) => nanos,
        other => match other.downcast::<Time>() {
            Some(time) => Time::now(run.world.now()).since(time).0,
            None => 0,
        },
    };
    let nanos = duration.unsigned_abs();
    let found = UNITS.into_iter().find(|(unit, _)| nanos > *unit);
    Ok(found.map_or_else(
        || "0s".into(),
        |(unit, name)| format!("{}{name}", nanos / unit).into(),
    ))
}

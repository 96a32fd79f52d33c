//! Times and durations as values of templates.

use super::layout::{DAYS, MONTHS};
use super::{Duration, Time, Zone};
use crate::value::{Field, Method, Object, Param, Shape, Str, Value};

const TIME: &str = "time.Time";
const DURATION: &str = "time.Duration";
const OTHER: &[Param] = &[Param::Named(TIME)];
const BY: &[Param] = &[Param::Named(DURATION)];

const fn method(name: &'static str, parameters: &'static [Param]) -> Method {
    Method { name, parameters }
}

fn duration(arguments: &[Value]) -> Duration {
    *arguments
        .first()
        .and_then(Value::downcast::<Duration>)
        .unwrap_or(&Duration(0))
}

impl Object for Time {
    fn type_name(&self) -> &'static str {
        TIME
    }

    fn shape(&self) -> Shape {
        // What `==` compares.
        Shape::Struct(vec![
            Field::new("wall", Value::Uint64(self.nanos.into())).json("", true),
            Field::new("ext", Value::Int64(self.unix)).json("", true),
            Field::new("loc", format!("{:?}", self.zone).as_str()).json("", true),
        ])
    }

    fn methods(&self) -> &'static [Method] {
        static METHODS: &[Method] = &[
            method("Add", BY),
            method("AddDate", &[Param::Int, Param::Int, Param::Int]),
            method("After", OTHER),
            method("Before", OTHER),
            method("Compare", OTHER),
            method("Day", &[]),
            method("Equal", OTHER),
            method("Format", &[Param::String]),
            method("GoString", &[]),
            method("Hour", &[]),
            method("IsZero", &[]),
            method("Local", &[]),
            method("Minute", &[]),
            method("Month", &[]),
            method("Nanosecond", &[]),
            method("Round", BY),
            method("Second", &[]),
            method("String", &[]),
            method("Sub", OTHER),
            method("Truncate", BY),
            method("UTC", &[]),
            method("Unix", &[]),
            method("UnixMicro", &[]),
            method("UnixMilli", &[]),
            method("UnixNano", &[]),
            method("Weekday", &[]),
            method("Year", &[]),
            method("YearDay", &[]),
        ];
        METHODS
    }

    fn call(&self, method: &str, arguments: &[Value]) -> Result<Value, String> {
        let clock = self.clock();
        let zero = Self::zero();
        let other = arguments
            .first()
            .and_then(Value::downcast::<Self>)
            .unwrap_or(&zero);
        let order = (self.unix, self.nanos).cmp(&(other.unix, other.nanos));
        let since_1970 = |per_second: i64| {
            let part = i64::from(self.nanos) / (1_000_000_000 / per_second);
            Value::Int64(self.unix.wrapping_mul(per_second).wrapping_add(part))
        };
        Ok(match method {
            "Add" => Value::object(self.add(duration(arguments))),
            "AddDate" => Value::object(self.add_date(arguments)),
            "After" => order.is_gt().into(),
            "Before" => order.is_lt().into(),
            "Compare" => Value::Int(order as i64),
            "Day" => Value::Int(i64::from(clock.day)),
            "Equal" => order.is_eq().into(),
            "Format" => {
                let layout = arguments
                    .first()
                    .and_then(Value::as_str)
                    .cloned()
                    .unwrap_or_default();
                self.format(&layout.to_str()).into()
            }
            "Hour" => Value::Int(i64::from(clock.hour)),
            "IsZero" => (self.unix == zero.unix && self.nanos == 0).into(),
            "Local" => Value::object(self.within(Zone::Local)),
            "Minute" => Value::Int(i64::from(clock.minute)),
            "Month" => Value::object(Name::month(clock.month)),
            "Nanosecond" => Value::Int(i64::from(self.nanos)),
            "Round" | "Truncate" => Value::object(self.cut(duration(arguments), method == "Round")),
            "Second" => Value::Int(i64::from(clock.second)),
            "Sub" => Value::object(self.since(other)),
            "UTC" => Value::object(self.within(Zone::Utc)),
            "Unix" => Value::Int64(self.unix),
            "UnixMilli" => since_1970(1_000),
            "UnixMicro" => since_1970(1_000_000),
            "UnixNano" => since_1970(1_000_000_000),
            "Weekday" => Value::object(Name::week_day(clock.week_day)),
            "Year" => Value::Int(clock.year),
            "YearDay" => Value::Int(i64::from(clock.year_day)),
            _ => self.shown().into(),
        })
    }

    fn text(&self) -> Option<Str> {
        Some(self.shown().into())
    }

    fn marshal(&self) -> Option<Value> {
        Some(self.format("2006-01-02T15:04:05.999999999Z07:00").into())
    }
}

impl Time {
    fn add_date(&self, arguments: &[Value]) -> Self {
        let clock = self.clock();
        let number = |at: usize| match arguments.get(at) {
            Some(Value::Int(number)) => (*number).clamp(-1_000_000, 1_000_000),
            _ => 0,
        };
        let date = (
            clock.year + number(0),
            i64::from(clock.month) + number(1),
            i64::from(clock.day) + number(2),
        );
        let seconds = i64::from(clock.hour) * 3600 + i64::from(clock.minute) * 60 + i64::from(clock.second);
        Self::date(date, seconds, self.nanos, self.zone.clone())
    }

    /// Down to a multiple of a duration since the first year, or to the nearest.
    fn cut(&self, by: Duration, round: bool) -> Self {
        let mut cut = self.clone();
        cut.monotonic = false;
        if by.0 <= 0 {
            return cut;
        }
        let total = (i128::from(self.unix) + i128::from(super::UNIX_TO_YEAR_1)) * 1_000_000_000
            + i128::from(self.nanos);
        let rest = total.rem_euclid(i128::from(by.0));
        let change = if round && rest * 2 >= i128::from(by.0) {
            i128::from(by.0) - rest
        } else {
            -rest
        };
        cut.add(Duration(i64::try_from(change).unwrap_or(0)))
    }
}

impl Object for Duration {
    fn type_name(&self) -> &'static str {
        DURATION
    }

    fn shape(&self) -> Shape {
        Shape::Plain(Value::Int64(self.0))
    }

    fn methods(&self) -> &'static [Method] {
        static METHODS: &[Method] = &[
            method("Abs", &[]),
            method("Hours", &[]),
            method("Microseconds", &[]),
            method("Milliseconds", &[]),
            method("Minutes", &[]),
            method("Nanoseconds", &[]),
            method("Round", BY),
            method("Seconds", &[]),
            method("String", &[]),
            method("Truncate", BY),
        ];
        METHODS
    }

    #[expect(clippy::cast_precision_loss, reason = "as Go converts it")]
    fn call(&self, method: &str, arguments: &[Value]) -> Result<Value, String> {
        let in_units =
            |unit: i64| Value::Float((self.0 / unit) as f64 + (self.0 % unit) as f64 / unit as f64);
        Ok(match method {
            "Abs" => Value::object(Self(self.0.saturating_abs())),
            "Hours" => in_units(3_600_000_000_000),
            "Minutes" => in_units(60_000_000_000),
            "Seconds" => in_units(1_000_000_000),
            "Milliseconds" => Value::Int64(self.0 / 1_000_000),
            "Microseconds" => Value::Int64(self.0 / 1_000),
            "Nanoseconds" => Value::Int64(self.0),
            "Round" => Value::object(self.round(duration(arguments))),
            "Truncate" => match duration(arguments).0 {
                by if by > 0 => Value::object(Self(self.0 - self.0 % by)),
                _ => Value::object(*self),
            },
            _ => self.to_string().into(),
        })
    }

    fn text(&self) -> Option<Str> {
        Some(self.to_string().into())
    }

    fn marshal(&self) -> Option<Value> {
        Some(Value::Int64(self.0))
    }
}

impl Duration {
    /// To the nearest multiple, halves away from zero.
    pub(crate) fn round(self, by: Self) -> Self {
        if by.0 <= 0 {
            return self;
        }
        let (value, by) = (i128::from(self.0), i128::from(by.0));
        let rest = value % by;
        let down = value - rest;
        let rounded = if rest.abs() * 2 >= by {
            down + by * rest.signum()
        } else {
            down
        };
        Self(i64::try_from(rounded.clamp(i128::from(i64::MIN), i128::from(i64::MAX))).unwrap_or(0))
    }
}

/// A month or a day of the week: a number that prints as its name.
struct Name {
    kind: &'static str,
    number: i64,
    name: &'static str,
}

impl Name {
    fn month(month: u32) -> Self {
        Self {
            kind: "time.Month",
            number: i64::from(month),
            name: MONTHS
                .get(month.saturating_sub(1) as usize)
                .copied()
                .unwrap_or(""),
        }
    }

    fn week_day(day: u32) -> Self {
        Self {
            kind: "time.Weekday",
            number: i64::from(day),
            name: DAYS.get(day as usize).copied().unwrap_or(""),
        }
    }
}

impl Object for Name {
    fn type_name(&self) -> &'static str {
        self.kind
    }

    fn shape(&self) -> Shape {
        Shape::Plain(Value::Int(self.number))
    }

    fn methods(&self) -> &'static [Method] {
        static METHODS: &[Method] = &[method("String", &[])];
        METHODS
    }

    fn call(&self, _: &str, _: &[Value]) -> Result<Value, String> {
        Ok(self.name.into())
    }

    fn text(&self) -> Option<Str> {
        Some(self.name.into())
    }

    fn marshal(&self) -> Option<Value> {
        Some(Value::Int(self.number))
    }
}

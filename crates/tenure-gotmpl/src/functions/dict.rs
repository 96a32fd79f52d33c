//! Maps.

use super::argument::{any, bytes, map, str, strval, text};
use super::{Function, Outcome, fixed, variadic};
use crate::error::Error;
use crate::exec::Run;
use crate::value::{Kind, Map, MapType, Param, Value};

const MAP: Param = Param::Map;
const STRING: Param = Param::String;

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("dict", &[], Param::Any, dict),
    fixed("get", &[MAP, STRING], |_, a| {
        Ok(map(a, 0).get(bytes(a, 1)).unwrap_or_else(Value::empty_string))
    }),
    fixed("set", &[MAP, STRING, Param::Any], |run, a| {
        let (map, value) = (map(a, 0), any(a, 2));
        put(run, &map, str(a, 1), value)?;
        Ok(map.into())
    }),
    fixed("unset", &[MAP, STRING], |_, a| {
        let map = map(a, 0);
        map.remove(bytes(a, 1));
        Ok(map.into())
    }),
    fixed("hasKey", &[MAP, STRING], |_, a| {
        Ok(Value::Bool(map(a, 0).contains(bytes(a, 1))))
    }),
    variadic("pluck", &[STRING], MAP, |run, a| {
        let found = (1..a.len())
            .filter_map(|at| map(a, at).get(bytes(a, 0)))
            .collect();
        crate::exec::list_of(run, found)
    }),
    variadic("keys", &[], MAP, |run, a| {
        let keys: Vec<_> = (0..a.len()).flat_map(|at| map(a, at).keys()).collect();
        run.steps(u64::try_from(keys.len()).unwrap_or(u64::MAX))?;
        Ok(Value::strings(keys))
    }),
    variadic("pick", &[MAP], STRING, |_, a| {
        let (from, to) = (map(a, 0), Map::new());
        for at in 1..a.len() {
            if let Some(value) = from.get(bytes(a, at)) {
                to.insert(str(a, at), value);
            }
        }
        Ok(to.into())
    }),
    variadic("omit", &[MAP], STRING, |run, a| {
        let entries = map(a, 0).entries();
        run.steps(u64::try_from(entries.len()).unwrap_or(u64::MAX))?;
        let omitted = |key: &[u8]| (1..a.len()).any(|at| bytes(a, at) == key);
        let kept = entries.into_iter().filter(|(key, _)| !omitted(key.as_bytes()));
        Ok(kept.collect())
    }),
    fixed("values", &[MAP], |run, a| {
        let values = map(a, 0).values();
        crate::exec::list_of(run, values)
    }),
    variadic("dig", &[], Param::Any, dig),
];

/// Writes to a map for a template.
pub(super) fn put(
    run: &mut Run<'_>,
    map: &Map,
    key: impl Into<crate::value::Str>,
    value: Value,
) -> Result<(), Error> {
    run.charge(size_of::<Value>() * 2)?;
    run.changed(map, &value);
    if map.insert(key, value) {
        Ok(())
    } else {
        Err("assignment to entry in nil map".into())
    }
}

fn dict(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let map = Map::new();
    for pair in a.chunks(2) {
        if let Some(key) = pair.first() {
            let value = pair.get(1).cloned().unwrap_or_else(Value::empty_string);
            map.insert(strval(run, key)?, value);
        }
    }
    run.charge(size_of_val(a))?;
    Ok(map.into())
}

fn dig(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    if a.len() < 3 {
        return Err("dig needs at least three arguments".into());
    }
    let (Some(last), Some(default)) = (a.last(), a.get(a.len() - 2)) else {
        return Ok(Value::Nil);
    };
    let mut at = plain_map(last)?;
    let keys = a.get(..a.len() - 2).unwrap_or_default();
    if let Some(other) = keys.iter().find(|key| key.kind() != Kind::String) {
        return Err(not_a(other, "string"));
    }
    for (depth, _) in keys.iter().enumerate() {
        let Some(step) = at.get(text(keys, depth).as_bytes()) else {
            return Ok(default.clone());
        };
        if depth + 1 == keys.len() {
            return Ok(step);
        }
        at = plain_map(&step)?;
    }
    Ok(Value::Nil)
}

fn plain_map(value: &Value) -> Result<Map, Error> {
    match value {
        Value::Map(map) if *map.kind() == MapType::ANY => Ok(map.clone()),
        other => Err(not_a(other, MapType::ANY.name)),
    }
}

fn not_a(value: &Value, wanted: &str) -> Error {
    let found = match value {
        Value::Nil => "nil",
        other => other.type_name(),
    };
    format!("interface conversion: interface {{}} is {found}, not {wanted}").into()
}

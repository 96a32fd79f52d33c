//! Encodings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::argument::{any, bytes, reserve, str, text};
use super::{Function, Outcome, fixed};
use crate::encoding::json::{self, Style};
use crate::encoding::yaml::{self, Unwritable};
use crate::encoding::{read, read_list, read_map, read_toml, toml};
use crate::error::Error;
use crate::exec::Run;
use crate::golang::base32;
use crate::template::Texts;
use crate::value::{Map, Param, Str, Value};

const ANY: &[Param] = &[Param::Any];
const STRING: &[Param] = &[Param::String];

const COMPACT: Style = Style {
    pretty: false,
    html: true,
};
const PRETTY: Style = Style {
    pretty: true,
    html: true,
};
const RAW: Style = Style {
    pretty: false,
    html: false,
};

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("toJson", ANY, |run, a| forgiving(to_json(run, a, COMPACT))),
    fixed("mustToJson", ANY, |run, a| to_json(run, a, COMPACT)),
    fixed("toPrettyJson", ANY, |run, a| forgiving(to_json(run, a, PRETTY))),
    fixed("mustToPrettyJson", ANY, |run, a| to_json(run, a, PRETTY)),
    fixed("toRawJson", ANY, |run, a| to_json(run, a, RAW)),
    fixed("mustToRawJson", ANY, |run, a| to_json(run, a, RAW)),
    fixed("fromJson", STRING, |run, a| {
        let (map, error) = charged(run, a, read_map)?;
        Ok(with_error(map, error))
    }),
    fixed("fromJsonArray", STRING, |run, a| {
        let (list, error) = charged(run, a, read_list)?;
        Ok(match error {
            Some(reason) => vec![reason.into()].into(),
            None => list,
        })
    }),
    fixed("mustFromJson", STRING, |run, a| {
        let (value, error) = charged(run, a, read)?;
        error.map_or(Ok(value), |reason| Err(reason.into()))
    }),
    fixed("toYaml", ANY, |run, a| forgiving(to_yaml(run, a, yaml::write))),
    fixed("mustToYaml", ANY, |run, a| to_yaml(run, a, yaml::write)),
    fixed("toYamlPretty", ANY, |run, a| {
        forgiving(to_yaml(run, a, yaml::write_pretty))
    }),
    fixed("fromYaml", STRING, |run, a| {
        Ok(match charged_yaml(run, a, yaml::read_map)? {
            Ok(map) => map.into(),
            Err(reason) => with_error(Map::new(), Some(reason)),
        })
    }),
    fixed("fromYamlArray", STRING, |run, a| {
        Ok(charged_yaml(run, a, yaml::read_list)?.unwrap_or_else(|reason| vec![reason.into()].into()))
    }),
    fixed("toToml", ANY, |run, a| {
        not_nil(a)?;
        match toml::write(&any(a, 0), run.text_limit()) {
            Err(error) if !error.is_limit() => Ok(error.to_string().into()),
            other => Ok(other?.into()),
        }
    }),
    fixed("mustToToml", ANY, |run, a| {
        not_nil(a)?;
        Ok(toml::write(&any(a, 0), run.text_limit())?.into())
    }),
    fixed("fromToml", STRING, |run, a| {
        run.charge(bytes(a, 0).len().saturating_mul(8))?;
        Ok(match read_toml(&text(a, 0)) {
            Ok(map) => map.into(),
            Err(reason) => with_error(Map::new(), Some(reason)),
        })
    }),
    fixed("b64enc", STRING, |run, a| {
        reserve(run, bytes(a, 0).len().saturating_mul(2))?;
        Ok(STANDARD.encode(bytes(a, 0)).into())
    }),
    fixed("b64dec", STRING, |_, a| {
        Ok(match crate::golang::base64::decode(bytes(a, 0)) {
            Ok(data) => Value::String(data.into()),
            Err(reason) => reason.into(),
        })
    }),
    fixed("b32enc", STRING, |run, a| {
        reserve(run, bytes(a, 0).len().saturating_mul(2))?;
        Ok(base32::encode(bytes(a, 0)).into())
    }),
    fixed("b32dec", STRING, |_, a| {
        Ok(match base32::decode(bytes(a, 0)) {
            Ok(data) => Value::String(data.into()),
            Err(reason) => reason.into(),
        })
    }),
];

/// What Go's encoder of TOML panics with.
const NIL: &str = "reflect: call of reflect.Value.Type on zero Value";

fn not_nil(a: &[Value]) -> Result<(), Error> {
    match a.first() {
        None | Some(Value::Nil) => Err(NIL.into()),
        Some(_) => Ok(()),
    }
}

/// Empty instead of an error, but for the limits of the run.
fn forgiving(outcome: Outcome) -> Outcome {
    match outcome {
        Err(error) if !error.is_limit() => Ok(Value::empty_string()),
        other => other,
    }
}

fn to_json(run: &mut Run<'_>, a: &[Value], style: Style) -> Outcome {
    Ok(Value::String(
        json::write(&any(a, 0), style, run.text_limit())?.into(),
    ))
}

fn to_yaml(
    run: &mut Run<'_>,
    a: &[Value],
    write: fn(&Value, usize) -> Result<String, Unwritable>,
) -> Outcome {
    match write(&any(a, 0), run.text_limit()) {
        Ok(text) => Ok(text.strip_suffix('\n').unwrap_or(&text).into()),
        Err(Unwritable::Go(reason)) => Err(Error::plain(reason)),
        Err(Unwritable::Limit(error)) => Err(error),
    }
}

/// Reads a text whose values may take some times its room.
fn charged<T>(run: &mut Run<'_>, a: &[Value], read: fn(&[u8]) -> T) -> Result<T, Error> {
    run.charge(bytes(a, 0).len().saturating_mul(8))?;
    Ok(read(bytes(a, 0)))
}

/// The same for YAML.
fn charged_yaml<T>(run: &mut Run<'_>, a: &[Value], read: fn(&Texts, &Str) -> T) -> Result<T, Error> {
    let text = str(a, 0);
    run.charge(text.len().saturating_mul(8))?;
    Ok(read(run.texts, &text))
}

fn with_error(map: Map, error: Option<String>) -> Value {
    if let Some(reason) = error {
        map.insert("Error", reason);
    }
    map.into()
}

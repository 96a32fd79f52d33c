//! URLs as maps of their parts.

use super::argument::{NIL_POINTER, map, text};
use super::{Function, Outcome, fixed};
use crate::error::Error;
use crate::exec::Run;
use crate::golang::url::Url;
use crate::value::{Map, Param, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("urlParse", &[Param::String], parse),
    fixed("urlJoin", &[Param::Map], join),
];

fn parse(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    let url = Url::parse(&text(a, 0)).map_err(|reason| format!("unable to parse url: {reason}"))?;
    Ok(Value::from_iter([
        ("userinfo", url.userinfo().unwrap_or_default()),
        ("hostname", url.hostname().to_owned()),
        ("scheme", url.scheme),
        ("host", url.host),
        ("path", url.path),
        ("query", url.query),
        ("opaque", url.opaque),
        ("fragment", url.fragment),
    ]))
}

fn join(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    let parts = map(a, 0);
    let mut url = Url {
        scheme: part(&parts, "scheme")?,
        host: part(&parts, "host")?,
        path: part(&parts, "path")?,
        query: part(&parts, "query")?,
        opaque: part(&parts, "opaque")?,
        fragment: part(&parts, "fragment")?,
        user: None,
    };
    let user = part(&parts, "userinfo")?;
    if !user.is_empty() {
        url.user = Url::parse(&format!("proto://{user}@host"))
            .map_err(|reason| format!("unable to parse userinfo in dict: {reason}"))?
            .user;
    }
    Ok(url.to_string().into())
}

fn part(parts: &Map, key: &str) -> Result<String, Error> {
    match parts.get(key) {
        None => Ok(String::new()),
        Some(Value::Nil) => Err(NIL_POINTER.into()),
        Some(Value::String(text)) => Ok(text.to_string()),
        Some(other) => Err(format!(
            "unable to parse {key} key, must be of type string, but {} found",
            other.kind().name()
        )
        .into()),
    }
}

#![allow(missing_docs)]
use tenure_gotmpl::{Str, Value};
pub(crate) fn print(v: &Value) -> String { let j = crate::values::to_json(v); match j { serde_json::Value::String(s) => s, o => o.to_string() } }
pub(crate) fn to_yaml(v: &Value) -> Str { tenure_yaml::to_string(&crate::values::to_json(v)).trim_end().into() }
pub(crate) fn version(t: &str) -> Option<(u64, u64, u64)> { let t = t.strip_prefix('v').unwrap_or(t); let core = t.split(['-', '+']).next()?; let mut p = core.split('.').map(|x| x.parse::<u64>()); Some((p.next()?.ok()?, p.next().unwrap_or(Ok(0)).ok()?, p.next().unwrap_or(Ok(0)).ok()?)) }

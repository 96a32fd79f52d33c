//! `vars`: `$(NAME)` in certain fields stands for a field of some object.

use std::collections::BTreeMap;

use serde_json::Value;

use super::field::{Create, each, kind};
use super::path;
use crate::config::FieldSpec;
use crate::file::Var;
use crate::id::{Gvk, ResId};
use crate::meter::Meter;
use crate::resmap::ResMap;
use crate::{Error, object, schema};

/// The variables of a build so far, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables(BTreeMap<String, Var>);

impl Variables {
    /// Adds variables and marks the objects that they take their values from.
    pub(crate) fn add(&mut self, new: &[Var], all: &mut ResMap) -> Result<(), Error> {
        let meter = all.meter();
        for var in new {
            meter.check()?;
            let reference = &var.objref;
            let gvk = if reference.api_version.is_empty() {
                Gvk {
                    group: reference.group.clone(),
                    version: reference.version.clone(),
                    kind: reference.kind.clone(),
                }
            } else {
                Gvk::new(&reference.api_version, &reference.kind)
            };
            let target = ResId {
                is_cluster: schema::is_cluster(&gvk.api_version(), &gvk.kind).unwrap_or(false),
                gvk,
                name: reference.name.clone(),
                namespace: reference.namespace.clone(),
            };
            // Without a namespace, any will do.
            let exact = !target.namespace.is_empty() || target.is_cluster;
            let found = all.named(&target.name, |id| {
                id.gvk == target.gvk && (!exact || id.same_namespace(&target))
            });
            match found.as_slice() {
                [] => {}
                [at] => {
                    if let Some(mut resource) = all.get_mut(*at) {
                        meter.take(size_of::<String>() + var.name.len())?;
                        resource.variables.push(var.name.clone());
                    }
                }
                _ => {
                    return Err(Error::invalid(format!(
                        "several objects match the variable {:?}",
                        var.name
                    )));
                }
            }
        }
        new.iter().try_for_each(|var| self.insert(var.clone()))
    }

    pub(crate) fn merge(&mut self, other: Self) -> Result<(), Error> {
        other.0.into_values().try_for_each(|var| self.insert(var))
    }

    fn insert(&mut self, mut var: Var) -> Result<(), Error> {
        if var.fieldref.field_path.is_empty() {
            "metadata.name".clone_into(&mut var.fieldref.field_path);
        }
        match self.0.insert(var.name.clone(), var) {
            None => Ok(()),
            Some(old) => Err(Error::invalid(format!(
                "the variable {:?} is defined twice",
                old.name
            ))),
        }
    }

    /// Replaces the variables where the specifications say.
    pub(crate) fn resolve(&self, all: &mut ResMap, specs: &[FieldSpec]) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut values = BTreeMap::new();
        let meter = all.meter();
        for (name, var) in &self.0 {
            meter.check()?;
            values.insert(name.as_str(), value(all, var)?);
        }
        all.iter_mut().try_for_each(|mut resource| {
            each(&mut resource, specs, Create::Nothing, &meter, &mut |node| {
                replace(node, &values, &meter)
            })
        })
    }
}

fn value(all: &ResMap, var: &Var) -> Result<Value, Error> {
    let Some(resource) = all.iter().find(|r| r.variables.contains(&var.name)) else {
        return Err(Error::invalid(format!(
            "no object gives the variable {:?} its value",
            var.name
        )));
    };
    let path = &var.fieldref.field_path;
    let value = resource.value.view();
    let found = path::lookup(&value, &places(path::parts(path)))?;
    let found = found.ok_or_else(|| {
        Error::invalid(format!(
            "{} has no field {path}, which gives the variable {:?} its value",
            resource.id(),
            var.name
        ))
    })?;
    all.meter().value(found, 0)?;
    Ok(found.clone())
}

/// `ports[0]` is a member and a place.
fn places(parts: Vec<String>) -> Vec<String> {
    let mut out = Vec::new();
    for part in parts {
        match part.split_once('[') {
            Some((name, rest)) if !rest.contains('=') && !name.is_empty() => {
                out.push(name.to_owned());
                out.extend(
                    rest.split('[')
                        .map(|place| place.trim_end_matches(']').to_owned()),
                );
            }
            _ => out.push(part),
        }
    }
    out
}

type Values<'a> = BTreeMap<&'a str, Value>;

fn replace(node: &mut Value, values: &Values<'_>, meter: &Meter) -> Result<(), Error> {
    match node {
        Value::String(text) => *node = expand(text, values, meter)?,
        Value::Object(map) => {
            for inner in map.values_mut() {
                if let Value::String(text) = inner {
                    *inner = expand(text, values, meter)?;
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                let Value::String(text) = item else {
                    return Err(Error::invalid(format!(
                        "expected strings in the list, not {}",
                        kind(item)
                    )));
                };
                *item = expand(text, values, meter)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// `$(NAME)` alone becomes the value with its type, inside a text its text; `$$` is a dollar sign,
/// and what is not known stays as it is.
fn expand(text: &str, values: &Values<'_>, meter: &Meter) -> Result<Value, Error> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(rest.get(..at).unwrap_or_default());
        let tail = rest.get(at + 1..).unwrap_or_default();
        rest = if let Some(tail) = tail.strip_prefix('$') {
            out.push('$');
            tail
        } else if let Some(inner) = tail.strip_prefix('(') {
            match inner.split_once(')') {
                Some((name, after)) => {
                    let known = values.get(name).filter(|v| !v.is_object() && !v.is_array());
                    match known {
                        Some(value) if text.len() == name.len() + 3 => {
                            meter.value(value, 0)?;
                            return Ok(value.clone());
                        }
                        Some(value) => {
                            let value = object::scalar_or_null(value).unwrap_or_default();
                            meter.take(value.len())?;
                            out.push_str(&value);
                        }
                        None => {
                            out.push_str("$(");
                            out.push_str(name);
                            out.push(')');
                        }
                    }
                    after
                }
                None => {
                    out.push_str("$(");
                    inner
                }
            }
        } else {
            out.push('$');
            tail
        };
    }
    out.push_str(rest);
    Ok(Value::from(out))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Values, expand, places};
    use crate::Budget;
    use crate::meter::Meter;

    #[test]
    fn references_are_replaced_and_keep_their_type_alone() {
        let values = Values::from([("A", json!("x")), ("N", json!(5)), ("M", json!({"a": 1}))]);
        let cases: [(&str, Value); 9] = [
            ("$(A)", json!("x")),
            ("$(N)", json!(5)),
            ("a$(N)b$(A)", json!("a5bx")),
            ("$(M)", json!("$(M)")),
            ("$(B) $(A)", json!("$(B) x")),
            ("$$(A)", json!("$(A)")),
            ("$(A", json!("$(A")),
            ("$A $", json!("$A $")),
            ("", json!("")),
        ];
        for (text, wanted) in cases {
            let expanded = expand(text, &values, &Meter::new(Budget::default()));
            assert_eq!(expanded.expect("it is small"), wanted, "{text}");
        }
    }

    #[test]
    fn a_place_in_brackets_is_a_part_of_its_own() {
        let parts = ["spec", "ports[0]", "m[1][2]"].map(str::to_owned).to_vec();
        assert_eq!(places(parts), ["spec", "ports", "0", "m", "1", "2"]);
    }
}

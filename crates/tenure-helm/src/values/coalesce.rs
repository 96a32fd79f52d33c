//! How the values of a chart, of the charts around it and of the user become one.
//!
//! A port of Helm's `coalesce.go`, with what it shares: tables in `global` are handed down by a
//! shallow copy, so deeper ones are the same table for all charts and what one chart adds to them
//! the others see. Charts rely on that without knowing.

use tenure_gotmpl::{Map, Str, Value};

const GLOBAL: &str = "global";

/// A chart, as far as its default values matter.
pub(crate) trait Defaults: Sized {
    fn name(&self) -> &str;
    /// A copy of the defaults that nobody else holds.
    fn defaults(&self) -> Map;
    fn subcharts(&self) -> &[Self];
}

/// One pass over a chart, and what it warned about.
pub(crate) struct Coalescer<'w> {
    /// Nulls stay, for a later pass that does not merge.
    merge: bool,
    warnings: &'w mut Vec<String>,
}

/// A subchart's values are something else than a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("type mismatch on {name}: {shown}")]
pub struct NotATable {
    name: String,
    shown: String,
}

impl<'w> Coalescer<'w> {
    /// Drops what a null deletes.
    pub(crate) const fn coalescing(warnings: &'w mut Vec<String>) -> Self {
        Self {
            merge: false,
            warnings,
        }
    }

    /// Keeps nulls.
    pub(crate) const fn merging(warnings: &'w mut Vec<String>) -> Self {
        Self {
            merge: true,
            warnings,
        }
    }

    /// Lays `values`, which become part of the result, on what the chart and its subcharts have.
    pub(crate) fn chart<C: Defaults>(&mut self, chart: &C, values: Map) -> Result<Map, NotATable> {
        self.descend(chart, &values, "")?;
        Ok(values)
    }

    fn descend<C: Defaults>(&mut self, chart: &C, values: &Map, prefix: &str) -> Result<(), NotATable> {
        let prefix = join(prefix, chart.name());
        self.own(chart, values, &prefix);
        for subchart in chart.subcharts() {
            let name = subchart.name();
            let below = match values.get(name) {
                None => {
                    let below = Map::new();
                    values.insert(name, below.clone());
                    below
                }
                Some(Value::Map(below)) => below,
                Some(other) => {
                    return Err(NotATable {
                        name: name.to_owned(),
                        shown: as_verb_t(&other),
                    });
                }
            };
            self.globals(&below, values, &prefix);
            self.descend(subchart, &below, &prefix)?;
        }
        Ok(())
    }

    /// Hands the globals of `from` down to `to`.
    fn globals(&mut self, to: &Map, from: &Map, prefix: &str) {
        let own = match to.get(GLOBAL) {
            None => Map::new(),
            Some(Value::Map(own)) => own,
            Some(_) => {
                self.warn(format!(
                    "warning: skipping globals because destination {GLOBAL} is not a table."
                ));
                return;
            }
        };
        let above = match from.get(GLOBAL) {
            None => Map::new(),
            Some(Value::Map(above)) => above,
            Some(_) => {
                self.warn(format!(
                    "warning: skipping globals because source {GLOBAL} is not a table."
                ));
                return;
            }
        };
        for (key, value) in above.entries() {
            match (value, own.get(key.as_bytes())) {
                (Value::Map(table), None) => {
                    own.insert(key, shallow(&table));
                }
                (Value::Map(table), Some(Value::Map(held))) => {
                    let handed = shallow(&table);
                    Coalescer::merging(self.warnings).tables(&handed, &held, &join(prefix, &key.to_str()));
                    own.insert(key, handed);
                }
                (Value::Map(_), Some(_)) => {
                    let key = key.to_str();
                    self.warn(format!(
                        "Conflict: cannot merge map onto non-map for {key:?}. Skipping."
                    ));
                }
                (_, Some(Value::Map(_))) => self.warn(format!("key {key} is table. Skipping")),
                (value, _) => {
                    own.insert(key, value);
                }
            }
        }
        to.insert(GLOBAL, own);
    }

    /// Lays `values` on the chart's own defaults.
    fn own<C: Defaults>(&mut self, chart: &C, values: &Map, prefix: &str) {
        for (key, default) in chart.defaults().entries() {
            match values.get(key.as_bytes()) {
                Some(Value::Nil) if !self.merge => {
                    values.remove(key.as_bytes());
                }
                Some(Value::Map(held)) => {
                    let Value::Map(default) = default else {
                        if !matches!(default, Value::Nil) {
                            self.warn(format!("warning: skipped value for {prefix}.{key}: Not a table."));
                        }
                        continue;
                    };
                    // What is meant for a subchart keeps its nulls until that chart's turn.
                    let merge = self.merge
                        || chart
                            .subcharts()
                            .iter()
                            .any(|s| s.name().as_bytes() == key.as_bytes());
                    if !merge {
                        without_nulls(&default);
                    }
                    let mut inner = Coalescer {
                        merge,
                        warnings: self.warnings,
                    };
                    inner.tables(&held, &default, &join(prefix, &key.to_str()));
                }
                Some(_) => {}
                None => {
                    if !self.merge {
                        match &default {
                            Value::Nil => continue,
                            Value::Map(table) => without_nulls(table),
                            _ => {}
                        }
                    }
                    values.insert(key, default);
                }
            }
        }
    }

    /// Lays `over` on `under`; the result is in `over`.
    pub(crate) fn tables(&mut self, over: &Map, under: &Map, prefix: &str) {
        let known: Vec<Str> = under
            .entries()
            .into_iter()
            .filter(|(_, value)| !matches!(value, Value::Nil))
            .map(|(key, _)| key)
            .collect();
        for (key, value) in over.entries() {
            if matches!(value, Value::Nil) {
                under.insert(key, Value::Nil);
            }
        }
        for (key, value) in under.entries() {
            let held = over.get(key.as_bytes());
            match (held, value) {
                (Some(Value::Nil), _) if !self.merge && known.binary_search(&key).is_ok() => {
                    over.remove(key.as_bytes());
                }
                (None, value) => {
                    over.insert(key, value);
                }
                (Some(Value::Map(held)), Value::Map(below)) => {
                    self.tables(&held, &below, &join(prefix, &key.to_str()));
                }
                (Some(_), value @ Value::Map(_)) => {
                    let full = join(prefix, &key.to_str());
                    let shown = tenure_gotmpl::print(&value);
                    self.warn(format!(
                        "warning: cannot overwrite table with non table for {full} ({shown})"
                    ));
                }
                (Some(Value::Map(_)), value) if !matches!(value, Value::Nil) => {
                    let full = join(prefix, &key.to_str());
                    let shown = tenure_gotmpl::print(&value);
                    self.warn(format!(
                        "warning: destination for {full} is a table. Ignoring non-table value ({shown})"
                    ));
                }
                _ => {}
            }
        }
    }

    fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

fn shallow(table: &Map) -> Map {
    table.entries().into_iter().collect()
}

fn without_nulls(table: &Map) {
    for (key, value) in table.entries() {
        match value {
            Value::Nil => {
                table.remove(key.as_bytes());
            }
            Value::Map(inner) => without_nulls(&inner),
            _ => {}
        }
    }
}

/// Go's `%t`, which is for booleans only and says so.
fn as_verb_t(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Nil => "%!t(<nil>)".to_owned(),
        other => format!("%!t({}={})", other.type_name(), tenure_gotmpl::print(other)),
    }
}

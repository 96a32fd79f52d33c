//! Which of the charts within a chart take part, under which names, and what the parent takes over
//! from their values.

mod import;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Map as JsonMap;
use tenure_gotmpl::{Frozen, Map, Value};

use crate::chart::{Chart, Dependency};
use crate::values::{Coalescer, Defaults, NotATable, deep_copy, from_json_map, path_value, table};
use crate::version::is_compatible;

impl Defaults for Chart {
    fn name(&self) -> &str {
        &self.metadata.name
    }

    fn defaults(&self) -> Map {
        from_json_map(&self.values)
    }

    fn subcharts(&self) -> &[Self] {
        &self.dependencies
    }
}

/// The default values of a chart and of those within it, with what each took over.
pub(crate) struct Level {
    name: String,
    subcharts: Vec<Self>,
    defaults: Frozen,
}

impl Defaults for Level {
    fn name(&self) -> &str {
        &self.name
    }

    fn defaults(&self) -> Map {
        self.defaults.thaw_map().unwrap_or_default()
    }

    fn subcharts(&self) -> &[Self] {
        &self.subcharts
    }
}

/// A chart as it takes part with some values.
pub(crate) struct Part {
    /// As it was when it was known which charts take part.
    selected: Chart,
    warnings: Vec<String>,
    /// The chart.
    pub(crate) chart: Chart,
    /// Its values.
    pub(crate) level: Level,
}

/// How many sets of charts that take part are kept.
const KEPT: usize = 8;

/// What charts take over from each other depends on which of them take part, and on nothing else.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Vec<Arc<Part>>>);

impl Cache {
    /// The chart as it takes part with these values: Helm's `ProcessDependencies`.
    pub(crate) fn process(
        &self,
        chart: &Chart,
        values: &JsonMap<String, serde_json::Value>,
        warnings: &mut Vec<String>,
    ) -> Result<Arc<Part>, NotATable> {
        let mut selected = chart.clone();
        select(&mut selected, &from_json_map(values), "", warnings)?;
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().iter().find(|part| part.selected == selected).cloned();
        if let Some(part) = known {
            warnings.extend(part.warnings.iter().cloned());
            return Ok(part);
        }
        let mut chart = selected.clone();
        let before = warnings.len();
        let level = import::all(&mut chart, warnings)?;
        let part = Arc::new(Part {
            selected,
            warnings: warnings.get(before..).unwrap_or_default().to_vec(),
            chart,
            level,
        });
        let mut parts = lock();
        parts.truncate(KEPT - 1);
        parts.insert(0, Arc::clone(&part));
        Ok(part)
    }
}

fn select(chart: &mut Chart, values: &Map, path: &str, warnings: &mut Vec<String>) -> Result<(), NotATable> {
    // Where Chart.yaml does not speak of dependencies, theirs are not looked at either.
    let Some(mut wanted) = chart.metadata.dependencies.take() else {
        return Ok(());
    };
    chart.dependencies = named(&chart.dependencies, &wanted);
    for dependency in &mut wanted {
        if !dependency.alias.is_empty() {
            dependency.name.clone_from(&dependency.alias);
        }
        dependency.enabled = true;
    }
    let values = Coalescer::coalescing(warnings).chart(chart, deep_copy(values))?;
    by_tags(&mut wanted, &values, warnings);
    by_conditions(&mut wanted, &values, path, warnings);
    let disabled: Vec<&str> = wanted
        .iter()
        .filter(|dependency| !dependency.enabled)
        .map(|dependency| dependency.name.as_str())
        .collect();
    chart
        .dependencies
        .retain(|subchart| !disabled.contains(&subchart.name()));
    let kept: Vec<Dependency> = wanted
        .iter()
        .filter(|dependency| !disabled.contains(&dependency.name.as_str()))
        .cloned()
        .collect();
    for subchart in &mut chart.dependencies {
        let below = format!("{path}{}.", subchart.name());
        select(subchart, &values, &below, warnings)?;
    }
    chart.metadata.dependencies = Some(kept).filter(|kept| !kept.is_empty());
    Ok(())
}

/// The charts that `Chart.yaml` does not name, and for each name there the chart that answers to it,
/// under its alias.
fn named(there: &[Chart], wanted: &[Dependency]) -> Vec<Chart> {
    let answers = |chart: &Chart, dependency: &Dependency| {
        chart.name() == dependency.name && is_compatible(&dependency.version, &chart.metadata.version)
    };
    let unnamed = there
        .iter()
        .filter(|chart| !wanted.iter().any(|dependency| answers(chart, dependency)))
        .cloned();
    let named = wanted.iter().filter_map(|dependency| {
        let mut chart = there.iter().find(|chart| answers(chart, dependency))?.clone();
        dependency.local_name().clone_into(&mut chart.metadata.name);
        Some(chart)
    });
    unnamed.chain(named).collect()
}

fn by_tags(wanted: &mut [Dependency], values: &Map, warnings: &mut Vec<String>) {
    let Ok(tags) = table(values, "tags") else {
        return;
    };
    for dependency in wanted {
        let (mut on, mut off) = (false, false);
        for tag in &dependency.tags {
            match tags.get(tag) {
                Some(Value::Bool(true)) => on = true,
                Some(Value::Bool(false)) => off = true,
                Some(_) => warnings.push(format!(
                    "returned non-bool value tag={tag} chart={}",
                    dependency.name
                )),
                None => {}
            }
        }
        dependency.enabled = on || !off;
    }
}

fn by_conditions(wanted: &mut [Dependency], values: &Map, path: &str, warnings: &mut Vec<String>) {
    for dependency in wanted {
        let conditions = dependency.condition.trim().split(',');
        for condition in conditions.filter(|condition| !condition.is_empty()) {
            match path_value(values, &format!("{path}{condition}")) {
                Some(Value::Bool(enabled)) => {
                    dependency.enabled = enabled;
                    break;
                }
                Some(_) => warnings.push(format!(
                    "returned non-bool value path={condition} chart={}",
                    dependency.name
                )),
                None => {}
            }
        }
    }
}

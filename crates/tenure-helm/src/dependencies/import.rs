use serde_json::json;
use tenure_gotmpl::{Frozen, Map, Value};

use super::Level;
use crate::chart::Chart;
use crate::values::{Coalescer, NotATable, deep_copy, table};

/// Takes over what `import-values` names, innermost charts first.
pub(super) fn all(chart: &mut Chart, warnings: &mut Vec<String>) -> Result<Level, NotATable> {
    let subcharts = chart.dependencies.iter_mut();
    let subcharts: Result<Vec<_>, _> = subcharts.map(|subchart| all(subchart, warnings)).collect();
    let mut level = Level {
        name: chart.name().to_owned(),
        subcharts: subcharts?,
        defaults: Frozen::from_table_with_integers(&chart.values),
    };
    own(chart, &mut level, warnings)?;
    Ok(level)
}

fn own(chart: &mut Chart, level: &mut Level, warnings: &mut Vec<String>) -> Result<(), NotATable> {
    let Some(mut dependencies) = chart.metadata.dependencies.take() else {
        return Ok(());
    };
    // Nulls stay: the parent's and the user's have their say later.
    let mut values = Coalescer::merging(warnings).chart(level, Map::new())?;
    let imported = Map::new();
    for dependency in &mut dependencies {
        let mut shown = Vec::new();
        for wish in &dependency.import_values {
            let Some((child, parent)) = wish_of(wish) else {
                continue;
            };
            shown.push(json!({"child": child, "parent": parent}));
            match table(&values, &format!("{}.{child}", dependency.name)) {
                Ok(found) => {
                    let placed = place(&parent, found);
                    Coalescer::merging(warnings).tables(&imported, &placed, "");
                }
                Err(error) if wish.is_object() => warnings.push(format!(
                    "ImportValues missing table from chart chart={} error={error:?}",
                    dependency.name
                )),
                Err(error) => warnings.push(format!("ImportValues missing table error={error:?}")),
            }
        }
        dependency.import_values = shown;
    }
    // What is imported is weaker than what the parent says itself.
    if !imported.is_empty() {
        values = deep_copy(&values);
        Coalescer::merging(warnings).tables(&values, &imported, "");
    }
    level.defaults = Frozen::of(&values.into());
    chart.metadata.dependencies = Some(dependencies);
    Ok(())
}

/// The path in the child's values and the path in the parent's; a single word stands for a table below
/// the child's `exports` that goes to the top.
fn wish_of(wish: &serde_json::Value) -> Option<(String, String)> {
    let printed = |name: &str| match wish.get(name) {
        Some(serde_json::Value::String(text)) => text.clone(),
        None | Some(serde_json::Value::Null) => "<nil>".to_owned(),
        Some(other) => other.to_string(),
    };
    match wish {
        serde_json::Value::Object(_) => Some((printed("child"), printed("parent"))),
        serde_json::Value::String(name) => Some((format!("exports.{name}"), ".".to_owned())),
        _ => None,
    }
}

/// The table at a dotted path of a new one.
fn place(path: &str, table: Map) -> Map {
    if path == "." {
        return table;
    }
    path.rsplit('.').fold(table, |inner, name| {
        std::iter::once((name, Value::Map(inner))).collect()
    })
}

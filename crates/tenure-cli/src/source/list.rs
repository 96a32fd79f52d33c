//! `tenure source list`: sources and what came of them last, of all kinds in one table.

use anyhow::Context as _;
use kube::api::ListParams;
use serde_json::Value;

use super::kinds::{GROUP, KINDS};
use crate::cluster::{api, client};
use crate::say;

/// Characters of a message in a table.
const SHORT: usize = 80;

/// Flags of `tenure source list`.
#[derive(clap::Args)]
pub struct Args {
    /// The namespace
    #[arg(short, long, default_value = "default", conflicts_with = "all")]
    namespace: String,
    /// All namespaces
    #[arg(short = 'A', long = "all-namespaces")]
    all: bool,
    /// The kubeconfig's context
    #[arg(long)]
    context: Option<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = client(args.context).await?;
    let namespace = (!args.all).then_some(args.namespace.as_str());
    let mut rows = vec![["NAMESPACE", "NAME", "READY", "REVISION", "MESSAGE"].map(str::to_owned)];
    for kind in KINDS {
        let objects = api(&client, GROUP, "v1", kind.kind, kind.plural, namespace);
        let list = objects
            .list(&ListParams::default())
            .await
            .with_context(|| format!("failed to list {}", kind.plural))?;
        for object in list.items {
            let object = serde_json::to_value(object)?;
            rows.push(row(kind.kind, &object));
        }
    }
    if rows.len() == 1 {
        say("no sources");
        return Ok(());
    }
    for line in table(&rows) {
        say(&line);
    }
    Ok(())
}

fn row(kind: &str, object: &Value) -> [String; 5] {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let ready = super::explain::ready(object);
    let of = |field: &str| ready.and_then(|ready| ready[field].as_str()).unwrap_or("-");
    let status = match object["spec"]["suspend"] == true {
        true => "Suspended",
        false => of("status"),
    };
    let message = of("message");
    let short: String = message.chars().take(SHORT).collect();
    let cut = if short.len() < message.len() { "…" } else { "" };
    let revision = text("/status/artifact/revision");
    [
        text("/metadata/namespace").to_owned(),
        format!("{kind}/{}", text("/metadata/name")),
        status.to_owned(),
        if revision.is_empty() {
            "-".to_owned()
        } else {
            revision.to_owned()
        },
        format!("{short}{cut}"),
    ]
}

/// Columns as wide as their widest word.
fn table(rows: &[[String; 5]]) -> Vec<String> {
    let mut widths = [0; 5];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths);
        let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_says_how_a_source_fares_and_columns_stand_under_each_other() {
        let object = json!({
            "metadata": {"namespace": "team", "name": "app"},
            "status": {
                "artifact": {"revision": "main@sha1:1"},
                "conditions": [{"type": "Ready", "status": "False", "message": "x".repeat(100)}],
            },
        });
        let failing = row("GitRepository", &object);
        assert_eq!(failing[2..4], ["False".to_owned(), "main@sha1:1".to_owned()]);
        assert_eq!(failing[4].chars().count(), SHORT + 1);
        let unseen = row(
            "Bucket",
            &json!({"metadata": {"namespace": "t", "name": "b"}, "spec": {"suspend": true}}),
        );
        assert_eq!(unseen[2..4], ["Suspended".to_owned(), "-".to_owned()]);
        let lines = table(&[failing, unseen]);
        let at = |line: &String, word: &str| line.find(word).expect("it is there");
        assert_eq!(at(&lines[0], "False"), at(&lines[1], "Suspended"));
    }
}

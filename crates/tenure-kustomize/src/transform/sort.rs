//! The order of the output: as the files have it, or the legacy order by kind.

use std::cmp::Ordering;

use crate::Error;
use crate::config::{rank, sort_text, standard_rank};
use crate::file::SortOptions;
use crate::id::ResId;
use crate::resmap::ResMap;

/// Sorts as `sortOptions` say.
pub(crate) fn by_options(all: &mut ResMap, options: &SortOptions) -> Result<(), Error> {
    let kinds = options.legacy_sort_options.as_ref();
    match (options.order.as_str(), kinds) {
        ("fifo", None) => Ok(()),
        ("fifo", Some(_)) => Err(Error::invalid(
            "legacySortOptions is set, but the order is fifo and not legacy",
        )),
        ("legacy", None) => {
            legacy(all);
            Ok(())
        }
        ("legacy", Some(kinds)) => {
            sort(all, &|kind| rank(kind, &kinds.order_first, &kinds.order_last));
            Ok(())
        }
        (other, _) => Err(Error::invalid(format!(
            "the order {other:?} is neither fifo nor legacy"
        ))),
    }
}

/// Namespaces first, webhooks last, and kustomize's idea of what depends on what between.
pub(crate) fn legacy(all: &mut ResMap) {
    sort(all, &standard_rank);
}

fn sort(all: &mut ResMap, rank: &dyn Fn(&str) -> i64) {
    let list = all.list_mut();
    let mut keyed: Vec<_> = std::mem::take(list).into_iter().map(|r| (r.id(), r)).collect();
    keyed.sort_by(|(a, _), (b, _)| compare(a, b, rank));
    list.extend(keyed.into_iter().map(|(_, r)| r));
}

fn compare(a: &ResId, b: &ResId, rank: &dyn Fn(&str) -> i64) -> Ordering {
    if a.gvk == b.gvk {
        return id_text(a).cmp(&id_text(b));
    }
    let text = |id: &ResId| sort_text(&id.gvk.group, &id.gvk.version, &id.gvk.kind);
    let namespaces = a.gvk.kind == "Namespace" && b.gvk.kind == "Namespace";
    rank(&a.gvk.kind).cmp(&rank(&b.gvk.kind)).then_with(|| {
        // The core Namespace comes before other groups' kinds of that name.
        if namespaces && (a.gvk.group.is_empty() || b.gvk.group.is_empty()) {
            text(b).cmp(&text(a))
        } else {
            text(a).cmp(&text(b))
        }
    })
}

fn id_text(id: &ResId) -> String {
    let or = |text: &str, none: &str| {
        if text.is_empty() {
            none.to_owned()
        } else {
            text.to_owned()
        }
    };
    format!("{}|{}", or(&id.namespace, "~X"), or(&id.name, "~N"))
}

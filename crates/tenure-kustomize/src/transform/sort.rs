//! The order of the output: as the files have it, or the legacy order by kind.

use std::cmp::Ordering;

use crate::Error;
use crate::config::{rank, sort_text, standard_rank};
use crate::file::SortOptions;
use crate::resmap::ResMap;
use crate::resource::Resource;

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
    let keys: Vec<Key<'_>> = list.iter().map(Key::of).collect();
    let mut order: Vec<(usize, &Key<'_>)> = keys.iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| compare(a, b, rank));
    let mut goes_to = vec![0; order.len()];
    for (new, (old, _)) in order.into_iter().enumerate() {
        if let Some(place) = goes_to.get_mut(old) {
            *place = new;
        }
    }
    // In place: a second list of all objects would be the most that a build ever holds.
    for at in 0..list.len() {
        while let Some(place) = goes_to.get(at).copied().filter(|place| *place != at) {
            list.swap(at, place);
            goes_to.swap(at, place);
        }
    }
}

/// What of an object decides on its place.
struct Key<'a> {
    group: &'a str,
    version: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
}

impl<'a> Key<'a> {
    fn of(resource: &'a Resource) -> Self {
        let api_version = resource.api_version();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            group,
            version,
            kind: resource.kind(),
            namespace: resource.namespace(),
            name: resource.name(),
        }
    }

    /// Namespace and name, as one text.
    fn text(&self) -> impl Iterator<Item = u8> {
        let or = |text: &'a str, none: &'a str| if text.is_empty() { none } else { text };
        let parts = [or(self.namespace, "~X"), "|", or(self.name, "~N")];
        parts.into_iter().flat_map(str::bytes)
    }
}

fn compare(a: &Key<'_>, b: &Key<'_>, rank: &dyn Fn(&str) -> i64) -> Ordering {
    if (a.group, a.version, a.kind) == (b.group, b.version, b.kind) {
        return a.text().cmp(b.text());
    }
    let text = |key: &Key<'_>| sort_text(key.group, key.version, key.kind);
    let namespaces = a.kind == "Namespace" && b.kind == "Namespace";
    rank(a.kind).cmp(&rank(b.kind)).then_with(|| {
        // The core Namespace comes before other groups' kinds of that name.
        if namespaces && (a.group.is_empty() || b.group.is_empty()) {
            text(b).cmp(&text(a))
        } else {
            text(a).cmp(&text(b))
        }
    })
}

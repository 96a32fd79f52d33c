//! The mass-delete brake: what left the source is not deleted in large numbers, nor where others go with
//! it, before a person has confirmed it.

use std::sync::Arc;

use serde_json::Value;
use tenure_api::{CONFIRM_PRUNE, reasons};
use tenure_apply::inventory::{self, Entry};
use tenure_core::{Digest, ObjectKey};

use super::applying::{names, owner};
use super::run::{Failure, Step};
use super::target::Target;
use crate::{Effects, PruneLimits};

/// What holds other things, which go with it.
const HOLDERS: [(&str, &str); 3] = [
    ("", "Namespace"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("", "PersistentVolumeClaim"),
];
/// Most objects that the condition names.
const NAMED: usize = 20;

/// Fails if deleting `stale`, of all that `old` names, needs a confirmation that is not there. Costs
/// nothing where it does not; else a LIST for each kind and namespace, as what is gone already or is
/// marked to be kept does not count.
pub(super) async fn check(
    target: &Target,
    stale: &[Entry],
    old: &[Entry],
    new: &[Entry],
    key: &ObjectKey,
    effects: &Arc<Effects>,
) -> Result<(), Failure> {
    let limits = &effects.home.prune;
    if why(stale, old.len(), limits).is_none() {
        return Ok(());
    }
    let held = || inventory::union(new, stale);
    let failed =
        |message: String| Failure::new(Step::Applying, reasons::PRUNE_FAILED, message).holding(held());
    let discovery = effects
        .own
        .discovery()
        .await
        .map_err(|error| failed(error.to_string()))?;
    let doomed = tenure_apply::doomed(&target.client, &discovery, stale, &owner(key, effects)).await;
    let doomed = doomed.map_err(|error| failed(error.to_string()))?;
    let Some(why) = why(&doomed, old.len(), limits) else {
        return Ok(());
    };
    let token = token(&doomed);
    if confirmed(key, effects).as_deref() == Some(&token) {
        tracing::info!(object = %key, objects = doomed.len(), "a prune was confirmed");
        return Ok(());
    }
    let message = message(&doomed, &why, &token, key, effects);
    Err(Failure::new(Step::Applying, reasons::PRUNE_NEEDS_CONFIRMATION, message).holding(held()))
}

/// Why deleting these of `all` objects needs a confirmation.
fn why(doomed: &[Entry], all: usize, limits: &PruneLimits) -> Option<String> {
    let holder = |entry: &&Entry| {
        entry.parse().is_ok_and(|object| {
            HOLDERS
                .iter()
                .any(|(group, kind)| *group == object.group && *kind == object.kind)
        })
    };
    let holders: Vec<Entry> = doomed.iter().filter(holder).cloned().collect();
    if let Some(first) = holders.first() {
        return Some(format!(
            "what {} holds goes with it",
            names(std::slice::from_ref(first))
        ));
    }
    let (share, from) = (limits.share as usize, limits.from as usize);
    let many = all >= from && doomed.len() * 100 > all * share;
    many.then(|| format!("these are more than {share} % of {all}"))
}

/// Stands for these objects and no others.
fn token(doomed: &[Entry]) -> String {
    let mut ids: Vec<&str> = doomed.iter().map(|entry| entry.id.as_str()).collect();
    ids.sort_unstable();
    Digest::of(ids.join("\n").as_bytes())
        .hex()
        .chars()
        .take(12)
        .collect()
}

fn confirmed(key: &ObjectKey, effects: &Effects) -> Option<String> {
    let object = effects.snapshot.get(key)?;
    let annotations = object.pointer("/metadata/annotations")?;
    annotations
        .get(CONFIRM_PRUNE)
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn message(doomed: &[Entry], why: &str, token: &str, key: &ObjectKey, effects: &Effects) -> String {
    let (count, home) = (doomed.len(), &effects.home.namespace);
    let listed = names(doomed.get(..NAMED).unwrap_or(doomed));
    let more = match count.saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let objects = if count == 1 {
        "1 object"
    } else {
        &format!("{count} objects")
    };
    format!(
        "{objects} left the source and will only be deleted once a person confirms it, as {why}: {listed}{more}; to delete them: kubectl annotate --overwrite kustomization/{} -n {home} {CONFIRM_PRUNE}={token}; to keep them, bring them back in the source; the Tenant's spec.limits.pruneShare and pruneObjects say when to ask",
        key.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps(count: usize) -> Vec<Entry> {
        let entry = |n| Entry {
            id: format!("a_m{n}__ConfigMap"),
            v: "v1".to_owned(),
        };
        (0..count).map(entry).collect()
    }

    fn asks(doomed: &[Entry], all: usize) -> bool {
        why(doomed, all, &PruneLimits::default()).is_some()
    }

    #[test]
    fn more_than_half_of_at_least_ten_needs_a_confirmation() {
        for (doomed, all, wanted) in [
            (5, 10, false),
            (6, 10, true),
            (9, 9, false),
            (50, 100, false),
            (51, 100, true),
        ] {
            assert_eq!(asks(&maps(doomed), all), wanted, "{doomed} of {all}");
        }
        let never = PruneLimits { share: 100, from: 1 };
        assert_eq!(why(&maps(10), 10, &never), None);
    }

    #[test]
    fn whatever_takes_others_along_needs_one_even_alone() {
        for id in [
            "_a__Namespace",
            "_a.b_apiextensions.k8s.io_CustomResourceDefinition",
            "a_data__PersistentVolumeClaim",
        ] {
            let holder = Entry {
                id: id.to_owned(),
                v: "v1".to_owned(),
            };
            assert!(asks(&[holder], 100), "{id}");
        }
        assert!(!asks(&maps(1), 1));
    }

    #[test]
    fn a_token_is_for_these_objects_in_any_order() {
        let (mut some, more) = (maps(3), maps(4));
        let first = token(&some);
        some.reverse();
        assert_eq!(token(&some), first);
        assert_ne!(token(&more), first);
    }
}

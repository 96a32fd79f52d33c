//! The apply itself: sort into stages, dry-run, compare, write, wait.

mod fresh;
mod kinds;
mod live;
mod stage;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde_json::Value;
use tenure_kube::{ActingClient, Discovery, ResourceInfo};
use tokio_util::sync::CancellationToken;

use crate::custom::HealthRules;
use crate::drift::{Fingerprints, digest_of};
use crate::health::{HealthError, Sightings, wait_healthy};
use crate::ignored::{IgnoredFields, leave};
use crate::kstatus::{self, Verdict};
use crate::normalise::normalise;
use crate::object::ObjectRef;
use crate::order::{self, Stage};
use crate::owner::Owner;
use crate::report::{ApplyError, ApplyFailure, Report};

use kinds::Kinds;

/// How long the objects of a stage may take to become ready before the next.
const BETWEEN_STAGES: Duration = Duration::from_secs(60);

/// How to apply.
#[derive(Clone, Debug)]
pub struct ApplyOptions {
    /// Whose objects these are.
    pub owner: Owner,
    /// Who owns the fields, as in `kustomize-controller`.
    pub field_manager: String,
    /// Recreate objects of which a field cannot be changed.
    pub force: bool,
    /// How many dry-runs at once; Flux has 4.
    pub concurrency: usize,
    /// Say what is not as wanted, and write nothing.
    pub report_only: bool,
    /// Nothing of it was ever applied: what is not there is created without a dry-run before.
    pub fresh: bool,
    /// How objects were written last time by the same account: what is to be the same again, and still
    /// looks so, is left as it is without a dry-run.
    pub known: Fingerprints,
    /// Note how the objects stand by these rules.
    pub health: Option<HealthRules>,
    /// Fields of objects that are there which are left to others.
    pub ignored: IgnoredFields,
    /// Stops between two requests.
    pub cancel: CancellationToken,
}

impl ApplyOptions {
    /// Flux's defaults for `owner`.
    #[must_use]
    pub fn new(owner: Owner) -> Self {
        Self {
            owner,
            field_manager: "kustomize-controller".to_owned(),
            force: false,
            concurrency: 4,
            report_only: false,
            fresh: false,
            known: Fingerprints::new(),
            health: None,
            ignored: IgnoredFields::new(),
            cancel: CancellationToken::new(),
        }
    }
}

/// One object on its way.
pub(crate) struct Item {
    pub(crate) at: ObjectRef,
    pub(crate) desired: Value,
    /// A digest of what the source says, whatever is left to others of it.
    pub(crate) wanted: String,
}

/// An [`Item`] whose kind is known.
pub(crate) struct Placed {
    pub(crate) at: ObjectRef,
    pub(crate) desired: Value,
    pub(crate) wanted: String,
    pub(crate) info: ResourceInfo,
}

/// Applies `objects` as the client's account. Kinds that a CustomResourceDefinition among the
/// objects defines need not be in `discovery`.
///
/// # Errors
/// With what had been written before: nothing of the stage that failed its dry-run.
pub async fn apply(
    client: &ActingClient,
    discovery: &Discovery,
    objects: Vec<Value>,
    options: &ApplyOptions,
) -> Result<Report, ApplyFailure> {
    let mut report = Report::default();
    match run(client, discovery, objects, options, &mut report).await {
        Ok(()) => Ok(report),
        Err(error) => Err(ApplyFailure {
            error: Box::new(error),
            report_so_far: report,
        }),
    }
}

async fn run(
    client: &ActingClient,
    discovery: &Discovery,
    objects: Vec<Value>,
    options: &ApplyOptions,
    report: &mut Report,
) -> Result<(), ApplyError> {
    let stages = sort(objects, &options.owner)?;
    let last = stages.keys().next_back().copied();
    let mut kinds = Kinds::new(discovery);
    for (stage, items) in stages {
        let mut placed = kinds.place(items)?;
        leave_ignored(client, &mut placed, options).await?;
        let fresh = options.fresh && !options.report_only && stage == Stage::Rest;
        let after = stage::run(client, &kinds, placed, options, fresh, report).await?;
        if Some(stage) != last {
            for object in &after {
                kinds.learn(object);
            }
            settle(client, &kinds.all(), &after, options).await?;
        }
    }
    Ok(())
}

/// Normalised, marked as the owner's, by stage and in order.
fn sort(objects: Vec<Value>, owner: &Owner) -> Result<BTreeMap<Stage, Vec<Item>>, ApplyError> {
    let mut stages: BTreeMap<Stage, Vec<Item>> = BTreeMap::new();
    let mut seen = HashSet::new();
    for mut desired in objects {
        normalise(&mut desired);
        owner.mark(&mut desired);
        let at = ObjectRef::of(&desired);
        if at.version.is_empty() || at.kind.is_empty() || at.name.is_empty() {
            return Err(ApplyError::NotAnObject { object: at.into() });
        }
        if !seen.insert(ObjectRef {
            version: String::new(),
            ..at.clone()
        }) {
            return Err(ApplyError::Twice { object: at.into() });
        }
        stages.entry(order::stage_of(&at)).or_default().push(Item {
            at,
            wanted: digest_of(&desired),
            desired,
        });
    }
    for items in stages.values_mut() {
        items.sort_by(|a, b| order::compare(&a.at, &b.at));
    }
    Ok(stages)
}

/// Brings what is applied in line with the fields that are left to others; a request for each kind and
/// namespace of which there are such fields.
async fn leave_ignored(
    client: &ActingClient,
    placed: &mut [Placed],
    options: &ApplyOptions,
) -> Result<(), ApplyError> {
    let touched = |at: &ObjectRef| options.ignored.get(at);
    let wanted: Vec<&Placed> = placed.iter().filter(|p| touched(&p.at).is_some()).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let live = live::read(client, &wanted, &options.owner).await?;
    for placed in placed {
        if let (Some(paths), Some(live)) = (touched(&placed.at), live.get(&placed.at)) {
            leave(&mut placed.desired, live, paths, &options.field_manager);
        }
    }
    Ok(())
}

/// Waits for what is not ready yet; asks for nothing when all is.
async fn settle(
    client: &ActingClient,
    discovery: &Discovery,
    after: &[Value],
    options: &ApplyOptions,
) -> Result<(), ApplyError> {
    let now = jiff::Timestamp::now();
    let late = after
        .iter()
        .filter(|object| kstatus::compute(object, now).verdict != Verdict::Current);
    let (rules, mut seen) = (HealthRules::default(), Sightings::default());
    let late: Vec<ObjectRef> = late
        .map(|object| {
            let at = ObjectRef::of(object);
            seen.note(&at, object, &rules);
            at
        })
        .collect();
    if late.is_empty() {
        return Ok(());
    }
    let settled = wait_healthy(
        client,
        discovery,
        &late,
        &seen,
        &rules,
        BETWEEN_STAGES,
        &options.cancel,
    );
    match settled.await {
        Ok(_) => Ok(()),
        Err(HealthError::Cancelled) => Err(ApplyError::Cancelled),
        Err(error) => Err(ApplyError::NotReady(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_sorted_into_stages_and_twice_is_refused() {
        let object =
            |kind: &str, name: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
        let owner = Owner {
            name: "o".into(),
            namespace: "n".into(),
        };
        let sorted = sort(
            vec![
                object("Secret", "b"),
                object("ConfigMap", "a"),
                object("Namespace", "c"),
            ],
            &owner,
        );
        let sorted = sorted.expect("three objects");
        let names = |stage| {
            sorted
                .get(&stage)
                .map(|i| i.iter().map(|i| i.at.name.as_str()).collect::<Vec<_>>())
        };
        assert_eq!(names(Stage::Definitions), Some(vec!["c"]));
        assert_eq!(names(Stage::Rest), Some(vec!["a", "b"]));
        assert!(matches!(
            sort(vec![object("Secret", "a"), object("Secret", "a")], &owner),
            Err(ApplyError::Twice { .. })
        ));
        assert!(matches!(
            sort(vec![object("Secret", "")], &owner),
            Err(ApplyError::NotAnObject { .. })
        ));
    }
}

//! What a Tenant's status says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tenure_api::{Conditions, HomeStatus, Isolation, READY, Tenant, TenantStatus};
use tenure_core::Name;
use tenure_proto::{CONSTRAINED_IMPERSONATION, FETCH_BUDGET_EXCEEDED, LEGACY_RIGHTS, WITHIN_LIMITS};

use crate::index::Counts;
use crate::owners::Lost;

/// A home as its task sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) tenant: String,
    pub(crate) phase: &'static str,
    pub(crate) counts: Counts,
    /// Every kind has been listed.
    pub(crate) onboarded: bool,
    pub(crate) trouble: Vec<String>,
    pub(crate) last_error: Option<String>,
    pub(crate) sandbox: Option<Sandboxed>,
    /// What keeps its worker's pod from starting.
    pub(crate) hindered: Option<String>,
    /// Objects that are left alone, because workers died over them.
    pub(crate) quarantined: Vec<String>,
    /// Objects that are begun again and again wait for each other.
    pub(crate) held: bool,
    /// Which budget is used up.
    pub(crate) over_budget: Option<String>,
    /// Objects that go over a limit, each with the field that says so.
    pub(crate) over_limit: Vec<String>,
    /// Its worker holds the older right to impersonate.
    pub(crate) legacy: bool,
}

/// What the kernel has granted to a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sandboxed {
    pub(crate) granted: Vec<String>,
    /// Each with the reason.
    pub(crate) missing: Vec<String>,
}

/// What the status is made of.
pub(crate) struct Facts<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) lost: Vec<Lost>,
    /// Its targets that are homes of others.
    pub(crate) strays: Vec<Lost>,
    /// Why the Tenant can't be read; then `tenant` holds its namespaces and no more.
    pub(crate) unread: Option<&'a str>,
    pub(crate) reports: &'a BTreeMap<Name, Report>,
    pub(crate) minor: u32,
    pub(crate) constrained: bool,
    /// Whether the platform allows workers without a sandbox.
    pub(crate) tasks: bool,
    /// Whether it allows workers in pods.
    pub(crate) pods: bool,
}

/// The status as it should be; equal to the old one when nothing changed.
pub(crate) fn status(facts: &Facts<'_>, now: Timestamp) -> TenantStatus {
    let tenant = facts.tenant;
    let mut status = tenant.status.clone().unwrap_or_default();
    let homes: Vec<_> = facts
        .reports
        .iter()
        .filter(|(_, report)| report.tenant == tenant.name())
        .collect();
    let mut invalid: Vec<_> = tenant.validate().iter().map(ToString::to_string).collect();
    invalid.extend(facts.unread.map(str::to_owned));
    let mut trouble: Vec<String> = facts
        .lost
        .iter()
        .map(|lost| format!("namespace {} belongs to the older Tenant {}", lost.home, lost.to))
        .collect();
    trouble.extend(
        homes
            .iter()
            .flat_map(|(_, report)| report.trouble.iter().cloned()),
    );
    let waiting = homes.len() + facts.lost.len() < tenant.spec.namespaces.len()
        || homes.iter().any(|(_, report)| !report.onboarded);
    let failing = homes.iter().find_map(|(home, report)| failing(home, report));

    let mut conditions = Conditions::new(&mut status.conditions, tenant.generation(), now);
    if !invalid.is_empty() {
        let message = invalid.join("; ");
        conditions
            .mark_false("Onboarded", "Invalid", &message)
            .mark_false(READY, "Invalid", &message);
    } else if !trouble.is_empty() {
        let message = trouble.join("; ");
        conditions
            .mark_false("Onboarded", "Incomplete", &message)
            .mark_false(READY, "NotOnboarded", &message);
    } else if waiting {
        let message = "waiting for the first look at every namespace";
        conditions
            .mark_unknown("Onboarded", "Progressing", message)
            .mark_unknown(READY, "Progressing", message);
    } else {
        conditions.mark_true("Onboarded", "Complete", "every namespace can be served");
        match &failing {
            _ if tenant.spec.suspend => conditions.mark_false(
                READY,
                tenure_api::reasons::TENANT_SUSPENDED,
                "the Tenant is suspended",
            ),
            Some((reason, message)) => conditions.mark_false(READY, reason, message),
            None => conditions.mark_true(READY, "Served", "every namespace is served"),
        };
    }
    constrained(&mut conditions, facts, &homes);
    isolation(&mut conditions, facts, &homes);
    targets(&mut conditions, &facts.strays);
    limits(&mut conditions, &homes);
    status.observed_generation = Some(tenant.generation());
    status.homes = homes
        .iter()
        .map(|(home, report)| home_status(home, report))
        .collect();
    status.phase = Some(phase(tenant, &status.homes).to_owned());
    status
}

fn constrained(conditions: &mut Conditions<'_>, facts: &Facts<'_>, homes: &[(&Name, &Report)]) {
    const TYPE: &str = CONSTRAINED_IMPERSONATION;
    let legacy: Vec<_> = homes
        .iter()
        .filter(|(_, report)| report.legacy)
        .map(|(home, _)| home.as_str())
        .collect();
    if facts.constrained && !legacy.is_empty() {
        let message = format!(
            "workers may 'impersonate' serviceaccounts in {}, which lends all that these may: apply what `tenure tenant rights` \
             renders for this Tenant, and take away the Role that says so, for which `tenure tenant check` looks",
            legacy.join(", ")
        );
        conditions.mark_false(TYPE, LEGACY_RIGHTS, &message);
    } else if facts.constrained {
        conditions.mark_true(
            TYPE,
            "Supported",
            "the API server limits what may be done by impersonation",
        );
    } else {
        let message = format!(
            "Kubernetes 1.{} bounds impersonation by the ServiceAccount's own rights alone; 1.36 adds verbs and resources",
            facts.minor
        );
        conditions.mark_false(TYPE, "Unsupported", &message);
    }
}

/// What keeps a home from being served well: the reason and a message.
fn failing(home: &Name, report: &Report) -> Option<(&'static str, String)> {
    if report.phase != "Failing" {
        return None;
    }
    let error = report
        .last_error
        .as_deref()
        .unwrap_or("see the namespace's objects");
    if report.quarantined.is_empty() {
        return Some(("WorkerFailed", format!("{home}: {error}")));
    }
    let left = report.quarantined.join(", ");
    let message =
        format!("{home}: left alone until it changes, because workers died over it: {left}; {error}");
    Some(("ObjectQuarantined", message))
}

/// Said of a Tenant that has gone over a limit once, and of no other.
fn limits(conditions: &mut Conditions<'_>, homes: &[(&Name, &Report)]) {
    const TYPE: &str = WITHIN_LIMITS;
    let over: Vec<_> = homes
        .iter()
        .filter_map(|(home, report)| Some(format!("{home}: {}", report.over_budget.as_ref()?)))
        .collect();
    if !over.is_empty() {
        conditions.mark_false(TYPE, FETCH_BUDGET_EXCEEDED, &over.join("; "));
        return;
    }
    let over: Vec<_> = homes
        .iter()
        .filter(|(_, report)| !report.over_limit.is_empty())
        .map(|(home, report)| format!("{home}: {}", report.over_limit.join(", ")))
        .collect();
    if !over.is_empty() {
        let message = format!(
            "these go over what the Tenant allows, and say so in their own conditions: {}",
            over.join("; ")
        );
        conditions.mark_false(TYPE, "LimitExceeded", &message);
        return;
    }
    let held: Vec<_> = homes
        .iter()
        .filter(|(_, report)| report.held)
        .map(|(home, _)| home.as_str())
        .collect();
    if !held.is_empty() {
        let message = format!(
            "{}: objects that fail, or are changed or asked for again and again, wait for each other: mend or suspend them, or \
             raise spec.limits.retriesPerMinute",
            held.join(", ")
        );
        conditions.mark_false(TYPE, "RetriesHeldBack", &message);
    } else if conditions.list().iter().any(|condition| condition.type_ == TYPE) {
        conditions.mark_true(TYPE, "Kept", "nothing is held back");
    }
}

fn isolation(conditions: &mut Conditions<'_>, facts: &Facts<'_>, homes: &[(&Name, &Report)]) {
    const TYPE: &str = "Isolation";
    let hindered = homes
        .iter()
        .find_map(|(home, report)| Some((home, report.hindered.as_ref()?)));
    if let Some((home, why)) = hindered {
        conditions.mark_false(TYPE, "PodHindered", &format!("{home}: {why}"));
        return;
    }
    let instead = match facts.tenant.spec.isolation {
        Isolation::Process => None,
        Isolation::Pod if facts.pods => None,
        Isolation::Pod => Some(
            "spec.isolation 'pod' is not allowed by the platform (the chart's isolation.pods.enabled, tenure supervisor \
             --pods-image)",
        ),
        Isolation::Task if facts.tasks => {
            let message =
                "spec.isolation 'task': workers run in the supervisor's process, and nothing walls them off";
            conditions.mark_false(TYPE, "Unsandboxed", message);
            return;
        }
        Isolation::Task => Some(
            "spec.isolation 'task' is not allowed by the platform (tenure supervisor --allow-tasks), as nothing would \
             wall its workers off",
        ),
    };
    if let Some(why) = instead {
        let message = format!("{why}: each home has a sandboxed process, as with 'process'");
        conditions.mark_false(TYPE, "LevelUnsupported", &message);
        return;
    }
    let found = |(home, report): &(&Name, &Report)| Some(((*home).clone(), report.sandbox.clone()?));
    let found: Vec<_> = homes.iter().filter_map(found).collect();
    let Some((_, first)) = found.first() else { return };
    let partial = |(home, found): &(Name, Sandboxed)| {
        let missing = (!found.missing.is_empty()).then(|| found.missing.join(", "))?;
        Some(format!(
            "{home}: {missing}; granted: {}",
            found.granted.join(", ")
        ))
    };
    let partial: Vec<_> = found.iter().filter_map(partial).collect();
    if partial.is_empty() {
        conditions.mark_true(TYPE, "Sandboxed", &first.granted.join(", "));
    } else {
        let message = format!(
            "the node's kernel does not restrict workers fully: {}",
            partial.join("; ")
        );
        conditions.mark_false(TYPE, "Partial", &message);
    }
}

/// Said of a Tenant that had such a target once, and of no other.
fn targets(conditions: &mut Conditions<'_>, strays: &[Lost]) {
    const TYPE: &str = "TargetsApart";
    if !strays.is_empty() {
        let all: Vec<_> = strays
            .iter()
            .map(|stray| format!("{} of Tenant {}", stray.home, stray.to))
            .collect();
        let message = format!(
            "spec.targets names homes of others: {}; whoever may write Flux objects there acts as that Tenant's ServiceAccounts: \
             take them out of spec.targets, or see to it that the Roles there allow no Flux objects",
            all.join(", ")
        );
        conditions.mark_false(TYPE, "TargetIsAHome", &message);
    } else if conditions.list().iter().any(|condition| condition.type_ == TYPE) {
        conditions.mark_true(TYPE, "Apart", "no target is another Tenant's home");
    }
}

fn home_status(home: &Name, report: &Report) -> HomeStatus {
    HomeStatus {
        namespace: home.to_string(),
        phase: Some(stable(report.phase).to_owned()),
        objects: report.counts.objects,
        ready: report.counts.ready,
        suspended: report.counts.suspended,
        last_error: report
            .last_error
            .clone()
            .or_else(|| report.trouble.first().cloned()),
    }
}

/// A worker wakes and ends many times an hour: that alone is not worth a write.
fn stable(phase: &'static str) -> &'static str {
    if phase == "Awake" { "Dormant" } else { phase }
}

fn phase(tenant: &Tenant, homes: &[HomeStatus]) -> &'static str {
    if tenant.spec.suspend {
        "Suspended"
    } else if homes.iter().any(|home| home.phase.as_deref() == Some("Failing")) {
        "Failing"
    } else {
        "Dormant"
    }
}

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::Value;
use tenure_api::{KubeConfigReference, Kustomization, Limit, reasons};
use tenure_apply::{CustomHealth, HealthRuleError, HealthRules};
use tenure_core::{Account, Digest, Name, ObjectKey, Revision};

use super::dependencies::dependencies;
use super::peers::Peers;
use crate::{Home, Snapshot};

/// Where an artifact says which revision it was made from.
const ORIGIN_REVISION: &str = "org.opencontainers.image.revision";
/// Shortest timeout of a pass, whatever the object says.
const TIMEOUT_FLOOR: Duration = Duration::from_secs(30);

/// How messages begin that only a change of the spec ends, as with Flux.
pub(super) const TERMINAL: &str = "Reconciliation failed terminally due to configuration error";

/// What a decision rests on.
pub(crate) struct Observed<'a> {
    pub(crate) object: &'a Value,
    pub(crate) home: &'a Home,
    pub(crate) snapshot: &'a Snapshot,
    /// What was found of dependencies in other namespaces.
    pub(crate) peers: &'a Peers,
}

/// What to do with a Kustomization.
#[derive(Debug)]
pub(crate) enum Plan {
    /// It is being deleted: take away what it made, as far as its policy says.
    Finalize(Box<Finalize>),
    /// Record that the request was seen, and nothing else.
    Rest,
    /// Nothing will change until the object, or the Tenant, does.
    Stall {
        reason: &'static str,
        message: String,
        limit: Option<Limit>,
        /// What its source offers, once that is known.
        offered: Option<Offered>,
    },
    /// Something else has to be there first.
    Wait {
        reason: &'static str,
        message: String,
        after: Duration,
        /// What its source offers, once that is known.
        offered: Option<Offered>,
    },
    /// Build and apply.
    Apply(Box<Apply>),
}

impl Plan {
    pub(super) const fn stall(reason: &'static str, message: String) -> Self {
        Self::Stall {
            reason,
            message,
            limit: None,
            offered: None,
        }
    }

    /// The same, about what the source offers.
    fn of(mut self, artifact: &Offered) -> Self {
        if let Self::Stall { offered, .. } | Self::Wait { offered, .. } = &mut self {
            *offered = Some(artifact.clone());
        }
        self
    }
}

/// Everything needed to take away what a Kustomization made.
#[derive(Debug)]
pub(crate) struct Finalize {
    /// Nothing is deleted: suspended, or the policy says so.
    pub(crate) orphan: bool,
    /// Wait until the objects are gone.
    pub(crate) wait: bool,
    pub(crate) account: Result<Account, String>,
    /// Where it applied to, if not here.
    pub(crate) kube_config: Option<KubeConfigReference>,
    /// The object names the account itself.
    pub(crate) named: bool,
    pub(crate) timeout: Duration,
}

/// Everything needed to build and apply.
#[derive(Debug)]
pub(crate) struct Apply {
    pub(crate) kustomization: Kustomization,
    pub(crate) account: Account,
    pub(crate) source: ObjectKey,
    pub(crate) revision: Revision,
    /// The revision that the artifact was made from, if its maker says.
    pub(crate) origin: Option<String>,
    pub(crate) digest: Digest,
    pub(crate) interval: Duration,
    pub(crate) retry: Duration,
    pub(crate) timeout: Duration,
    /// How the objects' health is judged.
    pub(crate) health: HealthRules,
}

/// Decides; total and without effects.
pub(crate) fn plan(observed: &Observed<'_>) -> Plan {
    let kustomization = match super::typed(observed.object) {
        Ok(kustomization) => kustomization,
        Err(error) => {
            return Plan::stall(reasons::FAILED, format!("the object can't be read: {error}"));
        }
    };
    let named = kustomization.spec.service_account_name.as_deref();
    let account = observed.home.account_for(named);
    if kustomization.metadata.deletion_timestamp.is_some() {
        return Plan::Finalize(Box::new(finalize(&kustomization, observed.home, account)));
    }
    if kustomization.spec.suspend || observed.home.suspended {
        return Plan::Rest;
    }
    match apply(kustomization, account, observed) {
        Ok(apply) => Plan::Apply(Box::new(apply)),
        Err(other) => *other,
    }
}

fn finalize(kustomization: &Kustomization, home: &Home, account: Result<Account, String>) -> Finalize {
    let spec = &kustomization.spec;
    let policy = spec.deletion_policy.as_deref().unwrap_or("MirrorPrune");
    let orphan = policy == "Orphan" || (policy == "MirrorPrune" && !spec.prune);
    Finalize {
        orphan: orphan || spec.suspend || home.suspended,
        wait: policy == "WaitForTermination",
        account,
        kube_config: spec.kube_config.clone(),
        named: spec
            .service_account_name
            .as_deref()
            .is_some_and(|name| !name.is_empty()),
        timeout: timeout(kustomization).unwrap_or(TIMEOUT_FLOOR),
    }
}

fn apply(
    kustomization: Kustomization,
    account: Result<Account, String>,
    observed: &Observed<'_>,
) -> Result<Apply, Box<Plan>> {
    let stall = |reason, message: String| Box::new(Plan::stall(reason, message));
    let spec = &kustomization.spec;
    let duration = |field: &str, error: tenure_core::DurationError| {
        stall(reasons::FAILED, format!("spec.{field} can't be read: {error}"))
    };
    let interval = spec
        .interval()
        .map_err(|error| duration("interval", error))?
        .as_duration();
    let retry = spec
        .retry_interval()
        .map_err(|error| duration("retryInterval", error))?;
    let retry = retry.map_or(interval, |retry| retry.as_duration());
    let timeout = timeout(&kustomization).map_err(|error| duration("timeout", error))?;
    let account = account.map_err(|message| {
        let (reason, limit) = (reasons::ACCESS_DENIED, Some(Limit::Accounts));
        Box::new(Plan::Stall {
            reason,
            message,
            limit,
            offered: None,
        })
    })?;
    let health = health_rules(&kustomization)
        .map_err(|error| stall(reasons::INVALID_CEL_EXPRESSION, format!("{TERMINAL}: {error}")))?;
    let source = source(&kustomization, observed.home)?;
    let artifact = artifact(&source, observed.snapshot, retry)?;
    dependencies(&kustomization, observed).map_err(|plan| Box::new(plan.of(&artifact)))?;
    Ok(Apply {
        account,
        source,
        revision: artifact.revision,
        origin: artifact.origin,
        digest: artifact.digest,
        interval,
        retry,
        timeout,
        health,
        kustomization,
    })
}

fn health_rules(kustomization: &Kustomization) -> Result<HealthRules, HealthRuleError> {
    let all = kustomization.spec.health_check_exprs.iter().flatten();
    HealthRules::new(all.cloned().map(|check| CustomHealth {
        api_version: check.api_version,
        kind: check.kind,
        current: check.current,
        in_progress: check.in_progress,
        failed: check.failed,
    }))
}

/// `spec.timeout`, else the interval less 30 s; never under 30 s.
fn timeout(kustomization: &Kustomization) -> Result<Duration, tenure_core::DurationError> {
    let spec = &kustomization.spec;
    let timeout = match spec.timeout()? {
        Some(timeout) => timeout.as_duration(),
        None => spec
            .interval()?
            .as_duration()
            .saturating_sub(Duration::from_secs(30)),
    };
    Ok(timeout.max(TIMEOUT_FLOOR))
}

fn source(kustomization: &Kustomization, home: &Home) -> Result<ObjectKey, Box<Plan>> {
    let reference = &kustomization.spec.source_ref;
    let namespace = reference
        .namespace
        .as_deref()
        .filter(|namespace| !namespace.is_empty());
    if let Some(namespace) = namespace.filter(|namespace| *namespace != home.namespace.as_str()) {
        let message = format!(
            "can't access '{}/{namespace}/{}', cross-namespace references have been blocked; put a source for the same URL into namespace '{}': it is fetched once for both",
            reference.kind, reference.name, home.namespace
        );
        return Err(Box::new(Plan::stall(reasons::ACCESS_DENIED, message)));
    }
    if !crate::source::BUILDABLE
        .iter()
        .any(|kind| kind.kind == reference.kind)
    {
        let message = format!(
            "spec.sourceRef.kind {} can't be built from; use GitRepository, OCIRepository, Bucket or ExternalArtifact",
            reference.kind
        );
        return Err(Box::new(Plan::stall(reasons::FEATURE_GATE_DISABLED, message)));
    }
    let name = Name::new(&reference.name).map_err(|error| {
        let message = format!("spec.sourceRef.name can't be used: {error}");
        Box::new(Plan::stall(reasons::ARTIFACT_FAILED, message))
    })?;
    Ok(ObjectKey {
        kind: reference.kind.clone(),
        name,
    })
}

/// What a source offers.
#[derive(Debug, Clone)]
pub(crate) struct Offered {
    pub(crate) revision: Revision,
    pub(crate) origin: Option<String>,
    digest: Digest,
}

fn artifact(source: &ObjectKey, snapshot: &Snapshot, retry: Duration) -> Result<Offered, Box<Plan>> {
    let wait = |message: String| {
        Box::new(Plan::Wait {
            reason: reasons::ARTIFACT_FAILED,
            message,
            after: retry,
            offered: None,
        })
    };
    let Some(object) = snapshot.get(source) else {
        return Err(wait(format!(
            "{}.source.toolkit.fluxcd.io \"{}\" not found",
            source.kind, source.name
        )));
    };
    let field = |name: &str| {
        object
            .pointer(&format!("/status/artifact/{name}"))
            .and_then(Value::as_str)
    };
    let origin = object
        .pointer("/status/artifact/metadata")
        .and_then(|metadata| metadata.get(ORIGIN_REVISION)?.as_str())
        .filter(|origin| !origin.is_empty());
    let read = || {
        Some(Offered {
            revision: Revision::opaque(field("revision")?).ok()?,
            origin: origin.map(str::to_owned),
            digest: field("digest")?.parse().ok()?,
        })
    };
    read().ok_or_else(|| {
        let after = Duration::from_secs(30).min(retry);
        let message = "Source artifact not found, retrying in 30s".to_owned();
        Box::new(Plan::Wait {
            reason: reasons::ARTIFACT_FAILED,
            message,
            after,
            offered: None,
        })
    })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;

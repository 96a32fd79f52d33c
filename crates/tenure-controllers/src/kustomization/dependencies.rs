//! Whether what a Kustomization depends on is ready.

use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

use tenure_api::{DependencyReference, Kustomization, reasons};
use tenure_apply::cel::{CelError, Expression};
use tenure_core::{Name, ObjectKey};

use super::plan::{Observed, Plan, TERMINAL};

/// How long until a dependency is looked at again that woke nobody.
const AGAIN: Duration = Duration::from_secs(30);

/// Every dependency is there and ready: by its `readyExpr` if there is one, else it has seen its own
/// generation, is Ready, and, on the same source, has applied the source's present revision.
pub(super) fn dependencies(kustomization: &Kustomization, observed: &Observed<'_>) -> Result<(), Box<Plan>> {
    for dependency in kustomization.spec.depends_on.iter().flatten() {
        one(dependency, observed)?;
    }
    Ok(())
}

fn one(dependency: &DependencyReference, observed: &Observed<'_>) -> Result<(), Box<Plan>> {
    let namespace = dependency
        .namespace
        .as_deref()
        .filter(|ns| !ns.is_empty())
        .unwrap_or(observed.home.namespace.as_str());
    let title = format!("{namespace}/{}", dependency.name);
    let object = found(dependency, namespace, &title, observed)?;
    if let Some(text) = dependency.ready_expr.as_deref().filter(|text| !text.is_empty()) {
        return match says_ready(text, observed.object, &object) {
            Ok(true) => Ok(()),
            Ok(false) => Err(wait(format!(
                "dependency '{title}' is not ready according to readyExpr eval"
            ))),
            Err(error @ (CelError::Evaluate { .. } | CelError::NotBoolean(_))) => {
                Err(wait(error.to_string()))
            }
            Err(error) => Err(Box::new(Plan::stall(
                reasons::INVALID_CEL_EXPRESSION,
                format!(
                    "{TERMINAL}: terminal error: failed to evaluate dependency {}: {error}",
                    dependency.name
                ),
            ))),
        };
    }
    if !ready(&object) {
        return Err(wait(format!("dependency '{title}' is not ready")));
    }
    let home = observed.home.namespace.as_str();
    let source = |of: &Value, own: &str| {
        let part = |name: &str| {
            let text = of
                .pointer(&format!("/spec/sourceRef/{name}"))
                .and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        (
            part("kind"),
            part("name"),
            part("namespace").unwrap_or_else(|| own.to_owned()),
        )
    };
    let applied = object
        .pointer("/status/lastAppliedRevision")
        .and_then(Value::as_str);
    let same = source(&object, namespace) == source(observed.object, home);
    if same && applied != current_revision(observed).as_deref() {
        return Err(wait(format!("dependency '{title}' revision is not up to date")));
    }
    Ok(())
}

fn found(
    dependency: &DependencyReference,
    namespace: &str,
    title: &str,
    observed: &Observed<'_>,
) -> Result<Arc<Value>, Box<Plan>> {
    let not_found = || {
        let name = &dependency.name;
        wait(format!(
            "dependency '{title}' not found: kustomizations.kustomize.toolkit.fluxcd.io \"{name}\" not found"
        ))
    };
    let name = Name::new(&dependency.name).map_err(|_| not_found())?;
    let key = ObjectKey {
        kind: "Kustomization".to_owned(),
        name,
    };
    if namespace != observed.home.namespace.as_str() {
        return match observed.peers.get(&(namespace.to_owned(), key.name)) {
            Some(Ok(Some(object))) => Ok(object.clone()),
            Some(Err(message)) => Err(wait(format!("dependency '{title}' can't be read: {message}"))),
            Some(Ok(None)) | None => Err(not_found()),
        };
    }
    observed.snapshot.get(&key).ok_or_else(not_found)
}

fn says_ready(text: &str, own: &Value, dependency: &Value) -> Result<bool, CelError> {
    let expression = Expression::compile(text, &["self", "dep"])?;
    expression.is_true([("self", own), ("dep", dependency)])
}

fn wait(message: String) -> Box<Plan> {
    Box::new(Plan::Wait {
        reason: reasons::DEPENDENCY_NOT_READY,
        message,
        after: AGAIN,
        offered: None,
    })
}

fn current_revision(observed: &Observed<'_>) -> Option<String> {
    let name = Name::new(observed.object.pointer("/spec/sourceRef/name")?.as_str()?).ok()?;
    let kind = observed
        .object
        .pointer("/spec/sourceRef/kind")?
        .as_str()?
        .to_owned();
    let source = observed.snapshot.get(&ObjectKey { kind, name })?;
    source
        .pointer("/status/artifact/revision")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

/// As Flux's dependency check: conditions, the generation seen, and Ready.
fn ready(object: &Value) -> bool {
    let seen = object.pointer("/status/observedGeneration") == object.pointer("/metadata/generation");
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    seen && conditions.is_some_and(|conditions| conditions.iter().any(is_ready))
}

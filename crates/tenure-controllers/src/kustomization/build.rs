//! From the source's artifact to objects.

use std::sync::Arc;

use serde_json::Value;
use tenure_api::{Kustomization, Limit, reasons};
use tenure_core::Digest;
use tenure_kustomize::{Budget, Build, DirFs, flux};

use super::decryption::{Decryptor, decryptor, refuse_encrypted};
use super::mask::Mask;
use super::plan::Apply;
use super::run::{Failure, Step};
use super::variables::{Variables, variables};
use crate::{ArtifactError, Effects, chain};

/// A complete build: the only thing that is ever applied or pruned from.
#[derive(Clone)]
pub(super) struct Built {
    pub(super) objects: Vec<Value>,
    /// Of the objects as YAML, without the spec's common metadata.
    pub(super) digest: Digest,
    /// What no message about these objects may show.
    pub(super) hidden: Mask,
}

/// Builds what the plan says. Runs on a thread of its own: it does not yield.
pub(super) async fn build(plan: &Apply, effects: &Arc<Effects>) -> Result<Built, Failure> {
    ensure_here(plan, effects).await?;
    let artifacts = effects.artifacts.clone();
    let digest = plan.digest;
    let budget = Budget {
        time: effects.home.render_time,
        ..Budget::default()
    };
    let mut overlay = overlay(&plan.kustomization)?;
    let common = std::mem::take(&mut overlay.common_metadata);
    let path = plan.kustomization.spec.path.clone().unwrap_or_default();
    let decryptor = decryptor(plan, effects).await.map_err(building)?;
    let (mut built, mut hidden) = on_a_thread(move || {
        let tree = artifacts.tree(&digest).map_err(|error| unusable(&error))?;
        let files = DirFs::open(&tree.root)
            .map_err(|error| fetching(format!("failed to open the artifact: {error}")))?;
        let files = files.with_dropped(tree.dropped);
        match decryptor {
            Some(decryptor) => decrypted(&files, &path, (&overlay, budget), decryptor),
            None => flux::build_within(&files, &path, &overlay, budget)
                .map(|built| (built, Mask::default()))
                .map_err(|error| refused(&error)),
        }
    })
    .await?;
    // as with Flux, variables that no object takes are not looked for
    let variables = match flux::takes_variables(&built.objects) {
        true => variables(plan, effects)
            .await
            .map_err(|message| building(message).masked(&hidden))?,
        false => Variables::default(),
    };
    hidden.join(variables.hidden);
    on_a_thread(move || {
        if let Some(values) = variables.values {
            flux::substitute(&mut built.objects, &values, true)
                .map_err(|error| refused(&error).masked(&hidden))?;
        }
        // Flux's digest does not cover the common metadata, and no variable is replaced in it
        let digest = Digest::of(built.to_yaml().as_bytes());
        common.apply(&mut built.objects);
        let objects = built.objects.into_vec();
        refuse_encrypted(&objects)
            .map_err(|message| Failure::new(Step::Applying, reasons::RECONCILIATION_FAILED, message))?;
        Ok(Built {
            objects,
            digest,
            hidden,
        })
    })
    .await
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(building(format!("the build was interrupted: {error}"))))
}

/// Builds what is decrypted where it has to be; also gives what came to light.
fn decrypted(
    files: &DirFs,
    path: &str,
    (overlay, budget): (&flux::Overlay, Budget),
    mut decryptor: Decryptor,
) -> Result<(Build, Mask), Failure> {
    let files = decryptor.sources(files, path).map_err(building)?;
    let built = flux::build_within(&files, path, overlay, budget);
    let mut built = built.map_err(|error| refused(&error).masked(&decryptor.hidden))?;
    let worked = decryptor.objects(&mut built.objects);
    worked.map_err(|message| building(message).masked(&decryptor.hidden))?;
    Ok((built, decryptor.hidden))
}

/// The bytes may have gone with the scratch directory: then the source is asked again, once.
async fn ensure_here(plan: &Apply, effects: &Arc<Effects>) -> Result<(), Failure> {
    if effects.artifacts.holds(&plan.digest) {
        return Ok(());
    }
    let pass = crate::source::reconcile(&plan.source, effects).await;
    if effects.artifacts.holds(&plan.digest) {
        return Ok(());
    }
    Err(fetching(format!(
        "the artifact of {} for revision '{}' is not here and can't be fetched again ({}); its Ready condition says why",
        plan.source, plan.revision, pass.reason
    )))
}

/// The part of the spec that changes the build; fields of v1beta2 in today's form.
fn overlay(kustomization: &Kustomization) -> Result<flux::Overlay, Failure> {
    serde_json::to_value(&kustomization.spec)
        .and_then(|spec| flux::Overlay::from_spec(&spec))
        .map_err(|error| building(format!("the spec can't be used for a build: {error}")))
}

fn unusable(error: &ArtifactError) -> Failure {
    fetching(chain(error))
}

fn refused(error: &tenure_kustomize::Error) -> Failure {
    use tenure_kustomize::Reason;
    let message = error.to_string();
    match error.reason() {
        Reason::NoSuchPath(..) => fetching(message),
        // spec.path itself, which no file asks for
        Reason::Path(_) if error.file().is_none() && error.field().is_none() => {
            fetching(format!("kustomization path not found: {message}"))
        }
        _ if error.is_out_of_time() => building(message).over(Limit::RenderTime),
        _ => building(message),
    }
}

fn fetching(message: String) -> Failure {
    Failure::new(Step::Fetching, reasons::ARTIFACT_FAILED, message)
}

fn building(message: String) -> Failure {
    Failure::new(Step::Building, reasons::BUILD_FAILED, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_kustomize::MemFs;

    fn failure(files: &[(&str, &str)], path: &str) -> Failure {
        let files = MemFs::new(files.iter().copied());
        let error = flux::build(&files, path, &flux::Overlay::default()).expect_err("it must fail");
        refused(&error)
    }

    #[test]
    fn a_path_that_is_not_in_the_artifact_is_no_fault_of_the_build() {
        for path in ["./nope", "../../etc", "a\0"] {
            let failure = failure(&[("a.yaml", "")], path);
            assert_eq!(failure.reason, reasons::ARTIFACT_FAILED, "{path}");
            assert_eq!(failure.step, Step::Fetching, "{path}");
            assert!(
                failure.message.starts_with("kustomization path not found: "),
                "{}",
                failure.message
            );
        }
        let file = "resources: [../../etc]";
        let failure = failure(&[("app/kustomization.yaml", file)], "app");
        assert_eq!(failure.reason, reasons::BUILD_FAILED, "{}", failure.message);
    }
}

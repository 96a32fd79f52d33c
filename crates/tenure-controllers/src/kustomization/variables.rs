//! The variables of `spec.postBuild`. Values may be secrets: no message here shows one.

use std::collections::BTreeMap;

use tenure_api::SubstituteReference;
use tenure_kustomize::flux;

use super::mask::Mask;
use super::plan::Apply;
use crate::{Effects, reads};

/// What to substitute, and what of it no message may show.
#[derive(Default)]
pub(super) struct Variables {
    /// `None` when nothing is to be substituted.
    pub(super) values: Option<BTreeMap<String, String>>,
    pub(super) hidden: Mask,
}

/// What to substitute: from the references in their order, then what the object says itself.
///
/// # Errors
/// Names the ConfigMap or Secret that can't be read.
pub(super) async fn variables(plan: &Apply, effects: &Effects) -> Result<Variables, String> {
    let Some(post_build) = &plan.kustomization.spec.post_build else {
        return Ok(Variables::default());
    };
    let mut all = BTreeMap::new();
    let mut hidden = Mask::default();
    for reference in post_build.substitute_from.iter().flatten() {
        let found = read(reference, plan, effects).await?;
        if reference.kind == "Secret" {
            found.values().for_each(|value| hidden.add(value));
        }
        all.extend(found);
    }
    all.extend(post_build.substitute.clone().unwrap_or_default());
    let always = post_build.substitute_strategy.as_deref() == Some("Always");
    let values = (always || !all.is_empty()).then_some(all);
    Ok(Variables { values, hidden })
}

async fn read(
    reference: &SubstituteReference,
    plan: &Apply,
    effects: &Effects,
) -> Result<BTreeMap<String, String>, String> {
    let SubstituteReference { kind, name, optional } = reference;
    let what = format!("{kind} '{}/{name}'", effects.home.namespace);
    let failed = |why: String| format!("failed to read variables from {what}: {why}");
    let found = match kind.as_str() {
        "ConfigMap" => reads::config_map(effects, &plan.account, name)
            .await
            .map_err(failed)?,
        "Secret" => match reads::secret(effects, &plan.account, name)
            .await
            .map_err(failed)?
        {
            Some(data) => {
                let text =
                    |value: &tenure_core::Secret| value.expose_str().unwrap_or(flux::NO_TEXT).to_owned();
                Some(
                    data.iter()
                        .map(|(key, value)| (key.clone(), text(value)))
                        .collect(),
                )
            }
            None => None,
        },
        _ => {
            return Err(failed(
                "spec.postBuild.substituteFrom takes the kinds ConfigMap and Secret".to_owned(),
            ));
        }
    };
    match found {
        None if !optional => Err(failed(
            "not found; create it, or set optional to true in spec.postBuild.substituteFrom".to_owned(),
        )),
        found => Ok(found.unwrap_or_default()),
    }
}

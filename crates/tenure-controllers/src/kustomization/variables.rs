//! The variables of `spec.postBuild`. Values may be secrets: no message here shows one.

use std::collections::BTreeMap;

use tenure_api::SubstituteReference;

use super::plan::Apply;
use crate::{Effects, reads};

/// What to substitute: from the references in their order, then what the object says itself. `None` when
/// nothing is to be substituted.
///
/// # Errors
/// Names the ConfigMap or Secret that can't be read.
pub(super) async fn variables(
    plan: &Apply,
    effects: &Effects,
) -> Result<Option<BTreeMap<String, String>>, String> {
    let Some(post_build) = &plan.kustomization.spec.post_build else {
        return Ok(None);
    };
    let mut all = BTreeMap::new();
    for reference in post_build.substitute_from.iter().flatten() {
        all.extend(read(reference, plan, effects).await?);
    }
    all.extend(post_build.substitute.clone().unwrap_or_default());
    let always = post_build.substitute_strategy.as_deref() == Some("Always");
    Ok((always || !all.is_empty()).then_some(all))
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
                let text = |(key, value): (String, tenure_core::Secret)| match value.expose_str() {
                    Some(text) => Ok((key, text.to_owned())),
                    None => Err(failed(format!("the value of key '{key}' is not text"))),
                };
                Some(data.into_iter().map(text).collect::<Result<_, _>>()?)
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

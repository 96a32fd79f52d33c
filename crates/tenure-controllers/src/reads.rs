//! Secrets and ConfigMaps of the home, read as the Tenant's profile says: by the worker itself, as Flux's
//! controllers do, or as the tenant (`strict`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tenure_core::{Account, Name, Secret};
use tenure_kube::By;

use crate::Effects;

/// The data of a Secret; `None` when there is none of that name.
///
/// # Errors
/// Who was refused what; never a value.
pub(crate) async fn secret(
    effects: &Effects,
    account: &Account,
    name: &str,
) -> Result<Option<BTreeMap<String, Secret>>, String> {
    if !effects.home.strict {
        return own_secret(effects, name).await;
    }
    let Some(data) = as_tenant(effects, account, "Secret", name).await? else {
        return Ok(None);
    };
    let decoded = |(key, value): (String, String)| match STANDARD.decode(value) {
        Ok(bytes) => Ok((key, Secret::new(bytes))),
        Err(_) => Err(format!("the value of key '{key}' is not base64")),
    };
    data.into_iter().map(decoded).collect::<Result<_, _>>().map(Some)
}

/// The same, read by the worker itself.
///
/// # Errors
/// As [`secret`].
pub(crate) async fn own_secret(
    effects: &Effects,
    name: &str,
) -> Result<Option<BTreeMap<String, Secret>>, String> {
    let valid = Name::new(name).map_err(|error| error.to_string())?;
    effects
        .own
        .secret(&valid)
        .await
        .map_err(|error| error.to_string())
}

/// The data of a ConfigMap; `None` when there is none of that name.
///
/// # Errors
/// Who was refused what.
pub(crate) async fn config_map(
    effects: &Effects,
    account: &Account,
    name: &str,
) -> Result<Option<BTreeMap<String, String>>, String> {
    let valid = Name::new(name).map_err(|error| error.to_string())?;
    match effects.home.strict {
        false => effects
            .own
            .config_map(&valid)
            .await
            .map_err(|error| error.to_string()),
        true => as_tenant(effects, account, "ConfigMap", name).await,
    }
}

async fn as_tenant(
    effects: &Effects,
    account: &Account,
    kind: &str,
    name: &str,
) -> Result<Option<BTreeMap<String, String>>, String> {
    let discovery = effects.own.discovery().await.map_err(|error| error.to_string())?;
    let info = discovery
        .resolve("v1", kind)
        .ok_or_else(|| format!("the API server serves no {kind}"))?;
    let namespace = Some(effects.home.namespace.as_str());
    let found = effects
        .acting(account)
        .list(&info, namespace, By::Name(name))
        .await;
    let found = found.map_err(|error| error.to_string())?;
    let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    Ok(found.first().map(|object| {
        let data = object.get("data").and_then(Value::as_object);
        data.into_iter().flatten().filter_map(text).collect()
    }))
}

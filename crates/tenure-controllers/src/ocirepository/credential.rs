//! From Secrets and a ServiceAccount of the home to what opens a registry.

use std::collections::BTreeMap;

use tenure_core::{Name, Secret};
use tenure_oci::Keyring;

use super::plan::Question;
use crate::source::{Failure, authentication, certificates, identity, named, proxy};
use crate::{Effects, OciCredential, OciRequest, Wanted};

/// The key of a docker config in a pull Secret.
pub(crate) const CONFIG: &str = ".dockerconfigjson";

/// The question with what opens the registry.
pub(crate) async fn wanted(question: &Question, effects: &Effects) -> Result<Wanted, Failure> {
    let mut keyring = Keyring::default();
    let mut secrets: Vec<String> = question.secret.iter().cloned().collect();
    if let Some(account) = &question.account {
        secrets.extend(pull_secrets(account, effects).await?);
    }
    for name in &secrets {
        let keys = format!("'{CONFIG}'");
        let data = named(effects, name, question.repository.url(), &keys).await?;
        add(&mut keyring, name, &data).map_err(authentication)?;
    }
    let credential = match &question.provider {
        // as in Flux, what is in a Secret counts before what a cloud would give
        Some(provider) if secrets.is_empty() => {
            let workload = identity::workload(
                provider,
                question.account.as_ref(),
                question.certificates.as_ref(),
                effects,
            )
            .await?;
            OciCredential::Workload(workload)
        }
        _ => OciCredential::Login(keyring.find(&question.repository)),
    };
    let url = question.repository.url();
    let tls = certificates(effects, question.certificates.as_ref(), &url).await?;
    let proxy = proxy(effects, question.proxy.as_ref(), &url).await?;
    Ok(Wanted::Oci(OciRequest {
        credential,
        repository: question.repository.clone(),
        reference: question.reference.clone(),
        layer: question.layer.clone(),
        insecure: question.insecure,
        tls,
        proxy,
    }))
}

/// The Secrets that pods of the account pull with.
async fn pull_secrets(account: &str, effects: &Effects) -> Result<Vec<String>, Failure> {
    let failed = |why: &str| {
        let namespace = &effects.home.namespace;
        authentication(format!(
            "failed to get ServiceAccount '{namespace}/{account}' for its imagePullSecrets: {why}"
        ))
    };
    let name = Name::new(account).map_err(|error| failed(&error.to_string()))?;
    let found = effects.own.pull_secrets(&name).await;
    found
        .map_err(|error| failed(&error.to_string()))?
        .ok_or_else(|| failed("not found"))
}

/// Takes in the logins of one Secret.
pub(crate) fn add(keyring: &mut Keyring, name: &str, data: &BTreeMap<String, Secret>) -> Result<(), String> {
    let config = data.get(CONFIG).filter(|config| !config.is_empty());
    let config = config.ok_or_else(|| {
        format!("the Secret '{name}' lacks '{CONFIG}': it must be of type kubernetes.io/dockerconfigjson")
    })?;
    keyring
        .add(config.expose())
        .map_err(|error| format!("the Secret '{name}' can't be used: {error}"))
}

//! Bucket: asks the cache what is in it now, keeps its files as an artifact, says so.
//!
//! `plan` decides from the object and the Tenant alone; the rest of a pass is that of every source.

mod plan;

use serde_json::Value;
use tenure_api::{Bucket, reasons};
use tenure_core::{Revision, Secret, SourceUrl};
use tenure_http::bucket::{AUTHORITY, Azure, Google};
use tenure_kube::{BUCKET, FluxKind};
use tenure_net::Unusable;

use crate::bucket::plan::Service;
use crate::source::plan::{Observed, Plan, allowed};
use crate::source::{Failure, Kind, authentication, certificates, identity, named, proxy, read_login};
use crate::{BucketOpener, BucketRequest, Effects, LdapRequest, Resolved, SourceFailure, Trouble, Wanted};

/// The kind Bucket.
pub(crate) struct BucketSource;

impl Kind for BucketSource {
    type Question = plan::Question;

    const FLUX: FluxKind = BUCKET;
    const HAS_URL: bool = true;

    fn plan(observed: &Observed<'_>) -> Plan<Self::Question> {
        plan::plan(observed)
    }

    async fn wanted(question: &Self::Question, effects: &Effects) -> Result<Wanted, Failure> {
        let url = &question.endpoint;
        Ok(Wanted::Bucket(BucketRequest {
            endpoint: url.clone(),
            name: question.name.clone(),
            region: question.region.clone(),
            prefix: question.prefix.clone(),
            opener: opener(question, effects).await?,
            tls: certificates(effects, question.certificates.as_ref(), url).await?,
            proxy: proxy(effects, question.proxy.as_ref(), url).await?,
        }))
    }

    fn failed(question: &Self::Question, failure: SourceFailure) -> Failure {
        let (trouble, found) = (failure.trouble, failure.found);
        let failure = Failure::from(failure);
        let (name, said) = (&question.name, &failure.message);
        let message = match trouble {
            Trouble::Ours => return failure,
            _ if found => format!("fetching files from bucket '{name}' failed: {said}"),
            Trouble::Missing => format!("bucket '{name}' not found"),
            Trouble::Malformed | Trouble::TooLarge => {
                format!("indexation of objects from bucket '{name}' failed: {said}")
            }
            _ => format!("failed to confirm existence of '{name}' bucket: {said}"),
        };
        Failure {
            reason: reasons::BUCKET_OPERATION_FAILED,
            message,
            ..failure
        }
    }

    fn ready(revision: &Revision) -> String {
        format!("stored artifact: revision '{revision}'")
    }

    fn news(object: &Value, resolved: &Resolved) -> String {
        let name = object.pointer("/spec/bucketName").and_then(Value::as_str);
        let name = name.unwrap_or_default();
        let files = &resolved.subject;
        format!("stored artifact with {files} fetched files from '{name}' bucket")
    }

    fn unmoved(revision: &Revision) -> (&'static str, String) {
        let message = format!("artifact up-to-date with remote revision: '{revision}'");
        (reasons::ARTIFACT_UP_TO_DATE, message)
    }

    fn file(revision: &Revision) -> String {
        revision.hex().to_owned()
    }

    fn observed(spec: &Value) -> Vec<(&'static str, Option<Value>)> {
        vec![("observedIgnore", spec.get("ignore").cloned())]
    }

    fn remote(_: &str) -> Option<String> {
        None
    }

    fn remote_of(object: &Value) -> Option<String> {
        plan::remote(&typed(object).ok()?.spec)
    }
}

/// The typed object; an object that does not decode is that object's own error.
pub(crate) fn typed(object: &Value) -> Result<Bucket, serde_json::Error> {
    serde::Deserialize::deserialize(object)
}

async fn opener(question: &plan::Question, effects: &Effects) -> Result<BucketOpener, Failure> {
    let url = &question.endpoint;
    let Some(name) = &question.secret else {
        return match (&question.sts, &question.provider) {
            (Some(sts), _) => ldap(sts, effects).await.map(BucketOpener::Ldap),
            (None, Some(provider)) => {
                let workload = identity::workload(
                    provider,
                    question.account.as_ref(),
                    question.certificates.as_ref(),
                    effects,
                )
                .await;
                workload.map(BucketOpener::Workload)
            }
            (None, None) => Ok(BucketOpener::Anonymous),
        };
    };
    let data = named(effects, name, url, question.service.keys()).await?;
    let unusable = |error: Unusable| authentication(error.to_string());
    match question.service {
        Service::S3 => keys(name, &data)
            .map(|(access, secret)| BucketOpener::Keys(access, secret))
            .map_err(authentication),
        Service::Google => {
            let google = Google::from_secret(name, &data).map_err(unusable)?;
            if let Google::Account(account) = &google {
                asked(&account.token_uri, GOOGLE, effects)?;
            }
            Ok(BucketOpener::Google(google))
        }
        Service::Azure => {
            let azure = Azure::from_secret(name, url, &data).map_err(unusable)?;
            if let Azure::Application(application) = &azure {
                asked(&application.authority, AUTHORITY, effects)?;
            }
            Ok(BucketOpener::Azure(azure))
        }
    }
}

/// Where Google gives tokens to service accounts.
const GOOGLE: &str = "https://oauth2.googleapis.com/token";

/// Whoever is asked for a token is a cloud, or somebody whom the Tenant allows.
fn asked(url: &str, cloud: &str, effects: &Effects) -> Result<(), Failure> {
    if url.trim_end_matches('/') == cloud {
        return Ok(());
    }
    let url: SourceUrl = url
        .parse()
        .map_err(|_| authentication("the Secret names no URL to ask for a token".to_owned()))?;
    allowed(&effects.home, &url, &url.spellings()).map_err(Failure::from)
}

async fn ldap(sts: &plan::Sts, effects: &Effects) -> Result<LdapRequest, Failure> {
    let fields = "required fields username, password";
    let Some(name) = &sts.secret else {
        return Err(authentication(format!(
            "no secret for the 'ldap' STS provider: name one in spec.sts.secretRef; {fields}"
        )));
    };
    let data = named(effects, name, &sts.endpoint, "'username' and 'password'").await?;
    let login = read_login(name, &data).ok().flatten();
    let (username, password) = login.ok_or_else(|| {
        authentication(format!(
            "invalid '{name}' secret data for 'ldap' STS provider: {fields}"
        ))
    })?;
    Ok(LdapRequest {
        endpoint: sts.endpoint.clone(),
        username,
        password,
        tls: certificates(effects, sts.certificates.as_ref(), &sts.endpoint).await?,
    })
}

fn keys(name: &str, data: &std::collections::BTreeMap<String, Secret>) -> Result<(String, Secret), String> {
    let get = |key: &str| data.get(key).filter(|value| !value.is_empty());
    let access = get("accesskey").and_then(Secret::expose_str);
    match (access, get("secretkey")) {
        (Some(access), Some(secret)) => Ok((access.trim_end_matches('\n').to_owned(), secret.clone())),
        _ => Err(format!(
            "invalid '{name}' secret data: required fields 'accesskey' and 'secretkey'"
        )),
    }
}

#[cfg(test)]
mod tests;

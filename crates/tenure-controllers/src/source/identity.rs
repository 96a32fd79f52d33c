//! Who a home is to a cloud: what the annotations of a ServiceAccount say, by the names that the clouds and Flux have for
//! them, and a token of the home's worker that proves it.

use std::collections::BTreeMap;

use tenure_api::reasons;
use tenure_core::Name;
use tenure_oci::cloud::{Identity, Workload};

use super::{Failure, authentication};
use crate::Effects;

const AWS_ROLE: &str = "eks.amazonaws.com/role-arn";
const GOOGLE_PROVIDER: &str = "gcp.auth.fluxcd.io/workload-identity-provider";
const GOOGLE_ACCOUNT: &str = "iam.gke.io/gcp-service-account";
const AZURE_CLIENT: &str = "azure.workload.identity/client-id";
const AZURE_TENANT: &str = "azure.workload.identity/tenant-id";
const GOOGLE: &str = "https://iam.googleapis.com/";

/// The workload that logs in where `spec.provider` says: the home's worker, as whom the annotations of `account` name, or
/// those of the account that objects act as.
pub(crate) async fn workload(
    provider: &str,
    account: Option<&String>,
    certificates: Option<&String>,
    effects: &Effects,
) -> Result<Workload, Failure> {
    if certificates.is_some() {
        let message = format!(
            "spec.certSecretRef can't be used where '{provider}' gives the login: only public authorities are trusted \
             then, and those of the platform"
        );
        return Err(Failure::fetching(reasons::FEATURE_GATE_DISABLED, message).stalled());
    }
    log_in(provider, account.map(String::as_str), effects)
        .await
        .map_err(authentication)
}

/// The same, for whatever is done at that cloud.
pub(crate) async fn log_in(
    provider: &str,
    account: Option<&str>,
    effects: &Effects,
) -> Result<Workload, String> {
    let failed = |why: &str| format!("failed to get credential from '{provider}': {why}");
    let (title, annotations) = annotations(account, effects).await.map_err(|why| failed(&why))?;
    let identity = identity(provider, &annotations)
        .map_err(|missing| failed(&format!("ServiceAccount '{title}' {missing}")))?;
    let token = effects.identities.token(&identity.audience()).await;
    let token = token.map_err(|why| failed(&format!("no token of the home's worker: {why}")))?;
    Ok(Workload { identity, token })
}

/// The clouds that the annotations of an account speak of.
///
/// # Errors
/// Why they can't be read.
pub(crate) async fn clouds(account: &str, effects: &Effects) -> Result<Vec<&'static str>, String> {
    let (_, annotations) = annotations(Some(account), effects).await?;
    let marks = [
        ("aws", AWS_ROLE),
        ("gcp", GOOGLE_PROVIDER),
        ("azure", AZURE_CLIENT),
    ];
    let spoken_of = marks
        .into_iter()
        .filter(|(_, mark)| annotations.contains_key(*mark));
    Ok(spoken_of.map(|(provider, _)| provider).collect())
}

async fn annotations(
    account: Option<&str>,
    effects: &Effects,
) -> Result<(String, BTreeMap<String, String>), String> {
    let name = match account {
        Some(name) => Name::new(name).map_err(|error| error.to_string())?,
        None => effects.home.account_for(None)?.name,
    };
    let title = format!("{}/{name}", effects.home.namespace);
    let found = effects.own.account_annotations(&name).await;
    let annotations = found
        .map_err(|error| error.to_string())?
        .ok_or_else(|| format!("ServiceAccount '{title}' not found"))?;
    Ok((title, annotations))
}

/// Says what is missing or unusable.
fn identity(provider: &str, annotations: &BTreeMap<String, String>) -> Result<Identity, String> {
    let get = |key: &str| {
        let value = annotations.get(key).filter(|value| !value.is_empty());
        value
            .cloned()
            .ok_or_else(|| format!("lacks the annotation '{key}', which says who the home is there"))
    };
    match provider {
        "aws" => {
            let role = get(AWS_ROLE)?;
            match role.starts_with("arn:aws") && role.contains(":iam::") && role.contains(":role/") {
                true => Ok(Identity::Aws { role }),
                false => Err(format!("has an annotation '{AWS_ROLE}' that names no role")),
            }
        }
        "gcp" => {
            let whole = get(GOOGLE_PROVIDER)?;
            let provider = whole.strip_prefix(GOOGLE).unwrap_or(&whole).to_owned();
            let parts: Vec<&str> = provider.split('/').collect();
            let shape = [
                "projects",
                "",
                "locations",
                "global",
                "workloadIdentityPools",
                "",
                "providers",
                "",
            ];
            let fits = parts.len() == shape.len()
                && parts.iter().zip(shape).all(|(part, wanted)| {
                    if wanted.is_empty() {
                        is_plain(part)
                    } else {
                        *part == wanted
                    }
                });
            match fits {
                true => Ok(Identity::Google {
                    provider,
                    service_account: annotations.get(GOOGLE_ACCOUNT).cloned(),
                }),
                false => Err(format!(
                    "has an annotation '{GOOGLE_PROVIDER}' that names no provider of a pool"
                )),
            }
        }
        "azure" => Ok(Identity::Azure {
            tenant_id: get(AZURE_TENANT)?,
            client_id: get(AZURE_CLIENT)?,
        }),
        _ => Err("can't be used: the provider is not known".to_owned()),
    }
}

fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && part
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROVIDER: &str = "projects/1234/locations/global/workloadIdentityPools/pool/providers/cluster";

    fn annotated(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn annotations_say_who_a_home_is_and_what_its_token_is_for() {
        let aws = identity(
            "aws",
            &annotated(&[(AWS_ROLE, "arn:aws:iam::123456789012:role/reader")]),
        );
        assert_eq!(aws.expect("a role").audience(), "sts.amazonaws.com");
        for spelled in [PROVIDER.to_owned(), format!("{GOOGLE}{PROVIDER}")] {
            let found = identity(
                "gcp",
                &annotated(&[(GOOGLE_PROVIDER, &spelled), (GOOGLE_ACCOUNT, "a@b")]),
            );
            let found = found.expect("a provider");
            assert_eq!(found.audience(), format!("//iam.googleapis.com/{PROVIDER}"));
            let Identity::Google { service_account, .. } = found else {
                panic!("{found:?}")
            };
            assert_eq!(service_account.as_deref(), Some("a@b"));
        }
        let azure = identity("azure", &annotated(&[(AZURE_CLIENT, "c"), (AZURE_TENANT, "t")]));
        assert_eq!(azure.expect("a client").audience(), "api://AzureADTokenExchange");
    }

    #[test]
    fn what_is_missing_is_named() {
        for (provider, pairs, part) in [
            ("aws", &[][..], AWS_ROLE),
            ("aws", &[(AWS_ROLE, "reader")], "names no role"),
            ("gcp", &[(GOOGLE_ACCOUNT, "a@b")], GOOGLE_PROVIDER),
            (
                "gcp",
                &[(GOOGLE_PROVIDER, "projects/1/../x")],
                "no provider of a pool",
            ),
            ("azure", &[(AZURE_CLIENT, "c")], AZURE_TENANT),
            ("other", &[], "not known"),
        ] {
            let error = identity(provider, &annotated(pairs)).expect_err(provider);
            assert!(error.contains(part), "{error}");
        }
    }
}

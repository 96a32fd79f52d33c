use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tenure_core::Secret;
use tenure_net::aws::{Keys, Scope};
use tenure_net::cloud::{Places, Workload};
use tenure_net::{Hidden, Outbound};
use zeroize::Zeroizing;

use super::{Lease, Login, about, talk};
use crate::{Credential, OciError, Repository};

const WHO: &str = "AWS";
const TARGET: &[u8] = b"AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
const JSON: &str = "application/x-amz-json-1.1";
/// What AWS documents as the life of a token.
const HOURS: Duration = Duration::from_secs(12 * 3600);

/// Amazon's registries.
#[derive(Clone, Debug)]
pub struct Ecr {
    /// Who asks.
    pub identity: AwsIdentity,
    /// Instead of `https://api.ecr.<region>.amazonaws.com`.
    pub endpoint: Option<String>,
    /// Instead of `https://sts.<region>.amazonaws.com`.
    pub sts_endpoint: Option<String>,
}

/// Who asks AWS.
#[derive(Clone, Debug)]
pub enum AwsIdentity {
    /// An account's keys.
    Keys(Keys),
    /// A workload, for a role that trusts its issuer.
    Web(Workload),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    authorization_data: Vec<Authorization>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorization {
    authorization_token: Hidden,
    #[serde(default)]
    expires_at: Option<f64>,
}

/// Account, `dkr.ecr` or `dkr-ecr`, region, and a domain of AWS.
fn region(registry: &str) -> Option<&str> {
    let domains = [".amazonaws.com", ".amazonaws.com.cn", ".on.aws"];
    let rest = domains.iter().find_map(|domain| registry.strip_suffix(domain))?;
    let (account, rest) = rest.split_once('.')?;
    let digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let region = ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."]
        .iter()
        .find_map(|kind| rest.strip_prefix(kind))?;
    let plain = !region.is_empty()
        && region
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (digits && plain).then_some(region)
}

#[async_trait]
impl Login for Ecr {
    fn serves(&self, repository: &Repository) -> bool {
        region(repository.registry()).is_some()
    }

    async fn log_in(&self, repository: &Repository, outbound: &Outbound) -> Result<Lease, OciError> {
        let cloud = talk(self, WHO, repository, outbound)?;
        let failed = |error| about(repository, error);
        let region = region(repository.registry()).unwrap_or_default();
        let suffix = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        let keys = match &self.identity {
            AwsIdentity::Keys(keys) => keys.clone(),
            AwsIdentity::Web(workload) => {
                let places = Places {
                    aws_sts: self.sts_endpoint.clone(),
                    ..Places::default()
                };
                workload
                    .aws_keys(region, outbound, &places)
                    .await
                    .map_err(failed)?
            }
        };
        let usual = format!("https://api.ecr.{region}.{suffix}/");
        let url = cloud
            .url(self.endpoint.as_deref().unwrap_or(&usual))
            .map_err(failed)?;
        let scope = Scope {
            region,
            service: "ecr",
            at: SystemTime::now(),
        };
        let target = std::str::from_utf8(TARGET).unwrap_or_default();
        let kinds = [("content-type", JSON), ("x-amz-target", target)];
        let signed = keys.sign(scope, "POST", &url, &kinds, b"{}");
        let mut headers: Vec<(&'static str, &[u8])> =
            vec![("content-type", JSON.as_bytes()), ("x-amz-target", TARGET)];
        headers.extend(signed.iter().map(|(name, value)| (*name, value.expose())));
        let answer: Answer = cloud.json(&url, &headers, b"{}").await.map_err(failed)?;
        lease(answer).ok_or_else(|| failed(cloud.unavailable("the answer has no token")))
    }
}

fn lease(answer: Answer) -> Option<Lease> {
    let data = answer.authorization_data.into_iter().next()?;
    let pair = Zeroizing::new(STANDARD.decode(data.authorization_token.as_bytes()).ok()?);
    let (username, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let until = data
        .expires_at
        .and_then(|at| Duration::try_from_secs_f64(at).ok());
    Some(Lease {
        credential: Credential::Basic {
            username: username.to_owned(),
            password: Secret::from(password.to_owned()),
        },
        good_for: until.map_or(HOURS, |until| until.saturating_sub(now)),
    })
}

#[cfg(test)]
mod tests {
    use super::region;

    #[test]
    fn only_registries_of_the_cloud_are_served() {
        for (registry, wanted) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", Some("eu-west-1")),
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                Some("us-gov-west-1"),
            ),
            (
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                Some("cn-north-1"),
            ),
            ("123456789012.dkr-ecr.eu-west-1.on.aws", Some("eu-west-1")),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example", None),
            ("123456789012.dkr.ecr.evil.example/x.amazonaws.com", None),
            ("evil.dkr.ecr.eu-west-1.amazonaws.com", None),
            ("ghcr.io", None),
        ] {
            assert_eq!(region(registry), wanted, "{registry}");
        }
    }
}

use tenure_api::{Bucket, BucketSpec, BucketSts, LocalObjectReference, reasons};
use tenure_core::SourceUrl;

use crate::Home;
use crate::ocirepository::plan::cloud;
use crate::source::plan::{Observed, Plan, Refusal, Resolve, allowed};

/// What a bucket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// `generic` and `aws`
    S3,
    /// `gcp`
    Google,
    /// `azure`
    Azure,
}

impl Service {
    fn of(spec: &BucketSpec) -> Self {
        match spec.provider.as_deref() {
            Some("gcp") => Self::Google,
            Some("azure") => Self::Azure,
            _ => Self::S3,
        }
    }

    /// What is expected in its Secret.
    pub(super) const fn keys(self) -> &'static str {
        match self {
            Self::S3 => "'accesskey' and 'secretkey'",
            Self::Google => "'serviceaccount'",
            Self::Azure => {
                "'accountKey', 'sasKey', or 'tenantId', 'clientId' and 'clientSecret' or 'clientCertificate'"
            }
        }
    }
}

/// Which bucket, and what opens it.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) service: Service,
    pub(crate) endpoint: SourceUrl,
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) prefix: String,
    /// `spec.secretRef`, or the Tenant's Secret for this bucket.
    pub(crate) secret: Option<String>,
    /// `spec.provider`: the cloud that knows the home when no Secret opens the bucket.
    pub(crate) provider: Option<String>,
    /// `spec.serviceAccountName`: whose annotations say who the home is there.
    pub(crate) account: Option<String>,
    /// `spec.certSecretRef`
    pub(crate) certificates: Option<String>,
    /// `spec.proxySecretRef`
    pub(crate) proxy: Option<String>,
    /// `spec.sts`
    pub(crate) sts: Option<Sts>,
}

/// A service that gives keys, and what opens it.
#[derive(Debug)]
pub(crate) struct Sts {
    pub(crate) endpoint: SourceUrl,
    /// `spec.sts.secretRef`
    pub(crate) secret: Option<String>,
    /// `spec.sts.certSecretRef`
    pub(crate) certificates: Option<String>,
}

/// Decides; total and without effects.
pub(crate) fn plan(observed: &Observed<'_>) -> Plan<Question> {
    let bucket = match super::typed(observed.object) {
        Ok(bucket) => bucket,
        Err(error) => return Refusal::unreadable(&error).into(),
    };
    if bucket.metadata.deletion_timestamp.is_some() {
        return Plan::Release {
            remote: remote(&bucket.spec),
        };
    }
    if bucket.spec.suspend || observed.home.suspended {
        return Plan::Rest;
    }
    resolve(&bucket, observed.home).into()
}

fn resolve(bucket: &Bucket, home: &Home) -> Result<Resolve<Question>, Refusal> {
    let spec = &bucket.spec;
    let endpoint = endpoint(spec)?;
    // a prefix of the Tenant's may name the bucket, as the first part of the path
    let spellings: Vec<String> = endpoint
        .spellings()
        .iter()
        .map(|url| format!("{}/{}", url.trim_end_matches('/'), spec.bucket_name))
        .collect();
    allowed(home, format!("{endpoint}/{}", spec.bucket_name), &spellings)?;
    let named = spec.secret_ref.as_ref().map(|secret| secret.name.as_str());
    let secret = named.or_else(|| home.sources.secret_for(&spellings));
    if let Some(field) = unsupported(spec) {
        return Err(Refusal::unsupported(field));
    }
    let question = Question {
        service: Service::of(spec),
        secret: secret.map(str::to_owned),
        name: spec.bucket_name.clone(),
        region: spec.region.clone().unwrap_or_default(),
        prefix: spec.prefix.clone().unwrap_or_default(),
        provider: cloud(spec.provider.as_deref()),
        account: spec.service_account_name.clone().filter(|name| !name.is_empty()),
        certificates: spec.cert_secret_ref.as_ref().map(|secret| secret.name.clone()),
        proxy: spec.proxy_secret_ref.as_ref().map(|secret| secret.name.clone()),
        sts: spec.sts.as_ref().map(|wanted| sts(wanted, home)).transpose()?,
        endpoint,
    };
    Resolve::new(question, spec.ignore.as_ref(), spec.interval(), spec.timeout())
}

/// The store's URL: Flux wants a host with an optional port, and says in another field what it speaks; of a storage
/// account of Azure, the URL.
fn endpoint(spec: &BucketSpec) -> Result<SourceUrl, Refusal> {
    let refuse = |error: &dyn std::fmt::Display| {
        let mut refusal = Refusal::url(error);
        refusal.message = refusal.message.replace("spec.url", "spec.endpoint");
        refusal
    };
    if Service::of(spec) == Service::Azure {
        let account: SourceUrl = spec.endpoint.parse().map_err(|error| refuse(&error))?;
        return match account.scheme() {
            "http" | "https" => Ok(account),
            _ => Err(refuse(&"it is not the http or https URL of a storage account")),
        };
    }
    if spec.endpoint.contains(['/', '@', '?', '#']) {
        return Err(refuse(&"it is not a host name with an optional port"));
    }
    let scheme = if spec.insecure { "http" } else { "https" };
    format!("{scheme}://{}", spec.endpoint)
        .parse()
        .map_err(|error| refuse(&error))
}

fn sts(spec: &BucketSts, home: &Home) -> Result<Sts, Refusal> {
    let endpoint: SourceUrl = spec.endpoint.parse().map_err(|error| Refusal {
        reason: reasons::URL_INVALID,
        message: format!("failed to parse STS endpoint: {error}"),
        limit: None,
    })?;
    allowed(home, &endpoint, &endpoint.spellings())?;
    let name = |secret: &Option<LocalObjectReference>| secret.as_ref().map(|secret| secret.name.clone());
    Ok(Sts {
        endpoint,
        secret: name(&spec.secret_ref),
        certificates: name(&spec.cert_secret_ref),
    })
}

/// The bucket, as the cache calls it.
pub(super) fn remote(spec: &BucketSpec) -> Option<String> {
    Some(format!(
        "{}/{}",
        endpoint(spec).ok()?.remote_key(),
        spec.bucket_name
    ))
}

/// A field that asks for what is not built yet: said aloud, never skipped.
fn unsupported(spec: &BucketSpec) -> Option<&'static str> {
    let sts = spec.sts.as_ref()?;
    (sts.provider != "ldap").then_some("sts.provider other than ldap")
}

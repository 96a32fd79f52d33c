//! What opens a Helm repository, for its index and for its charts.

use tenure_api::{HelmRepositorySpec, reasons};
use tenure_core::{Secret, SourceUrl};
use tenure_oci::{Keyring, Repository};

use crate::ocirepository::credential;
use crate::ocirepository::plan::{cloud, spellings};
use crate::source::plan::{Refusal, allowed};
use crate::source::{Failure, authentication, certificates, identity, named, read_certificates, read_login};
use crate::{Effects, Home, OciCredential, TlsSecrets};

/// A repository that is a web server.
#[derive(Clone, Debug)]
pub(crate) struct HelmRemote {
    pub(crate) url: SourceUrl,
    /// `spec.secretRef`, or the Tenant's Secret for this URL.
    pub(crate) secret: Option<String>,
    /// `spec.certSecretRef`
    pub(crate) certificates: Option<String>,
    pub(crate) pass_credentials: bool,
}

/// A chart in a registry.
#[derive(Clone, Debug)]
pub(crate) struct ImageRemote {
    pub(crate) repository: Repository,
    pub(crate) secret: Option<String>,
    pub(crate) certificates: Option<String>,
    /// `spec.provider`: the cloud that is asked for a login when no Secret has one.
    pub(crate) provider: Option<String>,
    pub(crate) insecure: bool,
}

fn invalid(error: impl std::fmt::Display) -> Refusal {
    Refusal {
        reason: reasons::URL_INVALID,
        message: format!("invalid Helm repository URL: {error}"),
        limit: None,
    }
}

impl HelmRemote {
    /// What the spec says, as far as the Tenant allows it.
    pub(crate) fn of(spec: &HelmRepositorySpec, home: &Home) -> Result<Self, Refusal> {
        if spec.url.starts_with("oci://") {
            return Err(invalid(
                "'oci' URL scheme cannot be used with 'default' HelmRepository type",
            ));
        }
        let url: SourceUrl = spec.url.parse().map_err(invalid)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("it is not http or https"));
        }
        let spellings = url.spellings();
        allowed(home, &url, &spellings)?;
        let named = spec.secret_ref.as_ref().map(|secret| secret.name.as_str());
        Ok(Self {
            secret: named
                .or_else(|| home.sources.secret_for(&spellings))
                .map(str::to_owned),
            certificates: spec.cert_secret_ref.as_ref().map(|secret| secret.name.clone()),
            pass_credentials: spec.pass_credentials,
            url,
        })
    }

    /// User and password, and whom to trust. As in Flux, certificates may be in the Secret with the password too;
    /// those of `spec.certSecretRef` count before them.
    pub(crate) async fn credential(
        &self,
        effects: &Effects,
    ) -> Result<(Option<(String, Secret)>, TlsSecrets), Failure> {
        let mut tls = certificates(effects, self.certificates.as_ref(), &self.url).await?;
        let Some(name) = &self.secret else {
            return Ok((None, tls));
        };
        let data = named(effects, name, &self.url, "'username' and 'password'").await?;
        let login = read_login(name, &data).map_err(authentication)?;
        if self.certificates.is_none() {
            let found = read_certificates(name, &data).map_err(authentication)?;
            tls = found.unwrap_or_default();
        }
        Ok((login, tls))
    }
}

impl ImageRemote {
    /// The chart `chart` below what the spec says, as far as the Tenant allows it.
    pub(crate) fn of(spec: &HelmRepositorySpec, chart: &str, home: &Home) -> Result<Self, Refusal> {
        let url = format!("{}/{chart}", spec.url.trim_end_matches('/'));
        let repository = Repository::from_url(&url).map_err(invalid)?;
        let spellings = spellings(&repository);
        allowed(home, repository.url(), &spellings)?;
        let named = spec.secret_ref.as_ref().map(|secret| secret.name.as_str());
        Ok(Self {
            secret: named
                .or_else(|| home.sources.secret_for(&spellings))
                .map(str::to_owned),
            certificates: spec.cert_secret_ref.as_ref().map(|secret| secret.name.clone()),
            insecure: spec.insecure,
            provider: cloud(spec.provider.as_deref()),
            repository,
        })
    }

    /// What logs in, and whom to trust: a docker config, or user and password.
    pub(crate) async fn credential(&self, effects: &Effects) -> Result<(OciCredential, TlsSecrets), Failure> {
        let url = self.repository.url();
        let mut tls = certificates(effects, self.certificates.as_ref(), &url).await?;
        let Some(name) = &self.secret else {
            let credential = match &self.provider {
                Some(provider) => OciCredential::Workload(
                    identity::workload(provider, None, self.certificates.as_ref(), effects).await?,
                ),
                None => OciCredential::Login(tenure_oci::Credential::None),
            };
            return Ok((credential, tls));
        };
        let keys = "'.dockerconfigjson', or 'username' and 'password'";
        let data = named(effects, name, &url, keys).await?;
        if self.certificates.is_none() {
            let found = read_certificates(name, &data).map_err(authentication)?;
            tls = found.unwrap_or_default();
        }
        if data.contains_key(credential::CONFIG) {
            let mut keyring = Keyring::default();
            credential::add(&mut keyring, name, &data).map_err(authentication)?;
            return Ok((OciCredential::Login(keyring.find(&self.repository)), tls));
        }
        let login = read_login(name, &data).map_err(authentication)?;
        let login = login.map(|(username, password)| tenure_oci::Credential::Basic { username, password });
        let login = login.unwrap_or(tenure_oci::Credential::None);
        Ok((OciCredential::Login(login), tls))
    }
}

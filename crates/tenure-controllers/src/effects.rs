use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tenure_core::{Account, Name, ObjectKey, covers};
use tenure_kube::{ActingClient, Connection, OwnClient, TokenCell};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    Artifacts, FailureCounts, Identities, KeyServices, Resolved, Snapshot, SourceFailure, SourceRequest,
    Sources, Waits, WrittenObjects,
};

/// What the Tenant says of one home.
#[derive(Debug, Clone)]
pub struct Home {
    /// The Tenant's name, for messages.
    pub tenant: String,
    /// The namespace.
    pub namespace: Name,
    /// Accounts that may be acted as, in order of preference.
    pub accounts: Vec<Account>,
    /// Which URLs may be fetched, and with which Secret when an object names none.
    pub sources: SourcePolicy,
    /// Read Secrets and ConfigMaps as the tenant instead of as the worker.
    pub strict: bool,
    /// The cache may ask remotes with this home's credentials while its worker sleeps.
    pub leases: bool,
    /// The Tenant is suspended as a whole.
    pub suspended: bool,
    /// Most objects that this home's Kustomizations may hold together; 0 is no limit.
    pub max_objects: u32,
    /// Largest artifact, in bytes.
    pub max_artifact_bytes: u64,
    /// When a prune needs a person's confirmation.
    pub prune: PruneLimits,
    /// How long a home that goes away waits for objects elsewhere that can't be deleted.
    pub offboarding_grace: Duration,
    /// How long one build may take.
    pub render_time: Duration,
}

/// When a prune needs a person's confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PruneLimits {
    /// Percent of a Kustomization's objects that may go without one.
    pub share: u32,
    /// From how many objects on the share counts.
    pub from: u32,
}

impl Default for PruneLimits {
    fn default() -> Self {
        Self { share: 50, from: 10 }
    }
}

impl Home {
    /// The account an object acts as: the one it names, or the Tenant's first in this namespace.
    ///
    /// # Errors
    /// A sentence that says what is missing and where to add it.
    pub fn account_for(&self, named: Option<&str>) -> Result<Account, String> {
        let here = || {
            self.accounts
                .iter()
                .filter(|account| account.namespace == self.namespace)
        };
        let Some(named) = named.filter(|name| !name.is_empty()) else {
            return here().next().cloned().ok_or_else(|| {
                format!(
                    "no ServiceAccount to act as: the object names none and the Tenant '{}' has none in namespace '{}'; set spec.serviceAccountName, or add one to the Tenant's spec.serviceAccounts",
                    self.tenant, self.namespace
                )
            });
        };
        here().find(|account| account.name.as_str() == named).cloned().ok_or_else(|| {
            let known: Vec<_> = here().map(|account| account.name.as_str()).collect();
            format!(
                "can't act as ServiceAccount '{}/{named}': it is not one of the Tenant '{}' in this namespace ({}); use one of these, or add it to the Tenant's spec.serviceAccounts",
                self.namespace,
                self.tenant,
                if known.is_empty() { "none".to_owned() } else { known.join(", ") },
            )
        })
    }
}

/// Which remotes a Tenant may fetch from.
#[derive(Debug, Clone, Default)]
pub struct SourcePolicy {
    /// URL prefixes; empty allows every URL.
    pub allow: Vec<String>,
    /// Secrets for URLs whose object names none.
    pub secrets: Vec<SecretFor>,
}

/// The Secret of the home that opens URLs under a prefix.
#[derive(Debug, Clone)]
pub struct SecretFor {
    /// URL prefix.
    pub prefix: String,
    /// Name of the Secret.
    pub name: String,
}

impl SourcePolicy {
    /// Whether a URL may be fetched, which can be written in these ways.
    #[must_use]
    pub fn allows(&self, spellings: &[String]) -> bool {
        self.allow.is_empty() || self.allow.iter().any(|prefix| any(prefix, spellings))
    }

    /// The Secret to use for a URL when the object names none: that of the longest prefix.
    #[must_use]
    pub fn secret_for(&self, spellings: &[String]) -> Option<&str> {
        let matching = self
            .secrets
            .iter()
            .filter(|secret| any(&secret.prefix, spellings));
        matching
            .max_by_key(|secret| secret.prefix.len())
            .map(|secret| secret.name.as_str())
    }
}

fn any(prefix: &str, spellings: &[String]) -> bool {
    spellings.iter().any(|url| covers(prefix, url))
}

/// What a pass may touch: made once per worker, shared by all its passes.
pub struct Effects {
    /// The home.
    pub home: Arc<Home>,
    /// The worker as itself: reads of the home, status, finalizers, events.
    pub own: OwnClient,
    /// From which acting clients are made.
    pub connection: Connection,
    /// The worker's token.
    pub token: TokenCell,
    /// The source cache.
    pub sources: Arc<dyn Sources>,
    /// Who the worker is to clouds.
    pub identities: Arc<dyn Identities>,
    /// The way to services that keep keys.
    pub key_services: Arc<dyn KeyServices>,
    /// The artifacts of this home on disk.
    pub artifacts: Artifacts,
    /// The home's objects as last seen.
    pub snapshot: Arc<Snapshot>,
    /// Failures in a row.
    pub failures: Arc<Mutex<FailureCounts>>,
    /// What was written, as it looked then.
    pub written: Arc<Mutex<WrittenObjects>>,
    /// Told whenever a source of the home has a new artifact.
    pub moved: watch::Sender<()>,
    /// How many objects each Kustomization is about to hold, while that is not in its status yet.
    pub claims: Mutex<BTreeMap<ObjectKey, usize>>,
    /// What passes wait for.
    pub waits: Waits,
    /// Ends every pass.
    pub cancel: CancellationToken,
    /// How long a dependant waits before it looks again (Flux's `--requeue-dependency`).
    pub requeue_dependency: Duration,
}

impl Effects {
    /// Asks the source cache.
    pub(crate) async fn resolve(&self, request: &SourceRequest) -> Result<Resolved, SourceFailure> {
        let _waits = self.waits.begin();
        self.sources.resolve(request).await
    }

    /// A client that acts as `account` and as nobody else.
    #[must_use]
    pub fn acting(&self, account: &Account) -> ActingClient {
        ActingClient::new(&self.connection, self.token.clone(), account.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::home;
    use tenure_core::SourceUrl;

    #[test]
    fn an_object_without_an_account_acts_as_the_first_of_its_own_namespace() {
        let home = home(
            "apps",
            &[("elsewhere", "other"), ("apps", "first"), ("apps", "second")],
        );
        assert_eq!(
            home.account_for(None).expect("there is one").name.as_str(),
            "first"
        );
        assert_eq!(
            home.account_for(Some("")).expect("empty is none").name.as_str(),
            "first"
        );
        assert_eq!(
            home.account_for(Some("second")).expect("listed").name.as_str(),
            "second"
        );
    }

    #[test]
    fn nobody_is_not_an_account() {
        let home = home("apps", &[("elsewhere", "other")]);
        let message = home.account_for(None).expect_err("none in this namespace");
        assert!(message.contains("spec.serviceAccounts"), "{message}");
        let message = home
            .account_for(Some("other"))
            .expect_err("that one is elsewhere's");
        assert!(message.contains("apps/other"), "{message}");
    }

    #[test]
    fn the_longest_prefix_names_the_secret() {
        let secret = |prefix: &str, name: &str| SecretFor {
            prefix: prefix.into(),
            name: name.into(),
        };
        let policy = SourcePolicy {
            allow: vec!["ssh://git@*".into()],
            secrets: vec![
                secret("ssh://git@host/", "wide"),
                secret("ssh://git@host/team/", "narrow"),
            ],
        };
        let spellings = |url: &str| url.parse::<SourceUrl>().expect("valid").spellings();
        let url = spellings("ssh://git@host/team/app.git");
        assert_eq!(policy.secret_for(&url), Some("narrow"));
        assert!(policy.allows(&url));
        assert!(!policy.allows(&spellings("https://host/team/app.git")));
        assert_eq!(policy.secret_for(&spellings("ssh://git@host.evil/team/")), None);
    }
}

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tenure_core::Account;

use crate::{Condition, Object};

mod limit;
mod limits;
mod validate;

pub use limit::Limit;
pub use limits::{Limits, QuantityError};
pub use validate::TenantError;

/// Who reconciles where, as whom and within what limits. Lives in the system namespace.
pub type Tenant = Object<TenantSpec, TenantStatus>;

/// What a Tenant may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TenantSpec {
    /// Homes: where the Tenant's Flux objects, Secrets and ServiceAccounts live.
    pub namespaces: Vec<String>,
    /// Where it may apply besides its homes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Who may be acted as; the first of a home is that home's default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_accounts: Vec<AccountReference>,
    /// What may be fetched and with which Secret.
    #[serde(skip_serializing_if = "SourcePolicy::is_empty")]
    pub sources: SourcePolicy,
    /// How workers are kept apart.
    #[serde(skip_serializing_if = "is_default")]
    pub isolation: Isolation,
    /// Where workers run that are pods.
    #[serde(skip_serializing_if = "is_default")]
    pub pod: PodPlacement,
    /// Who reads Secrets and ConfigMaps.
    #[serde(skip_serializing_if = "is_default")]
    pub profile: Profile,
    /// Whether the worker may watch Secrets and ConfigMaps of the home, not only read named ones.
    #[serde(skip_serializing_if = "is_default")]
    pub watch_secrets: bool,
    /// Resources that may be applied, as `deployments.apps` or `configmaps`; `*` for all; absent means
    /// [`crate::rights::DEFAULT_KINDS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
    /// Objects of other namespaces that this Tenant may read, with that namespace's consent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Peer>,
    /// Budgets.
    #[serde(skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// No reconciliation while true.
    #[serde(skip_serializing_if = "is_default")]
    pub suspend: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A ServiceAccount as written in a spec; unchecked until [`Tenant::validate`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccountReference {
    /// The home it lives in.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl AccountReference {
    /// The identity.
    ///
    /// # Errors
    /// When the namespace or the name is not one.
    pub fn account(&self) -> Result<Account, tenure_core::NameError> {
        Ok(Account {
            namespace: self.namespace.parse()?,
            name: self.name.parse()?,
        })
    }
}

/// What may be fetched and with which Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SourcePolicy {
    /// Beginnings of URLs that may be fetched; a `*` at the end is allowed and means nothing. Empty
    /// allows every URL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// The Secret to use for URLs with a prefix when an object names none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SourceSecret>,
}

impl SourcePolicy {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// [`allow`](Self::allow) as plain prefixes.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.allow
            .iter()
            .map(|text| text.strip_suffix('*').unwrap_or(text))
    }
}

/// A Secret of each home for URLs with a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceSecret {
    /// Beginning of the URL.
    pub prefix: String,
    /// Name of the Secret in the home.
    pub name: String,
}

/// One object of another namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Peer {
    /// Where it lives.
    pub namespace: String,
    /// `GitRepository`, `OCIRepository` or `Kustomization`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// How workers are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Isolation {
    /// A sandboxed process for each home.
    #[default]
    Process,
    /// A pod for each home.
    Pod,
    /// In the supervisor's own process: tests and tiny installations.
    Task,
}

/// Where the pods of workers run, with [`Isolation::Pod`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodPlacement {
    /// The RuntimeClass; the cluster's default when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub runtime_class_name: String,
    /// Labels that a node must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that are put up with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
}

/// A taint that is put up with, as in a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Toleration {
    /// Of the taint; all when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// `Exists` or `Equal`, which it is when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub operator: String,
    /// Of the taint, with `Equal`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`; all when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub effect: String,
}

/// Who reads Secrets and ConfigMaps of a home.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Profile {
    /// The worker with its own right, as Flux does.
    #[default]
    Compat,
    /// The tenant's ServiceAccount.
    Strict,
}

/// What is known of a Tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TenantStatus {
    /// Generation of the spec that the status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Onboarded`, `ConstrainedImpersonation`, `Isolation`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// `Dormant`, `Awake`, `Suspended` or `Failing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// One per home.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub homes: Vec<HomeStatus>,
    /// What supervisors that do not write this status say of their homes, by home.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub elsewhere: BTreeMap<String, HomeReport>,
}

/// A home as the supervisor that has it sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HomeReport {
    /// `Dormant`, `Suspended` or `Failing`.
    pub phase: String,
    /// Flux objects in it.
    pub objects: i64,
    /// How many of them are ready.
    pub ready: i64,
    /// How many of them are suspended.
    pub suspended: i64,
    /// Whether every kind has been listed.
    pub onboarded: bool,
    /// The last error in one line, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// What keeps it from being served.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trouble: Vec<String>,
    /// What keeps its worker apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Vec<String>>,
    /// What the node's kernel lacks for that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// What keeps its worker's pod from starting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hindered: Option<String>,
    /// Objects that are left alone, because workers died over them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<String>,
    /// Objects that are begun again and again wait for each other.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// Which limit the home has gone over, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_budget: Option<String>,
    /// Objects that go over a limit, each with the field of the Tenant that says so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub over_limit: Vec<String>,
    /// Its worker holds the older right to impersonate, which has no limits.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub legacy_rights: bool,
}

/// What is known of a home.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HomeStatus {
    /// The namespace.
    pub namespace: String,
    /// `Dormant`, `Awake`, `Suspended` or `Failing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Flux objects in it.
    pub objects: i64,
    /// How many of them are ready.
    pub ready: i64,
    /// How many of them are suspended.
    pub suspended: i64,
    /// The last error in one line, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

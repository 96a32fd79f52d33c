//! From the supervisor's `Start` to the effects that every pass shares.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tenure_controllers::{
    Artifacts, Effects, Home, PruneLimits, SecretFor, Snapshot, SourcePolicy, Waits, source,
};
use tenure_core::{Account, Name, Secret};
use tenure_kube::{Cluster, Connection, FluxKind, OwnClient, TokenCell};
use tenure_net::{Cidr, Guard, Outbound, Tls};
use tenure_proto::lifeline::{self, Audience, CacheEndpoint, Limits, Profile, Start, Token};
use tenure_sops::services;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::WorkerError;
use crate::identities::Identities;
use crate::memo::Memo;
use crate::source_client::{Replicas, TokenSource};

/// Objects reconciled at once when the Tenant does not say.
const DEFAULT_CONCURRENCY: usize = 4;
/// Largest artifact when the Tenant does not say.
const DEFAULT_ARTIFACT_BYTES: u64 = 64 << 20;

/// How long a home that goes away waits when the Tenant does not say.
const DEFAULT_GRACE: Duration = Duration::from_mins(10);
const DEFAULT_RENDER_TIME: Duration = Duration::from_mins(1);

/// The worker's own rights are looked at so often.
const LOOK_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// The kinds a worker reconciles.
pub(crate) const KINDS: [FluxKind; 7] = [
    tenure_kube::GITREPOSITORY,
    tenure_kube::OCIREPOSITORY,
    tenure_kube::HELMREPOSITORY,
    tenure_kube::BUCKET,
    tenure_kube::EXTERNALARTIFACT,
    tenure_kube::HELMCHART,
    tenure_kube::KUSTOMIZATION,
];

/// The tokens, replaced in place as the supervisor pushes new ones.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) api: TokenCell,
    pub(crate) cache: Arc<ArcSwapOption<Secret>>,
}

impl Tokens {
    /// Tokens that open nothing, until the supervisor pushes some.
    pub(crate) fn none() -> Self {
        Self {
            api: TokenCell::new(Secret::new(Vec::new())),
            cache: Arc::default(),
        }
    }

    pub(crate) fn accept(&self, token: Token) {
        let audience = token.audience();
        let value = Secret::from(token.value);
        match audience {
            Audience::ApiServer => self.api.set(value),
            Audience::Cache => self.cache.store(Some(Arc::new(value))),
            Audience::Unspecified => tracing::warn!("the supervisor sent a token without an audience"),
        }
    }
}

/// Services that keep keys, wherever the platform allows them to be.
struct KeyServices {
    guard: Guard,
}

impl tenure_controllers::KeyServices for KeyServices {
    fn open(&self, ca_pem: Option<&[u8]>) -> Result<Arc<dyn services::Http>, String> {
        let runtime = tokio::runtime::Handle::current();
        let wire = services::Wire::new(self.guard.clone(), ca_pem, runtime);
        Ok(Arc::new(wire.map_err(|error| error.to_string())?))
    }

    fn clouds(&self) -> Outbound {
        Outbound {
            guard: self.guard.clone(),
            tls: Tls::default(),
            proxy: None,
        }
    }
}

/// One home's worth of wiring.
pub(crate) struct Session {
    pub(crate) effects: Arc<Effects>,
    pub(crate) replicas: Arc<Replicas>,
    pub(crate) concurrency: usize,
    /// Kinds of which there was nothing when the worker was started.
    absent: Vec<String>,
    /// Who the worker is to be.
    identity: Option<Account>,
    constrained: bool,
    /// When the worker's own rights were last looked at.
    looked: Mutex<Option<Timestamp>>,
}

impl Session {
    pub(crate) fn open(
        start: Start,
        tokens: &Tokens,
        identities: Arc<Identities>,
        scratch: &Path,
        cancel: CancellationToken,
    ) -> Result<Self, WorkerError> {
        let bad = |error: tenure_core::NameError| WorkerError::Start(error.to_string());
        let namespace = Name::new(&start.home).map_err(bad)?;
        let cluster = start
            .cluster
            .ok_or_else(|| WorkerError::Start("it names no API server".into()))?;
        let addresses = |texts: Vec<String>| {
            let parsed = texts.iter().map(|text| text.parse());
            let all = parsed.collect::<Result<Vec<Cidr>, _>>();
            all.map_err(|error| WorkerError::Start(error.to_string()))
        };
        let guard = Guard::new(
            addresses(cluster.allowed_addresses)?,
            addresses(cluster.refused_addresses)?,
        );
        let constrained = cluster.constrained_impersonation;
        let connection = Connection::open(&Cluster {
            url: cluster.url,
            ca_pem: cluster.ca_pem,
        })?;
        let own = OwnClient::new(&connection, tokens.api.clone(), namespace.clone());
        let limits = start.limits.unwrap_or_default();
        let memo = Memo::read(&start.memo);
        if let Some(discovery) = memo.discovery {
            own.seed_discovery(discovery);
        }
        let policy = start.sources.unwrap_or_default();
        let account = |account: lifeline::Account| -> Result<Account, WorkerError> {
            Ok(Account {
                namespace: Name::new(account.namespace).map_err(bad)?,
                name: Name::new(account.name).map_err(bad)?,
            })
        };
        let identity = start.identity.map(account).transpose()?;
        let accounts = start
            .accounts
            .into_iter()
            .map(account)
            .collect::<Result<_, _>>()?;
        let max_artifact_bytes = artifact_bytes(&limits);
        let home = Home {
            tenant: start.tenant,
            namespace,
            accounts,
            sources: SourcePolicy {
                allow: policy.allow,
                secrets: policy
                    .secrets
                    .into_iter()
                    .map(|s| SecretFor {
                        prefix: s.prefix,
                        name: s.name,
                    })
                    .collect(),
            },
            strict: start.profile == i32::from(Profile::Strict),
            leases: start.cache.as_ref().is_some_and(|cache| cache.leases),
            suspended: start.suspended,
            max_objects: limits.objects,
            max_artifact_bytes,
            prune: prune(&limits),
            offboarding_grace: match limits.offboarding_seconds {
                0 => DEFAULT_GRACE,
                seconds => Duration::from_secs(seconds),
            },
            render_time: match limits.render_milliseconds {
                0 => DEFAULT_RENDER_TIME,
                milliseconds => Duration::from_millis(milliseconds),
            },
        };
        let replicas = sources(&start.cache.unwrap_or_default(), tokens)?;
        let replicas = Arc::new(replicas.within(limits.fetch_bytes_per_hour));
        let effects = Effects {
            home: Arc::new(home),
            own,
            connection,
            token: tokens.api.clone(),
            sources: replicas.clone(),
            identities,
            key_services: Arc::new(KeyServices { guard }),
            artifacts: Artifacts::open(scratch, max_artifact_bytes)?,
            snapshot: Arc::new(Snapshot::default()),
            failures: Arc::new(Mutex::new(memo.failures)),
            written: Arc::new(Mutex::new(memo.written)),
            moved: watch::Sender::new(()),
            claims: Mutex::default(),
            waits: Waits::default(),
            cancel,
            requeue_dependency: Duration::from_secs(30),
        };
        let concurrency = match limits.concurrency {
            0 => DEFAULT_CONCURRENCY,
            n => usize::try_from(n).unwrap_or(DEFAULT_CONCURRENCY),
        };
        Ok(Self {
            effects: Arc::new(effects),
            replicas,
            concurrency,
            absent: start.absent_kinds,
            identity,
            constrained,
            looked: Mutex::new(memo.looked),
        })
    }

    /// Asks the API server who the worker is, before anything is done in that name. Why that is not known, if it does not
    /// answer now.
    ///
    /// # Errors
    /// It is somebody else.
    pub(crate) async fn review(&self) -> Result<Option<String>, WorkerError> {
        let Some(expected) = &self.identity else {
            return Ok(None);
        };
        let expected = expected.to_string();
        match self.effects.own.whoami().await {
            Ok(found) if found == expected => Ok(None),
            Ok(found) => Err(WorkerError::Identity { expected, found }),
            // clusters may forbid the question
            Err(error) if error.is_forbidden() || error.is_not_found() => {
                tracing::warn!(%error, "the API server does not say who the worker is");
                Ok(None)
            }
            Err(error) => {
                tracing::warn!(%error, "failed to ask the API server who the worker is");
                Ok(Some(format!(
                    "nothing is done before the API server has said that the worker is {expected}: {error}"
                )))
            }
        }
    }

    /// Whether the worker holds the older right to impersonate, which makes those with limits worthless. Looked at once an
    /// hour; `None` if that is not over, or nobody says.
    pub(crate) async fn lends_without_limits(&self) -> Option<bool> {
        let now = Timestamp::now();
        let fresh = |at: &Timestamp| now.duration_since(*at) < LOOK_EVERY;
        if !self.constrained || self.looked.lock().as_ref().is_some_and(fresh) {
            return None;
        }
        let home = self.effects.home.namespace.as_str();
        // an error is none to ask again at once for
        *self.looked.lock() = Some(now);
        let asked = self
            .effects
            .own
            .self_check("impersonate", "serviceaccounts", Some(home))
            .await;
        match asked {
            Ok(held) => Some(held),
            Err(error) => {
                tracing::warn!(%error, "failed to ask for the worker's own rights");
                None
            }
        }
    }

    /// Sees the whole home once: a request for each kind that there is something of. What comes into being
    /// meanwhile is said as a change.
    pub(crate) async fn list(&self) -> Result<(), tenure_kube::KubeError> {
        let absent = |kind: &FluxKind| self.absent.iter().any(|absent| absent == kind.kind);
        for kind in KINDS.into_iter().filter(|kind| !absent(kind)) {
            self.list_kind(kind).await?;
        }
        // what an object names may be younger than what was said of the kinds
        for kind in KINDS
            .into_iter()
            .filter(|kind| absent(kind) && self.is_named(kind))
        {
            self.list_kind(kind).await?;
        }
        self.tidy();
        Ok(())
    }

    /// Whether an object of the home has a source of that kind.
    fn is_named(&self, kind: &FluxKind) -> bool {
        let names = |object: &serde_json::Value| {
            object
                .pointer("/spec/sourceRef/kind")
                .is_some_and(|named| named == kind.kind)
        };
        let snapshot = &self.effects.snapshot;
        let consumers = ["Kustomization", "HelmChart"].into_iter();
        consumers
            .flat_map(|consumer| snapshot.of_kind(consumer))
            .any(|(_, object)| names(&object))
    }

    /// Sees all objects of one kind: one request. Only while no pass is under way, whose writes an
    /// older list would hide.
    pub(crate) async fn list_kind(&self, kind: FluxKind) -> Result<(), tenure_kube::KubeError> {
        let (objects, _) = self.effects.own.list(kind).await?;
        self.effects.snapshot.reset(kind.kind, objects);
        Ok(())
    }

    /// Removes artifacts that no source of the home has any more.
    fn tidy(&self) {
        let digest =
            |object: &serde_json::Value| object.pointer("/status/artifact/digest")?.as_str()?.parse().ok();
        let snapshot = &self.effects.snapshot;
        let sources = source::KINDS.iter().flat_map(|kind| snapshot.of_kind(kind.kind));
        let kept = sources.filter_map(|(_, object)| digest(&object)).collect();
        self.effects.artifacts.retain(&kept);
    }

    pub(crate) fn memo(&self) -> Vec<u8> {
        let discovery = self
            .effects
            .own
            .kept_discovery()
            .map(|discovery| (*discovery).clone());
        let failures = self.effects.failures.lock().clone();
        let written = self.effects.written.lock().clone();
        let looked = *self.looked.lock();
        Memo::new(discovery, failures, written, looked).write()
    }
}

fn prune(limits: &Limits) -> PruneLimits {
    let default = PruneLimits::default();
    let given = |number: u32, default: u32| if number == 0 { default } else { number };
    PruneLimits {
        share: given(limits.prune_share, default.share),
        from: given(limits.prune_objects, default.from),
    }
}

fn artifact_bytes(limits: &Limits) -> u64 {
    match limits.artifact_bytes {
        0 => DEFAULT_ARTIFACT_BYTES,
        n => n,
    }
}

fn sources(endpoint: &CacheEndpoint, tokens: &Tokens) -> Result<Replicas, WorkerError> {
    let cell = tokens.cache.clone();
    let token: TokenSource = Arc::new(move || cell.load_full().map(|token| (*token).clone()));
    Replicas::new(&endpoint.urls, &endpoint.ca_pem, &endpoint.server_name, &token)
        .map_err(|error| WorkerError::Start(format!("its source cache can't be used: {error}")))
}

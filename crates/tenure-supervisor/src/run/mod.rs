//! The loop over Tenants: homes come, change and go, statuses are written.

mod statuses;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use tenure_api::Tenant;
use tenure_api::rights::RELEASE_ACCOUNT;
use tenure_core::{Backoff, Name, Secret};
use tenure_kube::{Connection, SupervisorClient, TenantEvent, TokenCell};
use tenure_proto::lifeline::{CacheEndpoint, Cluster};
use tenure_sandbox::{Groups, Scratch, Stage};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Health};
use crate::config::{Config, SupervisorError};
use crate::everywhere::Everywhere;
use crate::home::{self, HomeSpec, Releaser, Shared, farewell};
use crate::issuer;
use crate::membership::{Membership, Ours};
use crate::movements::Inbox;
use crate::owners::Owners;
use crate::pods::Pods;
use crate::replicas::{Listeners, Replicas};
use crate::runtime::{LocalRuntime, Runtimes};
use crate::slots::Slots;
use crate::tenant_status::Report;

/// From this minor version on impersonation is limited by verb and resource.
const CONSTRAINED_SINCE: u32 = 36;
/// Changes of a status are collected for so long.
const COLLECT: Duration = Duration::from_secs(1);
/// … and written so long after the ones before: while much is done, counts change all the time.
const SPACED: Duration = Duration::from_secs(5);
/// What outlives a supervisor is waited for at its end.
const SETTLE_WITHIN: Duration = Duration::from_secs(8);
const REREAD_TOKEN: Duration = Duration::from_secs(60);

/// Supervises until `cancel`.
///
/// # Errors
/// When the configuration can't be used, or when another supervisor has the same identity. An API server that does
/// not answer is waited for.
pub async fn run(config: Config, cancel: CancellationToken) -> Result<(), SupervisorError> {
    let cluster = tenure_kube::Cluster {
        url: config.api_url.clone(),
        ca_pem: read("the API server's CA", &config.api_ca_file)?,
    };
    let cache = config.cache.as_ref().map(|cache| {
        let ca_pem = read("the source cache's CA", &cache.ca_file)?;
        Ok::<_, SupervisorError>(CacheEndpoint {
            urls: cache.urls.clone(),
            ca_pem,
            server_name: cache.server_name.clone(),
            leases: cache.token_file.is_some(),
        })
    });
    let cache = cache.transpose()?;
    let token = TokenCell::new(read_token(&config.token_file)?);
    let connection = Connection::open(&cluster)?;
    let client = SupervisorClient::new(
        &connection,
        token.clone(),
        config.system_namespace.clone(),
        config.workers_namespace.clone(),
    );
    let scratch = Scratch::wipe(&config.scratch)?;
    let listener = tokio::net::TcpListener::bind(config.admin)
        .await
        .map_err(|source| SupervisorError::Admin {
            address: config.admin,
            source,
        })?;
    let health = Arc::new(Health::new(config.object_metrics));
    let stop = cancel.child_token();
    let _stop_helpers = stop.clone().drop_guard();
    let (reports, heard) = mpsc::channel(256);
    let slots = Slots::of_this_machine(config.platform_tenant.clone());
    health
        .metrics
        .slots
        .set(i64::try_from(slots.count()).unwrap_or(i64::MAX));
    let membership = Membership::join(client.clone(), config.identity.clone(), health.clone(), &stop);
    let configured = cache.as_ref().map(|cache| cache.urls.as_slice());
    let replicas = Replicas::new(configured.unwrap_or_default());
    let pods = match config.pods.clone() {
        Some(pods) => {
            let namespace = config.workers_namespace.clone();
            Some(Pods::open(client.clone(), namespace, pods, membership.ours(), &stop).await?)
        }
        None => None,
    };
    let shared = Arc::new(Shared {
        client: client.clone(),
        connection,
        everywhere: Arc::new(Everywhere::new()),
        runtime: Box::new(Runtimes {
            local: LocalRuntime {
                // before there is a child: the group that is divided holds this process alone
                groups: Groups::divide()
                    .inspect_err(|error| tracing::info!(reason = %error, "workers have no control groups")),
                stage: Stage::of(config.worker.clone())?,
                scratch,
                tasks: config.tasks.clone(),
            },
            pods,
        }),
        releaser: Releaser::default(),
        health: health.clone(),
        linger: config.linger,
        term: membership.term(),
        slots,
        reports,
        replicas: replicas.clone(),
        new_key: Arc::default(),
        seen_keys: parking_lot::Mutex::default(),
    });
    let everywhere = shared.everywhere.clone();
    tokio::spawn(everywhere.keep(config.watching, client.clone(), membership.ours(), stop.clone()));
    tokio::spawn(admin::serve(listener, health, stop.clone()));
    tokio::spawn(reread(config.token_file.clone(), token, stop.clone()));
    tokio::spawn(issuer::keep(
        client.clone(),
        config.issuer_keys_file.clone(),
        shared.new_key.clone(),
        membership.ours(),
        stop.clone(),
    ));

    let (moved, movements) = mpsc::channel(256);
    let control = config.cache.as_ref().and_then(|cache| cache.token_file.clone());
    if let Some(cache) = cache.clone() {
        let listeners = Listeners {
            cache,
            token_file: control,
            moved,
            client: client.clone(),
            ours: membership.ours(),
        };
        tokio::spawn(listeners.keep(replicas, stop.clone()));
    }

    let Some(minor) = version(&client, &cancel).await else {
        membership.leave().await;
        return Ok(());
    };
    let cluster = Cluster {
        url: cluster.url,
        ca_pem: cluster.ca_pem,
        minor,
        constrained_impersonation: minor >= CONSTRAINED_SINCE,
        allowed_addresses: config.allowed_addresses.iter().map(ToString::to_string).collect(),
        refused_addresses: config.refused_addresses.iter().map(ToString::to_string).collect(),
    };
    tracing::info!(minor, url = cluster.url, "supervisor runs");
    let mut supervisor = Supervisor {
        shared,
        cluster,
        cache,
        tasks: config.tasks.is_some(),
        pods: config.pods.is_some(),
        owners: Owners::new(config.workers_namespace.clone()),
        homes: BTreeMap::new(),
        former: BTreeMap::new(),
        reports: BTreeMap::new(),
        ours: membership.ours().borrow().clone(),
        write_at: None,
        written_at: None,
        backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)),
        stop,
    };
    supervisor.serve(heard, movements, &membership, &cancel).await;
    membership.begin_to_leave();
    supervisor.end().await;
    let superseded = membership.superseded().is_cancelled();
    membership.leave().await;
    if superseded {
        let identity = config.identity;
        return Err(SupervisorError::Superseded { identity });
    }
    Ok(())
}

/// What the rules of a home are made of; rendering them anew is work.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Made {
    tenant: String,
    uid: Option<String>,
    generation: i64,
    unread: bool,
}

struct Running {
    made: Made,
    spec: watch::Sender<HomeSpec>,
    moved: Arc<Inbox>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

struct Former {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

struct Supervisor {
    shared: Arc<Shared>,
    cluster: Cluster,
    cache: Option<CacheEndpoint>,
    /// Whether Tenants may have workers without a sandbox.
    tasks: bool,
    /// Whether Tenants may have workers in pods.
    pods: bool,
    owners: Owners,
    homes: BTreeMap<Name, Running>,
    /// Homes that no Tenant names any more, until their rights are gone.
    former: BTreeMap<Name, Former>,
    reports: BTreeMap<Name, Report>,
    /// Which homes and which Tenants' statuses are for us.
    ours: Ours,
    /// When statuses are to be written, if something changed.
    write_at: Option<Instant>,
    /// When they were written last.
    written_at: Option<Instant>,
    backoff: Backoff,
    stop: CancellationToken,
}

impl Supervisor {
    async fn serve(
        &mut self,
        mut heard: mpsc::Receiver<(Name, Report)>,
        mut movements: mpsc::Receiver<(Name, String)>,
        membership: &Membership,
        cancel: &CancellationToken,
    ) {
        let mut ours = membership.ours();
        let mut tenants = self.shared.client.watch_tenants();
        loop {
            let write_at = self.write_at;
            let write = async move {
                match write_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = membership.superseded().cancelled() => return,
                Ok(()) = ours.changed() => {
                    let before = std::mem::replace(&mut self.ours, ours.borrow_and_update().clone());
                    self.arrange().await;
                    membership.settled(&self.ours);
                    if self.ours.gains(&before) && self.shared.health.ready.load(Ordering::Relaxed) {
                        self.part_with_orphans().await;
                    }
                    self.changed();
                }
                Some(event) = tenants.next() => self.tenants(event).await,
                Some((home, report)) = heard.recv() => {
                    if self.homes.contains_key(&home) {
                        self.reports.insert(home, report);
                        self.changed();
                    }
                }
                Some((home, subject)) = movements.recv() => {
                    if let Some(running) = self.homes.get(&home) {
                        running.moved.put(subject);
                    }
                }
                () = write => self.write().await,
            }
        }
    }

    fn changed(&mut self) {
        let soonest = self.written_at.map_or_else(Instant::now, |at| at + SPACED);
        self.write_at
            .get_or_insert_with(|| soonest.max(Instant::now() + COLLECT));
    }

    async fn tenants(&mut self, event: TenantEvent) {
        let all_known = matches!(event, TenantEvent::Reset(_));
        match event {
            TenantEvent::Reset(all) => {
                self.owners.reset(all);
                self.shared.health.ready.store(true, Ordering::Relaxed);
            }
            TenantEvent::Applied(value) => {
                if !self.owners.hear(value) {
                    // its status, which may have what another supervisor says of a home
                    return self.changed();
                }
            }
            TenantEvent::Deleted(value) => {
                let name = value
                    .pointer("/metadata/name")
                    .and_then(serde_json::Value::as_str);
                self.owners.delete(name.unwrap_or_default());
            }
            TenantEvent::Failed(error) => {
                tracing::warn!(%error, "failed to watch the Tenants");
                return;
            }
        }
        self.arrange().await;
        if all_known {
            self.part_with_orphans().await;
        }
        self.changed();
    }

    /// Homes whose Tenant went while no supervisor ran still have their account.
    async fn part_with_orphans(&mut self) {
        let accounts = match self.shared.client.worker_accounts().await {
            Ok(accounts) => accounts,
            Err(error) => return tracing::warn!(%error, "failed to look for homes without a Tenant"),
        };
        for home in accounts.iter().filter_map(|account| Name::new(account).ok()) {
            let known = self.owners.name(&home) || self.former.contains_key(&home);
            if !known && self.ours.has(&home) && home.as_str() != RELEASE_ACCOUNT {
                self.part_with(home);
            }
        }
    }

    /// Starts, tells and ends the tasks of homes so that they are those of the Tenants that are ours.
    async fn arrange(&mut self) {
        let wanted: BTreeMap<Name, Made> = self
            .owners
            .homes()
            .filter(|(home, _)| self.ours.has(home))
            .map(|(home, tenant)| (home.clone(), self.made_of(tenant)))
            .collect();
        let over: Vec<_> = self
            .homes
            .iter()
            .filter(|(home, running)| {
                wanted
                    .get(home)
                    .is_none_or(|made| made.tenant != running.made.tenant)
            })
            .map(|(home, _)| home.clone())
            .collect();
        let lost: Vec<_> = self
            .former
            .keys()
            .filter(|home| !self.ours.has(home))
            .cloned()
            .collect();
        for home in lost {
            if let Some(former) = self.former.remove(&home) {
                former.end(&home).await;
            }
        }
        // all at once, so that the last need not wait for the others
        for running in over.iter().filter_map(|home| self.homes.get(home)) {
            running.cancel.cancel();
        }
        for home in over {
            self.reports.remove(&home);
            if let Some(running) = self.homes.remove(&home) {
                running.end(&home).await;
                // Neither the next Tenant of this home nor the disk has any use for it.
                self.shared.slots.forget(&home);
                if let Err(error) = self.shared.runtime.forget(&home) {
                    tracing::warn!(%home, %error, "failed to tidy up after a home");
                }
            }
            if self.ours.has(&home) && !self.owners.name(&home) {
                self.part_with(home);
            }
        }
        for (home, made) in wanted {
            if let Some(former) = self.former.remove(&home) {
                former.end(&home).await;
            }
            self.bring(home, made);
        }
        self.shared
            .health
            .metrics
            .homes
            .set(i64::try_from(self.homes.len()).unwrap_or(i64::MAX));
    }

    fn made_of(&self, tenant: &Tenant) -> Made {
        Made {
            tenant: tenant.name().to_owned(),
            uid: tenant.metadata.uid.clone(),
            generation: tenant.generation(),
            unread: self.owners.unread(tenant.name()).is_some(),
        }
    }

    /// Starts a home, or tells it what has changed of its Tenant.
    fn bring(&mut self, home: Name, made: Made) {
        if self.homes.get(&home).is_some_and(|running| running.made == made) {
            return;
        }
        let Some(tenant) = self.owners.of(&home) else {
            return;
        };
        let spec = HomeSpec::new(tenant, &home, &self.cluster, self.cache.as_ref());
        let Some(running) = self.homes.get_mut(&home) else {
            return self.start(home, spec, made);
        };
        running.made = made;
        running.spec.send_if_modified(|old| {
            let changed = *old != spec;
            *old = spec;
            changed
        });
    }

    fn start(&mut self, home: Name, spec: HomeSpec, made: Made) {
        let (sender, receiver) = watch::channel(spec);
        let cancel = self.ours.fence.child_token();
        let moved = Arc::new(Inbox::default());
        let task = home::serve(
            home.clone(),
            self.shared.clone(),
            receiver,
            moved.clone(),
            cancel.clone(),
        );
        self.homes.insert(
            home,
            Running {
                made,
                spec: sender,
                moved,
                cancel,
                task: tokio::spawn(task),
            },
        );
    }

    fn part_with(&mut self, home: Name) {
        let cancel = self.ours.fence.child_token();
        let task = tokio::spawn(farewell(home.clone(), self.shared.clone(), cancel.clone()));
        if let Some(before) = self.former.insert(home, Former { cancel, task }) {
            before.cancel.cancel();
        }
    }

    async fn end(&mut self) {
        self.stop.cancel();
        for (home, running) in std::mem::take(&mut self.homes) {
            running.end(&home).await;
        }
        for (home, former) in std::mem::take(&mut self.former) {
            former.end(&home).await;
        }
        // whoever comes next waits for what is not gone by then
        let settle = self.shared.runtime.settle();
        tokio::time::timeout(SETTLE_WITHIN, settle).await.ok();
    }
}

impl Former {
    /// Waits until nothing is let go of any more.
    async fn end(self, home: &Name) {
        self.cancel.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%home, %error, "the farewell to a home failed");
        }
    }
}

impl Running {
    /// Waits until the worker is gone, so that the home has never two.
    async fn end(self, home: &Name) {
        self.cancel.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%home, %error, "the task of a home failed");
        }
    }
}

async fn version(client: &SupervisorClient, cancel: &CancellationToken) -> Option<u32> {
    let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
    loop {
        match client.version().await {
            Ok((_, minor)) => return Some(minor),
            Err(error) => tracing::warn!(%error, "the API server does not answer"),
        }
        tokio::select! {
            () = cancel.cancelled() => return None,
            () = tokio::time::sleep(backoff.next_delay()) => {}
        }
    }
}

async fn reread(file: std::path::PathBuf, cell: TokenCell, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(REREAD_TOKEN) => {}
        }
        match read_token(&file) {
            Ok(token) => cell.set(token),
            Err(error) => tracing::warn!(%error, "the supervisor's token was not read again"),
        }
    }
}

fn read_token(file: &Path) -> Result<Secret, SupervisorError> {
    let bytes = read("the supervisor's token", file)?;
    Ok(Secret::new(bytes.trim_ascii().to_vec()))
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, SupervisorError> {
    std::fs::read(path).map_err(|source| SupervisorError::File {
        what,
        path: path.to_owned(),
        source,
    })
}

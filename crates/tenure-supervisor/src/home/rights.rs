//! The rights of a home: which are missing, and when the last of them are let go.

use std::sync::Arc;
use std::time::Duration;

use tenure_api::WORKER_RIGHTS_FINALIZER;
use tenure_api::rights::{RELEASE_ACCOUNT, RELEASE_ORDER};
use tenure_core::{Backoff, Name};
use tenure_kube::{Connection, ReleaseClient, Standing, SupervisorClient, TokenCell};
use tenure_proto::lifeline::Audience;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Home, KINDS};
use crate::tokens::{Held, MintError};

/// A home without objects has nobody whose end would tell that the namespace goes away.
const LOOK_AT_EMPTY: Duration = Duration::from_secs(15);
/// How often a home is looked at whose objects fail.
const LOOK_AT_FAILING: Duration = Duration::from_secs(30);
/// How often it is looked whether one of them is missing in a home without objects.
const LOOK_AT_ALL: Duration = Duration::from_secs(300);
/// However much happens, not sooner than this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// The account that lets go of rights, for all homes of this supervisor.
pub(crate) struct Releaser {
    account: Name,
    token: Mutex<(Held, Option<TokenCell>)>,
}

/// What a home's task remembers about its rights.
#[derive(Default)]
pub(super) struct Rights {
    looked: Option<Instant>,
    look: Option<Instant>,
    /// An object failed since all of them were looked at.
    suspected: bool,
    /// When all of them were looked at, and none was missing.
    complete: Option<Instant>,
    /// The right to let go was not there when last looked for; once may be too early.
    absent: bool,
    /// All was let go.
    pub(super) over: bool,
}

impl Default for Releaser {
    fn default() -> Self {
        Self {
            account: Name::new(RELEASE_ACCOUNT).expect("the constant is a name"),
            token: Mutex::new((Held::new(Audience::ApiServer), None)),
        }
    }
}

impl Releaser {
    async fn client(
        &self,
        home: &Name,
        supervisor: &SupervisorClient,
        connection: &Connection,
    ) -> Result<ReleaseClient, MintError> {
        let mut token = self.token.lock().await;
        let (held, cell) = &mut *token;
        if held.renew_at() <= Instant::now() || held.good().is_none() {
            let renewed = held.renew(supervisor, &self.account).await;
            match (held.good().map(|minted| minted.token.clone()), &cell) {
                (Some(token), Some(cell)) => cell.set(token),
                (Some(token), None) => *cell = Some(TokenCell::new(token)),
                (None, _) => renewed?,
            }
        }
        let cell = cell
            .clone()
            .ok_or_else(|| MintError::Slow(self.account.clone()))?;
        let finalizer = WORKER_RIGHTS_FINALIZER;
        Ok(ReleaseClient::new(
            connection,
            cell,
            home.clone(),
            finalizer,
            &RELEASE_ORDER,
        ))
    }
}

impl Rights {
    /// An object is gone: perhaps the last.
    pub(super) fn doubt(&mut self) {
        self.look_after(LOOK_AGAIN);
    }

    /// An object failed: perhaps for want of a right.
    pub(super) fn suspect(&mut self) {
        self.suspected = true;
        self.look_after(LOOK_AT_FAILING);
    }

    /// Others are wanted now.
    pub(super) fn changed(&mut self) {
        self.complete = None;
        self.look_after(LOOK_AGAIN);
    }

    fn look_after(&mut self, wait: Duration) {
        let now = Instant::now();
        let at = self.looked.map_or(now, |looked| (looked + wait).max(now));
        self.look = Some(self.look.map_or(at, |look| look.min(at)));
    }
}

impl Home {
    /// When to look at the rights again.
    pub(super) fn look_at_rights(&self) -> Option<Instant> {
        self.rights.look.filter(|_| self.listed.len() == KINDS.len())
    }

    /// Lets go of deleted rights once no object is left that needs them, and says what is missing.
    pub(super) async fn mind_rights(&mut self) {
        if self.look_at_rights().is_none_or(|look| look > Instant::now()) {
            return;
        }
        let empty = self.index.counts().objects == 0;
        // objects that are well need no more rights than they have
        let all = self.rights.suspected
            || (empty && self.rights.complete.is_none_or(|at| at.elapsed() >= LOOK_AT_ALL))
            || self.trouble.contains_key("rights");
        self.rights.looked = Some(Instant::now());
        self.rights.look = Some(Instant::now() + if empty { LOOK_AT_EMPTY } else { LOOK_AT_FAILING });
        match self.look(empty, all).await {
            Ok(trouble) => match trouble {
                Some(trouble) => {
                    self.trouble.insert("rights", trouble);
                }
                None => {
                    self.trouble.remove("rights");
                }
            },
            Err(error) => {
                tracing::warn!(home = %self.name, %error, "failed to look at the home's rights");
                return;
            }
        }
        if !empty && !self.trouble.contains_key("rights") {
            self.rights.look = None;
        }
    }

    /// Whether the rights are being deleted, and with `all` whether one of them is missing.
    async fn look(&mut self, empty: bool, all: bool) -> Result<Option<String>, MintError> {
        let shared = self.shared.clone();
        let client = shared
            .releaser
            .client(&self.name, &shared.client, &shared.connection)
            .await?;
        let standing = client.standing().await?;
        let again = std::mem::replace(&mut self.rights.absent, standing == Standing::Gone);
        if standing != Standing::Kept {
            self.rights.complete = None;
        }
        match standing {
            Standing::Going if empty => {
                let kept = client.release().await?;
                if !kept.is_empty() {
                    return Ok(Some(format!(
                        "the worker's rights in namespace '{}' are being deleted, all but {}: delete these as well, or the namespace",
                        self.name,
                        kept.join(", ")
                    )));
                }
                tracing::info!(home = %self.name, "the home's rights are let go");
                self.rights.over = true;
                Ok(Some(self.is_over()))
            }
            Standing::Going => Ok(None),
            Standing::Gone if self.rights.over => Ok(Some(self.is_over())),
            Standing::Gone if again => Ok(Some(self.cure("rolebindings/tenure:release"))),
            Standing::Gone => Ok(self.trouble.get("rights").cloned()),
            Standing::Kept => {
                // a home that is there again: its watches may never have noticed that it was gone
                self.rights.over = false;
                if !all {
                    return Ok(None);
                }
                let wanted = self.spec.borrow().rights.clone();
                let missing = client.missing(&wanted).await?;
                self.rights.suspected = false;
                self.rights.complete = missing.is_empty().then(Instant::now);
                Ok((!missing.is_empty()).then(|| self.cure(&missing.join(", "))))
            }
        }
    }

    pub(super) fn is_over(&self) -> String {
        format!(
            "the namespace '{}' does not exist any more, or its worker's rights were taken away; take it out of the Tenant's spec.namespaces, or create it and apply the rights again: tenure tenant rights -f <the Tenant's file> | kubectl apply -f -",
            self.name
        )
    }

    /// What is missing and the command that cures it.
    pub(super) fn cure(&self, missing: &str) -> String {
        format!(
            "the worker's rights in namespace '{}' lack {missing}; apply them again: tenure tenant rights -f <the Tenant's file> | kubectl apply -f - (create the namespace first if it does not exist)",
            self.name
        )
    }
}

/// Lets go of the rights of a home that no Tenant names any more, as far as somebody deletes them, until
/// they are gone. What the home holds stays, with its finalizers.
pub(crate) async fn farewell(home: Name, shared: Arc<super::Shared>, cancel: CancellationToken) {
    let mut backoff = Backoff::new(FIRST, LONGEST);
    let mut absent = 0;
    loop {
        let step = async {
            let client = shared
                .releaser
                .client(&home, &shared.client, &shared.connection)
                .await?;
            if client.standing().await? == Standing::Going {
                client.release().await?;
            }
            Ok::<_, MintError>(client.standing().await?)
        };
        let stood = tokio::select! {
            () = cancel.cancelled() => return,
            stood = step => stood,
        };
        match stood {
            // Twice, since the authorizer may be behind.
            Ok(Standing::Gone) if absent > 0 => return,
            Ok(Standing::Gone) => absent += 1,
            Ok(_) => absent = 0,
            Err(error) => tracing::warn!(%home, %error, "failed to let go of a former home's rights"),
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(backoff.next_delay()) => {}
        }
    }
}

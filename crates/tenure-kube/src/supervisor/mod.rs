//! The supervisor's requests: Tenants, Artifacts, tokens of workers, Leases, the issuer's keys.

mod artifacts;
mod members;
mod pods;
mod tenants;

use jiff::Timestamp;
use serde_json::{Value, json};
use tenure_core::{Account, Name, Secret};

use crate::call::{Call, JSON, MERGE_PATCH, Target};
use crate::caller::{Caller, Identity, split_list};
use crate::cluster::TokenCell;
use crate::connection::Connection;
use crate::error::{Cause, KubeError};
use crate::event::EventDraft;
use crate::resource::By;

pub use members::MemberStream;
pub use tenants::{TenantEvent, TenantStream};

/// The key of the issuer's JWKS in its ConfigMap.
const JWKS_KEY: &str = "jwks.json";

/// The supervisor as itself. It knows two namespaces: the system's, with Tenants and Leases, and
/// the workers', where it may mint tokens. In a third it reaches the metadata of Flux objects, where the installation lets it
/// (mode `cluster`), and nothing else.
#[derive(Clone, Debug)]
pub struct SupervisorClient {
    caller: Caller,
    system: Name,
    workers: Name,
}

/// A token of a worker's ServiceAccount.
#[derive(Clone, Debug)]
pub struct Minted {
    /// The token.
    pub token: Secret,
    /// Until when it is good, as the server says.
    pub expires_at: Timestamp,
}

impl SupervisorClient {
    /// The supervisor, with its system namespace and the workers' namespace.
    #[must_use]
    pub fn new(connection: &Connection, token: TokenCell, system: Name, workers: Name) -> Self {
        Self {
            caller: Caller::new(
                connection,
                token,
                Identity::Supervising("the supervisor".to_owned()),
            ),
            system,
            workers,
        }
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Requests sent so far, repetitions included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.caller.requests()
    }

    /// Mints a token for the worker account `account_name`. `audiences` empty means the API
    /// server's own; `seconds` below 600 are refused by the server.
    ///
    /// # Errors
    /// Not found when the account does not exist; otherwise as the server says.
    pub async fn mint(
        &self,
        account_name: &Name,
        audiences: &[&str],
        seconds: u32,
    ) -> Result<Minted, KubeError> {
        let target = Target::core("serviceaccounts")
            .within(&self.workers)
            .named(account_name)
            .sub("token");
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": audiences, "expirationSeconds": seconds},
        });
        let call = self.caller.with_body(Call::create(target), JSON, &request)?;
        let mut answer: Value = self.caller.json(&call).await?;
        let expires_at = answer
            .pointer("/status/expirationTimestamp")
            .and_then(Value::as_str);
        let expires_at = expires_at.and_then(|at| at.parse().ok());
        let token = answer.pointer_mut("/status/token").map(Value::take);
        match (token, expires_at) {
            (Some(Value::String(token)), Some(expires_at)) => Ok(Minted {
                token: token.into(),
                expires_at,
            }),
            _ => Err(self
                .caller
                .error(&call, Cause::Decode("no token or no time of expiry".to_owned()))),
        }
    }

    /// Whether this API server takes a token for its own, whatever audience it was minted for.
    ///
    /// # Errors
    /// As the server says; that it does not know the token is no error.
    pub async fn admits(&self, token: &Secret) -> Result<bool, KubeError> {
        let bearer = Identity::Supervising("a token of a worker".to_owned());
        let caller = Caller::new(self.caller.connection(), TokenCell::new(token.clone()), bearer);
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let target = Target::of("authentication.k8s.io", "v1", "selfsubjectreviews");
        let call = caller.with_body(Call::create(target), JSON, &review)?;
        match caller.json::<Value>(&call).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_unauthorized() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Who the worker of a home is.
    #[must_use]
    pub fn worker_of(&self, home: &Name) -> Account {
        Account {
            namespace: self.workers.clone(),
            name: home.clone(),
        }
    }

    /// The names of the ServiceAccounts in the workers' namespace.
    ///
    /// # Errors
    /// As the server says.
    pub async fn worker_accounts(&self) -> Result<Vec<String>, KubeError> {
        let call = Call::list(Target::core("serviceaccounts").within(&self.workers), By::All);
        let (items, _) = split_list(self.caller.json(&call).await?);
        let name = |item: &Value| {
            item.pointer("/metadata/name")
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        Ok(items.iter().filter_map(name).collect())
    }

    /// The keys with which the server signs ServiceAccount tokens, as a JWKS document.
    ///
    /// # Errors
    /// As the server says.
    pub async fn issuer_keys(&self) -> Result<String, KubeError> {
        let call =
            Call::get(Target::raw("/openid/v1/jwks")).accept("application/jwk-set+json, application/json");
        let (_, bytes) = self.caller.bytes(&call).await?;
        String::from_utf8(bytes.to_vec()).map_err(|e| self.caller.error(&call, Cause::Decode(e.to_string())))
    }

    /// The issuer of ServiceAccount tokens.
    ///
    /// # Errors
    /// As the server says.
    pub async fn issuer(&self) -> Result<String, KubeError> {
        let call = Call::get(Target::raw("/.well-known/openid-configuration"));
        let answer: Value = self.caller.json(&call).await?;
        match answer.get("issuer").and_then(Value::as_str) {
            Some(issuer) => Ok(issuer.to_owned()),
            None => Err(self.caller.error(&call, Cause::Decode("no issuer".to_owned()))),
        }
    }

    /// Keeps the issuer's keys in the system namespace's ConfigMap, under `jwks.json`. Writes only
    /// when they differ, and says whether it did.
    ///
    /// # Errors
    /// Not found when the ConfigMap does not exist (it is installed, not made here); otherwise as
    /// the server says.
    pub async fn put_issuer_keys(&self, config_map_name: &Name, jwks: &str) -> Result<bool, KubeError> {
        let target = Target::core("configmaps")
            .within(&self.system)
            .named(config_map_name);
        let found: Value = self.caller.json(&Call::get(target.clone())).await?;
        if found
            .get("data")
            .and_then(|data| data.get(JWKS_KEY))
            .and_then(Value::as_str)
            == Some(jwks)
        {
            return Ok(false);
        }
        let patch = json!({"data": {JWKS_KEY: jwks}});
        let call = self.caller.with_body(Call::patch(target), MERGE_PATCH, &patch)?;
        self.caller.bytes(&call).await?;
        Ok(true)
    }

    /// Major and minor version of the API server.
    ///
    /// # Errors
    /// As the server says.
    pub async fn version(&self) -> Result<(u32, u32), KubeError> {
        let call = Call::get(Target::raw("/version"));
        let answer: Value = self.caller.json(&call).await?;
        // Some distributions write the minor as `36+`.
        let number = |key: &str| {
            let text = answer.get(key).and_then(Value::as_str).unwrap_or_default();
            text.trim_end_matches(|c: char| !c.is_ascii_digit())
                .parse::<u32>()
                .ok()
        };
        match (number("major"), number("minor")) {
            (Some(major), Some(minor)) => Ok((major, minor)),
            _ => Err(self
                .caller
                .error(&call, Cause::Decode("no version numbers".to_owned()))),
        }
    }

    /// Writes an Event into the system namespace.
    ///
    /// # Errors
    /// As the server says.
    pub async fn event(&self, draft: EventDraft) -> Result<(), KubeError> {
        let event = draft.render(self.system.as_str(), Timestamp::now());
        let call = Call::create(Target::core("events").within(&self.system));
        self.caller
            .bytes(&self.caller.with_body(call, JSON, &event)?)
            .await
            .map(|_| ())
    }
}

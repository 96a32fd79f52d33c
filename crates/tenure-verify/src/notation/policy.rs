//! `trustpolicy.json`, version 1.0 of the Notary Project's trust policies for artifacts of registries.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::distinguished::{Name, parse};

const EVERYTHING: &str = "*";
const SUBJECT: &str = "x509.subject";
const STORES: [&str; 3] = ["ca", "signingAuthority", "tsa"];

/// What has to hold of the signatures of which repositories.
#[derive(Clone, Debug)]
pub struct TrustPolicy {
    statements: Vec<Statement>,
}

/// Why a policy can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the trust policy cannot be used: {message}")]
pub struct PolicyError {
    /// What is wrong with it, and in which statement.
    pub message: String,
}

/// One statement of a policy.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    name: String,
    scopes: Vec<String>,
    /// None skips everything.
    actions: Option<BTreeMap<Check, Action>>,
    timestamp: VerifyTimestamp,
    stores: Vec<String>,
    /// None trusts everybody below the stores.
    identities: Option<Vec<Name>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Check {
    Integrity,
    Authenticity,
    AuthenticTimestamp,
    Expiry,
    Revocation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Action {
    Enforce,
    Log,
    Skip,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum VerifyTimestamp {
    #[default]
    Always,
    AfterCertExpiry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Level {
    Strict,
    Permissive,
    Audit,
    Skip,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    version: String,
    #[serde(default)]
    trust_policies: Option<Vec<Written>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    #[serde(default)]
    name: String,
    #[serde(default)]
    registry_scopes: Option<Vec<String>>,
    signature_verification: Verification,
    #[serde(default)]
    trust_stores: Option<Vec<String>>,
    #[serde(default)]
    trusted_identities: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Verification {
    level: Level,
    #[serde(default, rename = "override")]
    overridden: BTreeMap<Check, Action>,
    #[serde(default)]
    verify_timestamp: VerifyTimestamp,
}

impl TrustPolicy {
    /// Reads a `trustpolicy.json`.
    ///
    /// # Errors
    /// [`PolicyError`], by the rules of the Notary Project; and for a field that is not of version 1.0, which
    /// notation would pass over.
    pub fn from_json(text: &[u8]) -> Result<Self, PolicyError> {
        let bad = |message: String| PolicyError { message };
        let document: Document =
            serde_json::from_slice(text).map_err(|error| bad(format!("it is not understood: {error}")))?;
        if document.version != "1.0" {
            return Err(bad(format!(
                "its version is '{}', and not '1.0'",
                document.version
            )));
        }
        let mut statements = Vec::new();
        let (mut names, mut scopes) = (BTreeSet::new(), BTreeSet::new());
        for written in document.trust_policies.unwrap_or_default() {
            let statement = Statement::read(written)?;
            if !names.insert(statement.name.clone()) {
                return Err(bad(format!("it has two statements '{}'", statement.name)));
            }
            for scope in &statement.scopes {
                if !scopes.insert(scope.clone()) {
                    return Err(bad(format!("the scope '{scope}' is in it twice")));
                }
            }
            statements.push(statement);
        }
        if statements.is_empty() {
            return Err(bad("it has no statement in trustPolicies".to_owned()));
        }
        Ok(Self { statements })
    }

    /// The statement for a repository: the one that names it, or the one for all.
    pub(super) fn statement(&self, artifact: &str) -> Option<&Statement> {
        let of = |scope: &str| {
            self.statements
                .iter()
                .find(|one| one.scopes.iter().any(|s| s == scope))
        };
        of(artifact).or_else(|| of(EVERYTHING))
    }
}

impl Statement {
    fn read(written: Written) -> Result<Self, PolicyError> {
        let name = written.name;
        let bad = |message: String| PolicyError {
            message: format!("in the statement '{name}' {message}"),
        };
        if name.is_empty() {
            return Err(bad("the name is missing".to_owned()));
        }
        let verification = written.signature_verification;
        let actions = actions(verification.level, &verification.overridden).map_err(bad)?;
        let scopes = written.registry_scopes.unwrap_or_default();
        if scopes.is_empty() {
            return Err(bad("registryScopes are missing".to_owned()));
        }
        let everything = |all: &[String]| all.iter().any(|one| one == EVERYTHING);
        if scopes.len() > 1 && everything(&scopes) {
            return Err(bad("'*' is among other registryScopes".to_owned()));
        }
        if let Some(odd) = scopes
            .iter()
            .find(|scope| *scope != EVERYTHING && !is_repository(scope))
        {
            return Err(bad(format!(
                "the scope '{odd}' is not like 'registry.example/team/app', without scheme and tag"
            )));
        }
        let mut statement = Self {
            scopes,
            actions,
            timestamp: verification.verify_timestamp,
            stores: Vec::new(),
            identities: None,
            name: name.clone(),
        };
        if statement.skips() {
            // as Flux does, what it would trust is passed over
            return Ok(statement);
        }
        let stores = written.trust_stores.unwrap_or_default();
        let identities = written.trusted_identities.unwrap_or_default();
        if stores.is_empty() || identities.is_empty() {
            return Err(bad("trustStores or trustedIdentities are missing".to_owned()));
        }
        for store in &stores {
            let known = store.split_once(':').is_some_and(|(kind, name)| {
                STORES.contains(&kind) && !name.is_empty() && name.bytes().all(in_name)
            });
            if !known {
                return Err(bad(format!(
                    "the store '{store}' is none: 'ca', 'signingAuthority' or 'tsa', a colon and a name"
                )));
            }
        }
        if identities.len() > 1 && everything(&identities) {
            return Err(bad("'*' is among other trustedIdentities".to_owned()));
        }
        if !everything(&identities) {
            statement.identities = Some(subjects(&identities).map_err(bad)?);
        }
        statement.stores = stores;
        Ok(statement)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn skips(&self) -> bool {
        self.actions.is_none()
    }

    pub(super) fn action(&self, check: Check) -> Action {
        let actions = self.actions.as_ref();
        let action = actions.and_then(|all| all.get(&check));
        action.copied().unwrap_or(Action::Enforce)
    }

    pub(super) fn verify_timestamp(&self) -> VerifyTimestamp {
        self.timestamp
    }

    /// Whether a store of that type is named.
    pub(super) fn stores(&self, kind: &str) -> bool {
        let mut stores = self.stores.iter();
        stores.any(|one| one.split_once(':').is_some_and(|(found, _)| found == kind))
    }

    /// Whether the subject of a certificate is trusted.
    pub(super) fn trusts(&self, subject: &Result<Name, String>) -> bool {
        match (&self.identities, subject) {
            (None, _) => true,
            (Some(all), Ok(subject)) => all.iter().any(|one| one.is_part_of(subject)),
            (Some(_), Err(_)) => false,
        }
    }
}

/// What to do with a check that fails; nothing of it if all are skipped.
fn actions(
    level: Level,
    overridden: &BTreeMap<Check, Action>,
) -> Result<Option<BTreeMap<Check, Action>>, String> {
    let others = match level {
        Level::Skip if overridden.is_empty() => return Ok(None),
        Level::Skip => return Err("the level 'skip' is overridden, and it can't be".to_owned()),
        Level::Strict => Action::Enforce,
        Level::Permissive | Level::Audit => Action::Log,
    };
    let authenticity = if level == Level::Audit {
        Action::Log
    } else {
        Action::Enforce
    };
    let mut actions = BTreeMap::from([
        (Check::Authenticity, authenticity),
        (Check::AuthenticTimestamp, others),
        (Check::Expiry, others),
        (Check::Revocation, others),
    ]);
    for (check, action) in overridden {
        if *check == Check::Integrity {
            return Err("'integrity' is overridden, and it can't be".to_owned());
        }
        if *action == Action::Skip && *check != Check::Revocation {
            return Err("something else than 'revocation' is skipped, and it can't be".to_owned());
        }
        actions.insert(*check, *action);
    }
    Ok(Some(actions))
}

fn subjects(identities: &[String]) -> Result<Vec<Name>, String> {
    let mut names: Vec<Name> = Vec::new();
    for identity in identities {
        let (kind, value) = identity
            .split_once(':')
            .ok_or_else(|| format!("the identity '{identity}' is none: '{SUBJECT}:' and a name"))?;
        // others are for plug-ins, of which there are none: they match nobody
        if kind != SUBJECT {
            continue;
        }
        let name =
            parse(value).map_err(|message| format!("the identity '{identity}' can't be used: {message}"))?;
        if names
            .iter()
            .any(|one| one.is_part_of(&name) || name.is_part_of(one))
        {
            return Err(format!("the identity '{identity}' and another one overlap"));
        }
        names.push(name);
    }
    Ok(names)
}

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}

/// Registry and repository, with at least one slash between them, and nothing that neither may have.
fn is_repository(scope: &str) -> bool {
    let Some((registry, repository)) = scope.split_once('/') else {
        return false;
    };
    let (host, port) = registry.split_once(':').unwrap_or((registry, "0"));
    let host_part = |part: &str| {
        let ends = |c: char| c.is_ascii_alphanumeric();
        part.starts_with(ends)
            && part.ends_with(ends)
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let path_part = |part: &str| {
        let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(ends) && part.ends_with(ends) && part.chars().all(|c| ends(c) || "._-".contains(c))
    };
    host.split('.').all(host_part)
        && !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && repository.split('/').all(path_part)
}

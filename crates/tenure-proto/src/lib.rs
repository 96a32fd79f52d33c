//! The two wire protocols: [`lifeline`] between the supervisor and a worker, [`source`] between a
//! worker and the source cache. Types only; messages that carry a credential cannot be printed.

use std::fmt;

/// The channel between the supervisor and one worker.
#[allow(
    missing_docs,
    clippy::all,
    unreachable_pub,
    unused_qualifications,
    reason = "generated from the proto file, which documents it"
)]
pub mod lifeline {
    tonic::include_proto!("tenure.lifeline.v1");
}

/// The source cache's service.
#[allow(
    missing_docs,
    clippy::all,
    unreachable_pub,
    unused_qualifications,
    reason = "generated from the proto file, which documents it"
)]
pub mod source {
    tonic::include_proto!("tenure.source.v1");
}

/// Audience of the tokens that open the cache to a worker.
pub const CACHE_AUDIENCE: &str = "tenure-cache";

/// Audience of the token that lets the supervisor hear what moved.
pub const CACHE_CONTROL_AUDIENCE: &str = "tenure-cache-control";

/// Type of the [`ConditionReport`](lifeline::ConditionReport) about a Tenant's limits, and of the condition.
pub const WITHIN_LIMITS: &str = "WithinLimits";

/// Type of the report whether the API server takes the worker for who it is.
pub const IDENTITY: &str = "Identity";

/// Type of the report whether the worker holds the older right to impersonate, which has no limits, and of the condition.
pub const CONSTRAINED_IMPERSONATION: &str = "ConstrainedImpersonation";

/// Its reason when it does.
pub const LEGACY_RIGHTS: &str = "LegacyRightsHeld";

/// Its reason when as much was downloaded for a home as may be.
pub const FETCH_BUDGET_EXCEEDED: &str = "FetchBudgetExceeded";

/// Metadata key under which the cache sends a [`source::Failure`] with an error status.
pub const FAILURE_KEY: &str = "tenure-failure-bin";

macro_rules! hidden {
    ($($type:ty => $name:literal),* $(,)?) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($name, "(****)"))
            }
        }
    )*};
}

hidden! {
    lifeline::Token => "Token",
    source::Credential => "Credential",
    source::credential::Kind => "Kind",
    source::Basic => "Basic",
    source::Ssh => "Ssh",
    source::FetchRequest => "FetchRequest",
    source::GitSpec => "GitSpec",
    source::OciSpec => "OciSpec",
    source::HelmSpec => "HelmSpec",
    source::BucketSpec => "BucketSpec",
    source::FileSpec => "FileSpec",
    source::Keys => "Keys",
    source::GithubApp => "GithubApp",
    source::Ldap => "Ldap",
    source::Proxy => "Proxy",
}

impl fmt::Debug for lifeline::Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("tenant", &self.tenant)
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for source::ResolveResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolveResponse")
            .field("revision", &self.revision)
            .field("artifact", &self.artifact)
            .field("not_modified", &self.not_modified)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::source::{Credential, Ssh, credential::Kind};

    #[test]
    fn a_credential_does_not_print() {
        let key = Ssh {
            identity: b"CANARY".to_vec(),
            passphrase: "CANARY".into(),
            ..Ssh::default()
        };
        let credential = Credential {
            kind: Some(Kind::Ssh(key)),
            ..Credential::default()
        };
        assert!(!format!("{credential:?}").contains("CANARY"));
    }
}

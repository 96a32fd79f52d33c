use serde::Deserialize;
use tenure_core::{Account, Name};
use tenure_proto::{CACHE_AUDIENCE, CACHE_CONTROL_AUDIENCE};

/// Clocks of two machines may differ by this much, in seconds.
pub(super) const LEEWAY: u64 = 10;

/// What a bound ServiceAccount token says, as the API server writes it.
#[derive(Deserialize)]
pub(super) struct Claims {
    sub: String,
    aud: Audience,
    exp: u64,
    nbf: u64,
    iat: u64,
    #[serde(default)]
    iss: String,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Kubernetes,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Kubernetes {
    namespace: String,
    serviceaccount: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// Why a token is refused: for the metric, never for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    /// No `authorization`, more than one, or not `Bearer`.
    Missing,
    /// Not a JSON Web Token, or without what such a token of the API server has.
    Malformed,
    /// An algorithm that the key does not have.
    Algorithm,
    /// Signed by a key that is not in the file.
    UnknownKey,
    /// The signature does not fit.
    Signature,
    /// Expired, or not valid yet.
    Time,
    /// Another issuer.
    Issuer,
    /// For another audience.
    Audience,
    /// Not an identity of a worker.
    Identity,
}

impl Refusal {
    /// A word for the metric.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Time => "time",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Identity => "identity",
        }
    }
}

impl Claims {
    /// The home these claims stand for at `now` (seconds since 1970).
    pub(super) fn home(&self, now: u64, issuer: Option<&str>, workers: &Name) -> Result<Name, Refusal> {
        self.good(now, issuer, CACHE_AUDIENCE)?;
        let name = self.account(workers)?;
        Name::new(name).map_err(|_| Refusal::Identity)
    }

    /// Whether they stand for `supervisor` at `now`.
    pub(super) fn supervisor(
        &self,
        now: u64,
        issuer: Option<&str>,
        supervisor: &Account,
    ) -> Result<(), Refusal> {
        self.good(now, issuer, CACHE_CONTROL_AUDIENCE)?;
        let name = self.account(&supervisor.namespace)?;
        if name == supervisor.name.as_str() {
            Ok(())
        } else {
            Err(Refusal::Identity)
        }
    }

    fn good(&self, now: u64, issuer: Option<&str>, wanted: &str) -> Result<(), Refusal> {
        let valid = self.exp.saturating_add(LEEWAY) > now
            && self.nbf <= now.saturating_add(LEEWAY)
            && self.iat <= now.saturating_add(LEEWAY)
            && self.iat <= self.exp;
        if !valid {
            return Err(Refusal::Time);
        }
        if issuer.is_some_and(|issuer| issuer != self.iss) {
            return Err(Refusal::Issuer);
        }
        let for_us = match &self.aud {
            Audience::One(audience) => audience == wanted,
            Audience::Many(audiences) => audiences.iter().any(|audience| audience == wanted),
        };
        if !for_us {
            return Err(Refusal::Audience);
        }
        Ok(())
    }

    /// The name of the ServiceAccount, which must be in `namespace`.
    fn account(&self, namespace: &Name) -> Result<&str, Refusal> {
        let name = &self.kubernetes.serviceaccount.name;
        let subject = format!("system:serviceaccount:{namespace}:{name}");
        if self.kubernetes.namespace != namespace.as_str() || self.sub != subject {
            return Err(Refusal::Identity);
        }
        Ok(name)
    }
}

use serde::Deserialize;
use tenure_core::Name;

/// Clocks of two machines may differ by this much, in seconds.
const LEEWAY: u64 = 10;

/// What a bound ServiceAccount token says, as the API server writes it.
#[derive(Debug, Deserialize)]
pub struct Claims {
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

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct Kubernetes {
    namespace: String,
    serviceaccount: Named,
    pod: Option<Pod>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Pod {
    name: String,
    uid: String,
}

/// Why a token is refused: for the metric, never for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
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
    /// Of another ServiceAccount, or of another pod, than is let in.
    Identity,
}

impl Refusal {
    /// A word for the metric.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
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
    /// Whether they hold at `now` (seconds since 1970), from `issuer` if one is given, for `audience`.
    ///
    /// # Errors
    /// What does not.
    pub fn good(&self, now: u64, issuer: Option<&str>, audience: &str) -> Result<(), Refusal> {
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
            Audience::One(one) => one == audience,
            Audience::Many(audiences) => audiences.iter().any(|one| one == audience),
        };
        if !for_us {
            return Err(Refusal::Audience);
        }
        Ok(())
    }

    /// The name of the ServiceAccount, which must be in `namespace`.
    ///
    /// # Errors
    /// When it is of another one, or the claims disagree.
    pub fn account(&self, namespace: &Name) -> Result<&str, Refusal> {
        let name = &self.kubernetes.serviceaccount.name;
        let subject = format!("system:serviceaccount:{namespace}:{name}");
        if self.kubernetes.namespace != namespace.as_str() || self.sub != subject {
            return Err(Refusal::Identity);
        }
        Ok(name)
    }

    /// Name and uid of the pod that the token is bound to.
    #[must_use]
    pub fn pod(&self) -> Option<(&str, &str)> {
        let pod = self.kubernetes.pod.as_ref()?;
        Some((&pod.name, &pod.uid))
    }
}

//! Azure Blob Storage: how it is asked, and how it answers.

mod entra;
mod secret;
mod shared_key;
mod xml;

use std::time::SystemTime;

use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tenure_core::Secret;
use tenure_net::Order;

use super::ask::{Ask, bearer};
use super::list::PAGE;

pub use entra::{AUTHORITY, Application, Proof};
pub(super) use xml::read;

/// Of the service's interface. Later ones write names that XML cannot hold in another way.
const VERSION: &str = "2020-10-02";
const X_MS_VERSION: &str = "x-ms-version";
const X_MS_DATE: &str = "x-ms-date";
/// Why a request was refused, of the reasons that help; what else a service says could repeat a secret.
const REASONS: [&str; 14] = [
    "AccountIsDisabled",
    "AuthenticationFailed",
    "AuthorizationFailure",
    "AuthorizationPermissionMismatch",
    "AuthorizationProtocolMismatch",
    "AuthorizationResourceTypeMismatch",
    "AuthorizationServiceMismatch",
    "AuthorizationSourceIPMismatch",
    "InsufficientAccountPermissions",
    "InvalidAuthenticationInfo",
    "KeyBasedAuthenticationNotPermitted",
    "NoAuthenticationInformation",
    "PublicAccessNotPermitted",
    "ResourceNotFound",
];

/// Who asks Azure Blob Storage. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub enum Azure {
    /// Nobody: a public container.
    Anonymous,
    /// Who knows one of the storage account's two keys.
    AccountKey {
        /// The storage account.
        account: String,
        /// The key, in base64.
        key: Secret,
    },
    /// Who has a shared access signature: a query, without its question mark.
    Sas(Secret),
    /// An application, which gets a token; see [`Bucket::opened`](super::Bucket::opened).
    Application(Application),
    /// Whoever the access token was given to.
    Token(Secret),
}

impl Azure {
    pub(super) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Anonymous => None,
            Self::AccountKey { key, .. } => Some(key),
            Self::Sas(secret) | Self::Token(secret) => Some(secret),
            Self::Application(application) => Some(application.secret()),
        }
    }

    /// Whether what opens it is a token of Microsoft Entra, or leads to one.
    pub(super) fn uses_token(&self) -> bool {
        matches!(self, Self::Application(_) | Self::Token(_))
    }

    /// Says who asks.
    pub(super) fn sign(&self, order: &mut Order) -> Option<()> {
        order.headers.insert(
            HeaderName::from_static(X_MS_VERSION),
            HeaderValue::from_static(VERSION),
        );
        match self {
            Self::Anonymous | Self::Application(_) => Some(()),
            Self::AccountKey { account, key } => {
                let date = shared_key::date(SystemTime::now());
                let signed = [(X_MS_DATE, &*date), (X_MS_VERSION, VERSION)];
                let shown = shared_key::authorization(account, key, order, &signed)?;
                order.private.insert(
                    HeaderName::from_static(X_MS_DATE),
                    HeaderValue::from_str(&date).ok()?,
                );
                let mut shown = HeaderValue::from_bytes(shown.expose()).ok()?;
                shown.set_sensitive(true);
                order.private.insert(AUTHORIZATION, shown);
                Some(())
            }
            Self::Sas(query) => {
                // as it is written: it is signed over, and spelled in more than one way
                let query = query.expose_str()?;
                let query = match order.url.query() {
                    Some(own) => format!("{own}&{query}"),
                    None => query.to_owned(),
                };
                order.url.set_query(Some(&query));
                Some(())
            }
            Self::Token(token) => bearer(token, order),
        }
    }

    /// What would help when the service does not accept it.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::AccountKey { .. } => {
                "look at 'accountKey' of the Secret, and whether the account allows keys at all"
            }
            Self::Sas(_) => {
                "look at 'sasKey' of the Secret: whether it has expired, and allows reading and listing"
            }
            Self::Token(_) => "it needs the role Storage Blob Data Reader",
            Self::Anonymous | Self::Application(_) => "",
        }
    }
}

pub(super) fn query<'a>(prefix: &'a str, ask: Ask<'a>) -> Vec<(&'static str, &'a str)> {
    let Ask::Page(next) = ask else { return Vec::new() };
    let mut query = vec![("restype", "container"), ("comp", "list"), ("maxresults", PAGE)];
    query.extend(Some(prefix).filter(|p| !p.is_empty()).map(|p| ("prefix", p)));
    query.extend(next.map(|marker| ("marker", marker)));
    query
}

/// Whether an answer to somebody without a credential means that one is needed: an account without public access says
/// so, and one with it knows of no container that is not public.
pub(super) fn hides(status: StatusCode, reason: Option<&str>, ask: Ask<'_>) -> bool {
    match (status, reason) {
        (StatusCode::CONFLICT, Some("PublicAccessNotPermitted")) => true,
        (StatusCode::NOT_FOUND, Some("ResourceNotFound")) => matches!(ask, Ask::Page(_)),
        _ => false,
    }
}

/// Why the service refuses, if it says so.
pub(super) fn reason(headers: &HeaderMap) -> Option<&'static str> {
    let said = headers.get("x-ms-error-code")?.to_str().ok()?;
    REASONS.into_iter().find(|reason| *reason == said)
}

//! Google Cloud Storage: how its JSON API is asked, and how it answers.

mod account;
mod federated;

use std::collections::BTreeMap;

use serde::Deserialize;
use tenure_core::Secret;
use tenure_net::Unusable;

use super::Object;
use super::ask::Ask;
use super::list::{PAGE, Page};

pub use account::Account;
pub use federated::Federated;

/// What of each object is asked for.
const FIELDS: &str = "kind,nextPageToken,items(name,etag,size)";

/// Who asks Google Cloud Storage. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub enum Google {
    /// Nobody: a public bucket.
    Anonymous,
    /// A service account, which gets a token; see [`Bucket::opened`](super::Bucket::opened).
    Account(Account),
    /// A workload that a pool of identities trusts, which gets a token; see [`Bucket::opened`](super::Bucket::opened).
    Federated(Federated),
    /// Whoever the access token was given to.
    Token(Secret),
}

impl Google {
    /// What the Secret `name` of a Bucket with `provider: gcp` says: its key `serviceaccount`.
    ///
    /// # Errors
    /// [`Unusable`], in Flux's words where it has some.
    pub fn from_secret(name: &str, data: &BTreeMap<String, Secret>) -> Result<Self, Unusable> {
        let Some(file) = data.get("serviceaccount") else {
            return Err(Unusable(format!(
                "invalid '{name}' secret data: required fields 'serviceaccount'"
            )));
        };
        let account = Account::parse(file.expose());
        account
            .map(Self::Account)
            .map_err(|why| Unusable(format!("invalid '{name}' secret data: 'serviceaccount' {why}")))
    }

    pub(super) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Anonymous => None,
            Self::Account(account) => Some(&account.key),
            Self::Federated(federated) => Some(&federated.token),
            Self::Token(token) => Some(token),
        }
    }
}

pub(super) fn query<'a>(prefix: &'a str, ask: Ask<'a>) -> Vec<(&'static str, &'a str)> {
    let Ask::Page(next) = ask else {
        return vec![("alt", "media")];
    };
    let mut query = vec![("maxResults", PAGE), ("fields", FIELDS)];
    query.extend(Some(prefix).filter(|p| !p.is_empty()).map(|p| ("prefix", p)));
    query.extend(next.map(|token| ("pageToken", token)));
    query
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Objects {
    kind: String,
    #[serde(default)]
    next_page_token: Option<String>,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    name: String,
    etag: String,
    /// A number in a text: JSON's numbers are too small for it.
    size: String,
}

/// Reads a list of objects.
pub(super) fn read(text: &str) -> Option<Page> {
    let read: Objects = serde_json::from_str(text).ok()?;
    // any other JSON object would pass for an empty bucket
    (read.kind == "storage#objects").then_some(())?;
    let objects = read.items.into_iter().map(|item| {
        let size = item.size.parse().ok()?;
        (!item.name.is_empty() && !item.etag.is_empty()).then_some(Object {
            key: item.name,
            etag: item.etag,
            size,
        })
    });
    Some(Page {
        objects: objects.collect::<Option<_>>()?,
        next: read.next_page_token.filter(|token| !token.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_as_google_writes_it() {
        let page = read(
            r#"{"kind": "storage#objects", "nextPageToken": "CgEx", "items": [
                {"kind": "storage#object", "name": "a b/c.yaml", "etag": "CNihivbWrusCEAE=", "size": "3"}]}"#,
        );
        let object = Object {
            key: "a b/c.yaml".to_owned(),
            etag: "CNihivbWrusCEAE=".to_owned(),
            size: 3,
        };
        let wanted = Page {
            objects: vec![object],
            next: Some("CgEx".to_owned()),
        };
        assert_eq!(page, Some(wanted));
        assert_eq!(read(r#"{"kind": "storage#objects"}"#), Some(Page::default()));
    }

    #[test]
    fn what_is_no_listing_is_nothing() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"error": {"code": 403}}"#,
            r#"{"kind": "storage#bucket"}"#,
            r#"{"kind": "storage#objects", "items": [{"name": "a", "size": "1"}]}"#,
            r#"{"kind": "storage#objects", "items": [{"name": "a", "etag": "", "size": "1"}]}"#,
            r#"{"kind": "storage#objects", "items": [{"name": "", "etag": "e", "size": "1"}]}"#,
            r#"{"kind": "storage#objects", "items": [{"name": "a", "etag": "e", "size": "-1"}]}"#,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_secret_without_a_service_account_is_refused_in_the_words_of_flux() {
        let data = BTreeMap::from([("token".to_owned(), Secret::from("t".to_owned()))]);
        let error = Google::from_secret("s", &data).expect_err("no account");
        assert_eq!(
            error.to_string(),
            "invalid 's' secret data: required fields 'serviceaccount'"
        );
    }
}

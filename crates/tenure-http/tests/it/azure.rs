//! Azure Blob Storage, by a server that follows its REST interface as it is documented: it works out the signature of
//! every request by itself, and holds a shared access signature to its time and its permissions.

use std::collections::BTreeMap;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tenure_core::Secret;
use tenure_http::bucket::{Azure, Bucket, Service, list, look};
use tenure_http::{HttpError, Limits};
use tenure_testkit::serve::Site;

use crate::cloud::{
    Asked, CANARY, NO_PATHS, Store, bucket, changes_and_vanishes, cloud, decoded, keys_of, outbound, packed,
    pairs, silent,
};
use crate::support::{limits, site, with};

const ACCOUNT: &str = "acct";
const KEY: &[u8] = b"sw0rdfish-canary of the account";
pub(crate) const TOKEN: &str = "eyJ.sw0rdfish-canary";
/// Objects in one answer of the server, whatever is asked for.
const FEW: usize = 2;

fn refused(code: u16, why: &str) -> Response {
    // the body of Azure's refusals repeats what was signed
    with(
        code,
        &[("x-ms-error-code", why)],
        format!("<Error>{CANARY}</Error>"),
    )
}

fn key() -> Secret {
    Secret::from(STANDARD.encode(KEY))
}

/// The string to sign of "Authorize with Shared Key", of a request without a body.
fn string_to_sign(asked: &Asked) -> String {
    let mut lines = vec!["GET".to_owned()];
    for name in [
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "if-modified-since",
        "if-match",
        "if-none-match",
        "if-unmodified-since",
        "range",
    ] {
        lines.push(asked.header(name).unwrap_or_default().to_owned());
    }
    let own: BTreeMap<&str, &str> = asked
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .collect();
    lines.extend(own.iter().map(|(name, value)| format!("{name}:{value}")));
    lines.push(format!("/{ACCOUNT}{}", asked.path()));
    let query = pairs(asked.url.query().unwrap_or_default());
    lines.extend(query.iter().map(|(name, value)| format!("{name}:{value}")));
    lines.join("\n")
}

fn signature(text: &str) -> String {
    STANDARD.encode(tenure_net::aws::mac(KEY, text.as_bytes()))
}

/// What an account's shared access signature signs, see "Create an account SAS".
fn sas(permissions: &str, expiry: &str) -> String {
    let (services, types, version) = ("b", "co", "2020-08-04");
    let text = format!("{ACCOUNT}\n{permissions}\n{services}\n{types}\n\n{expiry}\n\nhttps\n{version}\n");
    let signed = tenure_net::aws::encode(&signature(&text), true);
    let expiry = tenure_net::aws::encode(expiry, true);
    format!("sv={version}&ss={services}&srt={types}&sp={permissions}&se={expiry}&spr=https&sig={signed}")
}

/// Answers about the container `team`.
pub(crate) fn storage(store: &Store, asked: &Asked) -> Response {
    let version = asked.header("x-ms-version");
    assert!(version.is_some_and(|v| v.len() == 10), "{version:?}");
    let lists = asked.query("comp").as_deref() == Some("list");
    match (asked.authorization(), asked.query("sig")) {
        (None, None) => return refused(404, "ResourceNotFound"),
        (None, Some(_)) => {
            let (permissions, expiry) = (asked.query("sp").unwrap(), asked.query("se").unwrap());
            let good = pairs(&sas(&permissions, &expiry))
                .into_iter()
                .all(|(name, value)| asked.query(&name) == Some(value));
            let alive = expiry.parse::<jiff::Timestamp>().unwrap() > jiff::Timestamp::now();
            if !good || !alive {
                return refused(403, "AuthenticationFailed");
            }
            if !permissions.contains(if lists { 'l' } else { 'r' }) {
                return refused(403, "AuthorizationPermissionMismatch");
            }
        }
        (Some(shown), None) if shown == format!("Bearer {TOKEN}") => {}
        (Some(shown), None) => {
            let date = asked
                .header("x-ms-date")
                .and_then(|d| jiff::fmt::rfc2822::parse(d).ok());
            let good = shown == format!("SharedKey {ACCOUNT}:{}", signature(&string_to_sign(asked)));
            if date.is_none() || !good {
                return refused(403, "AuthenticationFailed");
            }
        }
        (Some(_), Some(_)) => return refused(400, "InvalidQueryParameterValue"),
    }
    open(store, asked)
}

/// The same for everybody.
fn open(store: &Store, asked: &Asked) -> Response {
    let Some(rest) = asked.path().strip_prefix("/team") else {
        return refused(404, "ContainerNotFound");
    };
    if let Some(key) = rest.strip_prefix('/') {
        return match store.get(&decoded(key)) {
            Some(content) => with(200, &[], content),
            None => refused(404, "BlobNotFound"),
        };
    }
    assert_eq!(asked.query("restype").as_deref(), Some("container"));
    let prefix = asked.query("prefix").unwrap_or_default();
    let most: usize = asked.query("maxresults").unwrap().parse().unwrap();
    let from = asked.query("marker").unwrap_or_default();
    let (page, more) = store.after(&prefix, &from, most.min(FEW));
    let marker = page.last().filter(|_| more).map(|(key, ..)| key.as_str());
    with(200, &[], listing(&page, marker))
}

fn listing(page: &[(String, String, usize)], marker: Option<&str>) -> String {
    let blobs = page.iter().map(|(key, etag, size)| {
        let key = key.replace('&', "&amp;");
        format!(
            "<Blob><Name>{key}</Name><Properties><Etag>{etag}</Etag><Content-Length>{size}</Content-Length>\
             </Properties><OrMetadata /></Blob>"
        )
    });
    let blobs: String = blobs.collect();
    let next = marker.map_or("<NextMarker />".to_owned(), |m| {
        format!("<NextMarker>{}</NextMarker>", m.replace('&', "&amp;"))
    });
    format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ContainerName=\"team\">\
         <Blobs>{blobs}</Blobs>{next}</EnumerationResults>"
    )
}

fn azure(azure: Azure) -> Service {
    Service::Azure(azure)
}

fn with_key(key: Secret) -> Service {
    azure(Azure::AccountKey {
        account: ACCOUNT.to_owned(),
        key,
    })
}

fn with_sas(query: String) -> Service {
    azure(Azure::Sas(Secret::from(query)))
}

pub(crate) fn files() -> Store {
    Store::new(&[
        (".sourceignore", "*.md\n"),
        ("README.md", "x"),
        ("a.yaml", "a: 1\n"),
        ("b/c d+e&f=ü.yaml", "c: 1\n"),
        ("b/folder/", ""),
        ("image.png", "kept: there are no other rules"),
    ])
}

async fn served(store: &Store) -> Site {
    let store = store.clone();
    cloud(move |asked| storage(&store, asked)).await
}

#[tokio::test]
async fn a_container_becomes_an_artifact_and_a_change_another_revision() {
    let store = files();
    let site = served(&store).await;
    let far = sas("rl", "2999-01-01T00:00:00Z");
    let token = azure(Azure::Token(Secret::from(TOKEN.to_owned())));
    for service in [with_key(key()), with_sas(far), token] {
        let bucket = bucket(&site, service);
        assert!(!format!("{bucket:?}").contains("sig="));
        let listing = look(&bucket, None, &limits()).await.unwrap();
        let keys = ["a.yaml", "b/c d+e&f=ü.yaml", "image.png"];
        assert_eq!(keys_of(&listing), keys, "over pages, without what is left out");
        let tags: Vec<_> = listing
            .objects
            .iter()
            .map(|o| (o.etag.as_str(), o.size))
            .collect();
        assert_eq!(tags, [("\"e5\"", 5), ("\"e5\"", 5), ("\"e1e\"", 30)]);
        let names = packed(&bucket, &listing, &limits()).await.unwrap();
        assert_eq!(names, ["a.yaml", "b/", "b/c d+e&f=ü.yaml", "image.png"]);
    }
    let bucket = bucket(&site, with_key(key()));
    let listing = list(&bucket, None, &limits()).await.unwrap();
    changes_and_vanishes(&store, &bucket, &listing).await;

    let inside = Bucket {
        prefix: "b/c d+".to_owned(),
        ..bucket
    };
    let listing = list(&inside, None, &limits()).await.unwrap();
    assert_eq!(keys_of(&listing), ["b/c d+e&f=ü.yaml"]);
}

#[tokio::test]
async fn what_does_not_open_a_container_is_told_and_never_shown() {
    let site = served(&files()).await;
    let far = "2999-01-01T00:00:00Z";
    for (service, wanted) in [
        (
            with_key(Secret::from(STANDARD.encode(CANARY))),
            "(HTTP 403, AuthenticationFailed); look at 'accountKey'",
        ),
        (with_key(Secret::from(CANARY.to_owned())), "'accountKey'"),
        (
            with_sas(sas("rl", "2020-01-01T00:00:00Z")),
            "(HTTP 403, AuthenticationFailed); look at 'sasKey' of the Secret: whether it has expired",
        ),
        (
            with_sas(sas("rl", far).replace("sig=", "sig=sw0rdfish-canary")),
            "(HTTP 403, AuthenticationFailed)",
        ),
        (
            with_sas(sas("r", far)),
            "(HTTP 403, AuthorizationPermissionMismatch)",
        ),
        (
            with_sas(sas("l", far)),
            "(HTTP 403, AuthorizationPermissionMismatch)",
        ),
        (
            azure(Azure::Token(Secret::from(CANARY.to_owned()))),
            "(HTTP 403, AuthenticationFailed); it needs the role",
        ),
        (azure(Azure::Anonymous), "name a Secret in spec.secretRef"),
    ] {
        let bucket = bucket(&site, service);
        assert!(!format!("{bucket:?}").contains(CANARY));
        let error = look(&bucket, None, &limits()).await.unwrap_err();
        assert!(matches!(error, HttpError::AuthenticationFailed { .. }), "{error}");
        let said = silent(&error);
        assert!(said.contains(wanted) && !said.contains("sig"), "{wanted}: {said}");
    }
    let absent = Bucket {
        name: "absent".to_owned(),
        ..bucket(&site, with_key(key()))
    };
    let error = list(&absent, None, &limits()).await.unwrap_err();
    assert!(matches!(error, HttpError::NotFound { .. }), "{error}");
}

/// A signature is a part of the URL, which a client's own errors repeat.
#[tokio::test]
async fn a_server_that_is_not_there_or_breaks_off_shows_no_signature() {
    let query = || with_sas(format!("sv=2020-08-04&sig={CANARY}"));
    let site = cloud(|asked| match asked.path() {
        "/team" => with(200, &[("content-length", "100")], "<EnumerationResults>"),
        _ => with(404, &[], ""),
    })
    .await;
    let mut absent = bucket(&site, query());
    absent.endpoint = "https://127.0.0.1:1".parse().unwrap();
    for bucket in [bucket(&site, query()), absent] {
        let error = list(&bucket, None, &limits()).await.unwrap_err();
        assert!(matches!(error, HttpError::Unavailable { .. }), "{error}");
        silent(&error);
    }
}

#[tokio::test]
async fn a_public_container_needs_no_credential_and_another_account_says_that_it_has_none() {
    let store = files();
    let public = cloud(move |asked| {
        assert_eq!(asked.authorization(), None);
        open(&store, asked)
    })
    .await;
    let listing = look(&bucket(&public, azure(Azure::Anonymous)), None, &limits()).await;
    assert_eq!(listing.unwrap().objects.len(), 3);
    let private = cloud(|_| refused(409, "PublicAccessNotPermitted")).await;
    let error = list(&bucket(&private, azure(Azure::Anonymous)), None, &limits())
        .await
        .unwrap_err();
    assert!(silent(&error).contains("spec.secretRef"), "{error}");
}

#[tokio::test]
async fn a_redirect_to_another_host_takes_no_credential_along() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = seen.clone();
    let other = cloud(move |asked| {
        noted.lock().unwrap().push((
            asked.url.query().map(str::to_owned),
            asked.authorization().map(str::to_owned),
            asked.header("x-ms-date").map(str::to_owned),
        ));
        with(404, &[], "")
    })
    .await;
    let to = format!("https://{}/x", other.host());
    let (site, _) = site(move |_| with(307, &[("location", &to)], "")).await;
    let token = azure(Azure::Token(Secret::from(TOKEN.to_owned())));
    for service in [
        with_key(key()),
        with_sas(sas("rl", "2999-01-01T00:00:00Z")),
        token,
    ] {
        let mut moved = bucket(&site, service);
        moved.outbound = outbound(&[site.ca(), other.ca()].concat());
        list(&moved, None, &limits()).await.unwrap_err();
    }
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 3, "{seen:?}");
    assert!(seen.iter().all(|shown| *shown == (None, None, None)), "{seen:?}");
}

#[tokio::test]
async fn listings_that_lie_or_never_end_are_refused() {
    let blob = |key: &str| (key.to_owned(), "e".to_owned(), 1);
    let refused = async |text: Box<dyn Fn(Option<String>) -> String + Send + Sync>, limits: Limits| {
        let text = std::sync::Arc::new(text);
        let site = cloud(move |asked| match asked.path() {
            "/team" => with(200, &[], text(asked.query("marker"))),
            "/team/.sourceignore" => with(404, &[], ""),
            _ => with(200, &[], "x"),
        })
        .await;
        let bucket = bucket(&site, azure(Azure::Anonymous));
        let error = match list(&bucket, None, &limits).await {
            Ok(listing) => packed(&bucket, &listing, &limits).await.unwrap_err(),
            Err(error) => error,
        };
        error.to_string()
    };
    for bad in NO_PATHS.into_iter().chain([&[".."][..]]) {
        let text = listing(&bad.iter().map(|key| blob(key)).collect::<Vec<_>>(), None);
        let error = refused(Box::new(move |_| text.clone()), limits()).await;
        assert!(
            error.contains("sent something that is refused"),
            "{bad:?}: {error}"
        );
    }
    let twice = listing(&[blob("x"), blob("x")], None);
    let twice = refused(Box::new(move |_| twice.clone()), limits()).await;
    assert!(twice.contains("it lists \"x\" twice"), "{twice}");
    let other = refused(Box::new(|_| "<Error />".to_owned()), limits()).await;
    assert!(other.contains("not understood"), "{other}");
    let same = refused(Box::new(|_| listing(&[], Some("m"))), limits()).await;
    assert!(same.contains("does not go on"), "{same}");
    let next = |marker: Option<String>| (marker.map_or(0, |m| m.parse::<usize>().unwrap()) + 1).to_string();
    let empty = refused(Box::new(move |m| listing(&[], Some(&next(m)))), limits()).await;
    assert!(empty.contains("more than 2000 pages"), "{empty}");
    let few = Limits {
        objects: 10,
        ..limits()
    };
    let endless = move |m| {
        let at = next(m);
        listing(&[blob(&at)], Some(&at))
    };
    let endless = refused(Box::new(endless), few).await;
    assert!(endless.contains("more than 10 objects"), "{endless}");
}

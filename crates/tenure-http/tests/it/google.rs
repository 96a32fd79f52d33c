//! Google Cloud Storage, by a server that follows its JSON API and the token exchange of service accounts as they are
//! documented: it verifies the JWT of an exchange and the token of every request.

use std::collections::BTreeMap;

use axum::response::Response;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::KeyPair;
use serde_json::{Value, json};
use tenure_core::Secret;
use tenure_http::bucket::{Bucket, Federated, Google, Service, list, look};
use tenure_http::{HttpError, Limits};
use tenure_testkit::proxy::Proxy;
use tenure_testkit::serve::Site;

use crate::cloud::{
    Asked, CANARY, NO_PATHS, Store, bucket, changes_and_vanishes, cloud, decoded, keys_of, outbound, packed,
    router, silent,
};
use crate::support::{limits, site, with};

const TOKEN: &str = "ya29.sw0rdfish-canary";
const EMAIL: &str = "reader@project.iam.gserviceaccount.com";
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_only";
/// Objects in one answer of the server, whatever is asked for.
const FEW: usize = 2;

/// Answers about the bucket `team` as Google does to whom it gave the token.
fn storage(store: &Store, asked: &Asked) -> Response {
    match asked.authorization() {
        Some(shown) if shown == format!("Bearer {TOKEN}") => open(store, asked),
        Some(_) => with(401, &[], json!({"error": {"message": CANARY}}).to_string()),
        None => with(
            401,
            &[],
            "Anonymous caller does not have storage.objects.list access",
        ),
    }
}

/// The same for everybody.
fn open(store: &Store, asked: &Asked) -> Response {
    let Some(rest) = asked.path().strip_prefix("/storage/v1/b/team/o") else {
        return with(404, &[], "no such bucket");
    };
    if let Some(key) = rest.strip_prefix('/') {
        assert_eq!(asked.query("alt").as_deref(), Some("media"));
        return match store.get(&decoded(key)) {
            Some(content) => with(200, &[], content),
            None => with(404, &[], "no such object"),
        };
    }
    let prefix = asked.query("prefix").unwrap_or_default();
    let most: usize = asked.query("maxResults").unwrap().parse().unwrap();
    let from = asked.query("pageToken").unwrap_or_default();
    let (page, more) = store.after(&prefix, &from, most.min(FEW));
    let items: Vec<Value> = page
        .iter()
        .map(|(name, etag, size)| json!({"name": name, "etag": etag, "size": size.to_string()}))
        .collect();
    let mut answer = json!({"kind": "storage#objects"});
    if !items.is_empty() {
        answer["items"] = items.into();
    }
    if more {
        answer["nextPageToken"] = page.last().unwrap().0.clone().into();
    }
    with(200, &[("content-type", "application/json")], answer.to_string())
}

fn token(token: &str) -> Service {
    Service::Google(Google::Token(Secret::from(token.to_owned())))
}

fn files() -> Store {
    Store::new(&[
        (".sourceignore", "*.md\n"),
        ("README.md", "x"),
        ("a.yaml", "a: 1\n"),
        ("b/c d+e=ü.yaml", "c: 1\n"),
        ("b/folder/", ""),
        ("image.png", "kept: there are no other rules"),
    ])
}

async fn served(store: &Store) -> Site {
    let store = store.clone();
    cloud(move |asked| storage(&store, asked)).await
}

#[tokio::test]
async fn a_bucket_of_google_becomes_an_artifact_and_a_change_another_revision() {
    let store = files();
    let site = served(&store).await;
    let bucket = bucket(&site, token(TOKEN));
    let listing = look(&bucket, None, &limits()).await.unwrap();
    let keys = ["a.yaml", "b/c d+e=ü.yaml", "image.png"];
    assert_eq!(keys_of(&listing), keys, "over pages, without what is left out");
    let tags: Vec<_> = listing
        .objects
        .iter()
        .map(|o| (o.etag.as_str(), o.size))
        .collect();
    assert_eq!(tags, [("e5", 5), ("e5", 5), ("e1e", 30)]);
    let names = packed(&bucket, &listing, &limits()).await.unwrap();
    assert_eq!(names, ["a.yaml", "b/", "b/c d+e=ü.yaml", "image.png"]);

    changes_and_vanishes(&store, &bucket, &listing).await;

    let inside = Bucket {
        prefix: "b/".to_owned(),
        ..bucket
    };
    let listing = list(&inside, None, &limits()).await.unwrap();
    assert_eq!(keys_of(&listing), ["b/c d+e=ü.yaml"]);
}

#[tokio::test]
async fn a_public_bucket_needs_no_credential_and_another_one_is_refused_without_it() {
    let store = files();
    let shared = store.clone();
    let public = cloud(move |asked| {
        assert_eq!(asked.authorization(), None);
        open(&shared, asked)
    })
    .await;
    let nobody = || Service::Google(Google::Anonymous);
    let listing = look(&bucket(&public, nobody()), None, &limits()).await.unwrap();
    assert_eq!(listing.objects.len(), 3);

    let site = served(&store).await;
    let error = list(&bucket(&site, nobody()), None, &limits()).await.unwrap_err();
    assert!(silent(&error).contains("spec.secretRef"), "{error}");
    let error = list(&bucket(&site, token(&format!("{TOKEN}x"))), None, &limits())
        .await
        .unwrap_err();
    assert!(matches!(error, HttpError::AuthenticationFailed { .. }), "{error}");
    assert!(silent(&error).contains("HTTP 401"), "{error}");
    let absent = Bucket {
        name: "absent".to_owned(),
        ..bucket(&site, token(TOKEN))
    };
    let error = list(&absent, None, &limits()).await.unwrap_err();
    assert!(matches!(error, HttpError::NotFound { .. }), "{error}");
    let odd = Bucket {
        name: "a/../b".to_owned(),
        ..bucket(&site, token(TOKEN))
    };
    let error = list(&odd, None, &limits()).await.unwrap_err();
    assert!(matches!(error, HttpError::InvalidReference { .. }), "{error}");
}

/// A key of a service account, as Google gives it out.
fn account(key: &KeyPair, token_uri: &str) -> Google {
    let file = json!({
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "k1",
        "private_key": key.serialize_pem(),
        "client_email": EMAIL,
        "token_uri": token_uri,
    });
    let data = BTreeMap::from([("serviceaccount".to_owned(), Secret::from(file.to_string()))]);
    let google = Google::from_secret("gcs", &data).unwrap();
    assert!(!format!("{google:?}").contains("PRIVATE"));
    google
}

/// Gives the token for an assertion that `key` has signed, as RFC 7523 and Google's documentation say.
fn granted(key: &DecodingKey, asked: &Asked) -> Response {
    let form = asked.form();
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!(asked.authorization(), None);
    let mut valid = Validation::new(Algorithm::RS256);
    valid.set_audience(&[asked.place()]);
    valid.set_issuer(&[EMAIL]);
    valid.set_required_spec_claims(&["aud", "iss", "exp"]);
    match jsonwebtoken::decode::<Value>(&form["assertion"], key, &valid) {
        Ok(read) if read.claims["scope"] == SCOPE && read.header.kid.as_deref() == Some("k1") => {
            let life = read.claims["exp"].as_u64().unwrap() - read.claims["iat"].as_u64().unwrap();
            assert!(life <= 3600, "an hour is the most that is accepted, not {life} s");
            let answer = json!({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"});
            with(200, &[], answer.to_string())
        }
        _ => {
            let answer = json!({"error": "invalid_grant", "error_description": form["assertion"]});
            with(400, &[], answer.to_string())
        }
    }
}

#[tokio::test]
async fn a_service_account_gets_a_token_that_opens_the_bucket() {
    let pair = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let public = DecodingKey::from_rsa_pem(pair.public_key_pem().as_bytes()).unwrap();
    let store = files();
    let site = cloud(move |asked| match asked.path() {
        "/token" => granted(&public, asked),
        "/other" => with(200, &[], json!({"id_token": TOKEN}).to_string()),
        "/moved" => with(307, &[("location", "/token")], ""),
        "/broken" => with(200, &[], format!("{{\"access_token\": \"{CANARY}")),
        "/endless" => with(200, &[], "x".repeat(1 << 20)),
        _ => storage(&store, asked),
    })
    .await;
    let at = |key: &KeyPair, path: &str| {
        let uri = format!("https://{}/{path}", site.host());
        bucket(&site, Service::Google(account(key, &uri)))
    };
    let closed = at(&pair, "token");
    let opened = closed.opened(&limits()).await.unwrap();
    assert!(!format!("{opened:?}").contains(TOKEN));
    assert_eq!(opened.service.secrets(), [TOKEN]);
    let listing = look(&opened, None, &limits()).await.unwrap();
    assert_eq!(listing.objects.len(), 3);
    let again = list(&closed, None, &limits()).await.unwrap();
    assert_eq!(again, listing, "it is opened where that was forgotten");

    let stranger = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let error = at(&stranger, "token").opened(&limits()).await.unwrap_err();
    assert!(matches!(error, HttpError::AuthenticationFailed { .. }), "{error}");
    let said = silent(&error);
    assert!(said.contains("HTTP 400, invalid_grant"), "{said}");
    assert!(
        said.contains("'serviceaccount'") && !said.contains("eyJ"),
        "{said}"
    );
    for (path, wanted) in [
        ("other", "not understood"),
        ("broken", "not understood"),
        ("endless", "more than 65536 bytes"),
        ("moved", "HTTP 307"),
    ] {
        let error = at(&pair, path).opened(&limits()).await.unwrap_err();
        assert!(silent(&error).contains(wanted), "{path}: {error}");
    }
}

#[tokio::test]
async fn a_key_is_used_only_at_an_allowed_https_url_and_a_token_only_over_https() {
    let pair = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let site = served(&files()).await;
    for (uri, wanted) in [
        ("http://127.0.0.1:1/token", "is not a plain https URL"),
        (
            "https://user:pass@oauth2.googleapis.com/token",
            "is not a plain https URL",
        ),
        ("file:///etc/passwd", "is not a plain https URL"),
        ("metadata", "is not a plain https URL"),
        ("https://169.254.169.254/token", "169.254.169.254"),
    ] {
        let bucket = bucket(&site, Service::Google(account(&pair, uri)));
        let error = bucket.opened(&limits()).await.unwrap_err();
        assert!(silent(&error).contains(wanted), "{uri}: {error}");
    }
    let mut plain = bucket(&site, token(TOKEN));
    plain.endpoint = format!("http://{}", site.host()).parse().unwrap();
    let error = list(&plain, None, &limits()).await.unwrap_err();
    assert!(silent(&error).contains("spec.insecure"), "{error}");
}

#[tokio::test]
async fn a_redirect_to_another_host_takes_no_token_along() {
    let (elsewhere, asked) = site(|_| with(404, &[], "")).await;
    let to = format!("https://{}/x", elsewhere.host());
    let (site, _) = site(move |_| with(307, &[("location", &to)], "")).await;
    let mut moved = bucket(&site, token(TOKEN));
    moved.outbound = outbound(&[site.ca(), elsewhere.ca()].concat());
    list(&moved, None, &limits()).await.unwrap_err();
    let seen = asked.all();
    assert!(
        !seen.is_empty() && seen.iter().all(|(_, shown)| shown.is_none()),
        "{seen:?}"
    );
}

/// A server whose listing is always `text`, with what it was asked to go on from.
async fn lying(text: impl Fn(Option<String>) -> String + Clone + Send + Sync + 'static) -> Site {
    cloud(move |asked| match asked.path() {
        "/storage/v1/b/team/o" => with(200, &[], text(asked.query("pageToken"))),
        "/storage/v1/b/team/o/.sourceignore" => with(404, &[], ""),
        _ => with(200, &[], "x"),
    })
    .await
}

fn of(keys: &[&str], next: Option<&str>) -> String {
    let items = keys
        .iter()
        .map(|key| json!({"name": key, "etag": "e", "size": "1"}));
    let items: Vec<Value> = items.collect();
    json!({"kind": "storage#objects", "items": items, "nextPageToken": next}).to_string()
}

#[tokio::test]
async fn listings_that_lie_or_never_end_are_refused() {
    let refused = async |site: Site, limits: Limits| {
        let bucket = bucket(&site, Service::Google(Google::Anonymous));
        let error = match list(&bucket, None, &limits).await {
            Ok(listing) => packed(&bucket, &listing, &limits).await.unwrap_err(),
            Err(error) => error,
        };
        error.to_string()
    };
    for bad in NO_PATHS.into_iter().chain([&[".."][..]]) {
        let text = of(bad, None);
        let error = refused(lying(move |_| text.clone()).await, limits()).await;
        assert!(
            error.contains("sent something that is refused"),
            "{bad:?}: {error}"
        );
    }
    let twice = refused(lying(|_| of(&["x", "x"], None)).await, limits()).await;
    assert!(twice.contains("it lists \"x\" twice"), "{twice}");
    let other = refused(lying(|_| "{}".to_owned()).await, limits()).await;
    assert!(other.contains("not understood"), "{other}");
    let same = refused(lying(|_| of(&["x"], Some("t"))).await, limits()).await;
    assert!(same.contains("does not go on"), "{same}");
    let next = |token: Option<String>| token.map_or(0, |t| t.parse::<usize>().unwrap()) + 1;
    let empty = lying(move |token| of(&[], Some(&next(token).to_string()))).await;
    let empty = refused(empty, limits()).await;
    assert!(empty.contains("more than 2000 pages"), "{empty}");
    let few = Limits {
        objects: 10,
        ..limits()
    };
    let endless = lying(move |token| {
        let at = next(token).to_string();
        of(&[&at], Some(&at))
    })
    .await;
    let endless = refused(endless, few).await;
    assert!(endless.contains("more than 10 objects"), "{endless}");
    let small = Limits {
        index_bytes: 1000,
        artifact_bytes: 1000,
        ..limits()
    };
    let long = lying(|_| of(&["x"], None) + &" ".repeat(2000)).await;
    let long = refused(long, small).await;
    assert!(long.contains("more than 1000 bytes"), "{long}");
}

/// A body without a length that goes on for as long as it is read.
fn endless() -> axum::body::Body {
    let chunk = || Ok::<_, std::io::Error>(vec![b'x'; 1 << 16]);
    axum::body::Body::from_stream(futures::stream::repeat_with(chunk))
}

#[tokio::test]
async fn bodies_that_never_end_are_refused() {
    let site = cloud(|asked| match asked.path() {
        "/storage/v1/b/team/o" => with(200, &[], of(&["x"], None)),
        "/storage/v1/b/team/o/.sourceignore" => with(404, &[], ""),
        "/storage/v1/b/listing/o" | "/storage/v1/b/rules/o/.sourceignore" => with(200, &[], endless()),
        "/storage/v1/b/team/o/x" => with(200, &[], endless()),
        _ => with(404, &[], ""),
    })
    .await;
    let limits = Limits {
        index_bytes: 1 << 20,
        artifact_bytes: 1 << 20,
        ..limits()
    };
    let team = bucket(&site, Service::Google(Google::Anonymous));
    let listing = list(&team, None, &limits).await.unwrap();
    let error = packed(&team, &listing, &limits).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { .. }), "{error}");
    for name in ["listing", "rules"] {
        let named = Bucket {
            name: name.to_owned(),
            ..team.clone()
        };
        let error = list(&named, None, &limits).await.unwrap_err();
        assert!(matches!(error, HttpError::TooLarge { .. }), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_workload_that_a_pool_trusts_gets_a_token_that_opens_the_bucket_and_may_act_as_an_account() {
    const AUDIENCE: &str =
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k";
    let store = files();
    let answer = move |asked: &Asked| match asked.url.host_str() {
        Some("sts.googleapis.com") => {
            let form = asked.form();
            assert_eq!(
                form["grant_type"],
                "urn:ietf:params:oauth:grant-type:token-exchange"
            );
            assert_eq!(form["subject_token_type"], "urn:ietf:params:oauth:token-type:jwt");
            if form["audience"] != AUDIENCE || form["subject_token"] != CANARY {
                return with(400, &[], json!({"error": "invalid_grant"}).to_string());
            }
            let own = if form["scope"] == SCOPE {
                TOKEN
            } else {
                "principal"
            };
            with(200, &[], json!({"access_token": own}).to_string())
        }
        Some("iamcredentials.googleapis.com") => {
            let place = format!(
                "/v1/projects/-/serviceAccounts/{}:generateAccessToken",
                EMAIL.replace('@', "%40")
            );
            match asked.authorization() == Some("Bearer principal") && asked.path() == place {
                true => with(200, &[], json!({"accessToken": TOKEN}).to_string()),
                false => with(403, &[], CANARY),
            }
        }
        _ => storage(&store, asked),
    };
    let names = ["sts.googleapis.com", "iamcredentials.googleapis.com"];
    let site = Site::named(router(answer), &names).await.unwrap();
    let proxy = Proxy::leading_to(&site.host()).await.unwrap();
    let open = |audience: &str, account: Option<&str>| {
        let federated = Federated {
            audience: audience.to_owned(),
            service_account: account.map(str::to_owned),
            token: Secret::from(CANARY.to_owned()),
        };
        let mut bucket = bucket(&site, Service::Google(Google::Federated(federated)));
        bucket.outbound.proxy = Some(tenure_net::Proxy {
            address: proxy.address().to_owned(),
            login: None,
        });
        assert!(!format!("{bucket:?}").contains(CANARY));
        async move { look(&bucket, None, &limits()).await }
    };
    for account in [None, Some(EMAIL)] {
        assert!(!open(AUDIENCE, account).await.unwrap().objects.is_empty());
    }
    for (audience, account, part) in [
        ("//iam.googleapis.com/other", None, "invalid_grant"),
        (AUDIENCE, Some("another@account"), "may not act as it"),
    ] {
        let error = open(audience, account).await.unwrap_err();
        assert!(matches!(error, HttpError::AuthenticationFailed { .. }), "{error}");
        assert!(
            error.to_string().contains(part) && !error.to_string().contains(CANARY),
            "{error}"
        );
    }
}

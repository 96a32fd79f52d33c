//! Files behind HTTP, by the same rules as commits and layers.

use std::fmt::Write as _;
use std::time::Duration;

use tenure_core::Digest;
use tenure_net::Guard;
use tenure_proto::source::{
    Basic, BucketSpec, Credential, FailureKind, FileSpec, HelmSpec, Keys, ResolveRequest, credential,
    resolve_request::Spec,
};
use tenure_testkit::helm::Charts;
use tenure_testkit::s3::S3Server;

use crate::rig::{Rig, Setup, fetch};
use crate::source_client::SourceError;
use tenure_cache::Limits;

fn ask(spec: Spec, kind: Option<credential::Kind>, ca: &str) -> ResolveRequest {
    ResolveRequest {
        spec: Some(spec),
        credential: Some(Credential {
            kind,
            ca_pem: ca.as_bytes().to_vec(),
            ..Credential::default()
        }),
        timeout: Duration::from_secs(60).try_into().ok(),
        ..ResolveRequest::default()
    }
}

fn basic(user: &str, password: &str) -> credential::Kind {
    credential::Kind::Basic(Basic {
        username: user.into(),
        password: password.into(),
    })
}

/// The chart `app`, or the index if there is no range.
fn chart(charts: &Charts, range: Option<&str>, user: &str, password: &str) -> ResolveRequest {
    let spec = HelmSpec {
        url: charts.url(),
        chart: range.map(|_| "app".to_owned()).unwrap_or_default(),
        version: range.unwrap_or_default().into(),
        pass_credentials: false,
    };
    ask(Spec::Helm(spec), Some(basic(user, password)), charts.ca())
}

async fn charts() -> Charts {
    let charts = Charts::start().await.expect("a repository");
    charts.logins(&[("alice", "alices-password"), ("bob", "bobs-password")]);
    charts
}

fn kind(error: &SourceError) -> Option<FailureKind> {
    match error {
        SourceError::Remote { kind, .. } => Some(*kind),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_homes_share_a_chart_and_each_proves_for_itself() {
    let rig = Rig::start().await;
    let charts = charts().await;
    let digest = charts.publish("app", "1.0.0", &[("values.yaml", "a: 1\n")]);
    let (alice, bob) = (rig.home("alice"), rig.home("bob"));
    let first = alice
        .resolve(chart(&charts, Some("1.x"), "alice", "alices-password"))
        .await
        .expect("resolves");
    assert_eq!(first.revision, "1.0.0");
    let artifact = first.artifact.clone().expect("set");
    assert_eq!(artifact.digest, format!("sha256:{digest}"), "as the index says");
    let before = charts.requests().len();
    let second = bob
        .resolve(chart(&charts, Some("1.x"), "bob", "bobs-password"))
        .await
        .expect("resolves");
    assert_eq!(
        charts.requests().split_off(before),
        ["GET /charts/index.yaml 200", "GET /charts/app-1.0.0.tgz 200"],
        "bob was let in by the repository, for the chart too"
    );
    assert_eq!(second.artifact, first.artifact);
    assert_eq!(
        rig.metric("tenure_cache_downloads_total").await,
        1,
        "and nothing was kept for him"
    );
    for (client, resolved) in [(&alice, &first), (&bob, &second)] {
        fetch(client, resolved).await.expect("fetches");
    }
    charts.logins(&[("alice", "alices-password")]);
    let error = bob
        .resolve(chart(&charts, Some("1.x"), "bob", "bobs-password"))
        .await
        .expect_err("locked out");
    assert_eq!(kind(&error), Some(FailureKind::AuthenticationFailed), "{error}");
    let error = fetch(&bob, &second).await.expect_err("revoked");
    assert!(matches!(error, SourceError::Stale(_)), "{error}");
    fetch(&alice, &first).await.expect("alice's is hers");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_has_not_changed_is_not_sent_again_and_the_credential_is_shown_all_the_same() {
    let rig = Rig::start().await;
    let charts = charts().await;
    let _ = charts.publish("app", "1.0.0", &[]);
    let alice = rig.home("alice");
    let revision = async |range| {
        let ask = chart(&charts, range, "alice", "alices-password");
        let before = charts.requests().len();
        let resolved = alice.resolve(ask).await?;
        Ok::<_, SourceError>((resolved.revision, charts.requests().split_off(before)))
    };
    let (first, _) = revision(Some("1.x")).await.expect("resolves");
    let (again, asked) = revision(Some("1.x")).await.expect("resolves");
    assert_eq!((again, first.as_str()), (first.clone(), "1.0.0"));
    assert_eq!(
        asked,
        ["GET /charts/index.yaml 304", "GET /charts/app-1.0.0.tgz 200"],
        "what the index has said is true still, and alice is let in for the chart"
    );
    let (index, _) = revision(None).await.expect("resolves");
    let (same, asked) = revision(None).await.expect("resolves");
    assert_eq!(
        (same, asked),
        (index.clone(), vec!["GET /charts/index.yaml 304".to_owned()])
    );
    let _ = charts.publish("app", "1.1.0", &[]);
    let (newer, asked) = revision(Some("1.x")).await.expect("resolves");
    assert_eq!(
        (newer.as_str(), asked[0].as_str()),
        ("1.1.0", "GET /charts/index.yaml 200")
    );
    assert_ne!(revision(None).await.expect("resolves").0, index);
    charts.logins(&[("bob", "bobs-password")]);
    let error = revision(Some("1.x")).await.expect_err("locked out");
    assert_eq!(kind(&error), Some(FailureKind::AuthenticationFailed), "{error}");
    charts.logins(&[("alice", "alices-password")]);
    let (_, asked) = revision(Some("1.x")).await.expect("resolves");
    assert_eq!(
        asked[0], "GET /charts/index.yaml 200",
        "a refusal ends what was known"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_kept_as_json_under_the_digest_of_what_was_downloaded() {
    let rig = Rig::start().await;
    let charts = charts().await;
    charts.put("index.yaml", "apiVersion: v1\nentries: {}\n");
    let alice = rig.home("alice");
    let ask = || chart(&charts, None, "alice", "alices-password");
    let resolved = alice.resolve(ask()).await.expect("resolves");
    let digest = Digest::of(b"apiVersion: v1\nentries: {}\n");
    assert_eq!(resolved.revision, digest.to_string());
    let bytes = fetch(&alice, &resolved).await.expect("fetches");
    assert_eq!(bytes, br#"{"apiVersion":"v1","entries":{}}"#);
    for (index, expected) in [
        ("entries: [", FailureKind::Malformed),
        ("entries: {}", FailureKind::Malformed),
        ("a: &a [x]\nb: [*a, *b]", FailureKind::Malformed),
    ] {
        charts.put("index.yaml", index);
        let error = alice.resolve(ask()).await.expect_err(index);
        assert_eq!(kind(&error), Some(expected), "{error}");
    }
}

/// As large as those of large repositories: the fetcher has memory for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_index_fits_and_one_over_the_limit_is_refused() {
    let rig = Rig::start().await;
    let charts = Charts::start().await.expect("a repository");
    let about = "x".repeat(600);
    let index = |versions: usize| {
        let mut text = "apiVersion: v1\nentries:\n".to_owned();
        for chart in 0..100 {
            let _ = writeln!(text, "  chart-{chart}:");
            for version in 0..versions {
                let _ = writeln!(
                    text,
                    "  - name: chart-{chart}\n    version: 1.{version}.0\n    description: {about}\n    urls:\n    - chart-{chart}-1.{version}.0.tgz\n    digest: {chart:064}"
                );
            }
        }
        text
    };
    let alice = rig.home("alice");
    charts.put("index.yaml", index(300));
    let mut ask = chart(&charts, None, "alice", "x");
    ask.credential.as_mut().expect("set").kind = None;
    let resolved = alice.resolve(ask.clone()).await.expect("resolves");
    let size = resolved.artifact.expect("set").size;
    assert!(size > 20 << 20, "it has {size} bytes");
    charts.put("index.yaml", vec![b' '; 51 << 20]);
    let error = alice.resolve(ask).await.expect_err("too large");
    assert_eq!(kind(&error), Some(FailureKind::TooLarge), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_leads_nowhere_else() {
    let rig = Rig::start().await;
    let charts = charts().await;
    let alice = rig.home("alice");
    for place in [
        "file:///etc/passwd",
        "https://bob:CANARY@127.0.0.1/app.tgz",
        "http://169.254.169.254/latest",
        "oci://127.0.0.1/app",
    ] {
        let index = format!(
            "apiVersion: v1\nentries:\n  app:\n  - {{name: app, version: 1.0.0, urls: [\"{place}\"], digest: \"{}\"}}\n",
            Digest::of(b"x").hex()
        );
        charts.put("index.yaml", index);
        let error = alice
            .resolve(chart(&charts, Some("1.x"), "alice", "alices-password"))
            .await
            .expect_err(place);
        assert!(
            matches!(
                kind(&error),
                Some(FailureKind::Malformed | FailureKind::UpstreamUnavailable)
            ),
            "{error}"
        );
        assert!(!error.to_string().contains("CANARY"), "{error}");
    }
    charts.put(
        "index.yaml",
        format!(
            "apiVersion: v1\nentries:\n  app:\n  - {{name: app, version: 1.0.0, urls: [app.tgz], digest: \"{}\"}}\n",
            Digest::of(b"another").hex()
        ),
    );
    charts.put("app.tgz", "not that");
    let error = alice
        .resolve(chart(&charts, Some("1.x"), "alice", "alices-password"))
        .await
        .expect_err("another archive");
    assert_eq!(kind(&error), Some(FailureKind::Malformed), "{error}");
    let error = alice
        .resolve(chart(&charts, Some("2.x"), "alice", "alices-password"))
        .await
        .expect_err("no such version");
    assert_eq!(kind(&error), Some(FailureKind::NoSuchChart), "{error}");
}

fn bucket(server: &S3Server, name: &str, keys: Option<(&str, &str)>) -> ResolveRequest {
    let spec = BucketSpec {
        endpoint: server.endpoint(),
        bucket: name.into(),
        ..BucketSpec::default()
    };
    let kind = keys.map(|(access, secret)| {
        credential::Kind::Keys(Keys {
            access_key: access.into(),
            secret_key: secret.into(),
            session_token: String::new(),
        })
    });
    ask(Spec::Bucket(spec), kind, server.ca())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_downloaded_once_and_opens_to_those_with_keys() {
    let rig = Rig::start().await;
    let server = S3Server::start().await.expect("a store");
    server.create("team").await.expect("made");
    server.put("team", "a.yaml", b"a: 1\n").await.expect("put");
    server.put("team", "b/b.yaml", b"b: 1\n").await.expect("put");
    let keys = server.keys();
    let good = (
        keys.access_key.as_str(),
        keys.secret_key.expose_str().expect("text"),
    );
    let (alice, bob) = (rig.home("alice"), rig.home("bob"));
    let first = alice
        .resolve(bucket(&server, "team", Some(good)))
        .await
        .expect("resolves");
    assert!(first.revision.starts_with("sha256:"), "{}", first.revision);
    assert_eq!(first.commit_message, "2", "it has two files");
    let second = bob
        .resolve(bucket(&server, "team", Some(good)))
        .await
        .expect("resolves");
    assert_eq!(second.artifact, first.artifact);
    assert_eq!(rig.metric("tenure_cache_downloads_total").await, 1);
    for keys in [None, Some((good.0, "canary-of-a-key"))] {
        let error = bob
            .resolve(bucket(&server, "team", keys))
            .await
            .expect_err("no such keys");
        assert_eq!(kind(&error), Some(FailureKind::AuthenticationFailed), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    let error = fetch(&bob, &second).await.expect_err("revoked");
    assert!(matches!(error, SourceError::Stale(_)), "{error}");
    let error = alice
        .resolve(bucket(&server, "absent", Some(good)))
        .await
        .expect_err("not there");
    assert_eq!(kind(&error), Some(FailureKind::NotFound), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_has_made_has_its_digest_or_is_refused() {
    let rig = Rig::start().await;
    let site = Charts::start().await.expect("a site");
    site.put("made.tar.gz", "made");
    let file = |name: &str, digest: Digest| {
        let spec = FileSpec {
            url: format!("{}/{name}", site.url()),
            digest: digest.to_string(),
            revision: "v1.0.0".into(),
        };
        ask(Spec::File(spec), None, site.ca())
    };
    let alice = rig.home("alice");
    let resolved = alice
        .resolve(file("made.tar.gz", Digest::of(b"made")))
        .await
        .expect("resolves");
    assert_eq!(resolved.revision, "v1.0.0");
    assert_eq!(fetch(&alice, &resolved).await.expect("fetches"), b"made");
    let error = alice
        .resolve(file("made.tar.gz", Digest::of(b"else")))
        .await
        .expect_err("another");
    assert_eq!(kind(&error), Some(FailureKind::Malformed), "{error}");
    let error = alice
        .resolve(file("gone", Digest::of(b"made")))
        .await
        .expect_err("not there");
    assert_eq!(kind(&error), Some(FailureKind::NotFound), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_not_allowed_are_not_asked() {
    let setup = Setup {
        limits: Limits {
            addresses: Guard::default(),
            ..Limits::default()
        },
        ..Setup::default()
    };
    let rig = Rig::with(setup).await;
    let charts = charts().await;
    let alice = rig.home("alice");
    let file = FileSpec {
        url: format!("{}/x", charts.url()),
        digest: Digest::of(b"x").to_string(),
        revision: "1".into(),
    };
    for request in [
        chart(&charts, None, "alice", "alices-password"),
        chart(&charts, Some("*"), "alice", "alices-password"),
        ask(Spec::File(file), None, charts.ca()),
    ] {
        let error = alice.resolve(request).await.expect_err("refused");
        assert_eq!(kind(&error), Some(FailureKind::UpstreamUnavailable), "{error}");
        assert!(error.to_string().contains("refusing to use"), "{error}");
    }
    assert_eq!(charts.requests(), Vec::<String>::new());
}

use std::path::Path;

use tenure_core::{Digest, Secret};
use tenure_http::bucket::{Bucket, Ldap, Listing, S3, Service, Web, list, pack};
use tenure_http::{Downloaded, HttpError, Limits};
use tenure_testkit::s3::S3Server;

use crate::cloud::{NO_PATHS, outbound};
use crate::support::{limits, site, with};

fn bucket(server: &S3Server, name: &str) -> Bucket {
    Bucket {
        endpoint: server.endpoint().parse().unwrap(),
        name: name.to_owned(),
        prefix: String::new(),
        service: s3(S3::Keys(server.keys())),
        outbound: outbound(server.ca()),
    }
}

fn s3(opener: S3) -> Service {
    Service::S3 {
        region: String::new(),
        opener,
    }
}

async fn filled(name: &str, objects: &[(&str, &str)]) -> S3Server {
    let server = S3Server::start().await.unwrap();
    server.create(name).await.unwrap();
    for (key, content) in objects {
        server.put(name, key, content.as_bytes()).await.unwrap();
    }
    server
}

fn keys_of(listing: &Listing) -> Vec<&str> {
    listing.objects.iter().map(|o| o.key.as_str()).collect()
}

async fn packed(
    bucket: &Bucket,
    listing: &Listing,
    limits: &Limits,
) -> Result<(Downloaded, Vec<String>), HttpError> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("artifact");
    let (done, _) = pack(bucket, listing, &out, limits).await?;
    assert_eq!(Digest::of(&std::fs::read(&out).unwrap()), done.digest);
    Ok((done, names(&out)))
}

fn names(file: &Path) -> Vec<String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()));
    let paths = archive
        .entries()
        .unwrap()
        .map(|e| e.unwrap().path().unwrap().display().to_string());
    paths.collect()
}

#[tokio::test]
async fn a_bucket_becomes_an_artifact_and_a_change_another_revision() {
    let server = filled(
        "team",
        &[
            (".sourceignore", "*.md\n"),
            ("b/c d+e=ü.yaml", "c: 1\n"),
            ("a.yaml", "a: 1\n"),
            ("README.md", "x"),
            ("image.png", "kept: there are no other rules"),
        ],
    )
    .await;
    let bucket = bucket(&server, "team");
    let listing = list(&bucket, None, &limits()).await.unwrap();
    assert_eq!(
        keys_of(&listing),
        ["a.yaml", "b/c d+e=ü.yaml", "image.png"],
        "what is left out does not count for the revision either"
    );
    let (first, names) = packed(&bucket, &listing, &limits()).await.unwrap();
    assert_eq!(names, ["a.yaml", "b/", "b/c d+e=ü.yaml", "image.png"]);
    assert_eq!(
        list(&bucket, None, &limits()).await.unwrap().revision(),
        listing.revision()
    );
    let (again, _) = packed(&bucket, &listing, &limits()).await.unwrap();
    assert_eq!(again, first);

    server.put("team", "a.yaml", b"a: 2\n").await.unwrap();
    let changed = list(&bucket, Some("/b/\n"), &limits()).await.unwrap();
    assert_ne!(changed.revision(), listing.revision());
    server.delete("team", "image.png").await.unwrap();
    let (_, names) = packed(&bucket, &changed, &limits()).await.unwrap();
    assert_eq!(names, ["a.yaml"], "what has vanished since is left out");
}

#[tokio::test]
async fn only_keys_under_the_prefix_count_and_a_listing_has_pages() {
    let server = filled("large", &[("b/x", "1"), ("c", "1")]).await;
    let names: Vec<String> = (0..1003).map(|n| format!("p/{n:04}")).collect();
    for name in &names {
        server.put("large", name, b"x").await.unwrap();
    }
    let mut bucket = bucket(&server, "large");
    bucket.prefix = "p/".to_owned();
    let listing = list(&bucket, None, &limits()).await.unwrap();
    assert_eq!(keys_of(&listing), names);
    let few = Limits {
        objects: 1002,
        ..limits()
    };
    let error = list(&bucket, None, &few).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn wrong_keys_none_and_a_missing_bucket_are_told_apart() {
    const CANARY: &str = "sw0rdfish-canary";
    let server = filled("team", &[]).await;
    let mut wrong = bucket(&server, "team");
    wrong.service = s3(S3::Keys(tenure_net::aws::Keys {
        secret_key: Secret::from(CANARY.to_owned()),
        ..server.keys()
    }));
    let error = list(&wrong, None, &limits()).await.unwrap_err();
    assert!(matches!(error, HttpError::AuthenticationFailed { .. }), "{error}");
    assert!(!format!("{error:?}").contains(CANARY));
    let none = Bucket {
        service: s3(S3::Anonymous),
        ..wrong
    };
    let error = list(&none, None, &limits()).await.unwrap_err();
    assert!(error.to_string().contains("spec.secretRef"), "{error}");
    let error = list(&bucket(&server, "absent"), None, &limits())
        .await
        .unwrap_err();
    assert!(matches!(error, HttpError::NotFound { .. }), "{error}");
}

fn listing_of(keys: &[&str]) -> String {
    let contents = keys
        .iter()
        .map(|key| format!("<Contents><Key>{key}</Key><ETag>e</ETag></Contents>"));
    let contents: String = contents.collect();
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>")
}

#[tokio::test]
async fn keys_that_are_no_paths_of_an_artifact_are_refused() {
    for bad in NO_PATHS.into_iter().chain([&["x", "x"][..]]) {
        let text = listing_of(bad);
        let (site, _) = site(move |(path, _)| match path.as_str() {
            "/bucket" => with(200, &[], text.clone()),
            "/bucket/.sourceignore" => with(404, &[], ""),
            _ => with(200, &[], "x"),
        })
        .await;
        let bucket = Bucket {
            endpoint: format!("https://{}", site.host()).parse().unwrap(),
            name: "bucket".to_owned(),
            prefix: String::new(),
            service: s3(S3::Anonymous),
            outbound: outbound(site.ca()),
        };
        let refused = match list(&bucket, None, &limits()).await {
            Ok(listing) => packed(&bucket, &listing, &limits()).await.map(drop),
            Err(error) => Err(error),
        };
        assert!(
            matches!(refused, Err(HttpError::Malformed { .. })),
            "{bad:?}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_redirect_to_another_host_takes_no_signature_along() {
    let (elsewhere, asked) = site(|_| with(404, &[], "")).await;
    let to = format!("https://{}/x", elsewhere.host());
    let (site, _) = site(move |_| with(307, &[("location", &to)], "")).await;
    let keys = tenure_net::aws::Keys {
        access_key: "a".to_owned(),
        secret_key: Secret::from("s".to_owned()),
        session_token: Some(Secret::from("token".to_owned())),
    };
    let bucket = Bucket {
        endpoint: format!("https://{}", site.host()).parse().unwrap(),
        name: "bucket".to_owned(),
        prefix: String::new(),
        service: s3(S3::Keys(keys)),
        outbound: outbound(&[site.ca(), elsewhere.ca()].concat()),
    };
    list(&bucket, None, &limits()).await.unwrap_err();
    let seen = asked.all();
    assert!(
        !seen.is_empty() && seen.iter().all(|(_, shown)| shown.is_none()),
        "{seen:?}"
    );
}

/// MinIO's exchange, by a server of the test's own, in front of a real store.
#[tokio::test]
async fn user_and_password_are_changed_for_keys_that_open_the_bucket() {
    let server = filled("team", &[("a.yaml", "a: 1\n")]).await;
    let keys = server.keys();
    let answer = format!(
        "<AssumeRoleWithLDAPIdentityResponse><AssumeRoleWithLDAPIdentityResult><Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey></Credentials></AssumeRoleWithLDAPIdentityResult></AssumeRoleWithLDAPIdentityResponse>",
        keys.access_key,
        keys.secret_key.expose_str().unwrap()
    );
    let (sts, asked) = site(move |(path, _)| match path.as_str() {
        "/good" => with(200, &[], answer.clone()),
        "/odd" => with(200, &[], "<html>"),
        "/moved" => with(307, &[("location", "/good")], ""),
        _ => with(403, &[], "bad sw0rdfish-canary"),
    })
    .await;
    let opened = |path: &str| {
        let mut bucket = bucket(&server, "team");
        bucket.service = s3(S3::Ldap(Box::new(Ldap {
            endpoint: format!("https://{}/{path}", sts.host()).parse().unwrap(),
            username: "bob".to_owned(),
            password: Secret::from("sw0rdfish-canary".to_owned()),
            outbound: outbound(sts.ca()),
        })));
        assert!(!format!("{bucket:?}").contains("sw0rdfish-canary"));
        async move { bucket.opened(&limits()).await }
    };
    let good = opened("good").await.unwrap();
    assert_eq!(keys_of(&list(&good, None, &limits()).await.unwrap()), ["a.yaml"]);
    let error = opened("refused").await.unwrap_err();
    assert!(matches!(error, HttpError::AuthenticationFailed { .. }), "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
    let error = opened("odd").await.unwrap_err();
    assert!(matches!(error, HttpError::Malformed { .. }), "{error}");
    assert!(
        opened("moved").await.is_err(),
        "the password goes where it was sent and no further"
    );
    let asked: Vec<_> = asked.all().into_iter().map(|(path, _)| path).collect();
    assert_eq!(asked, ["/good", "/refused", "/odd", "/moved"]);
}

#[tokio::test]
async fn a_workload_gets_keys_of_its_role_that_open_the_bucket() {
    let server = filled("team", &[("a.yaml", "a: 1\n")]).await;
    let keys = server.keys();
    let answer = format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
        keys.access_key,
        keys.secret_key.expose_str().unwrap()
    );
    let sts = crate::cloud::cloud(move |asked| {
        let form = asked.form();
        assert_eq!(form["Action"], "AssumeRoleWithWebIdentity");
        match (form["RoleArn"].as_str(), form["WebIdentityToken"].as_str()) {
            ("arn:aws:iam::1:role/reader", "workload-canary") => with(200, &[], answer.clone()),
            _ => with(403, &[], "no such role for workload-canary"),
        }
    })
    .await;
    let look = |role: &str| {
        let mut bucket = bucket(&server, "team");
        bucket.service = s3(S3::Web(Box::new(Web {
            endpoint: format!("https://{}", sts.host()).parse().unwrap(),
            role: role.to_owned(),
            token: Secret::from("workload-canary".to_owned()),
            outbound: outbound(sts.ca()),
        })));
        assert!(!format!("{bucket:?}").contains("canary"));
        async move { list(&bucket, None, &limits()).await }
    };
    let listing = look("arn:aws:iam::1:role/reader").await.unwrap();
    assert_eq!(keys_of(&listing), ["a.yaml"]);
    let error = look("arn:aws:iam::1:role/other").await.unwrap_err();
    assert!(matches!(error, HttpError::AuthenticationFailed { .. }), "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
}

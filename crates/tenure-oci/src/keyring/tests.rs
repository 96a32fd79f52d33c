use super::{Keyring, KeyringError};
use crate::{Credential, Repository};

fn keyring(configs: &[&str]) -> Keyring {
    let mut keyring = Keyring::default();
    for config in configs {
        keyring.add(config.as_bytes()).unwrap_or_else(|e| panic!("{e}"));
    }
    keyring
}

/// Who logs in, as `user:password` or the kind of token.
fn login(keyring: &Keyring, url: &str) -> String {
    let text = |secret: &tenure_core::Secret| secret.expose_str().expect("text").to_owned();
    match keyring.find(&Repository::from_url(url).expect("a name")) {
        Credential::None => "nobody".to_owned(),
        Credential::Basic { username, password } => format!("{username}:{}", text(&password)),
        Credential::Identity { token } => format!("identity {}", text(&token)),
        Credential::Bearer { token } => format!("bearer {}", text(&token)),
    }
}

#[test]
fn an_entry_is_found_under_every_form_of_its_host() {
    for key in ["ghcr.io", "https://ghcr.io", "https://ghcr.io/v1/", "http://ghcr.io/v2", "GHCR.io", "ghcr.io:443"] {
        let keyring = keyring(&[&format!(r#"{{"auths":{{"{key}":{{"username":"bob","password":"pw"}}}}}}"#)]);
        assert_eq!(login(&keyring, "oci://ghcr.io/org/app"), "bob:pw", "{key}");
        assert_eq!(login(&keyring, "oci://ghcr.io.evil/org/app"), "nobody", "{key}");
        assert_eq!(login(&keyring, "oci://ghcr.io:5000/org/app"), "nobody", "{key}");
    }
    for key in ["https://index.docker.io/v1/", "docker.io", "index.docker.io"] {
        let keyring = keyring(&[&format!(r#"{{"auths":{{"{key}":{{"auth":"Ym9iOnB3"}}}}}}"#)]);
        assert_eq!(login(&keyring, "oci://org/app"), "bob:pw", "{key}");
    }
}

#[test]
fn the_most_specific_key_wins_and_then_the_first_secret() {
    let first = r#"{"auths":{
        "ghcr.io":{"username":"host","password":"1"},
        "ghcr.io/org":{"username":"org","password":"2"},
        "*.example.com":{"username":"any","password":"3"},
        "reg.example.com:5000":{"username":"port","password":"4"}}}"#;
    let second = r#"{"auths":{
        "ghcr.io":{"username":"late","password":"5"},
        "quay.io":{"username":"quay","password":"6"}}}"#;
    let keyring = keyring(&[first, second]);
    for (url, wanted) in [
        ("oci://ghcr.io/org/app", "org:2"),
        ("oci://ghcr.io/organisation/app", "host:1"),
        ("oci://ghcr.io/other/app", "host:1"),
        ("oci://quay.io/x/y", "quay:6"),
        ("oci://reg.example.com/x1", "any:3"),
        ("oci://a.reg.example.com/x1", "nobody"),
        ("oci://reg.example.com:5000/x1", "port:4"),
        ("oci://reg.example.com:5001/x1", "nobody"),
    ] {
        assert_eq!(login(&keyring, url), wanted, "{url}");
    }
}

#[test]
fn tokens_are_told_from_passwords() {
    let config = r#"{"auths":{
        "a.io":{"identitytoken":"t1","auth":"Ym9iOnB3"},
        "b.io":{"username":"<token>","password":"t2"},
        "c.io":{"registrytoken":"t3"},
        "d.io":{"auth":"Ym9iOnB3OmNvbG9u"},
        "e.io":{},
        "f.io":{"auth":"Ym9iOnB3AAA="}}, "credsStore":"desktop"}"#;
    let keyring = keyring(&[config]);
    for (host, wanted) in [
        ("a.io", "identity t1"),
        ("b.io", "identity t2"),
        ("c.io", "bearer t3"),
        ("d.io", "bob:pw:colon"),
        ("e.io", "nobody"),
        ("f.io", "bob:pw"),
    ] {
        assert_eq!(login(&keyring, &format!("oci://{host}/org/app")), wanted);
    }
}

#[test]
fn what_is_no_config_is_refused_without_repeating_it() {
    for bad in [
        "CANARY",
        r#"{"auths":[]}"#,
        r#"{"auths":{"x.io":{"auth":"CANARY!"}}}"#,
        r#"{"auths":{"x.io":{"auth":"Q0FOQVJZ"}}}"#,
        r#"{"auths":{"":{"password":"CANARY"}}}"#,
        r#"{"auths":{"bob@x.io":{"password":"CANARY"}}}"#,
    ] {
        let error = Keyring::default().add(bad.as_bytes()).expect_err(bad);
        assert!(!format!("{error} {error:?}").contains("CANARY"), "{error:?}");
    }
    let large = vec![b' '; 2 << 20];
    assert!(matches!(Keyring::default().add(&large), Err(KeyringError::Config(_))));
    assert!(!format!("{:?}", keyring(&[r#"{"auths":{"x.io":{"username":"u","password":"CANARY"}}}"#])).contains("CANARY"));
}

//! Documents that sops itself has made, see `tests/fixtures/make.sh`: what it decrypts them to, we do, to the byte.

mod services;

use std::path::PathBuf;

use tenure_sops::{Document, Error, Format, ImportError, Keyring, Limits, Mac, MacError};

fn fixtures() -> PathBuf {
    PathBuf::from("tests/fixtures")
}

fn read(name: &str) -> Vec<u8> {
    let path = fixtures().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(name: &str) -> String {
    String::from_utf8(read(name)).expect("a text")
}

fn keyring(names: &[&str]) -> Keyring {
    let mut keys = Keyring::default();
    for name in names {
        keys.import(name, &read(&format!("keys/{name}")))
            .expect("a good key");
    }
    keys
}

fn tenant() -> Keyring {
    keyring(&["tenant.agekey"])
}

fn decrypt(bytes: &[u8], format: Format, keys: &Keyring, mac: Mac) -> Result<Vec<u8>, Error> {
    let document = Document::parse(bytes, format, &Limits::default())?;
    let key = keys.data_key(&document)?;
    let plain = document.decrypt(&key, mac)?;
    Ok(plain.write(format)?.to_vec())
}

fn refused(bytes: &[u8], keys: &Keyring) -> Error {
    match decrypt(bytes, Format::Json, keys, Mac::Verify) {
        Ok(_) => panic!("it was decrypted"),
        Err(error) => error,
    }
}

#[test]
fn every_document_is_what_sops_makes_of_it() {
    let keys = keyring(&[
        "tenant.agekey",
        "ed25519.agekey",
        "rsa.agekey",
        "pgp-rsa.asc",
        "pgp-ecc.asc",
    ]);
    let mut count = 0;
    for entry in std::fs::read_dir(fixtures().join("out")).expect("a directory") {
        let name = entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("a name");
        let Some(document) = name.strip_suffix(".plain") else {
            continue;
        };
        let got = decrypt(
            &read(&format!("out/{document}")),
            Format::of_path(document),
            &keys,
            Mac::Verify,
        );
        let got = got.unwrap_or_else(|error| panic!("{document}: {error}"));
        let want = read(&format!("out/{name}"));
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            got == want,
            "{document}\n--- ours\n{}\n--- sops\n{}",
            shown(&got),
            shown(&want)
        );
        count += 1;
    }
    assert_eq!(count, 22, "documents");
}

#[test]
fn each_kind_of_key_opens_its_own_and_nothing_else() {
    let all = [
        ("tenant.agekey", "age-values.json"),
        ("ed25519.agekey", "ssh-ed25519.json"),
        ("rsa.agekey", "ssh-rsa.json"),
        ("pgp-rsa.asc", "pgp-rsa.json"),
        ("pgp-ecc.asc", "pgp-ecc.json"),
    ];
    for (key, own) in all {
        let keys = keyring(&[key]);
        for (_, document) in all {
            let got = decrypt(
                &read(&format!("out/{document}")),
                Format::Json,
                &keys,
                Mac::Verify,
            );
            assert_eq!(got.is_ok(), document == own, "{key} and {document}");
        }
    }
}

#[test]
fn an_error_says_whose_key_is_missing() {
    let message = refused(&read("out/pgp-ecc.json"), &tenant()).to_string();
    assert!(message.starts_with("cannot get sops data key: "), "{message}");
    assert!(
        message.contains("pgp ") && message.contains("has no OpenPGP private key"),
        "{message}"
    );
    let message = refused(&read("out/age-values.json"), &keyring(&["other.agekey"])).to_string();
    assert!(message.contains("age age1"), "{message}");
    assert!(
        message.contains("none of the age identities is this recipient's"),
        "{message}"
    );
}

#[test]
fn as_many_groups_as_the_threshold_says_are_needed() {
    let document = read("out/groups.json");
    for (keys, opens) in [
        (&["tenant.agekey", "pgp-ecc.asc"][..], true),
        (&["tenant.agekey", "third.agekey"], true),
        (&["pgp-ecc.asc", "third.agekey"], true),
        (&["tenant.agekey", "pgp-ecc.asc", "third.agekey"], true),
        (&["tenant.agekey", "other.agekey"], false),
    ] {
        let got = decrypt(&document, Format::Json, &keyring(keys), Mac::Verify);
        assert_eq!(got.is_ok(), opens, "{keys:?}");
    }
    let message = refused(&document, &tenant()).to_string();
    assert!(
        message.contains("2 of the key groups have to be opened, 1 could be"),
        "{message}"
    );
}

#[test]
fn a_value_that_was_moved_or_changed_is_refused_by_its_place() {
    let text = text("out/age-values.json");
    let moved = text.replace("\"h\": \"ENC", "\"x\": \"ENC");
    assert_ne!(text, moved);
    match refused(moved.as_bytes(), &tenant()) {
        Error::Value { at, why } => assert_eq!(
            (at.as_str(), why),
            (
                "x",
                "the encrypted value was changed, moved, or made with another data key"
            )
        ),
        other => panic!("{other}"),
    }
}

#[test]
fn what_was_added_or_left_out_is_seen_by_the_mac() {
    let text = text("out/age-values.json");
    let added = text.replacen('{', "{\"added_unencrypted\": \"x\",", 1);
    let mismatch = |text: &str| {
        matches!(
            refused(text.as_bytes(), &tenant()),
            Error::Mac(MacError::Mismatch)
        )
    };
    assert!(mismatch(&added));
    let shorter: Vec<&str> = text.lines().filter(|line| !line.contains("\"h\": ")).collect();
    assert!(mismatch(&shorter.join("\n")));
    let got = decrypt(added.as_bytes(), Format::Json, &tenant(), Mac::Ignore).expect("it is not looked at");
    assert!(
        String::from_utf8(got)
            .expect("text")
            .contains("added_unencrypted")
    );
}

#[test]
fn the_mac_is_bound_to_the_time_and_must_be_there() {
    let text = text("out/age-values.json");
    let field = |name: &str| {
        let start = text.find(&format!("\"{name}\": \"")).expect("the field") + name.len() + 5;
        let end = start + text[start..].find('"').expect("its end");
        text[start..end].to_owned()
    };
    let later = text.replace(&field("lastmodified"), "2020-01-01T00:00:00Z");
    assert!(matches!(
        refused(later.as_bytes(), &tenant()),
        Error::Mac(MacError::Unreadable)
    ));
    let none = text.replace(&field("mac"), "");
    assert!(matches!(
        refused(none.as_bytes(), &tenant()),
        Error::Mac(MacError::Missing)
    ));
}

#[test]
fn a_mac_over_encrypted_values_only_lets_the_others_change() {
    let text = text("out/mac-only-encrypted.yaml").replace("kind: Secret", "kind: ConfigMap");
    let got = decrypt(text.as_bytes(), Format::Yaml, &tenant(), Mac::Verify).expect("a good MAC");
    assert!(String::from_utf8_lossy(&got).contains("kind: ConfigMap"));
}

#[test]
fn keys_that_can_t_be_used_are_refused_without_being_shown() {
    let import = |name: &str, value: &[u8]| Keyring::default().import(name, value).expect_err("it is bad");
    assert_eq!(import("a.asc", &read("keys/locked.asc")), ImportError::Passphrase);
    assert_eq!(import("a.asc", b"secret"), ImportError::Pgp);
    assert_eq!(import("a.agekey", b"\xff"), ImportError::NotText);
    assert_eq!(
        import("a.agekey", b"AGE-PLUGIN-YUBIKEY-1"),
        ImportError::AgePlugin
    );
    assert_eq!(
        import("a.agekey", b"AGE-SECRET-KEY-PQ-1X"),
        ImportError::AgePostQuantum
    );
    let error = import("a.agekey", b"AGE-SECRET-KEY-1WRONG");
    assert!(!error.to_string().contains("WRONG"));
    assert!(!format!("{:?}", tenant()).contains("AGE"));
}

#[test]
fn limits_hold() {
    let bytes = read("out/several.json");
    let refused = |limits: &Limits| {
        Document::parse(&bytes, Format::Json, limits)
            .expect_err("it is too much")
            .to_string()
    };
    let limits = Limits::default();
    assert!(refused(&Limits { bytes: 100, ..limits }).contains("limit of 100"));
    assert!(refused(&Limits { nodes: 5, ..limits }).contains("more than 5 values"));
    assert!(refused(&Limits { depth: 2, ..limits }).contains("deeper than 2 levels"));
    assert!(
        refused(&Limits {
            recipients: 1,
            ..limits
        })
        .contains("2 recipients")
    );
    let deep = "[".repeat(100_000);
    for format in [Format::Json, Format::Yaml] {
        assert!(
            Document::parse(deep.as_bytes(), format, &limits).is_err(),
            "{format}"
        );
    }
    let laughs = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                  d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    let error = Document::parse(laughs.as_bytes(), Format::Yaml, &limits).expect_err("it grows");
    assert!(error.to_string().contains("values"), "{error}");
}

#[test]
fn what_sops_has_not_made_is_told_from_what_is_broken() {
    let parse = |text: &str, format| {
        Document::parse(text.as_bytes(), format, &Limits::default()).expect_err("it is bad")
    };
    assert!(matches!(
        parse("a: b\n", Format::Yaml),
        Error::NoMetadata(Format::Yaml)
    ));
    assert!(matches!(
        parse("A=b\n", Format::Dotenv),
        Error::NoMetadata(Format::Dotenv)
    ));
    assert!(matches!(parse("{", Format::Json), Error::Load { .. }));
    assert!(matches!(
        parse("sops: {}\n", Format::Yaml),
        Error::Metadata { .. }
    ));
    assert!(matches!(
        parse("a: hunter2: x\n", Format::Yaml),
        Error::Load { .. }
    ));
    assert!(
        !parse("password hunter2\n", Format::Dotenv)
            .to_string()
            .contains("hunter2")
    );
    assert!(
        !parse("{\"a\": hunter2}", Format::Json)
            .to_string()
            .contains("hunter2")
    );
}

use super::*;

use rcgen::{CertificateParams, KeyPair};

const ENDPOINT: &str = "https://acct.blob.core.windows.net";

fn read(endpoint: &str, data: &[(&str, &str)]) -> Result<Azure, String> {
    let data = data
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Secret::from((*value).to_owned())));
    let endpoint = endpoint.parse().expect("a URL");
    let read = Azure::from_secret("s", &endpoint, &data.collect());
    read.map_err(|error| error.to_string())
}

#[test]
fn a_secret_without_a_credential_is_refused_in_the_words_of_flux() {
    for data in [
        &[][..],
        &[("tenantId", "t")],
        &[("accesskey", "a"), ("secretkey", "s")],
    ] {
        assert_eq!(
            read(ENDPOINT, data).expect_err("no credential"),
            "invalid 's' secret data: requires a 'clientId' or 'accountKey' field, a combination of 'tenantId', \
             'clientId' and 'clientSecret', or 'tenantId', 'clientId' and 'clientCertificate'"
        );
    }
    let alone = read(ENDPOINT, &[("authorityHost", "https://login.microsoftonline.us")]);
    assert!(alone.expect_err("nothing").contains("opens nothing"));
}

#[test]
fn the_account_is_named_by_the_endpoint() {
    for (endpoint, wanted) in [
        (ENDPOINT, "acct"),
        ("https://acct.blob.core.chinacloudapi.cn:443/", "acct"),
        ("http://10.1.2.3:10000/devstoreaccount1", "devstoreaccount1"),
        ("http://[2001:db8::1]:10000/devstoreaccount1/", "devstoreaccount1"),
    ] {
        let azure = read(endpoint, &[("accountKey", "dGVzdA==")]).expect("a key");
        let Azure::AccountKey { account, .. } = azure else {
            panic!("{azure:?}")
        };
        assert_eq!(account, wanted, "{endpoint}");
    }
    let error = read("https://windows.net", &[("accountKey", "dGVzdA==")]).expect_err("no account");
    assert_eq!(
        error,
        "failed to create shared credential from 's' Secret data: failed to extract account name from endpoint: \
         expected 'windows.net' to be a subdomain"
    );
}

#[test]
fn a_key_that_is_not_in_base64_is_refused_without_a_word_of_it() {
    let error = read(ENDPOINT, &[("accountKey", "CANARY!")]).expect_err("no key");
    assert!(error.contains("base64") && !error.contains("CANARY"), "{error}");
}

#[test]
fn a_signature_is_taken_as_it_is_written() {
    for (written, wanted) in [
        (
            "?sv=2020-08-04&se=2022-05-26T21:55:35Z&sig=J%2Bl%3D\n",
            "sv=2020-08-04&se=2022-05-26T21:55:35Z&sig=J%2Bl%3D",
        ),
        ("sp=rl&sig=a+b/c=", "sp=rl&sig=a+b/c="),
    ] {
        let azure = read(ENDPOINT, &[("sasKey", written)]).expect("a signature");
        let Azure::Sas(sas) = azure else {
            panic!("{azure:?}")
        };
        assert_eq!(sas.expose_str(), Some(wanted));
    }
    for (bad, why) in [
        ("%##sssvecrpt", "invalid URL escape"),
        ("sig=CANARY%2", "invalid URL escape"),
        ("sig=CANARY x", "character"),
        ("sig=CANARY#x", "character"),
        ("sv=CANARY", "no signature"),
        ("", "no signature"),
    ] {
        let error = read(ENDPOINT, &[("sasKey", bad)]).expect_err(bad);
        assert!(error.starts_with("unable to parse SAS token: "), "{error}");
        assert!(error.contains(why) && !error.contains("CANARY"), "{bad}: {error}");
    }
}

/// A new key in PEM, and a certificate for it.
fn certificate(kind: &'static rcgen::SignatureAlgorithm) -> (String, String) {
    let key = KeyPair::generate_for(kind).expect("a key");
    let certificate = CertificateParams::default()
        .self_signed(&key)
        .expect("a certificate");
    (key.serialize_pem(), certificate.pem())
}

#[test]
fn an_application_is_read_before_keys_are_and_does_not_print() {
    let ids = [("tenantId", "t-1"), ("clientId", "c"), ("accountKey", "dGVzdA==")];
    let (key, certificate) = certificate(&rcgen::PKCS_RSA_SHA256);
    let pem = format!("{key}{certificate}");
    for (extra, authority, chain) in [
        (vec![("clientSecret", "CANARY")], AUTHORITY, None),
        (
            vec![("clientSecret", "CANARY"), ("authorityHost", "")],
            AUTHORITY,
            None,
        ),
        (
            vec![
                ("clientSecret", "CANARY"),
                ("authorityHost", "https://login.microsoftonline.us/"),
                ("clientCertificate", "ignored"),
            ],
            "https://login.microsoftonline.us/",
            None,
        ),
        (
            vec![("clientSecret", ""), ("clientCertificate", &*pem)],
            AUTHORITY,
            Some(false),
        ),
        (
            vec![
                ("clientCertificate", &*pem),
                ("clientCertificateSendChain", "True"),
            ],
            AUTHORITY,
            Some(true),
        ),
    ] {
        let azure = read(ENDPOINT, &[&ids[..], &extra].concat()).expect("an application");
        let shown = format!("{azure:?}");
        assert!(!shown.contains("CANARY") && !shown.contains("BEGIN"), "{shown}");
        let Azure::Application(application) = azure else {
            panic!("{azure:?}")
        };
        assert_eq!((&*application.tenant_id, &*application.client_id), ("t-1", "c"));
        assert_eq!(application.authority, authority);
        let found = match application.proof {
            Proof::Secret(secret) => {
                assert_eq!(secret.expose_str(), Some("CANARY"));
                None
            }
            Proof::Certificate { send_chain, .. } => Some(send_chain),
            Proof::Assertion(_) => panic!("no Secret has one"),
        };
        assert_eq!(found, chain);
    }
}

#[test]
fn an_application_that_cannot_ask_is_refused_without_a_word_of_its_secret() {
    let (key, own) = certificate(&rcgen::PKCS_RSA_SHA256);
    let (other, _) = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
    let (stranger, _) = certificate(&rcgen::PKCS_RSA_SHA256);
    let apart = format!("{own}{stranger}");
    let encrypted =
        format!("{own}-----BEGIN ENCRYPTED PRIVATE KEY-----\nCANARY\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let (mixed, whole) = (format!("{own}{other}"), format!("{own}{key}"));
    for (data, why) in [
        (&[("clientId", "c")][..], "managed identity"),
        (&[("clientId", "c"), ("tenantId", "t")], "managed identity"),
        (
            &[("clientId", "c"), ("clientSecret", "CANARY")],
            "managed identity",
        ),
        (
            &[
                ("clientId", "c"),
                ("tenantId", "t/../x"),
                ("clientSecret", "CANARY"),
            ],
            "invalid tenantID.",
        ),
        (
            &[("clientId", "c"), ("tenantId", ".."), ("clientSecret", "CANARY")],
            "invalid tenantID.",
        ),
        (
            &[
                ("clientId", "c"),
                ("tenantId", "t"),
                ("clientSecret", "CANARY"),
                ("authorityHost", "http://login"),
            ],
            "cannot use an authority host without https",
        ),
        (
            &[
                ("clientId", "c"),
                ("tenantId", "t"),
                ("clientCertificate", "CANARY"),
            ],
            "failed to parse client certificates: it is not PEM",
        ),
        (
            &[("clientId", "c"), ("tenantId", "t"), ("clientCertificate", &own)],
            "found no private key",
        ),
        (
            &[("clientId", "c"), ("tenantId", "t"), ("clientCertificate", &key)],
            "found no certificate",
        ),
        (
            &[
                ("clientId", "c"),
                ("tenantId", "t"),
                ("clientCertificate", &mixed),
            ],
            "not an RSA key",
        ),
        (
            &[
                ("clientId", "c"),
                ("tenantId", "t"),
                ("clientCertificate", &apart),
            ],
            "key doesn't match any certificate",
        ),
        (
            &[
                ("clientId", "c"),
                ("tenantId", "t"),
                ("clientCertificate", &encrypted),
            ],
            "encrypted private keys aren't supported",
        ),
        (
            &[
                ("clientId", "c"),
                ("tenantId", "t"),
                ("clientCertificate", &whole),
                ("clientCertificatePassword", "CANARY"),
            ],
            "PKCS#12",
        ),
    ] {
        let error = read(ENDPOINT, data).expect_err(why);
        assert!(
            error.starts_with("failed to create token credential from 's' Secret: "),
            "{error}"
        );
        assert!(error.contains(why) && !error.contains("CANARY"), "{why}: {error}");
    }
}

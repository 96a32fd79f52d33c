//! The exchanges with key services, against a server that answers as their documentation says: AWS KMS `Decrypt`,
//! Google's OAuth 2.0 for service accounts and `cryptoKeys.decrypt`, Microsoft's client credentials and Key
//! Vault's `decrypt`, Vault's `transit/decrypt`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tenure_sops::services::{Http, Request, Response, Services, ServicesError};
use tenure_sops::{Document, Error, Format, Keyring, Limits};
use zeroize::Zeroizing;

use crate::{read, text};

const KEY: [u8; 32] = [7; 32];

/// One request as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    fn form(&self, name: &str) -> String {
        let pairs = self.body.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs
            .filter(|(known, _)| *known == name)
            .map(|(_, value)| value)
            .next();
        found.unwrap_or_default().replace("%3A", ":").replace("%2F", "/")
    }
}

/// A server for all addresses, which answers in turn, and a client that takes every request to it.
struct Server {
    address: std::net::SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    fn answering(answers: Vec<(u16, Value)>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        std::thread::spawn(move || {
            for (status, answer) in answers {
                let (stream, _) = listener.accept().expect("a connection");
                let request = receive(&stream);
                notes.lock().expect("no panic").push(request);
                let body = answer.to_string();
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                (&stream).write_all(head.as_bytes()).expect("an answer");
            }
        });
        Arc::new(Self { address, seen })
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }
}

fn receive(stream: &TcpStream) -> Seen {
    let mut reader = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    };
    let line = next();
    let mut headers = Vec::new();
    loop {
        let line = next();
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut seen = Seen {
        line,
        headers,
        body: String::new(),
    };
    let mut body = vec![0; seen.header("content-length").parse().expect("a length")];
    reader.read_exact(&mut body).expect("the body");
    seen.body = String::from_utf8(body).expect("text");
    seen
}

impl Http for Server {
    fn send(&self, request: Request) -> Result<Response, String> {
        let rest = request.url.strip_prefix("https://").expect("https");
        let (host, path) = rest.split_once('/').expect("a path");
        let mut head = format!("{} /{path} HTTP/1.1\r\nhost: {host}\r\n", request.method);
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {}\r\n", **value));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", request.body.len()));
        let mut stream = TcpStream::connect(self.address).map_err(|error| error.to_string())?;
        stream
            .write_all(head.as_bytes())
            .map_err(|error| error.to_string())?;
        stream
            .write_all(&request.body)
            .map_err(|error| error.to_string())?;
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .map_err(|error| error.to_string())?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no head")?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or("no status")?;
        Ok(Response {
            status,
            body: Zeroizing::new(body.as_bytes().to_vec()),
        })
    }

    fn now(&self) -> i64 {
        1_700_000_000
    }
}

/// A document that has one recipient.
fn document(kind: &str, recipient: &Value) -> Document {
    let metadata = json!({kind: [recipient], "lastmodified": "2024-01-01T00:00:00Z", "mac": "ENC[]", "version": "3.13.2"});
    let text = json!({"a_unencrypted": "b", "sops": metadata}).to_string();
    Document::parse(text.as_bytes(), Format::Json, &Limits::default()).expect("a document")
}

fn keyring(server: &Arc<Server>, name: &str, value: &[u8]) -> Keyring {
    let services = Services::new(Arc::<Server>::clone(server));
    services
        .import(Keyring::default(), name, value)
        .expect("a good credential")
}

fn refused(keys: &Keyring, document: &Document) -> String {
    match keys.data_key(document) {
        Err(error @ Error::DataKey(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn aws_is_asked_with_a_signed_request_in_the_region_of_the_key() {
    let server = Server::answering(vec![(
        200,
        json!({"Plaintext": STANDARD.encode(KEY), "KeyId": "x"}),
    )]);
    let file = b"aws_access_key_id: AKIDEXAMPLE\naws_secret_access_key: hunter2-of-aws\naws_session_token: session\n";
    let keys = keyring(&server, "sops.aws-kms", file);
    let recipient = json!({"arn": "arn:aws:kms:eu-west-1:1:key/a", "context": {"app": "x"}, "enc": "QUJD"});
    keys.data_key(&document("kms", &recipient)).expect("the key");
    let seen = server.seen();
    let request = &seen[0];
    assert_eq!(request.line, "POST / HTTP/1.1");
    assert_eq!(request.header("host"), "kms.eu-west-1.amazonaws.com");
    assert_eq!(request.header("x-amz-target"), "TrentService.Decrypt");
    assert_eq!(request.header("x-amz-date"), "20231114T221320Z");
    assert_eq!(request.header("x-amz-security-token"), "session");
    let signature = request.header("authorization");
    let scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/eu-west-1/kms/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=";
    assert!(signature.starts_with(scope), "{signature}");
    let body = json!({"CiphertextBlob": "QUJD", "KeyId": "arn:aws:kms:eu-west-1:1:key/a", "EncryptionContext": {"app": "x"}});
    assert_eq!(request.json(), body);
}

#[test]
fn google_gets_an_assertion_for_itself_and_then_the_ciphertext() {
    let server = Server::answering(vec![
        (200, json!({"access_token": "token-of-google"})),
        (200, json!({"plaintext": STANDARD.encode(KEY)})),
    ]);
    let keys = keyring(&server, "sops.gcp-kms", &read("keys/gcp.json"));
    let id = "projects/p/locations/global/keyRings/r/cryptoKeys/k";
    keys.data_key(&document("gcp_kms", &json!({"resource_id": id, "enc": "QUJD"})))
        .expect("the key");
    let seen = server.seen();
    assert_eq!(
        seen[0].header("host"),
        "oauth2.googleapis.com",
        "not what the file says"
    );
    assert_eq!(
        seen[0].form("grant_type"),
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    );
    let public = jsonwebtoken::DecodingKey::from_rsa_pem(&read("keys/gcp.pub.pem")).expect("a key");
    let mut checks = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    checks.validate_exp = false;
    checks.set_audience(&["https://oauth2.googleapis.com/token"]);
    let claims = jsonwebtoken::decode::<Value>(seen[0].form("assertion"), &public, &checks)
        .expect("an assertion")
        .claims;
    assert_eq!(claims["iss"], "test@test.invalid");
    assert_eq!(claims["exp"].as_i64(), Some(1_700_000_600));
    assert_eq!(seen[1].line, format!("POST /v1/{id}:decrypt HTTP/1.1"));
    assert_eq!(seen[1].header("authorization"), "Bearer token-of-google");
    assert_eq!(seen[1].json(), json!({"ciphertext": "QUJD"}));
}

#[test]
fn azure_gets_the_client_s_secret_and_then_the_ciphertext() {
    let server = Server::answering(vec![
        (200, json!({"access_token": "token-of-azure"})),
        (
            200,
            json!({"kid": "x", "value": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}),
        ),
    ]);
    let keys = keyring(
        &server,
        "sops.azure-kv",
        b"tenantId: t\nclientId: c\nclientSecret: hunter2-of-azure\n",
    );
    let recipient =
        json!({"vault_url": "https://v.vault.azure.net", "name": "k", "version": "1", "enc": "QUJD"});
    keys.data_key(&document("azure_kv", &recipient)).expect("the key");
    let seen = server.seen();
    assert_eq!(seen[0].header("host"), "login.microsoftonline.com");
    assert_eq!(seen[0].line, "POST /t/oauth2/v2.0/token HTTP/1.1");
    assert_eq!(seen[0].form("scope"), "https://vault.azure.net/.default");
    assert_eq!(seen[0].form("client_secret"), "hunter2-of-azure");
    assert_eq!(seen[1].header("host"), "v.vault.azure.net");
    assert_eq!(seen[1].line, "POST /keys/k/1/decrypt?api-version=7.4 HTTP/1.1");
    assert_eq!(seen[1].header("authorization"), "Bearer token-of-azure");
    assert_eq!(seen[1].json(), json!({"alg": "RSA-OAEP-256", "value": "QUJD"}));
}

#[test]
fn vault_is_asked_with_the_token() {
    let server = Server::answering(vec![(200, json!({"data": {"plaintext": STANDARD.encode(KEY)}}))]);
    let keys = keyring(&server, "sops.vault-token", b"hunter2-of-vault\n");
    let recipient = json!({"vault_address": "https://vault.example:8200", "engine_path": "transit", "key_name": "k", "enc": "vault:v1:QUJD"});
    keys.data_key(&document("hc_vault", &recipient)).expect("the key");
    let seen = server.seen();
    assert_eq!(seen[0].line, "PUT /v1/transit/decrypt/k HTTP/1.1");
    assert_eq!(seen[0].header("host"), "vault.example:8200");
    assert_eq!(seen[0].header("x-vault-token"), "hunter2-of-vault");
    assert_eq!(seen[0].json(), json!({"ciphertext": "vault:v1:QUJD"}));
}

#[test]
fn a_refusal_is_quoted_and_the_credential_is_not() {
    let server = Server::answering(vec![(403, json!({"errors": ["permission denied"]}))]);
    let keys = keyring(&server, "sops.vault-token", b"hunter2-of-vault");
    let recipient = json!({"vault_address": "https://vault.example", "engine_path": "transit", "key_name": "k", "enc": "x"});
    let message = refused(&keys, &document("hc_vault", &recipient));
    assert!(
        message.contains("Vault refused with status 403") && message.contains("permission denied"),
        "{message}"
    );
    assert!(!message.contains("hunter2"), "{message}");
    assert!(!format!("{keys:?}").contains("hunter2"));
}

#[test]
fn an_address_that_only_a_file_names_gets_no_credential() {
    let server = Server::answering(vec![]);
    let vault = keyring(&server, "sops.vault-token", b"hunter2");
    let recipient = json!({"vault_address": "http://evil.example", "engine_path": "transit", "key_name": "k", "enc": "x"});
    assert!(refused(&vault, &document("hc_vault", &recipient)).contains("https"));
    let azure = keyring(
        &server,
        "sops.azure-kv",
        b"tenant: t\nappId: c\npassword: hunter2\n",
    );
    let recipient = json!({"vault_url": "https://evil.example", "name": "k", "version": "1", "enc": "x"});
    assert!(refused(&azure, &document("azure_kv", &recipient)).contains("gets no token"));
    assert!(server.seen().is_empty());
}

#[test]
fn credentials_that_can_t_be_used_are_refused_by_what_is_missing() {
    let services = Services::new(Server::answering(vec![]));
    let import = |name: &str, value: &[u8]| {
        services
            .import(Keyring::default(), name, value)
            .expect_err("it is bad")
    };
    assert_eq!(import("sops.aws-kms", b"- a"), ServicesError::NotAMapping);
    for (name, value, why) in [
        ("sops.aws-kms", "aws_access_key_id: a", "missing"),
        ("sops.azure-kv", "clientId: managed", "not supported"),
        (
            "sops.gcp-kms",
            "{\"type\": \"authorized_user\"}",
            "service_account",
        ),
        ("sops.vault-token", "a\nb", "one line"),
    ] {
        let message = import(name, value.as_bytes()).to_string();
        assert!(message.contains(why), "{name}: {message}");
    }
    assert!(services.import(Keyring::default(), "other", b"x").is_ok());
    assert!(
        text("keys/gcp.json").contains("evil.example"),
        "the file names another address for tokens"
    );
}

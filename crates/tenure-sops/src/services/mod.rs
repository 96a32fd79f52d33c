//! Keys that never leave a service: it is sent the encrypted data key, and answers with the data key.
//!
//! Each exchange is the documented one of its service, over [`Http`]. A file of the repository says which
//! service is asked; so each client bounds where its credential may go: AWS, Google Cloud and Azure to their
//! own hosts, Vault's token to addresses with https.
//!
//! Who implements [`Http`] decides what can be reached at all: [`Wire`] speaks to addresses that the platform allows, and a
//! worker to the ports of its Tenant's `limits.egressPorts` only.

mod aws;
mod azure;
mod gcp;
mod import;
mod sigv4;
mod vault;
mod wire;

use serde_json::Value;
use zeroize::Zeroizing;

pub use aws::AwsKms;
pub use azure::AzureKeyVault;
pub use gcp::GcpKms;
pub use import::{Credential, Services, ServicesError};
pub use vault::Vault;
pub use wire::Wire;

/// A request to a service. All are sent to its URL as they are, without following a redirect.
pub struct Request {
    /// `POST` or `PUT`.
    pub method: &'static str,
    /// An absolute URL with https.
    pub url: String,
    /// Header names in lower case, and their values, which may be credentials.
    pub headers: Vec<(&'static str, Zeroizing<String>)>,
    /// The body, which may hold credentials.
    pub body: Zeroizing<Vec<u8>>,
}

/// The answer to a request.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body, of 64 KiB at most.
    pub body: Zeroizing<Vec<u8>>,
}

/// Sends requests, with certificates verified, a timeout, and bounds on the answer.
pub trait Http: Send + Sync {
    /// Sends one request and waits for its answer.
    ///
    /// # Errors
    /// Why there was none, without the request's headers and body.
    fn send(&self, request: Request) -> Result<Response, String>;

    /// The time, in seconds since 1970: signatures and assertions are bound to it.
    fn now(&self) -> i64;
}

/// Sends a request and reads the JSON of its answer. What the service says when it refuses is quoted in part:
/// it names keys and identities, and repeats no credential.
fn ask(http: &dyn Http, request: Request, what: &str) -> Result<Value, String> {
    const SHOWN: usize = 300;
    let response = http
        .send(request)
        .map_err(|error| format!("{what} can't be reached: {error}"))?;
    if (200..300).contains(&response.status) {
        return serde_json::from_slice(&response.body)
            .map_err(|_| format!("{what} answered with what is not JSON"));
    }
    let said = String::from_utf8_lossy(&response.body);
    let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let said: String = said.chars().take(SHOWN).collect();
    Err(format!("{what} refused with status {}: {said}", response.status))
}

/// The data key in an answer.
fn key_of(answer: &Value, pointer: &str, what: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let text = answer.pointer(pointer).and_then(Value::as_str);
    let text = text.ok_or_else(|| format!("{what} answered without a key"))?;
    let bytes = STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')));
    bytes
        .map(Zeroizing::new)
        .map_err(|_| format!("{what} answered with a key that is not in base64"))
}

/// A value in a form of HTML or a path.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// A form of HTML.
fn form(pairs: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)));
    Zeroizing::new(pairs.collect::<Vec<_>>().join("&").into_bytes())
}

fn header(name: &'static str, value: impl Into<String>) -> (&'static str, Zeroizing<String>) {
    (name, Zeroizing::new(value.into()))
}

//! Requests to key services over the network.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use tenure_net::{Client, Guard, Outbound, Tls, Trouble, Unusable, trouble};
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use super::{Http, Request, Response};

/// For one request, its answer included.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of the longest answer.
const LONGEST: usize = 64 << 10;

/// Sends to addresses that the platform allows, over https only, and follows no redirect.
///
/// [`Http::send`] must be called on a thread that may block, while another one drives the runtime.
#[derive(Debug)]
pub struct Wire {
    client: Client,
    runtime: Handle,
}

impl Wire {
    /// Trusts the public authorities, and those of `ca_pem` besides.
    ///
    /// # Errors
    /// When `ca_pem` is not PEM with certificates.
    pub fn new(guard: Guard, ca_pem: Option<&[u8]>, runtime: Handle) -> Result<Self, Unusable> {
        let outbound = Outbound {
            guard,
            tls: Tls {
                ca_pem: ca_pem.map(<[u8]>::to_vec),
                ..Tls::default()
            },
            proxy: None,
        };
        Ok(Self {
            client: outbound.client()?,
            runtime,
        })
    }

    async fn ask(&self, request: Request) -> Result<Response, String> {
        let url = Url::parse(&request.url).map_err(|_| "its address is none".to_owned())?;
        if url.scheme() != "https" {
            return Err("its address has no https".to_owned());
        }
        let method =
            Method::from_bytes(request.method.as_bytes()).map_err(|_| "no method of HTTP".to_owned())?;
        let mut headers = HeaderMap::new();
        // it follows from the URL, and is signed with the rest
        for (name, value) in request.headers.iter().filter(|(name, _)| *name != "host") {
            let value = HeaderValue::from_str(value);
            let mut value = value.map_err(|_| format!("the value for {name} can't be sent"))?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        let sent = self
            .client
            .request(method, url)
            .map_err(|refused| refused.to_string())?
            .headers(headers)
            .body(request.body.to_vec())
            .send();
        let mut answer = sent.await.map_err(|error| match trouble(&error) {
            Trouble::Refused(refused) => refused.to_string(),
            Trouble::Connect(why) | Trouble::Broken(why) => why,
        })?;
        let status = answer.status().as_u16();
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = answer
            .chunk()
            .await
            .map_err(|_| "its answer broke off".to_owned())?
        {
            if body.len() + chunk.len() > LONGEST {
                return Err(format!("its answer has more than {LONGEST} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, body })
    }
}

impl Http for Wire {
    fn send(&self, request: Request) -> Result<Response, String> {
        let answer = async {
            let asked = tokio::time::timeout(TIMEOUT, self.ask(request)).await;
            asked.unwrap_or_else(|_| Err(format!("no answer within {} s", TIMEOUT.as_secs())))
        };
        self.runtime.block_on(answer)
    }

    fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second()
    }
}

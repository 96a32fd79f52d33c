use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Method, RequestBuilder, Url};
use tenure_core::printable;

use crate::{Guard, Proxy, Refused, Tls, Unresolved, Unusable};

/// For one connection to be made.
const CONNECT: Duration = Duration::from_secs(20);
/// Without a byte in either direction, a server is taken for gone.
const SILENCE: Duration = Duration::from_secs(30);

/// How to reach what a tenant has named.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    /// Which addresses may be spoken to.
    pub guard: Guard,
    /// Whom to trust, and what to show.
    pub tls: Tls,
    /// What to go through. It is asked for the addresses of hosts too, so the guard sees its address only.
    pub proxy: Option<Proxy>,
}

/// An HTTP client, 1.1 and 2, that speaks to allowed addresses only, follows no redirect and inflates nothing.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
    guard: Guard,
}

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The address may not be spoken to; asking again does not help.
    Refused(Refused),
    /// No connection was made; whether for TLS, DNS or a closed port, the text says.
    Connect(String),
    /// A connection broke, or the server broke the protocol.
    Broken(String),
}

impl Outbound {
    /// Makes the client.
    ///
    /// # Errors
    /// [`Unusable`] when the tenant's certificates or proxy cannot be used.
    pub fn client(&self) -> Result<Client, Unusable> {
        self.patient(SILENCE)
    }

    /// Makes a client for servers that may think for up to `silence` before they say anything.
    ///
    /// # Errors
    /// [`Unusable`] as [`Outbound::client`].
    pub fn patient(&self, silence: Duration) -> Result<Client, Unusable> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.config()?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .no_gzip()
            .referer(false)
            .user_agent(concat!("tenure/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Guarded(self.guard.clone()))
            .connect_timeout(CONNECT)
            .read_timeout(silence);
        if let Some(proxy) = &self.proxy {
            let url = proxy.url()?;
            check_literal(&self.guard, &url).map_err(|e| Unusable(e.to_string()))?;
            let all = reqwest::Proxy::all(url)
                .map_err(|_| Unusable("the proxy's address cannot be used".to_owned()))?;
            builder = builder.proxy(all);
        }
        let inner = builder
            .build()
            .map_err(|e| Unusable(format!("an HTTP client cannot be prepared: {}", causes(&e))))?;
        Ok(Client {
            inner,
            guard: self.guard.clone(),
        })
    }
}

impl Client {
    /// A request to an allowed place. Names are checked when they are looked up, addresses here.
    ///
    /// # Errors
    /// [`Refused`] when the URL's host is an address that is not allowed.
    pub fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, Refused> {
        check_literal(&self.guard, &url)?;
        Ok(self.inner.request(method, url))
    }
}

/// A host that is an address is never looked up.
fn check_literal(guard: &Guard, url: &Url) -> Result<(), Refused> {
    let Some(host) = url.host_str() else {
        return Ok(());
    };
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => guard.check(host, address),
        Err(_) => Ok(()),
    }
}

/// What went wrong, told from the error's causes: its own text repeats the URL, which may hold a token.
#[must_use]
pub fn trouble(error: &reqwest::Error) -> Trouble {
    let mut source: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return Trouble::Refused(refused.clone());
        }
        if let Some(Unresolved::Refused(refused)) = cause.downcast_ref::<Unresolved>() {
            return Trouble::Refused(refused.clone());
        }
        source = cause.source();
    }
    if error.is_connect() {
        Trouble::Connect(causes(error))
    } else {
        Trouble::Broken(causes(error))
    }
}

fn causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        "connecting".to_owned()
    } else {
        "http".to_owned()
    };
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    printable(&text)
}

/// Looks names up, and gives only the addresses that are allowed.
struct Guarded(Guard);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let allowed = guard.resolve(name.as_str(), 0).await?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

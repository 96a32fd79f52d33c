//! How to reach a server, with its secrets in the open: built right before it is sent to a child, taken apart right
//! after it was received.

use serde::{Deserialize, Serialize};
use tenure_core::frame::Open;

use crate::aws::Keys;
use crate::{ClientCertificate, Guard, Proxy, Tls};

/// An [`Outbound`](crate::Outbound) on its way.
#[derive(Serialize, Deserialize)]
pub struct Outbound {
    guard: Guard,
    ca_pem: Option<Vec<u8>>,
    certificate: Option<(Vec<u8>, Open)>,
    trust_anyone: bool,
    proxy: Option<(String, Option<(String, Open)>)>,
}

/// [`Keys`] on their way.
#[derive(Serialize, Deserialize)]
pub struct OpenKeys {
    access: String,
    secret: Open,
    session: Option<Open>,
}

impl From<crate::Outbound> for Outbound {
    fn from(outbound: crate::Outbound) -> Self {
        let crate::Outbound { guard, tls, proxy } = outbound;
        let certificate = tls.client_certificate;
        Self {
            guard,
            ca_pem: tls.ca_pem,
            certificate: certificate.map(|own| (own.certificate_pem, Open(own.key_pem))),
            trust_anyone: tls.trust_anyone,
            proxy: proxy.map(|p| (p.address, p.login.map(|(user, password)| (user, Open(password))))),
        }
    }
}

impl From<Outbound> for crate::Outbound {
    fn from(outbound: Outbound) -> Self {
        let certificate = outbound.certificate;
        Self {
            guard: outbound.guard,
            tls: Tls {
                ca_pem: outbound.ca_pem,
                client_certificate: certificate.map(|(certificate_pem, key)| ClientCertificate {
                    certificate_pem,
                    key_pem: key.0,
                }),
                trust_anyone: outbound.trust_anyone,
            },
            proxy: outbound.proxy.map(|(address, login)| Proxy {
                address,
                login: login.map(|(user, password)| (user, password.0)),
            }),
        }
    }
}

impl From<Keys> for OpenKeys {
    fn from(keys: Keys) -> Self {
        Self {
            access: keys.access_key,
            secret: Open(keys.secret_key),
            session: keys.session_token.map(Open),
        }
    }
}

impl From<OpenKeys> for Keys {
    fn from(keys: OpenKeys) -> Self {
        Self {
            access_key: keys.access,
            secret_key: keys.secret.0,
            session_token: keys.session.map(|token| token.0),
        }
    }
}

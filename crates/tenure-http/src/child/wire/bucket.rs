//! A bucket with its secrets in the open.

use std::io;

use serde::{Deserialize, Serialize};
use tenure_core::frame::Open;
use tenure_net::wire::{OpenKeys, Outbound};

use super::url;
use crate::bucket;

#[derive(Serialize, Deserialize)]
pub(super) struct Bucket {
    endpoint: Open,
    name: String,
    prefix: String,
    service: Service,
    outbound: Outbound,
}

#[derive(Serialize, Deserialize)]
enum Service {
    S3 { region: String, opener: S3 },
    Google(Google),
    Azure(Azure),
}

#[derive(Serialize, Deserialize)]
enum S3 {
    Anonymous,
    Keys(OpenKeys),
    Ldap {
        endpoint: Open,
        username: String,
        password: Open,
        outbound: Outbound,
    },
    Web {
        endpoint: Open,
        role: String,
        token: Open,
        outbound: Outbound,
    },
}

#[derive(Serialize, Deserialize)]
enum Google {
    Anonymous,
    Account {
        email: String,
        key_id: Option<String>,
        key: Open,
        token_uri: String,
    },
    Federated {
        audience: String,
        service_account: Option<String>,
        token: Open,
    },
    Token(Open),
}

#[derive(Serialize, Deserialize)]
enum Azure {
    Anonymous,
    AccountKey {
        account: String,
        key: Open,
    },
    Sas(Open),
    Application {
        tenant_id: String,
        client_id: String,
        authority: String,
        proof: Proof,
    },
    Token(Open),
}

#[derive(Serialize, Deserialize)]
enum Proof {
    Secret(Open),
    Assertion(Open),
    Certificate { pem: Open, send_chain: bool },
}

impl From<bucket::Bucket> for Bucket {
    fn from(bucket: bucket::Bucket) -> Self {
        Self {
            endpoint: Open(bucket.endpoint.expose()),
            name: bucket.name,
            prefix: bucket.prefix,
            service: match bucket.service {
                bucket::Service::S3 { region, opener } => Service::S3 {
                    region,
                    opener: opener.into(),
                },
                bucket::Service::Google(google) => Service::Google(google.into()),
                bucket::Service::Azure(azure) => Service::Azure(azure.into()),
            },
            outbound: bucket.outbound.into(),
        }
    }
}

impl Bucket {
    pub(super) fn read(self) -> io::Result<bucket::Bucket> {
        Ok(bucket::Bucket {
            endpoint: url(&self.endpoint)?,
            name: self.name,
            prefix: self.prefix,
            service: match self.service {
                Service::S3 { region, opener } => bucket::Service::S3 {
                    region,
                    opener: opener.read()?,
                },
                Service::Google(google) => bucket::Service::Google(google.into()),
                Service::Azure(azure) => bucket::Service::Azure(azure.into()),
            },
            outbound: self.outbound.into(),
        })
    }
}

impl From<bucket::S3> for S3 {
    fn from(opener: bucket::S3) -> Self {
        match opener {
            bucket::S3::Anonymous => Self::Anonymous,
            bucket::S3::Keys(keys) => Self::Keys(keys.into()),
            bucket::S3::Ldap(ldap) => Self::Ldap {
                endpoint: Open(ldap.endpoint.expose()),
                username: ldap.username,
                password: Open(ldap.password),
                outbound: ldap.outbound.into(),
            },
            bucket::S3::Web(web) => Self::Web {
                endpoint: Open(web.endpoint.expose()),
                role: web.role,
                token: Open(web.token),
                outbound: web.outbound.into(),
            },
        }
    }
}

impl S3 {
    fn read(self) -> io::Result<bucket::S3> {
        Ok(match self {
            Self::Anonymous => bucket::S3::Anonymous,
            Self::Keys(keys) => bucket::S3::Keys(keys.into()),
            Self::Ldap {
                endpoint,
                username,
                password,
                outbound,
            } => bucket::S3::Ldap(Box::new(bucket::Ldap {
                endpoint: url(&endpoint)?,
                username,
                password: password.0,
                outbound: outbound.into(),
            })),
            Self::Web {
                endpoint,
                role,
                token,
                outbound,
            } => bucket::S3::Web(Box::new(bucket::Web {
                endpoint: url(&endpoint)?,
                role,
                token: token.0,
                outbound: outbound.into(),
            })),
        })
    }
}

impl From<bucket::Google> for Google {
    fn from(google: bucket::Google) -> Self {
        match google {
            bucket::Google::Anonymous => Self::Anonymous,
            bucket::Google::Account(account) => Self::Account {
                email: account.email,
                key_id: account.key_id,
                key: Open(account.key),
                token_uri: account.token_uri,
            },
            bucket::Google::Federated(federated) => Self::Federated {
                audience: federated.audience,
                service_account: federated.service_account,
                token: Open(federated.token),
            },
            bucket::Google::Token(token) => Self::Token(Open(token)),
        }
    }
}

impl From<Google> for bucket::Google {
    fn from(google: Google) -> Self {
        match google {
            Google::Anonymous => Self::Anonymous,
            Google::Account {
                email,
                key_id,
                key,
                token_uri,
            } => Self::Account(bucket::Account {
                email,
                key_id,
                key: key.0,
                token_uri,
            }),
            Google::Federated {
                audience,
                service_account,
                token,
            } => Self::Federated(bucket::Federated {
                audience,
                service_account,
                token: token.0,
            }),
            Google::Token(token) => Self::Token(token.0),
        }
    }
}

impl From<bucket::Azure> for Azure {
    fn from(azure: bucket::Azure) -> Self {
        match azure {
            bucket::Azure::Anonymous => Self::Anonymous,
            bucket::Azure::AccountKey { account, key } => Self::AccountKey {
                account,
                key: Open(key),
            },
            bucket::Azure::Sas(query) => Self::Sas(Open(query)),
            bucket::Azure::Application(application) => Self::Application {
                tenant_id: application.tenant_id,
                client_id: application.client_id,
                authority: application.authority,
                proof: match application.proof {
                    bucket::Proof::Secret(secret) => Proof::Secret(Open(secret)),
                    bucket::Proof::Assertion(token) => Proof::Assertion(Open(token)),
                    bucket::Proof::Certificate { pem, send_chain } => Proof::Certificate {
                        pem: Open(pem),
                        send_chain,
                    },
                },
            },
            bucket::Azure::Token(token) => Self::Token(Open(token)),
        }
    }
}

impl From<Azure> for bucket::Azure {
    fn from(azure: Azure) -> Self {
        match azure {
            Azure::Anonymous => Self::Anonymous,
            Azure::AccountKey { account, key } => Self::AccountKey { account, key: key.0 },
            Azure::Sas(query) => Self::Sas(query.0),
            Azure::Application {
                tenant_id,
                client_id,
                authority,
                proof,
            } => Self::Application(bucket::Application {
                tenant_id,
                client_id,
                authority,
                proof: match proof {
                    Proof::Secret(secret) => bucket::Proof::Secret(secret.0),
                    Proof::Assertion(token) => bucket::Proof::Assertion(token.0),
                    Proof::Certificate { pem, send_chain } => bucket::Proof::Certificate {
                        pem: pem.0,
                        send_chain,
                    },
                },
            }),
            Azure::Token(token) => Self::Token(token.0),
        }
    }
}

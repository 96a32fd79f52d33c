//! What opens registries and buckets, in the protocol's words.

use tenure_controllers::LdapRequest;
use tenure_http::bucket;
use tenure_oci::cloud;
use tenure_proto::source::azure_application::{Certificate, Proof};
use tenure_proto::source::workload::{Aws, Azure, Google, Identity};
use tenure_proto::source::{AzureApplication, AzureKey, Basic, GoogleAccount, Ldap, Workload, credential};

use super::adapter::{text, with_tls};

pub(super) fn registry_login(login: &tenure_oci::Credential) -> Option<credential::Kind> {
    match login {
        tenure_oci::Credential::None => None,
        tenure_oci::Credential::Basic { username, password } => Some(credential::Kind::Basic(Basic {
            username: username.clone(),
            password: text(password),
        })),
        tenure_oci::Credential::Identity { token } => Some(credential::Kind::IdentityToken(text(token))),
        tenure_oci::Credential::Bearer { token } => Some(credential::Kind::Bearer(text(token))),
    }
}

pub(super) fn workload(workload: &cloud::Workload) -> Workload {
    let identity = match workload.identity.clone() {
        cloud::Identity::Aws { role } => Identity::Aws(Aws { role }),
        cloud::Identity::Google {
            provider,
            service_account,
        } => Identity::Google(Google {
            provider,
            service_account: service_account.unwrap_or_default(),
        }),
        cloud::Identity::Azure { tenant_id, client_id } => Identity::Azure(Azure { tenant_id, client_id }),
    };
    Workload {
        token: workload.token.expose().to_vec(),
        identity: Some(identity),
    }
}

pub(super) fn ldap(ldap: &LdapRequest) -> Ldap {
    let tls = with_tls(None, ldap.tls.ca_pem.as_ref(), ldap.tls.client.as_ref());
    Ldap {
        endpoint: text(&ldap.endpoint.expose()),
        username: ldap.username.clone(),
        password: text(&ldap.password),
        ca_pem: tls.ca_pem,
        client_cert_pem: tls.client_cert_pem,
        client_key_pem: tls.client_key_pem,
    }
}

pub(super) fn google(google: &bucket::Google) -> Option<credential::Kind> {
    match google {
        bucket::Google::Anonymous => None,
        bucket::Google::Token(token) => Some(credential::Kind::Bearer(text(token))),
        bucket::Google::Federated(of) => {
            let provider = of.audience.trim_start_matches("//iam.googleapis.com/").to_owned();
            Some(credential::Kind::Workload(workload(&cloud::Workload {
                identity: cloud::Identity::Google {
                    provider,
                    service_account: of.service_account.clone(),
                },
                token: of.token.clone(),
            })))
        }
        bucket::Google::Account(account) => Some(credential::Kind::GoogleAccount(GoogleAccount {
            email: account.email.clone(),
            key_id: account.key_id.clone().unwrap_or_default(),
            key: account.key.expose().to_vec(),
            token_uri: account.token_uri.clone(),
        })),
    }
}

pub(super) fn azure(azure: &bucket::Azure) -> Option<credential::Kind> {
    match azure {
        bucket::Azure::Anonymous => None,
        bucket::Azure::Token(token) => Some(credential::Kind::Bearer(text(token))),
        bucket::Azure::Sas(query) => Some(credential::Kind::AzureSas(text(query))),
        bucket::Azure::AccountKey { account, key } => Some(credential::Kind::AzureKey(AzureKey {
            account: account.clone(),
            key: text(key),
        })),
        bucket::Azure::Application(of) => {
            let proof = match &of.proof {
                bucket::Proof::Assertion(token) => {
                    return Some(credential::Kind::Workload(workload(&cloud::Workload {
                        identity: cloud::Identity::Azure {
                            tenant_id: of.tenant_id.clone(),
                            client_id: of.client_id.clone(),
                        },
                        token: token.clone(),
                    })));
                }
                bucket::Proof::Secret(secret) => Proof::Secret(text(secret)),
                bucket::Proof::Certificate { pem, send_chain } => Proof::Certificate(Certificate {
                    pem: pem.expose().to_vec(),
                    send_chain: *send_chain,
                }),
            };
            Some(credential::Kind::AzureApplication(AzureApplication {
                tenant_id: of.tenant_id.clone(),
                client_id: of.client_id.clone(),
                authority: of.authority.clone(),
                proof: Some(proof),
            }))
        }
    }
}

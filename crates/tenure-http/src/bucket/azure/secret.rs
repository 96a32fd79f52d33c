//! What a Bucket's Secret says of who asks Azure, in the order in which Flux looks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tenure_core::{Secret, SourceUrl};
use tenure_net::Unusable;

use super::entra::{AUTHORITY, Application, Certificate, Proof, is_tenant};
use super::{Azure, shared_key};

type Data = BTreeMap<String, Secret>;

impl Azure {
    /// What the Secret `name` of a Bucket with `provider: azure` and this endpoint says.
    ///
    /// # Errors
    /// [`Unusable`], in Flux's words where it has some.
    pub fn from_secret(name: &str, endpoint: &SourceUrl, data: &Data) -> Result<Self, Unusable> {
        let has = |key: &str| data.contains_key(key);
        if !(has("clientId") || has("accountKey") || has("sasKey") || has("authorityHost")) {
            return Err(Unusable(format!(
                "invalid '{name}' secret data: requires a 'clientId' or 'accountKey' field, a combination of \
                 'tenantId', 'clientId' and 'clientSecret', or 'tenantId', 'clientId' and 'clientCertificate'"
            )));
        }
        let application = application(data).map_err(|why| {
            Unusable(format!(
                "failed to create token credential from '{name}' Secret: {why}"
            ))
        })?;
        if let Some(application) = application {
            return Ok(Self::Application(application));
        }
        if let Some(key) = data.get("accountKey") {
            let refuse = |why: &str| {
                Unusable(format!(
                    "failed to create shared credential from '{name}' Secret data: {why}"
                ))
            };
            let account = account(endpoint).map_err(|why| refuse(&why))?;
            shared_key::bytes(key).ok_or_else(|| refuse("decode account key: it is not in base64"))?;
            return Ok(Self::AccountKey {
                account,
                key: key.clone(),
            });
        }
        if let Some(sas) = data.get("sasKey") {
            let sas = sas_query(sas).map_err(|why| Unusable(format!("unable to parse SAS token: {why}")))?;
            return Ok(Self::Sas(sas));
        }
        Err(Unusable(format!(
            "invalid '{name}' secret data: 'authorityHost' alone opens nothing; requires 'tenantId', 'clientId' and \
             'clientSecret' or 'clientCertificate', or 'accountKey', or 'sasKey'"
        )))
    }
}

/// The application that the Secret names, if it names one.
fn application(data: &Data) -> Result<Option<Application>, String> {
    let text = |key: &str| {
        let value = data.get(key).map(|value| value.expose_str().map(str::trim));
        value
            .map(|text| text.ok_or_else(|| format!("'{key}' is not text")))
            .transpose()
    };
    let given = |key: &str| data.get(key).filter(|value| !value.is_empty());
    let Some(client_id) = text("clientId")? else {
        return Ok(None);
    };
    let (proof, tenant_id) = match (
        text("tenantId")?,
        given("clientSecret"),
        given("clientCertificate"),
    ) {
        (Some(tenant), Some(secret), _) => (Proof::Secret(secret.clone()), tenant),
        (Some(tenant), None, Some(pem)) => {
            let unusable = |why: &str| format!("failed to parse client certificates: {why}");
            if given("clientCertificatePassword").is_some() {
                return Err(unusable(
                    "a password belongs to PKCS#12, which is not supported; `openssl pkcs12 -nodes` makes PEM of it",
                ));
            }
            Certificate::read(pem).map_err(unusable)?;
            let send_chain = text("clientCertificateSendChain")?.unwrap_or_default();
            let proof = Proof::Certificate {
                pem: pem.clone(),
                send_chain: send_chain == "1" || send_chain.eq_ignore_ascii_case("true"),
            };
            (proof, tenant)
        }
        _ => {
            return Err(
                "'clientId' alone is a managed identity of the node, which the platform gives to no tenant; \
                        add 'tenantId' and 'clientSecret' or 'clientCertificate'"
                    .to_owned(),
            );
        }
    };
    if !is_tenant(tenant_id) {
        return Err(
            "invalid tenantID. You can locate your tenantID by following the instructions listed here: \
                    https://learn.microsoft.com/partner-center/find-ids-and-domain-names"
                .to_owned(),
        );
    }
    let authority = text("authorityHost")?.filter(|host| !host.is_empty());
    let authority = authority.unwrap_or(AUTHORITY);
    if !authority.starts_with("https://") {
        return Err("cannot use an authority host without https".to_owned());
    }
    Ok(Some(Application {
        tenant_id: tenant_id.to_owned(),
        client_id: client_id.to_owned(),
        authority: authority.to_owned(),
        proof,
    }))
}

/// The storage account: the first label of the endpoint's host. Where the host is an address, as an emulator's, it
/// is the first part of the path.
fn account(endpoint: &SourceUrl) -> Result<String, String> {
    let host = endpoint.host();
    let found = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(_) => endpoint.path().split('/').find(|part| !part.is_empty()),
        Err(_) => match host.split('.').collect::<Vec<_>>().as_slice() {
            [account, _, _, ..] => Some(*account),
            _ => None,
        },
    };
    found.map(str::to_owned).ok_or_else(|| {
        format!("failed to extract account name from endpoint: expected '{host}' to be a subdomain")
    })
}

/// A signature as it goes into a query, without the question mark that it may be written with.
fn sas_query(sas: &Secret) -> Result<Secret, &'static str> {
    let text = sas.expose_str().ok_or("it is not text")?.trim();
    let text = text.strip_prefix('?').unwrap_or(text);
    let escaped = text.split('%').skip(1).all(|rest| {
        let code = rest.as_bytes().get(..2);
        code.is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
    });
    if !escaped {
        return Err("invalid URL escape");
    }
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'#' | b'"' | b'<' | b'>' | b'\'' | b';' | b'?');
    if !text.bytes().all(plain) {
        return Err("it has a character that no query has");
    }
    let signed = text
        .split('&')
        .any(|pair| pair.strip_prefix("sig=").is_some_and(|sig| !sig.is_empty()));
    if !signed {
        return Err("it has no signature (sig)");
    }
    Ok(Secret::from(text.to_owned()))
}

#[cfg(test)]
mod tests;

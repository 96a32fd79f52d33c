//! What a Bucket's Secret says of who asks Azure, in the order in which Flux looks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tenure_core::{Secret, SourceUrl};
use tenure_net::Unusable;

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

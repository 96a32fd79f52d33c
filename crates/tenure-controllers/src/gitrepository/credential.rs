//! From a Secret of the home to a credential, by the keys that Flux documents.

use std::collections::BTreeMap;

use tenure_core::{Secret, SourceUrl};

use super::plan::{Question, SecretChoice};
use crate::source::{Failure, authentication, named};
use crate::{Effects, GitCredential, GitCredentialKind, GitRequest, Wanted};

/// The question with what opens the repository.
pub(crate) async fn wanted(question: &Question, effects: &Effects) -> Result<Wanted, Failure> {
    let url = &question.url;
    let credential = match &question.secret {
        SecretChoice::Anonymous => GitCredential::default(),
        SecretChoice::Missing => {
            let home = &effects.home;
            return Err(authentication(format!(
                "no Secret for '{url}': ssh needs a Secret in namespace '{}' with the keys 'identity' and 'known_hosts'; name it in spec.secretRef, or for this URL's prefix in spec.sources.secrets of the Tenant '{}'",
                home.namespace, home.tenant,
            )));
        }
        SecretChoice::Named(name) => {
            let data = named(effects, name, url, expected_keys(url.scheme())).await?;
            read(url, name, &data).map_err(authentication)?
        }
    };
    Ok(Wanted::Git(GitRequest {
        url: url.clone(),
        reference: question.reference.clone(),
        credential,
        sparse: question.sparse.clone(),
        objects: question.verify.is_some(),
    }))
}

fn expected_keys(scheme: &str) -> &'static str {
    match scheme {
        "ssh" => "'identity' and 'known_hosts'",
        _ => "'username' and 'password', or 'bearerToken'",
    }
}

/// Reads the Secret's data for use with `url`.
///
/// # Errors
/// Names the keys that are missing, never a value.
fn read(url: &SourceUrl, name: &str, data: &BTreeMap<String, Secret>) -> Result<GitCredential, String> {
    let get = |key: &str| data.get(key).filter(|value| !value.is_empty());
    let text = |key: &str| {
        get(key)
            .and_then(Secret::expose_str)
            .map(|text| text.trim_end_matches('\n').to_owned())
    };
    if get("githubAppID").is_some() {
        return Err(format!(
            "the Secret '{name}' holds GitHub App credentials, which are not supported yet; use username and password, or bearerToken"
        ));
    }
    let mut credential = GitCredential {
        ca_pem: get("ca.crt").or_else(|| get("caFile")).cloned(),
        client: get("tls.crt").cloned().zip(get("tls.key").cloned()),
        ..GitCredential::default()
    };
    if url.scheme() == "ssh" {
        let missing: Vec<_> = ["identity", "known_hosts"]
            .into_iter()
            .filter(|key| get(key).is_none())
            .collect();
        let (Some(identity), Some(known_hosts)) = (get("identity"), get("known_hosts")) else {
            return Err(format!(
                "the Secret '{name}' lacks {} for an ssh URL",
                quoted(&missing)
            ));
        };
        credential.kind = GitCredentialKind::Ssh {
            identity: identity.clone(),
            passphrase: get("password").cloned(),
            known_hosts: known_hosts.clone(),
            username: text("username").unwrap_or_else(|| "git".to_owned()),
        };
        return Ok(credential);
    }
    credential.kind = match (get("bearerToken"), text("username"), get("password")) {
        (Some(token), _, _) => GitCredentialKind::Bearer(token.clone()),
        (None, Some(username), Some(password)) => GitCredentialKind::Basic {
            username,
            password: password.clone(),
        },
        (None, None, None) => GitCredentialKind::None,
        (None, username, _) => {
            let missing = if username.is_none() {
                "username"
            } else {
                "password"
            };
            return Err(format!(
                "the Secret '{name}' lacks '{missing}' for basic authentication"
            ));
        }
    };
    Ok(credential)
}

fn quoted(keys: &[&str]) -> String {
    keys.iter()
        .map(|key| format!("'{key}'"))
        .collect::<Vec<_>>()
        .join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Secret::from((*value).to_owned())))
            .collect()
    }

    fn url(text: &str) -> SourceUrl {
        text.parse().expect("valid")
    }

    #[test]
    fn ssh_needs_key_and_known_hosts() {
        let ssh = url("ssh://git@host/app.git");
        let error = read(&ssh, "git-ssh", &secret(&[("password", "CANARY")])).expect_err("both are missing");
        assert!(
            error.contains("'identity' and 'known_hosts'") && !error.contains("CANARY"),
            "{error}"
        );
        let full = secret(&[("identity", "k"), ("known_hosts", "h")]);
        let credential = read(&ssh, "git-ssh", &full).expect("complete");
        assert!(matches!(credential.kind, GitCredentialKind::Ssh { username, .. } if username == "git"));
    }

    #[test]
    fn https_takes_a_token_a_password_or_nothing() {
        let https = url("https://host/app.git");
        let kind =
            |pairs: &[(&str, &str)]| read(&https, "s", &secret(pairs)).map(|credential| credential.kind);
        assert!(matches!(kind(&[]), Ok(GitCredentialKind::None)));
        assert!(matches!(
            kind(&[("bearerToken", "t")]),
            Ok(GitCredentialKind::Bearer(_))
        ));
        assert!(
            matches!(kind(&[("username", "u\n"), ("password", "p")]), Ok(GitCredentialKind::Basic { username, .. }) if username == "u")
        );
        assert!(
            kind(&[("username", "u")])
                .expect_err("half")
                .contains("'password'")
        );
        assert!(kind(&[("password", "CANARY")]).is_err_and(|error| !error.contains("CANARY")));
    }
}

//! From a Secret of the home to a credential, by the keys that Flux documents.

use std::collections::BTreeMap;

use tenure_core::{Secret, SourceUrl};

use super::plan::{Question, SecretChoice};
use tenure_api::reasons;

use crate::source::{Failure, authentication, named, proxy};
use crate::{Effects, GitCredential, GitCredentialKind, GitRequest, Wanted};

/// The key of a Secret that says that it is a GitHub App's.
const APP_ID: &str = "githubAppID";

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
            let data = named(effects, name, url, expected_keys(question)).await?;
            let has_app = data.get(APP_ID).is_some_and(|id| !id.is_empty());
            match (question.github, has_app) {
                (true, true) => read_app(name, &data).map_err(authentication)?,
                (false, false) => read(url, name, &data).map_err(authentication)?,
                (true, false) => {
                    return Err(misfit(format!(
                        "spec.provider is 'github', and the Secret '{name}' has no '{APP_ID}'"
                    )));
                }
                (false, true) => {
                    return Err(misfit(format!(
                        "the Secret '{name}' has the key of a GitHub App: set spec.provider to 'github'"
                    )));
                }
            }
        }
    };
    Ok(Wanted::Git(GitRequest {
        url: url.clone(),
        reference: question.reference.clone(),
        credential,
        proxy: proxy(effects, question.proxy.as_ref(), url).await?,
        sparse: question.sparse.clone(),
        objects: question.verify.is_some(),
        submodules: question.submodules.then(|| effects.home.sources.allow.clone()),
    }))
}

fn misfit(message: String) -> Failure {
    Failure::fetching(reasons::INVALID_PROVIDER_CONFIGURATION, message)
}

fn expected_keys(question: &Question) -> &'static str {
    match question.url.scheme() {
        _ if question.github => {
            "'githubAppID', 'githubAppPrivateKey', and 'githubAppInstallationID' or 'githubAppInstallationOwner'"
        }
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
    let mut credential = tls(data);
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

fn tls(data: &BTreeMap<String, Secret>) -> GitCredential {
    let get = |key: &str| data.get(key).filter(|value| !value.is_empty()).cloned();
    GitCredential {
        ca_pem: get("ca.crt").or_else(|| get("caFile")),
        client: get("tls.crt").zip(get("tls.key")),
        ..GitCredential::default()
    }
}

/// Reads the key of a GitHub App, and where it is installed.
///
/// # Errors
/// Names the keys that are missing or can't be used, never a value.
fn read_app(name: &str, data: &BTreeMap<String, Secret>) -> Result<GitCredential, String> {
    let get = |key: &str| data.get(key).filter(|value| !value.is_empty());
    let text = |key: &str| {
        get(key)
            .and_then(Secret::expose_str)
            .map(|text| text.trim().to_owned())
    };
    let lacks = |key: &str| format!("the Secret '{name}' lacks '{key}' of a GitHub App");
    let installation = text("githubAppInstallationID")
        .map(|id| id.parse::<u64>())
        .transpose()
        .map_err(|_| format!("'githubAppInstallationID' of the Secret '{name}' is not a number"))?;
    let owner = text("githubAppInstallationOwner");
    if installation.is_some() == owner.is_some() {
        return Err(format!(
            "the Secret '{name}' must have one of 'githubAppInstallationID' and 'githubAppInstallationOwner'"
        ));
    }
    Ok(GitCredential {
        kind: GitCredentialKind::App {
            id: text(APP_ID).ok_or_else(|| lacks(APP_ID))?,
            installation,
            owner: owner.unwrap_or_default(),
            key: get("githubAppPrivateKey")
                .cloned()
                .ok_or_else(|| lacks("githubAppPrivateKey"))?,
            api: text("githubAppBaseURL").unwrap_or_default(),
        },
        ..tls(data)
    })
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
    fn a_github_app_is_installed_somewhere_and_no_message_shows_its_key() {
        let app = |pairs: &[(&str, &str)]| {
            let mut data = secret(&[("githubAppID", "7\n"), ("githubAppPrivateKey", "CANARY")]);
            data.extend(secret(pairs));
            read_app("app", &data)
        };
        let by_id = app(&[("githubAppInstallationID", "42")]).expect("complete");
        assert!(matches!(by_id.kind, GitCredentialKind::App { id, installation: Some(42), .. } if id == "7"));
        let by_owner = app(&[("githubAppInstallationOwner", "team"), ("ca.crt", "PEM")]).expect("complete");
        assert!(by_owner.ca_pem.is_some());
        assert!(matches!(by_owner.kind, GitCredentialKind::App { owner, .. } if owner == "team"));
        for wrong in [
            &[][..],
            &[("githubAppInstallationID", "x")],
            &[
                ("githubAppInstallationID", "1"),
                ("githubAppInstallationOwner", "team"),
            ],
        ] {
            let error = app(wrong).expect_err("incomplete");
            assert!(!error.contains("CANARY"), "{error}");
        }
        assert!(
            read_app(
                "app",
                &secret(&[("githubAppID", "7"), ("githubAppInstallationID", "1")])
            )
            .is_err()
        );
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

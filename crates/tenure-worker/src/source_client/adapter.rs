//! The client as the controllers see it.

use std::path::PathBuf;

use async_trait::async_trait;
use tenure_controllers::{
    GitCredential, GitCredentialKind, GitReference, GitRequest, Resolved, SourceFailure, Sources,
};
use tenure_core::{Classify as _, Secret, SourceUrl};
use tenure_proto::source::{
    Basic, Credential, GitSpec, ResolveRequest, ResolveResponse, Ssh, credential, git_spec, resolve_request,
};

use super::{SourceClient, SourceError};

#[async_trait]
impl Sources for SourceClient {
    async fn resolve(&self, request: &GitRequest) -> Result<Resolved, SourceFailure> {
        let response = Self::resolve(self, message(request)).await?;
        Ok(resolved(response)?)
    }

    async fn fetch(&self, resolved: &Resolved, to: PathBuf) -> Result<(), SourceFailure> {
        let mut file = tokio::fs::File::create(&to).await.map_err(SourceError::from)?;
        let fetched = Self::fetch(self, &resolved.grant, resolved.digest, resolved.size, &mut file).await;
        if fetched.is_err() {
            tokio::fs::remove_file(&to).await.ok();
        }
        Ok(fetched?)
    }

    async fn release(&self, url: &SourceUrl) {
        if let Err(error) = Self::release(self, exposed(url)).await {
            tracing::debug!(%error, "the source cache was not told to forget a remote");
        }
    }
}

impl From<SourceError> for SourceFailure {
    fn from(error: SourceError) -> Self {
        let message = match error.hint() {
            Some(hint) => format!("{error}: {hint}"),
            None => error.to_string(),
        };
        Self {
            reason: error.reason(),
            message,
            retry: error.retry(),
            cache_down: error.cache_down(),
        }
    }
}

fn message(request: &GitRequest) -> ResolveRequest {
    let (reference, commit_branch) = match &request.reference {
        GitReference::Branch(name) => (git_spec::Ref::Branch(name.clone()), String::new()),
        GitReference::Tag(name) => (git_spec::Ref::Tag(name.clone()), String::new()),
        GitReference::Semver(range) => (git_spec::Ref::Semver(range.clone()), String::new()),
        GitReference::Name(name) => (git_spec::Ref::Name(name.clone()), String::new()),
        GitReference::Commit { commit, branch } => (
            git_spec::Ref::Commit(commit.clone()),
            branch.clone().unwrap_or_default(),
        ),
    };
    let spec = GitSpec {
        url: exposed(&request.url),
        r#ref: Some(reference),
        commit_branch,
        ignore: request.ignore.clone().unwrap_or_default(),
        has_ignore: request.ignore.is_some(),
        sparse: request.sparse.clone(),
    };
    ResolveRequest {
        spec: Some(resolve_request::Spec::Git(spec)),
        credential: Some(credential(&request.credential)),
        timeout: request.timeout.try_into().ok(),
        max_artifact_bytes: request.max_artifact_bytes,
        ..ResolveRequest::default()
    }
}

fn credential(from: &GitCredential) -> Credential {
    let bytes = |secret: &Secret| secret.expose().to_vec();
    let text = |secret: &Secret| secret.expose_str().unwrap_or_default().to_owned();
    let kind = match &from.kind {
        GitCredentialKind::None => None,
        GitCredentialKind::Basic { username, password } => Some(credential::Kind::Basic(Basic {
            username: username.clone(),
            password: text(password),
        })),
        GitCredentialKind::Bearer(token) => Some(credential::Kind::Bearer(text(token))),
        GitCredentialKind::Ssh {
            identity,
            passphrase,
            known_hosts,
            username,
        } => Some(credential::Kind::Ssh(Ssh {
            identity: bytes(identity),
            passphrase: passphrase.as_ref().map(text).unwrap_or_default(),
            known_hosts: bytes(known_hosts),
            username: username.clone(),
        })),
    };
    Credential {
        kind,
        ca_pem: from.ca_pem.as_ref().map(bytes).unwrap_or_default(),
        client_cert_pem: from
            .client
            .as_ref()
            .map(|(cert, _)| bytes(cert))
            .unwrap_or_default(),
        client_key_pem: from
            .client
            .as_ref()
            .map(|(_, key)| bytes(key))
            .unwrap_or_default(),
    }
}

/// The URL with what its `Display` hides: for the cache, over TLS.
fn exposed(url: &SourceUrl) -> String {
    let user = match (url.user(), url.expose_password()) {
        (Some(user), Some(password)) => format!("{user}:{password}@"),
        (Some(user), None) => format!("{user}@"),
        (None, _) => String::new(),
    };
    format!(
        "{}://{user}{}:{}{}",
        url.scheme(),
        url.host(),
        url.port(),
        url.path()
    )
}

fn resolved(response: ResolveResponse) -> Result<Resolved, SourceError> {
    let strange = |what: &str| SourceError::Unreachable(format!("its answer has no {what}"));
    let artifact = response.artifact.ok_or_else(|| strange("artifact"))?;
    let mut metadata: Vec<_> = artifact.metadata.into_iter().collect();
    metadata.sort();
    Ok(Resolved {
        revision: response.revision.parse().map_err(|_| strange("revision"))?,
        digest: artifact.digest.parse().map_err(|_| strange("digest"))?,
        size: artifact.size,
        subject: response.commit_message,
        metadata,
        grant: Secret::new(response.grant),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_password_in_the_url_reaches_the_cache_and_nobody_else() {
        let url: SourceUrl = "https://bob:hunter2@host/app.git".parse().expect("valid");
        assert_eq!(exposed(&url), "https://bob:hunter2@host:443/app.git");
        let ssh: SourceUrl = "ssh://git@host/app.git".parse().expect("valid");
        assert_eq!(exposed(&ssh), "ssh://git@host:22/app.git");
        let request = GitRequest {
            url,
            reference: GitReference::Commit {
                commit: "a".repeat(40),
                branch: Some("main".into()),
            },
            credential: GitCredential::default(),
            ignore: Some(String::new()),
            sparse: vec!["a".into()],
            timeout: Duration::from_secs(60),
            max_artifact_bytes: 1,
        };
        let message = message(&request);
        assert!(!format!("{message:?}").contains("hunter2"));
        let Some(resolve_request::Spec::Git(spec)) = message.spec else {
            panic!("a Git spec")
        };
        assert!(spec.has_ignore && spec.commit_branch == "main");
    }
}

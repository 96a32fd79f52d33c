//! Names of repositories, as go-containerregistry reads them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tenure_core::{SourceUrl, printable};

/// Where a name without a registry lives.
const DOCKER_HUB: &str = "index.docker.io";
/// What the Hub puts before a name of one part.
const LIBRARY: &str = "library";
const SCHEME: &str = "oci://";

/// A repository of a registry: `ghcr.io/org/app`, without tag and digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository {
    registry: String,
    path: String,
}

/// Why a text is not the name of a repository. The text is not repeated: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A source's URL starts with `oci://`.
    #[error("the URL does not start with oci://")]
    Scheme,
    /// The registry is no host name or address, or has a user in front.
    #[error("the URL's registry is not a host name with an optional port")]
    Registry,
    /// The path has a character that repositories do not have, or is too long or too short.
    #[error(
        "the URL's repository is not 2 to 255 lower case letters, digits, '_', '-', '.' and '/', without empty parts"
    )]
    Path,
    /// A tag or digest is given in fields of their own.
    #[error("the URL must not contain a tag or a digest; remove {0:?} and give it in spec.ref")]
    Reference(String),
}

impl Repository {
    /// Reads the URL of a source, `oci://registry/repository`.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn from_url(url: &str) -> Result<Self, NameError> {
        url.strip_prefix(SCHEME).ok_or(NameError::Scheme)?.parse()
    }

    /// The registry's host, with its port if one is written; the Docker Hub is `index.docker.io`.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path in the registry.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// As the URL of a source: one spelling for all that mean the same repository.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{SCHEME}{self}")
    }
}

impl FromStr for Repository {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let name = name.trim_end_matches('/');
        let (registry, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
            _ => (DOCKER_HUB, name),
        };
        let registry = registry_host(registry)?;
        let last = path.rsplit('/').next().unwrap_or_default();
        if let Some(at) = last.find([':', '@']) {
            let extra = last.get(at..).unwrap_or_default();
            return Err(NameError::Reference(printable(extra)));
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-./".contains(c);
        let parts = !path.split('/').any(|part| matches!(part, "" | "." | ".."));
        if !(2..=255).contains(&path.len()) || !path.chars().all(allowed) || !parts {
            return Err(NameError::Path);
        }
        let path = if registry == DOCKER_HUB && !path.contains('/') {
            format!("{LIBRARY}/{path}")
        } else {
            path.to_owned()
        };
        Ok(Self { registry, path })
    }
}

fn registry_host(text: &str) -> Result<String, NameError> {
    let url: SourceUrl = format!("https://{text}/").parse().map_err(|_| NameError::Registry)?;
    if url.user().is_some() || url.path() != "/" {
        return Err(NameError::Registry);
    }
    let port = match text.rsplit_once(':') {
        Some((_, port)) if !port.contains(']') => format!(":{}", url.port()),
        _ => String::new(),
    };
    Ok(match format!("{}{port}", url.host()) {
        host if host == "docker.io" => DOCKER_HUB.to_owned(),
        host => host,
    })
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl TryFrom<String> for Repository {
    type Error = NameError;
    fn try_from(name: String) -> Result<Self, NameError> {
        name.parse()
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_they_mean_to_go_containerregistry() {
        for (url, wanted) in [
            ("oci://ghcr.io/org/app", "ghcr.io/org/app"),
            ("oci://ghcr.io/org/app/", "ghcr.io/org/app"),
            ("oci://GHCR.io/org/app", "ghcr.io/org/app"),
            ("oci://localhost/app", "localhost/app"),
            ("oci://localhost:5000/app", "localhost:5000/app"),
            ("oci://registry:5000/a/b/c", "registry:5000/a/b/c"),
            ("oci://127.0.0.1:5000/a_b/c-d.e", "127.0.0.1:5000/a_b/c-d.e"),
            ("oci://[::1]:5000/app", "[::1]:5000/app"),
            ("oci://[::1]/app", "[::1]/app"),
            ("oci://nginx", "index.docker.io/library/nginx"),
            ("oci://docker.io/nginx", "index.docker.io/library/nginx"),
            ("oci://docker.io/org/app", "index.docker.io/org/app"),
            ("oci://org/app", "index.docker.io/org/app"),
        ] {
            let found = Repository::from_url(url).unwrap_or_else(|e| panic!("{url}: {e}"));
            assert_eq!(found.to_string(), wanted, "{url}");
            assert_eq!(found.to_string().parse(), Ok(found), "{url} reads what it writes");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_without_repeating_it() {
        for url in [
            "https://ghcr.io/a/b",
            "oci://",
            "oci://ghcr.io//app",
            "oci://ghcr.io/a/../b",
            "oci://ghcr.io/App",
            "oci://ghcr.io/a b",
            "oci://ghcr.io/a?x=CANARY",
            "oci://ghcr.io/a#CANARY",
            "oci://bob:CANARY@ghcr.io/org/app",
            "oci://ghcr.io:99999/app",
            "oci://-x.io/app",
        ] {
            let error = Repository::from_url(url).expect_err(url);
            assert!(!error.to_string().contains("CANARY"), "{error}");
        }
        for url in ["oci://ghcr.io/org/app:v1", "oci://ghcr.io/org/app@sha256:00"] {
            let error = Repository::from_url(url).expect_err(url);
            assert!(matches!(error, NameError::Reference(_)), "{error}");
        }
    }
}

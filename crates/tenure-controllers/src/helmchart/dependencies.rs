//! The charts that a chart depends on: those of repositories by way of the cache, those of the same artifact from it.
//!
//! A chart can say where they are, and so choose a host. What it can't choose is a credential: that of a HelmRepository
//! of the home goes to that repository's own URL only, and every other URL is asked without one, as far as the Tenant
//! and the cache's guard of addresses allow it.

use std::sync::Arc;

use tenure_api::HelmRepositorySpec;
use tenure_core::Digest;
use tenure_helm::{Dependency, DirFs, Limits, Package};

use super::build::{beneath, depending};
use super::{origin, remote};
use crate::source::{Failure, keep};
use crate::{Effects, chain};

/// Most charts that are fetched for one.
const MOST: usize = 64;

/// The chart of `path` in the artifact, with what it depends on.
pub(super) async fn build(
    mut package: Package,
    path: &str,
    source: Digest,
    effects: &Arc<Effects>,
) -> Result<Package, Failure> {
    let missing = package.missing().map_err(|error| depending(error.to_string()))?;
    if missing.len() > MOST {
        return Err(depending(format!(
            "it depends on {} charts, at most {MOST} are fetched",
            missing.len()
        )));
    }
    for wanted in missing {
        let name = match wanted.alias.as_str() {
            "" => wanted.name.clone(),
            alias => alias.to_owned(),
        };
        let local = wanted.repository.is_empty() || wanted.repository.starts_with("file://");
        let kind = if local { "local" } else { "remote" };
        let added = match local {
            true => from_artifact(&mut package, &name, &wanted, path, source, effects).await,
            false => from_repository(&mut package, &wanted, effects).await,
        };
        added.map_err(|failure| Failure {
            retry: failure.retry,
            cache_down: failure.cache_down,
            ..depending(format!(
                "failed to add {kind} dependency '{name}': {}",
                failure.message
            ))
        })?;
    }
    Ok(package)
}

fn refuse(message: String) -> Failure {
    Failure::fetching(tenure_api::reasons::DEPENDENCY_BUILD_ERROR, message)
}

async fn from_repository(
    package: &mut Package,
    wanted: &Dependency,
    effects: &Arc<Effects>,
) -> Result<(), Failure> {
    let url = &wanted.repository;
    let spec = match origin::repository_at(url, effects) {
        Some(repository) => repository.spec,
        None => anonymous(url)?,
    };
    let (name, version) = (&wanted.name, &wanted.version);
    let found = remote::find(&spec, (name, version), remote::Looks::default(), effects).await;
    let found = found.map_err(|failure| Failure {
        message: format!(
            "failed to get chart '{name}' version '{version}' from '{}': {}",
            shown(url),
            failure.message
        ),
        ..failure
    })?;
    keep(&found.resolved, effects).await?;
    let loading = |error: String| {
        refuse(format!(
            "failed to load downloaded archive of version '{}': {error}",
            found.version
        ))
    };
    let bytes = effects
        .artifacts
        .read(&found.resolved.digest)
        .map_err(|error| loading(chain(&error)))?;
    package
        .add_archive(name, &found.version, &bytes)
        .map_err(|error| loading(error.to_string()))
}

/// A repository that the home has no object for: nobody's credential is shown there.
fn anonymous(url: &str) -> Result<HelmRepositorySpec, Failure> {
    if url.starts_with('@') || url.starts_with("alias:") {
        return Err(refuse(format!(
            "aliased repository dependency is not supported: {url}"
        )));
    }
    let oci = url.starts_with("oci://");
    if !oci && !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(refuse(format!(
            "invalid dependency repository URL: {}",
            shown(url)
        )));
    }
    Ok(HelmRepositorySpec {
        url: url.to_owned(),
        kind: oci.then(|| "oci".to_owned()),
        ..HelmRepositorySpec::default()
    })
}

fn shown(url: &str) -> String {
    match url.parse::<tenure_core::SourceUrl>() {
        Ok(url) => url.to_string(),
        Err(_) if url.contains('@') => "a URL that can't be read".to_owned(),
        Err(_) => tenure_core::printable(url),
    }
}

async fn from_artifact(
    package: &mut Package,
    name: &str,
    wanted: &Dependency,
    path: &str,
    source: Digest,
    effects: &Arc<Effects>,
) -> Result<(), Failure> {
    let there = match wanted.repository.strip_prefix("file://") {
        Some(relative) => beneath(&format!("{path}/{relative}")),
        None => beneath(&format!("{path}/charts/{}", wanted.name)),
    };
    let (artifacts, repository) = (effects.artifacts.clone(), wanted.repository.clone());
    let loaded = tokio::task::spawn_blocking(move || {
        let tree = artifacts.tree(&source).map_err(|error| chain(&error))?;
        let fs = DirFs::open(&tree.root).map_err(|error| error.to_string())?;
        if std::fs::symlink_metadata(tree.root.join(&there)).is_err() {
            return Err(format!("no chart found at '/{there}' (reference '{repository}')"));
        }
        Package::from_dir(&fs, &there, &Limits::default()).map_err(|error| {
            format!("failed to load chart from '/{there}' (reference '{repository}'): {error}")
        })
    });
    let loaded = loaded
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
        .map_err(refuse)?;
    if !loaded.fits(&wanted.version) {
        return Err(refuse(format!(
            "can't get a valid version for constraint '{}'",
            wanted.version
        )));
    }
    package
        .add(name, &loaded)
        .map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_chooses_no_credential_and_no_other_scheme() {
        for good in ["https://charts.example.com", "oci://ghcr.io/charts"] {
            let spec = anonymous(good).expect("usable");
            assert!(spec.secret_ref.is_none() && spec.cert_secret_ref.is_none());
            assert_eq!(spec.is_oci(), good.starts_with("oci"));
        }
        for bad in ["@stable", "alias:stable", "ftp://charts", "/etc", "https:charts"] {
            assert!(anonymous(bad).is_err(), "{bad}");
        }
        let error = anonymous("ftp://bob:CANARY@charts").expect_err("no scheme of ours");
        assert!(!error.message.contains("CANARY"), "{}", error.message);
    }
}

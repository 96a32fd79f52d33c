pub(crate) mod remote;

use std::fs::File;
use std::time::Duration;

use tenure_core::Secret;
use tenure_net::{Guard, Outbound, Tls};
use tenure_oci::{Credential, Fetched, Layer, Limits, OciError, Reference, Remote, Repository, Resolved};
use tenure_testkit::oci::Registry;

/// This machine, where the servers of the tests are, is allowed.
pub(crate) fn guard() -> Guard {
    Guard::new(["127.0.0.0/8".parse().unwrap()], [])
}

pub(crate) fn basic(user: &str, password: &str) -> Credential {
    Credential::Basic {
        username: user.to_owned(),
        password: Secret::from(password.to_owned()),
    }
}

/// A repository on this machine behind TLS.
pub(crate) fn at(url: &str, ca: &str, credential: Credential) -> Remote {
    let mut remote = Remote::new(Repository::from_url(url).unwrap(), credential);
    remote.outbound = Outbound {
        guard: guard(),
        tls: Tls {
            ca_pem: Some(ca.as_bytes().to_vec()),
            ..Tls::default()
        },
        proxy: None,
    };
    remote
}

pub(crate) fn remote(registry: &Registry, repository: &str, credential: Credential) -> Remote {
    at(&registry.url(repository), registry.ca(), credential)
}

pub(crate) fn tag(name: &str) -> Reference {
    Reference::Tag(name.to_owned())
}

/// Long enough for a machine under load.
pub(crate) fn limits() -> Limits {
    Limits {
        timeout: Duration::from_secs(120),
        ..Limits::default()
    }
}

pub(crate) async fn resolve(remote: &Remote, reference: &Reference) -> Result<Resolved, OciError> {
    tenure_oci::resolve(remote, reference, &limits()).await
}

/// An artifact, and the bytes of it.
pub(crate) struct Pulled {
    pub(crate) resolved: Resolved,
    pub(crate) fetched: Fetched,
    pub(crate) bytes: Vec<u8>,
}

impl Pulled {
    pub(crate) fn names(&self) -> Vec<String> {
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&self.bytes[..]));
        let paths = archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string());
        paths.collect()
    }
}

pub(crate) async fn pull(remote: &Remote, reference: &Reference, layer: &Layer) -> Result<Pulled, OciError> {
    pull_within(remote, reference, layer, None, &limits()).await
}

pub(crate) async fn pull_within(
    remote: &Remote,
    reference: &Reference,
    layer: &Layer,
    ignore: Option<&str>,
    limits: &Limits,
) -> Result<Pulled, OciError> {
    let resolved = tenure_oci::resolve(remote, reference, limits).await?;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("artifact");
    let fetched = tenure_oci::fetch(remote, &resolved, &out, layer, ignore, limits).await?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut File::open(&out).unwrap(), &mut bytes).unwrap();
    assert_eq!(tenure_core::Digest::of(&bytes), fetched.digest);
    assert_eq!(bytes.len() as u64, fetched.size);
    let beside = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(beside, 1, "nothing but the artifact is left");
    Ok(Pulled {
        resolved,
        fetched,
        bytes,
    })
}

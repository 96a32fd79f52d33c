//! Certificates for servers on 127.0.0.1 and the clients that speak to them.

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// A certificate authority of one server or one control plane.
#[derive(Debug)]
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, both PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, without its issuer.
    pub certificate: String,
    /// The private key in PKCS#8.
    pub key: String,
}

impl Authority {
    /// A new authority under that name.
    ///
    /// # Errors
    /// When the machine cannot make a key.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let mut params = named(name, None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("make a key for an authority")?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self {
            pem,
            issuer: Issuer::new(params, key),
        })
    }

    /// The authority's own certificate.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.pem
    }

    /// A certificate for a server: valid for 127.0.0.1, `localhost` and `names`.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn server(&self, name: &str, names: &[&str]) -> anyhow::Result<Identity> {
        let mut all = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        all.extend(names.iter().map(|&n| n.to_owned()));
        let mut params = named(name, None);
        params.subject_alt_names = CertificateParams::new(all)?.subject_alt_names;
        // etcd's listener also opens connections to itself with the same certificate.
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        self.sign(&params)
    }

    /// A certificate for a client: Kubernetes reads user and group from it.
    ///
    /// # Errors
    /// When the machine cannot make a key.
    pub fn client(&self, user: &str, group: Option<&str>) -> anyhow::Result<Identity> {
        let mut params = named(user, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> anyhow::Result<Identity> {
        let key = KeyPair::generate().context("make a key for a certificate")?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity {
            certificate,
            key: key.serialize_pem(),
        })
    }
}

fn named(name: &str, group: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.use_authority_key_identifier_extension = true;
    params
}

/// A key pair for signing service account tokens: private and public half, PEM.
///
/// # Errors
/// When the machine cannot make a key.
pub fn signing_key() -> anyhow::Result<(String, String)> {
    let key = KeyPair::generate().context("make a key to sign tokens with")?;
    Ok((key.serialize_pem(), key.public_key_pem()))
}

/// Says once which TLS implementation this process uses.
pub fn install_crypto() {
    // An error means that somebody else was first, with the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::transport::Context;
use crate::{GitError, Remote};

/// Trusts the public authorities and the Secret's; shows the Secret's certificate if it has one.
pub(crate) fn config(remote: &Remote, context: &Context) -> Result<ClientConfig, GitError> {
    let refuse = |message: &str| GitError::AuthenticationFailed {
        remote: context.shown.clone(),
        message: message.to_owned(),
    };
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(pem) = &remote.ca_pem {
        let mut any = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| refuse("the Secret's 'ca.crt' is not PEM"))?;
            roots
                .add(certificate)
                .map_err(|_| refuse("the Secret's 'ca.crt' has a certificate that cannot be read"))?;
            any = true;
        }
        if !any {
            return Err(refuse("the Secret's 'ca.crt' has no certificate"));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| context.unavailable(&format!("preparing TLS: {e}")))?
        .with_root_certificates(roots);
    let Some(own) = &remote.client_certificate else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = CertificateDer::pem_slice_iter(&own.certificate_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| refuse("the Secret's 'tls.crt' is not PEM"))?;
    let key = PrivateKeyDer::from_pem_slice(own.key_pem.expose())
        .map_err(|_| refuse("the Secret's 'tls.key' is not a private key in PEM"))?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|_| refuse("the Secret's 'tls.crt' and 'tls.key' do not belong together"))
}

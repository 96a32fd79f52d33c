use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tenure_core::Secret;

use crate::Unusable;

/// Whom to trust, and what to show.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Authorities to trust, in PEM, besides the public ones.
    pub ca_pem: Option<Vec<u8>>,
    /// What to show a server that asks for a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// Take any certificate. Only where the tenant has said that the transport may be insecure.
    pub trust_anyone: bool,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate, then its chain.
    pub certificate_pem: Vec<u8>,
    /// Its private key.
    pub key_pem: Secret,
}

impl Tls {
    pub(crate) fn config(&self) -> Result<ClientConfig, Unusable> {
        let refuse = |message: &str| Unusable(message.to_owned());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| Unusable(format!("TLS cannot be prepared: {e}")))?;
        let builder = if self.trust_anyone {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        let mut config = match &self.client_certificate {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let chain = CertificateDer::pem_slice_iter(&own.certificate_pem)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|_| refuse("the Secret's 'tls.crt' is not PEM"))?;
                let key = PrivateKeyDer::from_pem_slice(own.key_pem.expose())
                    .map_err(|_| refuse("the Secret's 'tls.key' is not a private key in PEM"))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|_| refuse("the Secret's 'tls.crt' and 'tls.key' do not belong together"))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore, Unusable> {
        let refuse = |message: &str| Unusable(message.to_owned());
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let Some(pem) = &self.ca_pem else {
            return Ok(roots);
        };
        let mut any = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| refuse("the Secret's 'ca.crt' is not PEM"))?;
            roots
                .add(certificate)
                .map_err(|_| refuse("the Secret's 'ca.crt' has a certificate that cannot be read"))?;
            any = true;
        }
        if any {
            Ok(roots)
        } else {
            Err(refuse("the Secret's 'ca.crt' has no certificate"))
        }
    }
}

/// Takes any certificate, but not a broken handshake.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

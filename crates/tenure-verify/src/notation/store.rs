use std::collections::BTreeSet;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Certificates that are trusted. As in Flux, stores of every type and name are this one.
#[derive(Clone, Debug, Default)]
pub struct TrustStore(BTreeSet<Vec<u8>>);

/// Why a certificate can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the certificate {entry:?} cannot be used: it is neither PEM that begins with 'BEGIN CERTIFICATE' nor DER"
)]
pub struct StoreError {
    /// Its name in the Secret.
    pub entry: String,
}

impl TrustStore {
    /// Adds the certificates of an entry, in PEM, or one in DER.
    ///
    /// # Errors
    /// [`StoreError`], if there is something else in it.
    pub fn add(&mut self, entry: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let bad = || StoreError {
            entry: entry.to_owned(),
        };
        let mut all = Vec::new();
        for found in CertificateDer::pem_slice_iter(bytes) {
            all.push(found.map_err(|_| bad())?.to_vec());
        }
        if all.is_empty() {
            all.push(bytes.to_vec());
        }
        for der in all {
            let whole = X509Certificate::from_der(&der).is_ok_and(|(rest, _)| rest.is_empty());
            if !whole {
                return Err(bad());
            }
            self.0.insert(der);
        }
        Ok(())
    }

    /// Whether there is no certificate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, der: &[u8]) -> bool {
        self.0.contains(der)
    }
}

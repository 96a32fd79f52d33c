//! Whether an authority of the trusted root could issue a certificate at that time.
//!
//! The library takes each certificate of an authority as an anchor, which is believed for as long as the root says.
//! As cosign does, their own validity is held to the time of signing here.

use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, UnixTime};
use sigstore_verify::trust_root::{CertificateAuthority, TrustedRoot};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::time::ASN1Time;

/// 1.3.6.1.5.5.7.3.3, as DER writes it.
const CODE_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];

/// Whether the leaf has a chain to the top of an authority, all of it valid at that time.
pub(super) fn issued(root: &TrustedRoot, leaf: &[u8], at: Timestamp) -> bool {
    let mut authorities = root.certificate_authorities.iter();
    authorities.any(|one| chained(one, leaf, at).unwrap_or_default())
}

fn chained(authority: &CertificateAuthority, leaf: &[u8], at: Timestamp) -> Option<bool> {
    if !authority
        .valid_for
        .as_ref()
        .is_none_or(|window| window.contains(at))
    {
        return None;
    }
    let chain: Vec<_> = authority
        .cert_chain
        .certificates
        .iter()
        .map(|entry| CertificateDer::from(entry.raw_bytes.as_bytes()))
        .collect();
    let (top, between) = chain.split_last()?;
    let (_, parsed) = X509Certificate::from_der(top).ok()?;
    if !parsed
        .validity()
        .is_valid_at(ASN1Time::from_timestamp(at.as_second()).ok()?)
    {
        return Some(false);
    }
    let anchors = [anchor_from_trusted_cert(top).ok()?];
    let leaf = CertificateDer::from(leaf);
    let leaf = EndEntityCert::try_from(&leaf).ok()?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.as_second()).ok()?));
    let verified = leaf.verify_for_usage(
        ALL_VERIFICATION_ALGS,
        &anchors,
        between,
        time,
        KeyUsage::required(CODE_SIGNING),
        None,
        None,
    );
    Some(verified.is_ok())
}

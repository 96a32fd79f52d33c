//! What the Notary Project asks of a chain of certificates that signs code.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};
use jiff::Timestamp;
use x509_parser::extensions::{KeyUsage, ParsedExtension};
use x509_parser::prelude::X509Certificate;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const P521: &str = "1.3.132.0.35";
const CRL_POINTS: &str = "2.5.29.31";
const AUTHORITY_ACCESS: &str = "1.3.6.1.5.5.7.1.1";
const OCSP: &str = "1.3.6.1.5.5.7.48.1";

/// From when until when a certificate holds.
#[derive(Clone, Debug)]
pub(super) struct Validity {
    pub(super) subject: String,
    pub(super) begins: Timestamp,
    pub(super) ends: Timestamp,
}

impl Validity {
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        // what is no time is taken for none that holds
        let time = |seconds: i64, otherwise| Timestamp::from_second(seconds).unwrap_or(otherwise);
        let validity = certificate.validity();
        Self {
            subject: certificate.subject().to_string(),
            begins: time(validity.not_before.timestamp(), Timestamp::MAX),
            ends: time(validity.not_after.timestamp(), Timestamp::MIN),
        }
    }

    pub(super) fn holds(&self, at: Timestamp) -> bool {
        self.begins <= at && at <= self.ends
    }
}

/// Each certificate is issued by the next, the last by itself; the first one signs and nothing else, the others issue.
pub(super) fn check(chain: &[X509Certificate<'_>]) -> Result<(), String> {
    let Some((leaf, above)) = chain.split_first() else {
        return Err("there is none".to_owned());
    };
    signs(leaf)?;
    for (issued, issuer) in chain.iter().zip(above) {
        if !is_issued(issued, issuer) {
            return Err(format!(
                "'{}' is not issued by '{}'",
                issued.subject(),
                issuer.subject()
            ));
        }
        if is_issued(issued, issued) {
            return Err(format!(
                "'{}' issues itself, and is not the last one",
                issued.subject()
            ));
        }
    }
    for (below, issuer) in above.iter().enumerate() {
        issues(issuer, below)?;
    }
    let last = above.last().unwrap_or(leaf);
    if !is_issued(last, last) {
        return Err(format!(
            "it ends with '{}', which does not issue itself",
            last.subject()
        ));
    }
    Ok(())
}

/// The subject of a certificate below the last one that names a server to ask whether it is revoked.
pub(super) fn revocable(chain: &[X509Certificate<'_>]) -> Option<String> {
    let (_, below) = chain.split_last()?;
    let asks = |certificate: &&X509Certificate<'_>| {
        certificate
            .extensions()
            .iter()
            .any(|one| match one.oid.to_id_string().as_str() {
                CRL_POINTS => true,
                AUTHORITY_ACCESS => match one.parsed_extension() {
                    ParsedExtension::AuthorityInfoAccess(access) => {
                        let mut ways = access.accessdescs.iter();
                        ways.any(|way| way.access_method.to_id_string() == OCSP)
                    }
                    _ => true,
                },
                _ => false,
            })
    };
    below.iter().find(asks).map(|one| one.subject().to_string())
}

fn usage<'a>(certificate: &'a X509Certificate<'_>) -> Result<&'a KeyUsage, String> {
    match certificate.key_usage() {
        Ok(Some(usage)) if usage.critical => Ok(usage.value),
        _ => Err(format!("'{}' has no critical key usage", certificate.subject())),
    }
}

fn signs(leaf: &X509Certificate<'_>) -> Result<(), String> {
    let bad = |what: &str| Err(format!("'{}', the signer, {what}", leaf.subject()));
    match leaf.basic_constraints() {
        Ok(None) => {}
        Ok(Some(constraints)) if !constraints.value.ca => {}
        _ => return bad("is an authority"),
    }
    let usage = usage(leaf)?;
    let others = usage.key_encipherment()
        || usage.data_encipherment()
        || usage.key_agreement()
        || usage.key_cert_sign()
        || usage.crl_sign()
        || usage.encipher_only()
        || usage.decipher_only();
    if !usage.digital_signature() || others {
        return bad("is for something else than digital signatures, by its key usage");
    }
    match leaf.extended_key_usage() {
        Ok(None) => Ok(()),
        Ok(Some(extended)) => {
            let extended = extended.value;
            let others = extended.server_auth
                || extended.client_auth
                || extended.email_protection
                || extended.time_stamping
                || extended.ocsp_signing;
            if others {
                bad("is for something else than code, by its extended key usage")
            } else {
                Ok(())
            }
        }
        Err(_) => bad("has an extended key usage that can't be read"),
    }
}

fn issues(certificate: &X509Certificate<'_>, below: usize) -> Result<(), String> {
    let bad = |what: &str| Err(format!("'{}' {what}", certificate.subject()));
    match certificate.basic_constraints() {
        Ok(Some(constraints)) if constraints.value.ca => {
            let length = constraints.value.path_len_constraint;
            if length.is_some_and(|most| usize::try_from(most).unwrap_or_default() < below) {
                return bad("has too many below it");
            }
        }
        _ => return bad("is no authority"),
    }
    if usage(certificate)?.key_cert_sign() {
        Ok(())
    } else {
        bad("may not issue certificates, by its key usage")
    }
}

fn is_issued(issued: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    if issued.issuer().as_raw() != issuer.subject().as_raw() {
        return false;
    }
    let key = issuer.public_key();
    let Some(algorithm) = verification(&issued.signature_algorithm, key) else {
        return false;
    };
    issued.signature_algorithm == issued.tbs_certificate.signature
        && UnparsedPublicKey::new(algorithm, key.raw)
            .verify(issued.tbs_certificate.as_ref(), &issued.signature_value.data)
            .is_ok()
}

/// How a certificate is signed, if that is strong enough.
fn verification(
    signature: &AlgorithmIdentifier<'_>,
    key: &SubjectPublicKeyInfo<'_>,
) -> Option<&'static dyn VerificationAlgorithm> {
    let curve = key.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok());
    let curve = curve.map(|oid| oid.to_id_string()).unwrap_or_default();
    Some(
        match (signature.algorithm.to_id_string().as_str(), curve.as_str()) {
            ("1.2.840.10045.4.3.2", P256) => &ECDSA_P256_SHA256_ASN1,
            ("1.2.840.10045.4.3.3", P256) => &ECDSA_P256_SHA384_ASN1,
            ("1.2.840.10045.4.3.2", P384) => &ECDSA_P384_SHA256_ASN1,
            ("1.2.840.10045.4.3.3", P384) => &ECDSA_P384_SHA384_ASN1,
            ("1.2.840.10045.4.3.2", P521) => &ECDSA_P521_SHA256_ASN1,
            ("1.2.840.10045.4.3.3", P521) => &ECDSA_P521_SHA384_ASN1,
            ("1.2.840.10045.4.3.4", P521) => &ECDSA_P521_SHA512_ASN1,
            ("1.2.840.113549.1.1.11", _) => &RSA_PKCS1_2048_8192_SHA256,
            ("1.2.840.113549.1.1.12", _) => &RSA_PKCS1_2048_8192_SHA384,
            ("1.2.840.113549.1.1.13", _) => &RSA_PKCS1_2048_8192_SHA512,
            ("1.2.840.113549.1.1.10", _) => {
                let parameters = RsaSsaPssParams::try_from(signature.parameters.as_ref()?).ok()?;
                match parameters.hash_algorithm_oid().to_id_string().as_str() {
                    "2.16.840.1.101.3.4.2.1" => &RSA_PSS_2048_8192_SHA256,
                    "2.16.840.1.101.3.4.2.2" => &RSA_PSS_2048_8192_SHA384,
                    "2.16.840.1.101.3.4.2.3" => &RSA_PSS_2048_8192_SHA512,
                    _ => return None,
                }
            }
            ("1.3.101.112", _) => &ED25519,
            _ => return None,
        },
    )
}

//! Who a certificate is for, and whether that is allowed.

use jiff::Timestamp;
use tenure_gotmpl::regexp::Regexp;
use x509_parser::der_parser::asn1_rs::{Any, FromDer as _, Tag};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use super::{Reason, Signer, Wrong, told};

/// Fulcio's extension with the issuer as DER text, and the older one with its bare bytes.
const ISSUER: &str = "1.3.6.1.4.1.57264.1.8";
const OLD_ISSUER: &str = "1.3.6.1.4.1.57264.1.1";
/// The kind of name that is neither an address nor a URI.
const OTHER_NAME: &str = "1.3.6.1.4.1.57264.1.7";
/// Bytes that an expression may take.
const SIZE: usize = 1 << 20;

/// An entry of `matchOIDCIdentity`.
#[derive(Debug)]
pub struct Identity {
    issuer: Regexp,
    subject: Regexp,
}

/// Why an entry of `matchOIDCIdentity` can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {field} '{expression}' of spec.verify.matchOIDCIdentity cannot be used: {message}")]
pub struct IdentityError {
    /// `issuer` or `subject`.
    pub field: &'static str,
    /// What it says.
    pub expression: String,
    /// What is wrong with it.
    pub message: String,
}

impl Identity {
    /// Two regular expressions as Go reads them, to be found anywhere in the issuer and in the subject of a
    /// certificate, as cosign finds them: only `^` and `$` tie them to its ends.
    ///
    /// # Errors
    /// [`IdentityError`], also for an empty one: it would allow everybody, which `.*` says aloud.
    pub fn new(issuer: &str, subject: &str) -> Result<Self, IdentityError> {
        let compile = |field: &'static str, expression: &str| {
            let bad = |message: String| IdentityError {
                field,
                expression: told(expression),
                message: told(&message),
            };
            if expression.is_empty() {
                return Err(bad("it is empty; '.*' allows everybody".to_owned()));
            }
            Regexp::compile(expression, SIZE).map_err(bad)
        };
        Ok(Self {
            issuer: compile("issuer", issuer)?,
            subject: compile("subject", subject)?,
        })
    }

    fn allows(&self, issuer: &str, subject: &str) -> bool {
        self.issuer.is_match(issuer.as_bytes()) && self.subject.is_match(subject.as_bytes())
    }
}

/// The signer, if an identity allows it. The certificate has been verified.
pub(super) fn matched(certificate: &[u8], identities: &[Identity], at: Timestamp) -> Result<Signer, Reason> {
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| Wrong::Unreadable)?;
    let issuer = issuer(&certificate).ok_or(Reason::Missing("the issuer in its certificate"))?;
    let subjects = subjects(&certificate);
    let allowed = subjects
        .iter()
        .find(|subject| identities.is_empty() || identities.iter().any(|one| one.allows(&issuer, subject)));
    match allowed {
        Some(subject) => Ok(Signer {
            subject: subject.clone(),
            issuer,
            at,
        }),
        None => Err(Reason::Identity {
            subject: told(&subjects.join("', '")),
            issuer: told(&issuer),
        }),
    }
}

fn issuer(certificate: &X509Certificate<'_>) -> Option<String> {
    let extension = |oid: &str| {
        let mut all = certificate.extensions().iter();
        all.find(|one| one.oid.to_id_string() == oid)
    };
    match extension(ISSUER) {
        Some(new) => utf8(new.value),
        None => String::from_utf8(extension(OLD_ISSUER)?.value.to_vec()).ok(),
    }
}

fn subjects(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::OtherName(kind, value) if kind.to_id_string() == OTHER_NAME => {
            let (_, explicit) = Any::from_der(value).ok()?;
            utf8(explicit.data)
        }
        _ => None,
    });
    names.collect()
}

/// A UTF8String, and nothing after it.
fn utf8(der: &[u8]) -> Option<String> {
    let (rest, text) = Any::from_der(der).ok()?;
    let whole = rest.is_empty() && text.tag() == Tag::Utf8String;
    whole.then(|| String::from_utf8(text.data.to_vec()).ok())?
}

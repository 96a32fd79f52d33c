//! Making certificates, field by field as Go's `x509.CreateCertificate` does.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};
use x509_parser::extensions::ParsedExtension;

use super::der;
use super::key::Key;

/// What a certificate shall say.
pub(super) struct Request {
    pub(super) name: String,
    pub(super) names: Names,
    pub(super) serial: [u8; 16],
    /// Seconds since 1970.
    pub(super) from: i64,
    pub(super) days: i64,
    pub(super) authority: bool,
}

/// Alternative names.
#[derive(Default)]
pub(super) struct Names {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) hosts: Vec<String>,
}

/// The certificate of an issuer.
pub(super) struct Parent {
    subject: Vec<u8>,
    key: Vec<u8>,
    key_id: Vec<u8>,
}

impl Parent {
    pub(super) fn read(data: &[u8]) -> Result<Self, String> {
        let (_, certificate) =
            x509_parser::parse_x509_certificate(data).map_err(|_| "x509: malformed certificate")?;
        let key_id =
            certificate
                .extensions()
                .iter()
                .find_map(|extension| match extension.parsed_extension() {
                    ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
                    _ => None,
                });
        Ok(Self {
            subject: certificate.subject().as_raw().to_vec(),
            key: certificate.public_key().raw.to_vec(),
            key_id: key_id.unwrap_or_default(),
        })
    }
}

/// A certificate that its own key signs.
pub(super) fn self_signed(request: &Request, key: &Key) -> Result<Vec<u8>, String> {
    let subject = subject(&request.name);
    build(request, key, &subject, None, key)
}

/// A certificate that an issuer signs.
pub(super) fn signed(request: &Request, key: &Key, parent: &Parent, signer: &Key) -> Result<Vec<u8>, String> {
    if parent.key != public_key(signer)? {
        return Err("x509: provided PrivateKey doesn't match parent's PublicKey".into());
    }
    let own = subject(&request.name);
    let id = (parent.subject != own && !parent.key_id.is_empty()).then_some(parent.key_id.as_slice());
    build(request, key, &parent.subject, id, signer)
}

fn subject(name: &str) -> Vec<u8> {
    if name.is_empty() {
        return der::sequence(&[]);
    }
    let attribute = der::sequence(&[der::oid(&[2, 5, 4, 3]), der::string(name)]);
    der::sequence(&[der::element(0x31, &attribute)])
}

fn public_key(key: &Key) -> Result<Vec<u8>, String> {
    let (algorithm, bits) = key.public()?;
    Ok(der::sequence(&[algorithm, der::bits(&bits, 0)]))
}

fn build(
    request: &Request,
    key: &Key,
    issuer: &[u8],
    issuer_key: Option<&[u8]>,
    signer: &Key,
) -> Result<Vec<u8>, String> {
    const DAY: i64 = 86_400;
    let until = request.from.saturating_add(request.days.saturating_mul(DAY));
    let body = der::sequence(&[
        der::element(0xa0, &der::unsigned(&[2])),
        der::unsigned(&request.serial),
        signer.algorithm(),
        issuer.to_vec(),
        der::sequence(&[der::time(request.from), der::time(until)]),
        subject(&request.name),
        public_key(key)?,
        der::element(0xa3, &der::sequence(&extensions(request, key, issuer_key)?)),
    ]);
    let signature = signer.sign(&body)?;
    Ok(der::sequence(&[
        body,
        signer.algorithm(),
        der::bits(&signature, 0),
    ]))
}

fn extension(id: u32, critical: bool, content: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::oid(&[2, 5, 29, id])];
    if critical {
        parts.push(der::boolean(true));
    }
    parts.push(der::octets(content));
    der::sequence(&parts)
}

fn extensions(request: &Request, key: &Key, issuer_key: Option<&[u8]>) -> Result<Vec<Vec<u8>>, String> {
    const KEY_USAGE: u32 = 15;
    const EXTENDED_USAGE: u32 = 37;
    const CONSTRAINTS: u32 = 19;
    const SUBJECT_KEY: u32 = 14;
    const AUTHORITY_KEY: u32 = 35;
    const ALTERNATIVE: u32 = 17;
    const SERVER: &[u32] = &[1, 3, 6, 1, 5, 5, 7, 3, 1];
    const CLIENT: &[u32] = &[1, 3, 6, 1, 5, 5, 7, 3, 2];
    // Signing and enciphering keys; an authority signs certificates, too.
    let usage = if request.authority {
        der::bits(&[0xa4], 2)
    } else {
        der::bits(&[0xa0], 5)
    };
    let constraints = if request.authority {
        vec![der::boolean(true)]
    } else {
        vec![]
    };
    let mut list = vec![
        extension(KEY_USAGE, true, &usage),
        extension(
            EXTENDED_USAGE,
            false,
            &der::sequence(&[der::oid(SERVER), der::oid(CLIENT)]),
        ),
        extension(CONSTRAINTS, true, &der::sequence(&constraints)),
    ];
    if request.authority {
        let hash = Sha256::digest(key.public()?.1);
        let id = hash.get(..20).unwrap_or(&hash);
        list.push(extension(SUBJECT_KEY, false, &der::octets(id)));
    }
    if let Some(id) = issuer_key {
        list.push(extension(
            AUTHORITY_KEY,
            false,
            &der::sequence(&[der::element(0x80, id)]),
        ));
    }
    let names = &request.names;
    if !names.hosts.is_empty() || !names.addresses.is_empty() {
        let hosts = names.hosts.iter().map(|host| der::element(0x82, host.as_bytes()));
        let addresses = names.addresses.iter().map(|address| match address {
            IpAddr::V4(address) => der::element(0x87, &address.octets()),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => der::element(0x87, &address.octets()),
                None => der::element(0x87, &address.octets()),
            },
        });
        let all: Vec<_> = hosts.chain(addresses).collect();
        list.push(extension(
            ALTERNATIVE,
            request.name.is_empty(),
            &der::sequence(&all),
        ));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Seeded;

    fn request(name: &str) -> Request {
        Request {
            name: name.into(),
            names: Names {
                addresses: vec![
                    "10.0.0.1".parse().expect("an address"),
                    "::1".parse().expect("an address"),
                ],
                hosts: vec!["a.example".into()],
            },
            serial: [7; 16],
            from: 1_700_000_000,
            days: 365,
            authority: false,
        }
    }

    #[test]
    fn an_authority_signs_for_a_host() {
        let world = Seeded::new(3);
        let root = Key::ecdsa(&world).expect("a key");
        let mut own = request("root");
        own.authority = true;
        let root_data = self_signed(&own, &root).expect("a certificate");
        let parent = Parent::read(&root_data).expect("parses");
        let key = Key::ed25519(&world);
        let data = signed(&request("host"), &key, &parent, &root).expect("a certificate");
        let (_, certificate) = x509_parser::parse_x509_certificate(&data).expect("parses");
        assert_eq!(certificate.subject().to_string(), "CN=host");
        assert_eq!(certificate.issuer().to_string(), "CN=root");
        assert!(!certificate.is_ca());
        let names = certificate
            .subject_alternative_name()
            .expect("well-formed")
            .expect("there");
        assert_eq!(names.value.general_names.len(), 3);
        assert!(signed(&request("host"), &key, &parent, &key).is_err());
    }

    #[test]
    fn keys_read_as_they_are_written() {
        let world = Seeded::new(4);
        for key in [Key::ecdsa(&world).expect("a key"), Key::ed25519(&world)] {
            let text = key.write().expect("text");
            let again = Key::read(&text).expect("a key");
            assert_eq!(again.write(), Ok(text));
        }
        assert_eq!(Key::read("x").map(|_| ()), Err("no PEM data in input".into()));
    }
}

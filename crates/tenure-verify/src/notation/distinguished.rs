//! Distinguished names, as far as the Notary Project lets trusted identities be written with them.

use std::collections::BTreeMap;

use x509_parser::x509::X509Name;

/// Attributes by their short names, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(BTreeMap<String, String>);

/// The attributes that have a short name in Go, and may be asked for.
const SHORT: [(&str, &str); 9] = [
    ("2.5.4.6", "C"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.3", "CN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.17", "POSTALCODE"),
];
const MANDATORY: [&str; 3] = ["C", "ST", "O"];

impl Name {
    /// Whether the other name has all that this one has.
    pub(super) fn is_part_of(&self, other: &Self) -> bool {
        self.0.iter().all(|(key, value)| other.0.get(key) == Some(value))
    }

    fn of(attributes: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let mut all = BTreeMap::new();
        for (key, value) in attributes {
            // 'S' is another name of 'ST'
            let key = if key == "S" { "ST".to_owned() } else { key };
            if all.insert(key.clone(), value).is_some() {
                return Err(format!("it has more than one {key}"));
            }
        }
        let missing = MANDATORY
            .iter()
            .find(|key| all.get(**key).is_none_or(String::is_empty));
        match missing {
            Some(key) => Err(format!("it has no {key}; C, ST and O are needed")),
            None => Ok(Self(all)),
        }
    }
}

/// The subject of a certificate.
pub(super) fn subject(name: &X509Name<'_>) -> Result<Name, String> {
    let mut attributes = Vec::new();
    for one in name.iter_attributes() {
        let oid = one.attr_type().to_id_string();
        let (_, short) = SHORT
            .iter()
            .find(|(known, _)| *known == oid)
            .ok_or_else(|| format!("it has an attribute {oid}"))?;
        let value = one.as_str().map_err(|_| format!("its {short} is no text"))?;
        attributes.push(((*short).to_owned(), value.to_owned()));
    }
    Name::of(attributes)
}

/// A name as RFC 4514 writes it: attributes between commas, with what would end one escaped.
pub(super) fn parse(text: &str) -> Result<Name, String> {
    if text.contains("=#") {
        return Err("it has a value in hexadecimal, '=#'".to_owned());
    }
    let mut attributes = Vec::new();
    let mut rest = text;
    loop {
        let (key, after) = rest
            .split_once('=')
            .ok_or_else(|| "an attribute has no '='".to_owned())?;
        let (value, after, last) = value(after)?;
        attributes.push((key.trim().to_owned(), value));
        if last {
            return Name::of(attributes);
        }
        rest = after;
    }
}

/// A value up to the next comma, what follows that, and whether nothing does.
fn value(text: &str) -> Result<(String, &str, bool), String> {
    let mut bytes = Vec::new();
    // spaces at the end that were escaped belong to the value
    let mut kept = 0;
    let mut rest = text.trim_start_matches(' ');
    let finish = |mut bytes: Vec<u8>, kept: usize| {
        while bytes.len() > kept && bytes.last() == Some(&b' ') {
            bytes.pop();
        }
        String::from_utf8(bytes).map_err(|_| "a value is no text".to_owned())
    };
    loop {
        let mut chars = rest.chars();
        match chars.next() {
            None => return Ok((finish(bytes, kept)?, "", true)),
            Some(',' | ';') => return Ok((finish(bytes, kept)?, chars.as_str(), false)),
            Some('+') => return Err("it has several attributes in one part, with '+'".to_owned()),
            Some('"') => return Err("it has a quotation mark".to_owned()),
            Some('\\') => {
                let escaped = chars.next().ok_or_else(|| "it ends in '\\'".to_owned())?;
                if let Some(high) = escaped.to_digit(16) {
                    let low = chars.next().and_then(|low| low.to_digit(16));
                    let low = low.ok_or_else(|| "half a byte follows a '\\'".to_owned())?;
                    bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                } else {
                    let mut buffer = [0; 4];
                    bytes.extend_from_slice(escaped.encode_utf8(&mut buffer).as_bytes());
                }
                kept = bytes.len();
            }
            Some(other) => {
                let mut buffer = [0; 4];
                bytes.extend_from_slice(other.encode_utf8(&mut buffer).as_bytes());
            }
        }
        rest = chars.as_str();
    }
}

//! Writing ASN.1.

/// An element of a type.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    if length < 0x80 {
        out.push(u8::try_from(length).unwrap_or(0));
    } else {
        let bytes = length.to_be_bytes();
        let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        out.push(0x80 | u8::try_from(digits.len()).unwrap_or(0));
        out.extend(digits);
    }
    out.extend_from_slice(content);
    out
}

pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

/// An integer from its magnitude.
pub(super) fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    let mut digits: Vec<u8> = magnitude.iter().copied().skip_while(|byte| *byte == 0).collect();
    if digits.first().is_none_or(|first| *first >= 0x80) {
        digits.insert(0, 0);
    }
    element(0x02, &digits)
}

pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    element(0x04, content)
}

/// Bits, of which the last byte has so many unused.
pub(super) fn bits(content: &[u8], unused: u8) -> Vec<u8> {
    element(0x03, &[&[unused], content].concat())
}

pub(super) fn boolean(truth: bool) -> Vec<u8> {
    element(0x01, &[if truth { 0xff } else { 0 }])
}

pub(super) fn null() -> Vec<u8> {
    element(0x05, &[])
}

/// An object identifier.
pub(super) fn oid(arcs: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut arcs = arcs.iter().copied();
    let (first, second) = (arcs.next().unwrap_or(0), arcs.next().unwrap_or(0));
    for arc in std::iter::once(first * 40 + second).chain(arcs) {
        let mut digits = vec![u8::try_from(arc & 0x7f).unwrap_or(0)];
        let mut rest = arc >> 7;
        while rest > 0 {
            digits.push(0x80 | u8::try_from(rest & 0x7f).unwrap_or(0));
            rest >>= 7;
        }
        out.extend(digits.into_iter().rev());
    }
    element(0x06, &out)
}

/// A text, in the simplest type that has its characters.
pub(super) fn string(text: &str) -> Vec<u8> {
    let printable = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c);
    let tag = if text.chars().all(printable) { 0x13 } else { 0x0c };
    element(tag, text.as_bytes())
}

/// A time of seconds since 1970, in the form that its year asks for.
pub(super) fn time(seconds: i64) -> Vec<u8> {
    let time = crate::golang::time::Time::unix(seconds);
    let year: i64 = time.format("2006").parse().unwrap_or(0);
    if (1950..2050).contains(&year) {
        element(0x17, time.format("060102150405Z").as_bytes())
    } else {
        element(0x18, time.format("20060102150405Z").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_der() {
        assert_eq!(
            oid(&[1, 2, 840, 113_549, 1, 1, 11]),
            [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]
        );
        assert_eq!(unsigned(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[0]), [2, 1, 0]);
        assert_eq!(element(4, &[0; 200]).get(..3), Some(&[4, 0x81, 200][..]));
        assert_eq!(time(0), [&[0x17, 13][..], b"700101000000Z"].concat());
    }
}

//! Go's `base64.StdEncoding`, decoding.

fn digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// Decodes a text; line breaks do not count.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, String> {
    let bad = |at: usize| format!("illegal base64 data at input byte {at}");
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut bytes = text
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, b)| !matches!(b, b'\n' | b'\r'));
    loop {
        let (mut bits, mut digits) = (0_u32, 0);
        while digits < 4 {
            let Some((at, byte)) = bytes.next() else {
                if digits == 0 {
                    return Ok(out);
                }
                return Err(bad(text.len() - digits));
            };
            if let Some(value) = digit(byte) {
                bits = bits << 6 | value;
                digits += 1;
                continue;
            }
            if byte != b'=' || digits < 2 {
                return Err(bad(at));
            }
            if digits == 2 {
                match bytes.next() {
                    None => return Err(bad(text.len())),
                    Some((at, byte)) if byte != b'=' => return Err(bad(at)),
                    Some(_) => {}
                }
            }
            if let Some((at, _)) = bytes.next() {
                return Err(bad(at));
            }
            let whole = bits << (6 * (4 - digits));
            out.extend(whole.to_be_bytes().iter().skip(1).take(digits - 1));
            return Ok(out);
        }
        out.extend(bits.to_be_bytes().iter().skip(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_as_in_go() {
        assert_eq!(decode(b"aGVs\nbG8="), Ok(b"hello".to_vec()));
        assert_eq!(decode(b"aA=="), Ok(b"h".to_vec()));
        for (text, at) in [
            ("!", 0),
            ("aGVsbG8", 4),
            ("aA=", 3),
            ("aA==x", 4),
            ("aA=x", 3),
            ("a", 0),
        ] {
            assert_eq!(
                decode(text.as_bytes()),
                Err(format!("illegal base64 data at input byte {at}")),
                "{text}"
            );
        }
    }
}

//! Go's `base32.StdEncoding`.

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub(crate) fn encode(data: &[u8]) -> String {
    let mut out = String::with_capacity(data.len().div_ceil(5) * 8);
    for chunk in data.chunks(5) {
        let mut block = [0_u8; 8];
        block
            .iter_mut()
            .skip(3)
            .zip(chunk)
            .for_each(|(to, from)| *to = *from);
        let bits = u64::from_be_bytes(block);
        let digits = (chunk.len() * 8).div_ceil(5);
        for at in 0..8 {
            let index = usize::try_from(bits >> (35 - 5 * at) & 31).unwrap_or(0);
            let digit = ALPHABET.get(index).copied().unwrap_or(b'=');
            out.push(if at < digits { char::from(digit) } else { '=' });
        }
    }
    out
}

pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, String> {
    let bad = |at: usize| format!("illegal base32 data at input byte {at}");
    let clean: Vec<u8> = text
        .iter()
        .copied()
        .filter(|b| !matches!(b, b'\n' | b'\r'))
        .collect();
    let mut out = Vec::with_capacity(clean.len() / 8 * 5);
    let mut at = 0;
    while at < clean.len() {
        let (mut bits, mut digits) = (0_u64, 0);
        while digits < 8 {
            let Some(byte) = clean.get(at) else {
                return Err(bad(clean.len() - digits));
            };
            if *byte == b'=' && digits >= 2 && clean.len() - at <= 8 {
                let padding = 8 - digits;
                let rest = clean.get(at..).unwrap_or_default();
                if rest.len() < padding {
                    return Err(bad(clean.len()));
                }
                if let Some(wrong) = rest.iter().take(padding).position(|b| *b != b'=') {
                    return Err(bad(at + wrong));
                }
                if matches!(digits, 1 | 3 | 6) {
                    return Err(bad(at - 1));
                }
                at = clean.len();
                break;
            }
            let Some(value) = ALPHABET.iter().position(|digit| digit == byte) else {
                return Err(bad(at));
            };
            bits = bits << 5 | u64::try_from(value).unwrap_or(0);
            digits += 1;
            at += 1;
        }
        let bytes = (bits << (5 * (8 - digits))).to_be_bytes();
        out.extend(bytes.iter().skip(3).take(digits * 5 / 8));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (data, text) in [
            (&b""[..], ""),
            (b"h", "NA======"),
            (b"hello", "NBSWY3DP"),
            (b"hello!", "NBSWY3DPEE======"),
        ] {
            assert_eq!(encode(data), text);
            assert_eq!(decode(text.as_bytes()).as_deref(), Ok(data));
        }
        assert_eq!(decode(b"1"), Err("illegal base32 data at input byte 0".into()));
        assert_eq!(decode(b"UTC"), Err("illegal base32 data at input byte 0".into()));
    }
}

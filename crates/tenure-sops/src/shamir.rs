//! Shamir's secret sharing over GF(2^8) with the polynomial of AES, as Vault and sops do it: a part is
//! the values of the polynomials at x, one for each byte of the secret, and then x itself.

use zeroize::Zeroizing;

/// Puts the secret together again. Too few parts give another secret, not an error.
///
/// # Errors
/// When the parts can't be of one secret.
pub(crate) fn combine(parts: &[Zeroizing<Vec<u8>>]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let length = parts.first().map_or(0, |part| part.len());
    if parts.len() < 2 || length < 2 {
        return Err("a secret that is shared needs two parts of two bytes at least");
    }
    if parts.iter().any(|part| part.len() != length) {
        return Err("the parts of the data key are of different lengths");
    }
    let split: Vec<(u8, &[u8])> = parts
        .iter()
        .filter_map(|part| part.split_last().map(|(x, ys)| (*x, ys)))
        .collect();
    for (i, (x, _)) in split.iter().enumerate() {
        if *x == 0 || split.iter().skip(i + 1).any(|(other, _)| other == x) {
            return Err("two parts of the data key are the same one, or one is no part");
        }
    }
    let mut secret = Zeroizing::new(vec![0; length - 1]);
    for (x, ys) in &split {
        let weight = split
            .iter()
            .filter(|(other, _)| other != x)
            .fold(1, |weight, (other, _)| {
                multiply(weight, divide(*other, other ^ x))
            });
        for (byte, y) in secret.iter_mut().zip(*ys) {
            *byte ^= multiply(*y, weight);
        }
    }
    Ok(secret)
}

/// Without a branch or a table that depends on the numbers.
fn multiply(a: u8, b: u8) -> u8 {
    (0..8).rev().fold(0, |sum: u8, bit| {
        let doubled = (sum << 1) ^ (0x1b & (sum >> 7).wrapping_neg());
        doubled ^ (a & ((b >> bit) & 1).wrapping_neg())
    })
}

/// `b` is not zero. Every number but zero is 1 when it is raised to 255.
fn divide(a: u8, b: u8) -> u8 {
    let mut inverse = b;
    for _ in 0..6 {
        inverse = multiply(multiply(inverse, inverse), b);
    }
    multiply(a, multiply(inverse, inverse))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The polynomial with these coefficients, the free one first, at x.
    fn at(coefficients: &[u8], x: u8) -> u8 {
        coefficients.iter().rev().fold(0, |sum, c| multiply(sum, x) ^ c)
    }

    #[test]
    fn numbers_multiply_as_in_aes() {
        // FIPS 197, 4.2
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        assert_eq!(multiply(0x57, 0x13), 0xfe);
        for n in 1..=255 {
            assert_eq!(divide(n, n), 1, "{n}");
        }
    }

    proptest! {
        #[test]
        fn any_parts_in_any_order_give_the_secret(
            polynomials in prop::collection::vec(prop::collection::vec(any::<u8>(), 3), 1..40),
            xs in prop::sample::subsequence((1..=255u8).collect::<Vec<_>>(), 3..6).prop_shuffle(),
        ) {
            let secret: Vec<u8> = polynomials.iter().map(|p| p[0]).collect();
            let part = |x: &u8| {
                let ys = polynomials.iter().map(|p| at(p, *x));
                Zeroizing::new(ys.chain([*x]).collect::<Vec<u8>>())
            };
            let parts: Vec<_> = xs.iter().map(part).collect();
            let combined = combine(&parts).expect("parts of one secret");
            prop_assert_eq!(combined.as_slice(), secret.as_slice());
        }
    }

    #[test]
    fn what_is_not_shared_is_refused() {
        let part = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        for parts in [
            vec![],
            vec![part(&[1, 2, 3])],
            vec![part(&[1, 2, 3]), part(&[1, 2, 3])],
            vec![part(&[1, 2, 3]), part(&[1, 2])],
            vec![part(&[1, 2, 0]), part(&[1, 2, 3])],
        ] {
            assert!(combine(&parts).is_err(), "{parts:?}");
        }
    }
}

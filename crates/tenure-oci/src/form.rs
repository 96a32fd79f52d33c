use zeroize::Zeroizing;

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The body of a form. Wiped when dropped: it has a token in it.
pub(crate) fn form(pairs: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    let encoded = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", tenure_net::aws::encode(value, true)));
    Zeroizing::new(encoded.collect::<Vec<_>>().join("&").into_bytes())
}

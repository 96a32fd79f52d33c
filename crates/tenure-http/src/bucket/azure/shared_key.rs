//! A storage account's signature, `SharedKey` of the service's versions since 2015.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tenure_core::Secret;
use tenure_net::{Order, aws};
use zeroize::Zeroizing;

/// Headers that are signed over and that a request for a listing or an object has none of.
const EMPTY: &str = "\n\n\n\n\n\n\n\n\n\n\n";

/// The bytes of a key, which is written in base64.
pub(super) fn bytes(key: &Secret) -> Option<Zeroizing<Vec<u8>>> {
    let text = key.expose_str()?.trim();
    STANDARD
        .decode(text)
        .ok()
        .filter(|bytes| !bytes.is_empty())
        .map(Zeroizing::new)
}

/// A time as HTTP writes it.
pub(super) fn date(at: SystemTime) -> String {
    let at = jiff::Timestamp::try_from(at).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// What the header `Authorization` has to say; `signed` are the headers that start with `x-ms-`, in order.
pub(super) fn authorization(
    account: &str,
    key: &Secret,
    order: &Order,
    signed: &[(&str, &str)],
) -> Option<Secret> {
    let text = string_to_sign(account, order, signed);
    let signature = STANDARD.encode(aws::mac(&bytes(key)?, text.as_bytes()));
    Some(Secret::from(format!("SharedKey {account}:{signature}")))
}

fn string_to_sign(account: &str, order: &Order, signed: &[(&str, &str)]) -> String {
    let mut text = format!("{}\n{EMPTY}", order.method);
    for (name, value) in signed {
        let _ = writeln!(text, "{name}:{value}");
    }
    let _ = write!(text, "/{account}{}", order.url.path());
    let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in order.url.query_pairs() {
        query
            .entry(name.to_lowercase())
            .or_default()
            .push(value.into_owned());
    }
    for (name, mut values) in query {
        values.sort_unstable();
        let _ = write!(text, "\n{name}:{}", values.join(","));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use reqwest::Url;

    use super::*;

    #[test]
    fn what_is_signed_is_that_of_the_documentation() {
        let date = date(UNIX_EPOCH + Duration::from_secs(1_435_361_952));
        let url =
            "https://myaccount.blob.core.windows.net/mycontainer?restype=container&comp=metadata&timeout=20";
        let order = Order::get(Url::parse(url).expect("a URL"));
        let signed = [("x-ms-date", &*date), ("x-ms-version", "2015-02-21")];
        assert_eq!(
            string_to_sign("myaccount", &order, &signed),
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n\
             /myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
        );
    }

    #[test]
    fn values_are_signed_as_they_are_meant_and_paths_as_they_are_sent() {
        let url = "https://a.blob.core.windows.net/c/b%20d/e%2Bf.yaml?prefix=b%20d%2F%2B&Marker=2!1";
        let order = Order::get(Url::parse(url).expect("a URL"));
        let text = string_to_sign("a", &order, &[]);
        assert!(
            text.ends_with("\n/a/c/b%20d/e%2Bf.yaml\nmarker:2!1\nprefix:b d/+"),
            "{text:?}"
        );
    }

    #[test]
    fn a_key_is_in_base64() {
        let key = |text: &str| bytes(&Secret::from(text.to_owned())).map(|bytes| bytes.to_vec());
        assert_eq!(key("dGVzdA==\n"), Some(b"test".to_vec()));
        assert_eq!(key("no key"), None);
        assert_eq!(key(""), None);
    }
}

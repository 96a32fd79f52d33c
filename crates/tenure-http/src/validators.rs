use reqwest::header::{
    ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use serde::{Deserialize, Serialize};

/// The longest that is kept, in bytes.
const LONGEST: usize = 1024;

/// What a server calls one state of a file (RFC 9110, section 8.8), so that it need not send that state again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    etag: Option<String>,
    modified: Option<String>,
}

impl Validators {
    /// Those of an answer, if it has any.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: HeaderName| {
            let value = headers.get(name)?.to_str().ok()?;
            (!value.is_empty() && value.len() <= LONGEST).then(|| value.to_owned())
        };
        let (etag, modified) = (text(ETAG), text(LAST_MODIFIED));
        (etag.is_some() || modified.is_some()).then_some(Self { etag, modified })
    }

    /// Asks for what has another name only. A time is asked for only if there is no tag: it has whole seconds, and two
    /// states may share one.
    pub(crate) fn onto(&self, headers: &mut HeaderMap) {
        let (name, value) = match (&self.etag, &self.modified) {
            (Some(etag), _) => (IF_NONE_MATCH, etag),
            (None, Some(modified)) => (IF_MODIFIED_SINCE, modified),
            (None, None) => return,
        };
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let pair =
            |(name, value): &(HeaderName, &str)| (name.clone(), HeaderValue::from_str(value).expect("valid"));
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_tag_counts_before_a_time_and_none_is_none() {
        let asked = |from: &[(HeaderName, &str)]| {
            let mut onto = HeaderMap::new();
            Validators::of(&headers(from)).expect("some").onto(&mut onto);
            onto
        };
        let time = "Sat, 01 Jan 2022 00:00:00 GMT";
        assert_eq!(
            asked(&[(ETAG, "W/\"a\""), (LAST_MODIFIED, time)]),
            headers(&[(IF_NONE_MATCH, "W/\"a\"")])
        );
        assert_eq!(
            asked(&[(LAST_MODIFIED, time)]),
            headers(&[(IF_MODIFIED_SINCE, time)])
        );
        let long = "x".repeat(LONGEST + 1);
        for none in [&[][..], &[(ETAG, "")], &[(ETAG, &long)]] {
            assert_eq!(Validators::of(&headers(none)), None);
        }
    }
}

use jiff::SignedDuration;
use jiff::fmt::rfc2822;
use reqwest::header::{
    DATE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use serde::{Deserialize, Serialize};

/// A change that came before so long is seen in its time.
const OLD: SignedDuration = SignedDuration::from_secs(60);
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
        // a time has whole seconds: two states may share one that is young (RFC 9110, section 8.8.2.2)
        let time = |text: &str| Some(rfc2822::parse(text).ok()?.timestamp());
        let is_old = |modified: &String| {
            let said = text(DATE).as_deref().and_then(time).zip(time(modified));
            said.is_some_and(|(now, then)| now.duration_since(then) >= OLD)
        };
        let (etag, modified) = (text(ETAG), text(LAST_MODIFIED).filter(is_old));
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
        let later = "Sat, 01 Jan 2022 00:01:00 GMT";
        assert_eq!(
            asked(&[(LAST_MODIFIED, time), (DATE, later)]),
            headers(&[(IF_MODIFIED_SINCE, time)])
        );
        let long = "x".repeat(LONGEST + 1);
        let young = [(LAST_MODIFIED, time), (DATE, "Sat, 01 Jan 2022 00:00:59 GMT")];
        for none in [
            &[][..],
            &[(ETAG, "")],
            &[(ETAG, &long)],
            &[(LAST_MODIFIED, time)],
            &young,
        ] {
            assert_eq!(Validators::of(&headers(none)), None);
        }
    }
}

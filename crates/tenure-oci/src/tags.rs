//! Listing tags, page by page.

use reqwest::header::{HeaderMap, LINK};
use reqwest::{Method, Url};
use serde::Deserialize;

use crate::session::{Ask, Session, body};
use crate::{Missing, OciError};

/// Tags that are asked for at a time.
const PAGE: usize = 1000;
/// Pages that are looked at: a registry may send small ones.
const PAGES: usize = 1000;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Session<'_> {
    /// All tags of the repository.
    pub(crate) async fn tags(&self) -> Result<Vec<String>, OciError> {
        let mut url = self.url(&format!("tags/list?n={PAGE}"))?;
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let ask = Ask {
                method: Method::GET,
                url: url.clone(),
                accept: "application/json",
                from: 0,
                missing: Missing::Repository,
            };
            let response = self.ask(&ask).await?;
            let next = self.next(&url, response.headers())?;
            let raw = body(response, self.limits.manifest_bytes, self).await?;
            let page: Page = serde_json::from_slice(&raw)
                .map_err(|_| self.malformed("its list of tags is not understood"))?;
            all.extend(page.tags.unwrap_or_default());
            if all.len() > self.limits.tags {
                return Err(self.too_large(format!(
                    "it has more than {} tags; follow one tag, or raise the limit",
                    self.limits.tags
                )));
            }
            match next {
                Some(next) => url = next,
                None => return Ok(all),
            }
        }
        Err(self.too_large(format!("its list of tags has more than {PAGES} pages")))
    }

    /// The next page, on this registry.
    fn next(&self, from: &Url, headers: &HeaderMap) -> Result<Option<Url>, OciError> {
        let links = headers.get_all(LINK).iter().filter_map(|v| v.to_str().ok());
        let Some(target) = links.filter_map(next_link).next() else {
            return Ok(None);
        };
        let url = from
            .join(target)
            .map_err(|_| self.malformed("the next page of its tags is not a URL"))?;
        let at_home = url.origin() == self.base.origin() && url.username().is_empty() && url.password().is_none();
        if !at_home {
            return Err(self.malformed("the next page of its tags is at another host"));
        }
        Ok(Some(url))
    }
}

/// The target of `<target>; rel="next"`.
fn next_link(value: &str) -> Option<&str> {
    let (target, params) = value.trim().strip_prefix('<')?.split_once('>')?;
    let next = params.split(';').any(|p| {
        let (name, value) = p.trim().split_once('=').unwrap_or_default();
        name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
    });
    next.then_some(target)
}

#[cfg(test)]
mod tests {
    use super::next_link;

    #[test]
    fn only_a_link_to_the_next_page_counts() {
        assert_eq!(
            next_link("</v2/app/tags/list?n=2&last=b>; rel=\"next\""),
            Some("/v2/app/tags/list?n=2&last=b")
        );
        assert_eq!(next_link("<x>; title=y; rel=next"), Some("x"));
        for other in ["", "<x>", "<x>; rel=\"prev\"", "x; rel=next", "<x; rel=next"] {
            assert_eq!(next_link(other), None, "{other}");
        }
    }
}

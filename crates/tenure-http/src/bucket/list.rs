use tenure_artifact::Ignore;
use tenure_core::printable;

use super::xml::{Part, Parts, decode};
use super::{Bucket, Conversation, Listing, Object};
use crate::transfer::{Memory, take, within};
use crate::{HttpError, Limits};

/// Objects in one answer.
const PAGE: &str = "1000";
/// Elements inside each other in an answer.
const DEPTH: usize = 16;
/// The largest `.sourceignore` that is read, in bytes.
const IGNORE_FILE: u64 = 1 << 20;
const IGNORE_NAME: &str = ".sourceignore";

/// One answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    objects: Vec<Object>,
    /// Where the next one starts.
    next: Option<String>,
}

/// What is in the bucket under its prefix. Keys that end in `/` stand for directories and do not count; nor does a
/// `.sourceignore` at the root, nor what it and `ignore` leave out. There are no other rules, as in Flux.
///
/// # Errors
/// [`HttpError`].
pub async fn list(bucket: &Bucket, ignore: Option<&str>, limits: &Limits) -> Result<Listing, HttpError> {
    let conversation = Conversation::open(bucket)?;
    within(&conversation.shown, limits, conversation.list(ignore, limits)).await
}

/// [`list`], and the proof that the first object can be read: who may list need not be one who may read.
///
/// # Errors
/// [`HttpError`].
pub async fn look(bucket: &Bucket, ignore: Option<&str>, limits: &Limits) -> Result<Listing, HttpError> {
    let conversation = Conversation::open(bucket)?;
    within(&conversation.shown, limits, async {
        let listing = conversation.list(ignore, limits).await?;
        if let Some(first) = listing.objects.first() {
            conversation.get(&first.key, &[]).await?;
        }
        Ok(listing)
    })
    .await
}

impl Conversation<'_> {
    async fn list(&self, ignore: Option<&str>, limits: &Limits) -> Result<Listing, HttpError> {
        let rules = self.rules(ignore).await?;
        let mut all: Vec<Object> = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut query = vec![
                ("list-type", "2"),
                ("max-keys", PAGE),
                ("prefix", &self.bucket.prefix),
            ];
            if let Some(token) = &next {
                query.push(("continuation-token", token));
            }
            let response = self.get("", &query).await?;
            let mut bytes = Vec::new();
            take(
                &self.shown,
                response,
                limits.index_bytes,
                "its listing",
                &mut Memory(&mut bytes),
            )
            .await?;
            let page = std::str::from_utf8(&bytes).ok().and_then(read);
            let page = page.ok_or_else(|| self.malformed("its listing is not understood"))?;
            let moved = page.next.is_some() && page.next != next;
            all.extend(
                page.objects.into_iter().filter(|o| {
                    !o.key.ends_with('/') && o.key != IGNORE_NAME && !rules.matches(&o.key, false)
                }),
            );
            if all.len() > limits.objects {
                return Err(HttpError::TooLarge {
                    remote: self.shown.clone(),
                    message: format!(
                        "it has more than {} objects; give a prefix, or raise the limit",
                        limits.objects
                    ),
                });
            }
            if !moved {
                break;
            }
            next = page.next;
        }
        all.sort_by(|a, b| a.key.cmp(&b.key));
        let twice = all.iter().zip(all.iter().skip(1)).find(|(a, b)| a.key == b.key);
        if let Some((twice, _)) = twice {
            return Err(self.malformed(&format!("it lists {:?} twice", printable(&twice.key))));
        }
        Ok(Listing { objects: all })
    }

    async fn rules(&self, ignore: Option<&str>) -> Result<Ignore, HttpError> {
        let mut rules = Ignore::nothing();
        match self.get(IGNORE_NAME, &[]).await {
            Ok(response) => {
                let mut bytes = Vec::new();
                take(
                    &self.shown,
                    response,
                    IGNORE_FILE,
                    IGNORE_NAME,
                    &mut Memory(&mut bytes),
                )
                .await?;
                rules.add_file("", &bytes);
            }
            Err(HttpError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        if let Some(text) = ignore {
            rules.add_spec(text);
        }
        Ok(rules)
    }
}

/// Reads a `ListBucketResult`.
fn read(text: &str) -> Option<Page> {
    let mut page = Page::default();
    let mut path: Vec<&str> = Vec::new();
    let (mut object, mut said) = (
        Object {
            key: String::new(),
            etag: String::new(),
            size: 0,
        },
        String::new(),
    );
    let mut truncated = false;
    let mut parts = Parts::new(text);
    for part in parts.by_ref() {
        match part {
            Part::Open(name) if path.len() < DEPTH => {
                path.push(name);
                said.clear();
            }
            Part::Open(_) => return None,
            Part::Text(text) => said = decode(text)?,
            Part::Close(name) => {
                match path.as_slice() {
                    ["ListBucketResult", "Contents", "Key"] => object.key.clone_from(&said),
                    ["ListBucketResult", "Contents", "ETag"] => {
                        object.etag = said.trim_matches('"').to_owned()
                    }
                    ["ListBucketResult", "Contents", "Size"] => object.size = said.trim().parse().ok()?,
                    ["ListBucketResult", "Contents"] => page.objects.push(std::mem::replace(
                        &mut object,
                        Object {
                            key: String::new(),
                            etag: String::new(),
                            size: 0,
                        },
                    )),
                    ["ListBucketResult", "IsTruncated"] => truncated = said.trim() == "true",
                    ["ListBucketResult", "NextContinuationToken"] => page.next = Some(said.clone()),
                    _ => {}
                }
                if path.pop() != Some(name) {
                    return None;
                }
                said.clear();
            }
        }
    }
    let whole = parts.at_end() && path.is_empty() && page.objects.iter().all(|o| !o.key.is_empty());
    page.next = page.next.filter(|_| truncated);
    (whole && text.contains("ListBucketResult")).then_some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_as_s3_writes_it() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>\
            <IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;1</NextContinuationToken>\
            <Contents><Key>a&lt;b.yaml</Key><ETag>&quot;e1&quot;</ETag><Size>3</Size><Owner><ID>Key</ID></Owner>\
            </Contents><Contents><Key>c</Key><ETag>e2</ETag><Size>0</Size></Contents>\
            <CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>";
        let page = read(text).expect("a listing");
        let object = |key: &str, etag: &str, size| Object {
            key: key.to_owned(),
            etag: etag.to_owned(),
            size,
        };
        assert_eq!(page.objects, [object("a<b.yaml", "e1", 3), object("c", "e2", 0)]);
        assert_eq!(page.next.as_deref(), Some("t&1"));
        let none = read("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
        assert_eq!(none, Some(Page::default()));
    }

    #[test]
    fn what_is_no_listing_is_nothing() {
        let deep = "<a>".repeat(40);
        for bad in [
            "",
            "<html></html>",
            "<ListBucketResult><Contents><Key>a</Key></ListBucketResult>",
            "<ListBucketResult><Contents></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
            "<ListBucketResult>",
            &deep,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}

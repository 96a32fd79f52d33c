//! S3: how it is asked, and how it answers.

use std::time::SystemTime;

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use tenure_net::Order;
use tenure_net::aws::{Keys, Scope};

use super::Object;
use super::ask::Ask;
use super::list::{PAGE, Page};
use super::xml::walk;

/// The region of servers that have none.
const REGION: &str = "us-east-1";

pub(super) fn query<'a>(prefix: &'a str, ask: Ask<'a>) -> Vec<(&'static str, &'a str)> {
    let Ask::Page(next) = ask else { return Vec::new() };
    let mut query = vec![("list-type", "2"), ("max-keys", PAGE), ("prefix", prefix)];
    query.extend(next.map(|token| ("continuation-token", token)));
    query
}

pub(super) fn sign(region: &str, keys: &Keys, order: &mut Order) -> Option<()> {
    let scope = Scope {
        region: Some(region).filter(|r| !r.is_empty()).unwrap_or(REGION),
        service: "s3",
        at: SystemTime::now(),
    };
    for (name, value) in keys.sign(scope, Method::GET.as_str(), &order.url, &[], b"") {
        let mut value = HeaderValue::from_bytes(value.expose()).ok()?;
        value.set_sensitive(true);
        order.private.insert(HeaderName::from_static(name), value);
    }
    Some(())
}

/// Reads a `ListBucketResult`.
pub(super) fn read(text: &str) -> Option<Page> {
    let mut page = Page::default();
    let mut object = Object::default();
    let mut truncated = false;
    walk(text, "ListBucketResult", |path, said| {
        match path {
            ["Contents", "Key"] => said.clone_into(&mut object.key),
            ["Contents", "ETag"] => said.trim_matches('"').clone_into(&mut object.etag),
            ["Contents", "Size"] => object.size = said.trim().parse().ok()?,
            ["Contents"] => page.objects.push(std::mem::take(&mut object)),
            ["IsTruncated"] => truncated = said.trim() == "true",
            ["NextContinuationToken"] => page.next = Some(said.to_owned()),
            _ => {}
        }
        Some(())
    })?;
    page.next = page.next.filter(|_| truncated);
    // what goes on, but does not say where, must not pass for the whole
    (truncated == page.next.is_some()).then_some(())?;
    page.objects.iter().all(|o| !o.key.is_empty()).then_some(page)
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
            "<html><ListBucketResult></ListBucketResult></html>",
            "<ListBucketResult></ListBucketResult><ListBucketResult></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key></ListBucketResult>",
            "<ListBucketResult><Contents></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            "<ListBucketResult>",
            &deep,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}

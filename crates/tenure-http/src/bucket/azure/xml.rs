use crate::bucket::Object;
use crate::bucket::list::Page;
use crate::bucket::xml::walk;

/// Reads an `EnumerationResults`. Where a namespace has real directories, they are listed too and are no files.
pub(in crate::bucket) fn read(text: &str) -> Option<Page> {
    let mut page = Page::default();
    let (mut object, mut directory) = (Object::default(), false);
    walk(text, "EnumerationResults", |path, said| {
        match path {
            ["Blobs", "Blob", "Name"] => said.clone_into(&mut object.key),
            // Flux takes the header of the download, which has quotes
            ["Blobs", "Blob", "Properties", "Etag"] => {
                object.etag = format!("\"{}\"", said.trim_matches('"'))
            }
            ["Blobs", "Blob", "Properties", "Content-Length"] => object.size = said.trim().parse().ok()?,
            ["Blobs", "Blob", "Properties", "ResourceType"] => directory = said.trim() == "directory",
            ["Blobs", "Blob"] => {
                let object = std::mem::take(&mut object);
                if object.key.is_empty() || object.etag.len() <= 2 {
                    return None;
                }
                if !std::mem::take(&mut directory) {
                    page.objects.push(object);
                }
            }
            ["NextMarker"] => page.next = Some(said.to_owned()).filter(|marker| !marker.is_empty()),
            _ => {}
        }
        Some(())
    })?;
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_as_azure_writes_it() {
        let text = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults \
            ServiceEndpoint=\"https://a.blob.core.windows.net/\" ContainerName=\"team\"><Prefix>b/</Prefix>\
            <MaxResults>3</MaxResults><Blobs><Blob><Name>b/c d&amp;e.yaml</Name><Properties>\
            <Last-Modified>Fri, 14 Aug 2026 10:00:00 GMT</Last-Modified><Etag>0x8D9B2A</Etag>\
            <Content-Length>3</Content-Length><BlobType>BlockBlob</BlobType></Properties><OrMetadata /></Blob>\
            <Blob><Name>b/d</Name><Properties><Etag>0x1</Etag><ResourceType>directory</ResourceType>\
            <Content-Length>0</Content-Length></Properties></Blob>\
            <Blob><Name>b/d/f</Name><Properties><Etag>\"0x2\"</Etag><ResourceType>file</ResourceType>\
            <Content-Length>0</Content-Length></Properties></Blob>\
            <BlobPrefix><Name>other/</Name></BlobPrefix></Blobs><NextMarker>2!72!M&lt;</NextMarker></EnumerationResults>";
        let object = |key: &str, etag: &str, size| Object {
            key: key.to_owned(),
            etag: etag.to_owned(),
            size,
        };
        let wanted = Page {
            objects: vec![
                object("b/c d&e.yaml", "\"0x8D9B2A\"", 3),
                object("b/d/f", "\"0x2\"", 0),
            ],
            next: Some("2!72!M<".to_owned()),
        };
        assert_eq!(read(text), Some(wanted));
        let none = read("<EnumerationResults><Blobs /><NextMarker /></EnumerationResults>");
        assert_eq!(none, Some(Page::default()));
    }

    #[test]
    fn what_is_no_listing_is_nothing() {
        for bad in [
            "",
            "<Error><Code>AuthenticationFailed</Code></Error>",
            "<html><EnumerationResults /></html>",
            "<EnumerationResults><Blobs><Blob><Name>a</Name></Blob></Blobs></EnumerationResults>",
            "<EnumerationResults><Blobs><Blob><Properties><Etag>e</Etag></Properties></Blob></Blobs></EnumerationResults>",
            "<EnumerationResults><Blobs><Blob><Name>a</Name><Properties><Etag>e</Etag><Content-Length>x</Content-Length>\
             </Properties></Blob></Blobs></EnumerationResults>",
            "<EnumerationResults><Blobs>",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}

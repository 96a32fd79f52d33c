//! The XML of listings: elements with text or elements in them. What else XML can do, an answer that does it
//! is refused for.

/// Elements inside each other in an answer.
const DEPTH: usize = 16;

/// What a text consists of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Open(&'a str),
    Close(&'a str),
    /// Not yet decoded.
    Text(&'a str),
}

/// Reads parts one after the other; nothing when the rest is no XML that is understood.
pub(super) struct Parts<'a> {
    rest: &'a str,
    /// Name of an element that was opened and closed at once.
    closing: Option<&'a str>,
}

impl<'a> Parts<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let rest = match text.strip_prefix("<?xml") {
            Some(rest) => rest.split_once("?>").map_or("", |(_, rest)| rest),
            None => text,
        };
        Self { rest, closing: None }
    }

    pub(super) fn at_end(&self) -> bool {
        self.rest.trim().is_empty() && self.closing.is_none()
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if let Some(name) = self.closing.take() {
            return Some(Part::Close(name));
        }
        let Some(tag) = self.rest.strip_prefix('<') else {
            let end = self.rest.find('<')?;
            let (text, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Some(Part::Text(text));
        };
        let (tag, rest) = tag.split_once('>')?;
        // a declaration, a comment, a section: none is in a listing
        if tag.starts_with(['!', '?']) {
            return None;
        }
        self.rest = rest;
        if let Some(name) = tag.strip_prefix('/') {
            return Some(Part::Close(name.trim_end()));
        }
        let (tag, closed) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let name = tag.split_whitespace().next()?;
        self.closing = closed.then_some(name);
        Some(Part::Open(name))
    }
}

/// Reads all of a text, and tells at the end of each element inside `root` which it is and, if it is one without
/// elements, its text. Nothing when it is no XML with that root, or when `tell` says so.
pub(super) fn walk(text: &str, root: &str, mut tell: impl FnMut(&[&str], &str) -> Option<()>) -> Option<()> {
    let mut path: Vec<&str> = Vec::new();
    let (mut said, mut roots) = (String::new(), 0);
    let mut parts = Parts::new(text);
    for part in parts.by_ref() {
        match part {
            Part::Open(name) if path.len() < DEPTH => {
                if path.is_empty() {
                    roots += 1;
                    (name == root && roots == 1).then_some(())?;
                }
                path.push(name);
                said.clear();
            }
            Part::Open(_) => return None,
            Part::Text(text) => said = decode(text)?,
            Part::Close(name) => {
                if let [_, inside @ ..] = path.as_slice()
                    && !inside.is_empty()
                {
                    tell(inside, &said)?;
                }
                if path.pop() != Some(name) {
                    return None;
                }
                said.clear();
            }
        }
    }
    (parts.at_end() && path.is_empty() && roots == 1).then_some(())
}

/// Text with its entities replaced.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, entity)) = rest.split_once('&') {
        let (name, after) = entity.split_once(';')?;
        out.push_str(before);
        out.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
        });
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_text_are_read_and_nothing_else_is() {
        let parts: Vec<_> =
            Parts::new("<?xml version=\"1.0\"?>\n<A x=\"1\"><B>t&amp;</B><C/></A>\n").collect();
        let wanted = [
            Part::Text("\n"),
            Part::Open("A"),
            Part::Open("B"),
            Part::Text("t&amp;"),
            Part::Close("B"),
            Part::Open("C"),
            Part::Close("C"),
            Part::Close("A"),
        ];
        assert_eq!(parts, wanted);
        for odd in [
            "<!DOCTYPE x [<!ENTITY a \"b\">]><A/>",
            "<A><![CDATA[x]]></A>",
            "<A><!-- x --></A>",
        ] {
            let mut parts = Parts::new(odd);
            while parts.next().is_some() {}
            assert!(!parts.at_end(), "{odd}");
        }
    }

    #[test]
    fn entities_are_those_of_xml_itself() {
        assert_eq!(decode("a&lt;&#x41;&#66;&quot;").as_deref(), Some("a<AB\""));
        for bad in ["&other;", "&#xffffffff;", "&amp"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}

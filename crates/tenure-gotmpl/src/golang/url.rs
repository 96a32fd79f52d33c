//! Go's package `net/url`.

use super::quote::quote;

/// Where in a URL a text stands, which decides what has to be escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Host,
    Zone,
    User,
    Query,
    Fragment,
}

fn is_plain(byte: u8, part: Part) -> bool {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => true,
        b'$' | b'&' | b'+' | b'=' => part != Part::Query,
        b',' | b';' => part != Part::Query,
        b':' => !matches!(part, Part::User | Part::Query),
        b'@' => matches!(part, Part::Path | Part::Fragment),
        b'/' => matches!(part, Part::Path | Part::Fragment),
        b'?' => part == Part::Fragment,
        b'!' | b'(' | b')' | b'*' => matches!(part, Part::Fragment | Part::Host | Part::Zone),
        b'\'' | b'"' | b'<' | b'>' | b'[' | b']' => matches!(part, Part::Host | Part::Zone),
        _ => false,
    }
}

fn escape(text: &str, part: Part) -> String {
    let mut out = Vec::with_capacity(text.len());
    escape_bytes(text.as_bytes(), part, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn escape_bytes(text: &[u8], part: Part, out: &mut Vec<u8>) {
    for &byte in text {
        if is_plain(byte, part) {
            out.push(byte);
        } else if byte == b' ' && part == Part::Query {
            out.push(b'+');
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

/// `url.QueryEscape`.
pub(crate) fn query_escape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    escape_bytes(text, Part::Query, &mut out);
    out
}

fn unescape(text: &str, part: Part) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            let shown = || {
                let end = (at + 3).min(bytes.len());
                let escape = bytes.get(at..end).unwrap_or_default();
                format!("invalid URL escape {}", quote(escape))
            };
            let code = bytes
                .get(at + 1..at + 3)
                .filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))
                .and_then(|hex| std::str::from_utf8(hex).ok())
                .and_then(|hex| u8::from_str_radix(hex, 16).ok())
                .ok_or_else(shown)?;
            if part == Part::Host && code < 0x80 && code != b'%' {
                return Err(shown());
            }
            if part == Part::Zone && code != b'%' && code != b' ' && !is_plain(code, Part::Host) {
                return Err(shown());
            }
            out.push(code);
            at += 3;
            continue;
        }
        if matches!(part, Part::Host | Part::Zone) && byte < 0x80 && !is_plain(byte, part) {
            return Err(format!("invalid character {} in host name", quote(&[byte])));
        }
        out.push(byte);
        at += 1;
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// A URL taken apart.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: String,
    pub(crate) opaque: String,
    pub(crate) user: Option<(String, Option<String>)>,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) fragment: String,
}

impl Url {
    /// Reads a URL.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (head, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut url =
            Self::parse_head(head).map_err(|reason| format!("parse {}: {reason}", quote(head.as_bytes())))?;
        url.fragment = unescape(fragment, Part::Fragment)
            .map_err(|reason| format!("parse {}: {reason}", quote(text.as_bytes())))?;
        Ok(url)
    }

    fn parse_head(text: &str) -> Result<Self, String> {
        if text.bytes().any(|b| b < b' ' || b == 0x7f) {
            return Err("net/url: invalid control character in URL".into());
        }
        let mut url = Self::default();
        if text == "*" {
            url.path = "*".into();
            return Ok(url);
        }
        let (scheme, rest) = scheme(text)?;
        url.scheme = scheme.to_lowercase();
        let (mut rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        url.query = query.to_owned();
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                url.opaque = rest.to_owned();
                return Ok(url);
            }
            if rest
                .split('/')
                .next()
                .is_some_and(|segment| segment.contains(':'))
            {
                return Err("first path segment in URL cannot contain colon".into());
            }
        }
        if let Some(after) = rest.strip_prefix("//")
            && (!url.scheme.is_empty() || !rest.starts_with("///"))
        {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at(end);
            url.authority(authority)?;
            rest = path;
        }
        url.path = unescape(rest, Part::Path)?;
        Ok(url)
    }

    fn authority(&mut self, authority: &str) -> Result<(), String> {
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        self.host = self.parse_host(host)?;
        self.user = user.map(parse_user).transpose()?;
        Ok(())
    }

    fn parse_host(&self, host: &str) -> Result<String, String> {
        match host.rfind('[') {
            Some(0) => return literal_host(host),
            Some(_) => return Err("invalid IP-literal".into()),
            None => {}
        }
        let web = matches!(self.scheme.as_str(), "http" | "https");
        let colon = if web { host.find(':') } else { host.rfind(':') };
        let port = colon.and_then(|at| host.get(at..)).unwrap_or_default();
        if !is_port(port) {
            return Err(format!("invalid port {} after host", quote(port.as_bytes())));
        }
        unescape(host, Part::Host)
    }

    /// The host without its port.
    pub(crate) fn hostname(&self) -> &str {
        let host = match self.host.rfind(':').and_then(|at| self.host.split_at_checked(at)) {
            Some((host, port)) if is_port(port) => host,
            _ => self.host.as_str(),
        };
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
    }

    /// User and password as they stand in a URL.
    pub(crate) fn userinfo(&self) -> Option<String> {
        let (name, password) = self.user.as_ref()?;
        let mut out = escape(name, Part::User);
        if let Some(password) = password {
            out.push(':');
            out.push_str(&escape(password, Part::User));
        }
        Some(out)
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if self.opaque.is_empty() {
            let user = self.userinfo();
            let authority = !self.host.is_empty() || user.is_some();
            if authority || !self.scheme.is_empty() && !self.path.is_empty() {
                out.push_str("//");
            }
            if let Some(user) = user {
                out.push_str(&user);
                out.push('@');
            }
            out.push_str(&escape(&self.host, Part::Host));
            let path = if self.path == "*" {
                "*".into()
            } else {
                escape(&self.path, Part::Path)
            };
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                out.push('/');
            }
            if out.is_empty()
                && path
                    .split('/')
                    .next()
                    .is_some_and(|segment| segment.contains(':'))
            {
                out.push_str("./");
            }
            out.push_str(&path);
        } else {
            out.push_str(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push('?');
            out.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push('#');
            out.push_str(&escape(&self.fragment, Part::Fragment));
        }
        f.write_str(&out)
    }
}

/// The scheme, if there is one, and what follows it.
fn scheme(text: &str) -> Result<(&str, &str), String> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".into()),
            ':' => return Ok((text.get(..at).unwrap_or(""), text.get(at + 1..).unwrap_or(""))),
            _ => break,
        }
    }
    Ok(("", text))
}

fn parse_user(text: &str) -> Result<(String, Option<String>), String> {
    if !text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c))
    {
        return Err("net/url: invalid userinfo".into());
    }
    match text.split_once(':') {
        Some((name, password)) => Ok((unescape(name, Part::User)?, Some(unescape(password, Part::User)?))),
        None => Ok((unescape(text, Part::User)?, None)),
    }
}

/// A host in brackets.
fn literal_host(host: &str) -> Result<String, String> {
    let close = host.rfind(']').ok_or("missing ']' in host")?;
    let (inside, port) = (
        host.get(1..close).unwrap_or_default(),
        host.get(close + 1..).unwrap_or_default(),
    );
    if !is_port(port) {
        return Err(format!("invalid port {} after host", quote(port.as_bytes())));
    }
    let name = match inside.find("%25").and_then(|at| inside.split_at_checked(at)) {
        Some((address, zone)) => unescape(address, Part::Host)? + &unescape(zone, Part::Zone)?,
        None => unescape(inside, Part::Host)?,
    };
    let address = name.split('%').next().unwrap_or_default();
    if address.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err("invalid IP-literal".into());
    }
    if address.parse::<std::net::Ipv6Addr>().is_err() {
        return Err(format!(
            "invalid host: ParseAddr({}): unable to parse IP",
            quote(name.as_bytes())
        ));
    }
    Ok(format!("[{name}]{port}"))
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_put_together() {
        let url = Url::parse("https://u%3A:p@h.example:8080/a%20b/?q=1#f%20g").expect("a URL");
        assert_eq!(url.user, Some(("u:".into(), Some("p".into()))));
        assert_eq!((url.hostname(), url.path.as_str()), ("h.example", "/a b/"));
        assert_eq!(url.to_string(), "https://u%3A:p@h.example:8080/a%20b/?q=1#f%20g");
        assert_eq!(Url::parse("mailto:x@y.z").expect("a URL").opaque, "x@y.z");
        assert_eq!(
            Url::parse("[::1]:80").map(|u| u.path),
            Err("parse \"[::1]:80\": first path segment in URL cannot contain colon".into())
        );
        assert_eq!(
            Url::parse("http://[fe80::1%25en0]/").expect("a URL").host,
            "[fe80::1%en0]"
        );
    }

    #[test]
    fn bad_urls_say_why() {
        for (text, reason) in [
            (
                "http://h:x/",
                "parse \"http://h:x/\": invalid port \":x\" after host",
            ),
            ("%zz", "parse \"%zz\": invalid URL escape \"%zz\""),
            (":a", "parse \":a\": missing protocol scheme"),
            (
                "http://a b/",
                "parse \"http://a b/\": invalid character \" \" in host name",
            ),
        ] {
            assert_eq!(Url::parse(text).map(|_| ()), Err(reason.into()));
        }
    }
}

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Secret;

/// Where a source lives: an `http`, `https` or `ssh` URL whose password cannot be printed.
///
/// The grammar is narrower than RFC 3986 on purpose: what two parsers could read differently (a
/// backslash, a second `@`, a control character, a host that starts with `-`) is refused.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SourceUrl {
    scheme: Scheme,
    user: Option<Box<str>>,
    password: Option<Box<str>>,
    host: Box<str>,
    port: Option<u16>,
    path: Box<str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Scheme {
    Http,
    Https,
    Ssh,
}

/// Why a URL is refused. The message never repeats the URL: it may hold a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UrlError {
    /// Not `http://`, `https://` or `ssh://`.
    #[error("the URL's scheme must be http, https or ssh")]
    Scheme,
    /// There is no host, or it has a character that no host has.
    #[error("the URL has no valid host")]
    Host,
    /// The port is not a number up to 65535.
    #[error("the URL's port is not a number between 1 and 65535")]
    Port,
    /// User information that parsers disagree about, or that a program could take for an option.
    #[error("the URL's user information is not allowed")]
    User,
    /// A query, a fragment, a backslash, a blank or a control character.
    #[error("the URL has a character that is not allowed in a source URL")]
    Character,
    /// `.` or `..` in the path, also percent-encoded: a client that resolves it asks for another place than is written.
    #[error("the URL's path has '.' or '..' in it")]
    Path,
}

impl SourceUrl {
    /// `http`, `https` or `ssh`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Ssh => "ssh",
        }
    }

    /// The user before the `@`, if any.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password before the `@`, if any; for the crates that send it.
    #[must_use]
    pub fn expose_password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The host, lower case; an IPv6 address keeps its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own where none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
            Scheme::Ssh => 22,
        })
    }

    /// The path with its leading slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The URL with user and password, if it has them: for who has to use it.
    #[must_use]
    pub fn expose(&self) -> Secret {
        let user = match (self.user(), self.expose_password()) {
            (Some(user), Some(password)) => format!("{user}:{password}@"),
            (Some(user), None) => format!("{user}@"),
            (None, _) => String::new(),
        };
        let (scheme, host, port, path) = (self.scheme(), self.host(), self.port(), self.path());
        Secret::from(format!("{scheme}://{user}{host}:{port}{path}"))
    }

    /// The URL without user information: what two tenants' spellings of one remote have in common.
    /// Key of the upstream store, together with the ssh user where there is one.
    #[must_use]
    pub fn remote_key(&self) -> String {
        let user = match (self.scheme, &self.user) {
            (Scheme::Ssh, Some(user)) => format!("{user}@"),
            _ => String::new(),
        };
        let path = self.path.trim_end_matches('/');
        format!("{}://{user}{}:{}{path}", self.scheme(), self.host, self.port())
    }

    /// Whether both are asked of the same server, in the same way: scheme, host and port, and ssh's user.
    #[must_use]
    pub fn same_origin(&self, other: &Self) -> bool {
        let user = |url: &Self| url.user.clone().filter(|_| url.scheme == Scheme::Ssh);
        self.scheme == other.scheme
            && self.host == other.host
            && self.port() == other.port()
            && user(self) == user(other)
    }

    /// The URL that `relative`, which starts with `./` or `../`, leads to from this one, as git reads it: this URL
    /// is a directory, whether or not a slash ends it.
    ///
    /// # Errors
    /// [`UrlError::Path`] when it leads out of the server; else as parsing.
    pub fn relative(&self, relative: &str) -> Result<Self, UrlError> {
        let mut segments: Vec<&str> = self.path.split('/').filter(|part| !part.is_empty()).collect();
        for part in relative.split('/').filter(|part| !part.is_empty()) {
            match part {
                "." => {}
                ".." => {
                    segments.pop().ok_or(UrlError::Path)?;
                }
                part if part.chars().any(refused) => return Err(UrlError::Character),
                part if is_dots(part) => return Err(UrlError::Path),
                part => segments.push(part),
            }
        }
        Ok(Self {
            path: format!("/{}", segments.join("/")).into(),
            ..self.clone()
        })
    }

    /// Whether this URL starts with `prefix`, compared as a remote key so that `ssh://git@h/` covers
    /// `ssh://git@h:22/a`, but never `ssh://git@h.evil/`. A trailing `*` matches any rest.
    #[must_use]
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.spellings().iter().any(|url| covers(prefix, url))
    }

    /// The ways in which a prefix may be written that covers this URL: with and without its port.
    #[must_use]
    pub fn spellings(&self) -> Vec<String> {
        vec![self.written(false), self.written(true)]
    }

    fn written(&self, with_port: bool) -> String {
        let user = self.user.as_deref().map(|u| format!("{u}@")).unwrap_or_default();
        let port = match self.port {
            Some(port) => format!(":{port}"),
            None if with_port => format!(":{}", self.port()),
            None => String::new(),
        };
        format!("{}://{user}{}{port}{}", self.scheme(), self.host, self.path)
    }
}

fn refused(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\\' | '?' | '#' | '"' | '<' | '>')
}

/// `.` or `..`, as an HTTP client reads a segment.
fn is_dots(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

/// Whether the URL starts with `prefix`, which ends where a name ends; a trailing `*` matches any rest.
#[must_use]
pub fn covers(prefix: &str, url: &str) -> bool {
    let (prefix, open) = match prefix.strip_suffix('*') {
        Some(rest) => (rest, true),
        None => (prefix, false),
    };
    url.strip_prefix(prefix)
        .is_some_and(|rest| open || rest.is_empty() || prefix.ends_with(['/', '@']) || rest.starts_with('/'))
}

impl FromStr for SourceUrl {
    type Err = UrlError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = s.split_once("://").ok_or(UrlError::Scheme)?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "ssh" => Scheme::Ssh,
            _ => return Err(UrlError::Scheme),
        };
        if rest.chars().any(refused) {
            return Err(UrlError::Character);
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if path.split('/').any(is_dots) {
            return Err(UrlError::Path);
        }
        let (userinfo, hostport) = match authority.split_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if hostport.contains('@') {
            return Err(UrlError::User);
        }
        let (user, password) = match userinfo {
            None => (None, None),
            Some(info) => match info.split_once(':') {
                Some((user, password)) => (Some(user), Some(password)),
                None => (Some(info), None),
            },
        };
        if user.is_some_and(|u| u.is_empty() || u.starts_with('-')) {
            return Err(UrlError::User);
        }
        let (host, port) = if let Some(v6) = hostport.strip_prefix('[') {
            let (address, after) = v6.split_once(']').ok_or(UrlError::Host)?;
            let valid = !address.is_empty()
                && address
                    .chars()
                    .all(|c| c.is_ascii_hexdigit() || c == ':' || c == '.');
            if !valid {
                return Err(UrlError::Host);
            }
            let port = if after.is_empty() {
                None
            } else {
                Some(after.strip_prefix(':').ok_or(UrlError::Port)?)
            };
            (format!("[{address}]"), port)
        } else {
            match hostport.split_once(':') {
                Some((host, port)) => (host.to_owned(), Some(port)),
                None => (hostport.to_owned(), None),
            }
        };
        let plain = host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '[' | ']' | ':'));
        if host.is_empty() || host.starts_with(['-', '.']) || !plain {
            return Err(UrlError::Host);
        }
        let port = match port {
            None => None,
            Some(port) => Some(
                port.parse::<u16>()
                    .ok()
                    .filter(|p| *p > 0)
                    .ok_or(UrlError::Port)?,
            ),
        };
        Ok(Self {
            scheme,
            user: user.map(Into::into),
            password: password.map(Into::into),
            host: host.to_ascii_lowercase().into(),
            port,
            path: path.into(),
        })
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme())?;
        match (self.scheme, &self.user, &self.password) {
            (_, None, _) => {}
            (Scheme::Ssh, Some(user), None) => write!(f, "{user}@")?,
            (_, Some(user), Some(_)) => write!(f, "{user}:****@")?,
            // over http a lone user is most often a token
            (_, Some(_), None) => f.write_str("****@")?,
        }
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)
    }
}

impl fmt::Debug for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Serialised redacted: a URL that has to reach another process is sent as a [`crate::Secret`].
impl Serialize for SourceUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SourceUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(s: &str) -> SourceUrl {
        s.parse().unwrap_or_else(|e| panic!("{s}: {e}"))
    }

    #[test]
    fn a_password_is_never_printed() {
        let url = url("https://bob:hunter2@git.example.com/a.git");
        assert_eq!(url.to_string(), "https://bob:****@git.example.com/a.git");
        assert_eq!(url.expose_password(), Some("hunter2"));
        assert!(!url.remote_key().contains("hunter2"));
        let token: SourceUrl = "https://ghp_hunter2@git.example.com/a.git"
            .parse()
            .expect("valid");
        assert!(!format!("{token} {token:?} {}", token.remote_key()).contains("hunter2"));
    }

    #[test]
    fn what_parsers_disagree_about_is_refused() {
        for bad in [
            "file:///etc/passwd",
            "git@host:repo",
            "ssh://-oProxyCommand=x/a",
            "ssh://-x@host/a",
            "https://good#@evil/a",
            "https://good?@evil/a",
            "https://a@b@c/d",
            "https://good\\@evil/",
            "https:///a",
            "https://h:0/a",
            "https://h:99999/",
            "https://h o/a",
            "https://@h/a",
            "ssh://git@[::1/a",
            "https://h\n/a",
            "https://h/team/../other/a",
            "https://h/team/%2E./other",
            "ssh://git@h/./a",
        ] {
            assert!(bad.parse::<SourceUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn one_remote_has_one_key_however_it_is_written() {
        assert_eq!(
            url("https://a:b@Host/x.git/").remote_key(),
            url("https://host:443/x.git").remote_key()
        );
        assert_ne!(
            url("ssh://git@h/x").remote_key(),
            url("ssh://root@h/x").remote_key()
        );
    }

    #[test]
    fn a_relative_url_stays_on_its_server() {
        let base = url("https://bob:hunter2@h:8443/team/app.git/");
        for (relative, path) in [
            ("../lib.git", "/team/lib.git"),
            ("./lib", "/team/app.git/lib"),
            ("../../other/lib.git", "/other/lib.git"),
            ("../..", "/"),
        ] {
            let joined = base.relative(relative).expect(relative);
            assert_eq!(joined.path(), path, "{relative}");
            assert!(joined.same_origin(&base) && joined.expose_password().is_some());
        }
        for bad in ["../../../x", "../a?b", "../%2e%2e/x", "../a b"] {
            assert!(base.relative(bad).is_err(), "{bad}");
        }
        assert!(base.same_origin(&url("https://H:8443/x")));
        for other in ["http://h:8443/", "https://h/", "https://h.evil:8443/"] {
            assert!(!base.same_origin(&url(other)), "{other}");
        }
        assert!(!url("ssh://git@h/a").same_origin(&url("ssh://root@h/a")));
    }

    #[test]
    fn a_prefix_ends_where_a_name_ends() {
        let u = url("ssh://git@host:2222/team/app.git");
        assert!(u.has_prefix("ssh://git@host:2222/"));
        assert!(u.has_prefix("ssh://git@*"));
        assert!(u.has_prefix("ssh://git@"), "a user is whole");
        assert!(!u.has_prefix("ssh://g"), "a part of a user is not");
        assert!(u.has_prefix("ssh://git@host:2222/team"));
        assert!(!u.has_prefix("ssh://git@host:2222/tea"));
        assert!(!u.has_prefix("ssh://git@host/"));
        assert!(!url("ssh://git@host.evil/x").has_prefix("ssh://git@host"));
        assert!(url("ssh://git@host/x").has_prefix("ssh://git@host:22/"));
    }
}

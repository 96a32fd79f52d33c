//! Whether an ssh host's key is one that `known_hosts` names. Fails closed: no entry, no connection.

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::{Algorithm, HashAlg, PublicKey};
use sha1::Sha1;

/// The lines of a `known_hosts` text that can be read; the others are passed over, as ssh does.
#[derive(Debug, Default)]
pub(crate) struct KnownHosts {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    marker: Marker,
    hosts: String,
    key: PublicKey,
}

#[derive(Debug, PartialEq)]
enum Marker {
    None,
    Revoked,
    /// `@cert-authority`: host certificates are not spoken, so the entry trusts nothing.
    Other,
}

/// What the text says of a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Trusted,
    Revoked,
    /// The host is there, with other keys.
    Other,
    Unknown,
}

impl KnownHosts {
    pub(crate) fn parse(text: &str) -> Self {
        Self {
            entries: text.lines().filter_map(Entry::parse).collect(),
        }
    }

    pub(crate) fn judge(&self, host: &str, port: u16, key: &PublicKey) -> Verdict {
        let same = |entry: &&Entry| entry.key.key_data() == key.key_data();
        let named = || self.entries.iter().filter(|e| e.covers(host, port));
        // a revoked key is refused for every host its line covers, before anything can trust it
        if named().filter(same).any(|e| e.marker == Marker::Revoked) {
            return Verdict::Revoked;
        }
        let mut found = Verdict::Unknown;
        for entry in named().filter(|e| e.marker == Marker::None) {
            if same(&entry) {
                return Verdict::Trusted;
            }
            found = Verdict::Other;
        }
        found
    }

    /// The key types known for a host: the server is asked for one of these, or it would show another it has.
    pub(crate) fn algorithms(&self, host: &str, port: u16) -> Vec<Algorithm> {
        let mut all = Vec::new();
        for entry in self
            .entries
            .iter()
            .filter(|e| e.marker == Marker::None && e.covers(host, port))
        {
            let algorithm = entry.key.algorithm();
            if !all.contains(&algorithm) {
                all.push(algorithm);
            }
        }
        all
    }
}

/// `SHA256:…`, and the type, as ssh-keygen shows them.
pub(crate) fn shown(key: &PublicKey) -> String {
    format!(
        "{} key {}",
        key.algorithm().as_str(),
        key.fingerprint(HashAlg::Sha256)
    )
}

/// How `known_hosts` writes a host: with brackets when the port is not 22.
pub(crate) fn host_name(host: &str, port: u16) -> String {
    let host = host.trim_matches(['[', ']']);
    if port == 22 {
        host.to_owned()
    } else {
        format!("[{host}]:{port}")
    }
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let mut words = line.split_whitespace();
        let mut hosts = words.next()?;
        let mut marker = Marker::None;
        if hosts.starts_with('@') {
            marker = if hosts == "@revoked" {
                Marker::Revoked
            } else {
                Marker::Other
            };
            hosts = words.next()?;
        }
        let key = format!("{} {}", words.next()?, words.next()?);
        Some(Self {
            marker,
            hosts: hosts.to_owned(),
            key: PublicKey::from_openssh(&key).ok()?,
        })
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        let name = host_name(host, port).to_ascii_lowercase();
        if let Some(hashed) = self.hosts.strip_prefix("|1|") {
            return hashed_is(hashed, &name).unwrap_or(false);
        }
        let mut covered = false;
        for pattern in self.hosts.split(',') {
            let pattern = pattern.to_ascii_lowercase();
            match pattern.strip_prefix('!') {
                Some(not) if wild(not.as_bytes(), name.as_bytes()) => return false,
                Some(_) => {}
                None => covered |= wild(pattern.as_bytes(), name.as_bytes()),
            }
        }
        covered
    }
}

fn hashed_is(hashed: &str, name: &str) -> Option<bool> {
    let decode = |s: &str| base64::engine::general_purpose::STANDARD.decode(s).ok();
    let (salt, hash) = hashed.split_once('|')?;
    let mut mac = Hmac::<Sha1>::new_from_slice(&decode(salt)?).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&decode(hash)?).is_ok())
}

/// ssh's patterns: `*` and `?`.
fn wild(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == b'?' || Some(c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after, from)) = retry else { return false };
                retry = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|c| *c == b'*'))
}

#[cfg(test)]
mod tests;

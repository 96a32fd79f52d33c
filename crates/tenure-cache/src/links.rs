//! Links: what opens an artifact over plain HTTP for whoever is not a worker.
//!
//! A link is the keyed hash of home, remote and artifact: the same for as long as the process lives, so that a status
//! that has it stays as it is. It opens the artifact for as long as the home would get it itself: its time is counted
//! from the last time that the home was given the artifact, and a refused credential ends it.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use tenure_core::Digest;
use zeroize::Zeroizing;

use crate::grant::{Grants, Scope, Stamp, keyed};

/// However long a caller wants its link to last.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Links of one home; more push out the one that ends first.
const PER_HOME: usize = 1024;

/// All links, in memory only.
pub(crate) struct Links {
    key: Zeroizing<[u8; 32]>,
    table: Mutex<HashMap<String, Link>>,
}

/// What a link opens.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) scope: Scope,
    pub(crate) stamp: Stamp,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) media_type: String,
    until: Instant,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            key: Zeroizing::new(rand::random()),
            table: Mutex::default(),
        }
    }
}

impl Links {
    /// The link to an artifact that `scope` has proved to be allowed to read, good for `time` from now.
    pub(crate) fn issue(
        &self,
        (scope, stamp): (&Scope, Stamp),
        (digest, size): (Digest, u64),
        media_type: &str,
        time: Duration,
    ) -> String {
        use hmac::Mac as _;
        let parts: [&[u8]; 3] = [
            scope.home.as_str().as_bytes(),
            scope.remote.as_bytes(),
            digest.as_bytes(),
        ];
        let name = URL_SAFE_NO_PAD.encode(keyed(&self.key, b"link", &parts).finalize().into_bytes());
        let mut table = self.table.lock();
        let mut until = Instant::now() + time.min(LONGEST);
        match table.get(&name) {
            // another object of the home may want it for longer
            Some(link) => until = until.max(link.until),
            None => make_room(&mut table, scope),
        }
        table.insert(
            name.clone(),
            Link {
                scope: scope.clone(),
                stamp,
                digest,
                size,
                media_type: media_type.to_owned(),
                until,
            },
        );
        name
    }

    /// What the link opens now.
    pub(crate) fn open(&self, name: &str, grants: &Grants) -> Option<Link> {
        let table = self.table.lock();
        let link = table.get(name)?;
        let ended = link.until <= Instant::now() || grants.is_revoked(&link.scope, link.stamp);
        (!ended).then(|| link.clone())
    }

    /// The artifacts that somebody may still get by a link; what has ended is forgotten.
    pub(crate) fn held(&self, grants: &Grants) -> HashSet<Digest> {
        let now = Instant::now();
        let mut table = self.table.lock();
        table.retain(|_, link| now < link.until && !grants.is_revoked(&link.scope, link.stamp));
        table.values().map(|link| link.digest).collect()
    }
}

fn make_room(table: &mut HashMap<String, Link>, scope: &Scope) {
    let of_home = table.iter().filter(|(_, link)| link.scope.home == scope.home);
    let (mut count, mut first) = (0, None::<(&String, Instant)>);
    for (name, link) in of_home {
        count += 1;
        if first.is_none_or(|(_, until)| link.until < until) {
            first = Some((name, link.until));
        }
    }
    if count >= PER_HOME
        && let Some(name) = first.map(|(name, _)| name.clone())
    {
        table.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_core::Name;

    const TIME: Duration = Duration::from_secs(60);

    fn scope(home: &str) -> Scope {
        Scope {
            home: Name::new(home).expect("valid"),
            remote: "https://host:443/app.git".into(),
        }
    }

    fn issue(links: &Links, grants: &Grants, home: &str, time: Duration) -> String {
        let artifact = (Digest::of(b"artifact"), 8);
        links.issue((&scope(home), grants.stamp()), artifact, "application/gzip", time)
    }

    #[test]
    fn a_link_stays_the_same_and_opens_what_its_home_was_given() {
        let (links, grants) = (Links::default(), Grants::new(TIME));
        let link = issue(&links, &grants, "a", TIME);
        assert_eq!(link, issue(&links, &grants, "a", TIME));
        assert_ne!(link, issue(&links, &grants, "b", TIME), "of another home");
        assert_ne!(
            link,
            issue(&Links::default(), &grants, "a", TIME),
            "of another process"
        );
        let opened = links.open(&link, &grants).expect("it is good");
        assert_eq!((opened.digest, opened.size), (Digest::of(b"artifact"), 8));
        assert!(links.open("", &grants).is_none());
        assert_eq!(links.held(&grants).len(), 1);
    }

    #[test]
    fn a_link_ends_with_its_time_and_with_a_refused_credential() {
        let (links, grants) = (Links::default(), Grants::new(TIME));
        let ended = issue(&links, &grants, "c", Duration::ZERO);
        assert!(links.open(&ended, &grants).is_none());
        let (one, other) = (
            issue(&links, &grants, "a", TIME),
            issue(&links, &grants, "b", TIME),
        );
        grants.revoke(&scope("a"));
        assert!(links.open(&one, &grants).is_none());
        assert!(links.open(&other, &grants).is_some(), "another's was not refused");
        assert_eq!(links.held(&grants).len(), 1);
        let again = issue(&links, &grants, "a", TIME);
        assert!(
            links.open(&again, &grants).is_some(),
            "what was proved since counts"
        );
    }

    #[test]
    fn a_home_has_so_many_links_and_takes_none_from_another() {
        let (links, grants) = (Links::default(), Grants::new(TIME));
        let other = issue(&links, &grants, "b", TIME);
        for number in 0..PER_HOME + 5 {
            let digest = Digest::of(&number.to_be_bytes());
            links.issue((&scope("a"), grants.stamp()), (digest, 1), "", TIME);
        }
        assert_eq!(links.table.lock().len(), PER_HOME + 1);
        assert!(links.open(&other, &grants).is_some());
    }
}

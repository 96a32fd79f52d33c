//! Secrets and ConfigMaps that have Flux's label `reconcile.fluxcd.io/watch: Enabled`: when one changes, the home's
//! objects are looked at. Nothing but metadata is seen of them, with the worker's token, and only where the Tenant has
//! `watchSecrets`: without it the worker may not list them.

use std::collections::HashMap;

use futures::StreamExt as _;
use futures::stream::{BoxStream, SelectAll};
use tenure_core::Name;
use tenure_kube::{Meta, MetaEvent, MetadataClient, Referent};

/// The watches of one home, and where what they see was when it was last seen.
#[derive(Default)]
pub(super) struct Sentinels {
    streams: SelectAll<BoxStream<'static, (Referent, MetaEvent)>>,
    seen: Seen,
}

/// Resource versions, by kind and name; of a kind that was never listed there is nothing.
#[derive(Default)]
struct Seen(HashMap<Referent, HashMap<Box<str>, Box<str>>>);

impl Sentinels {
    /// Watches with that client, or not at all.
    pub(super) fn attend(&mut self, client: Option<MetadataClient>) {
        match client {
            Some(client) if self.streams.is_empty() => {
                for of in [Referent::Secret, Referent::ConfigMap] {
                    let stream = client.watch_referents(of);
                    self.streams.push(stream.map(move |event| (of, event)).boxed());
                }
            }
            Some(_) => {}
            None => *self = Self::default(),
        }
    }

    /// Resolves when one of them has changed.
    pub(super) async fn changed(&mut self, home: &Name) {
        loop {
            let Some((of, event)) = self.streams.next().await else {
                return std::future::pending().await;
            };
            if self.seen.heed(of, event, home) {
                return;
            }
        }
    }
}

impl Seen {
    /// Whether that is a change. What is there when it is first listed is none.
    fn heed(&mut self, of: Referent, event: MetaEvent, home: &Name) -> bool {
        let at = |meta: Meta| (meta.name, meta.resource_version);
        match event {
            MetaEvent::Reset(all) => {
                let now: HashMap<_, _> = all.into_iter().map(at).collect();
                let before = self.0.insert(of, now);
                before.is_some_and(|before| self.0.get(&of) != Some(&before))
            }
            MetaEvent::Applied(meta) => {
                let (name, version) = at(meta);
                let known = self.0.entry(of).or_default();
                known.insert(name, version.clone()) != Some(version)
            }
            MetaEvent::Deleted(meta) => {
                let known = self.0.entry(of).or_default();
                known.remove(&meta.name).is_some()
            }
            MetaEvent::Forbidden(error) | MetaEvent::Failed(error) => {
                tracing::warn!(%home, ?of, %error, "failed to watch what objects refer to");
                false
            }
            MetaEvent::KindMissing | MetaEvent::Barred(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(name: &str, version: &str) -> Meta {
        Meta {
            name: name.into(),
            uid: "u".into(),
            generation: 0,
            asked: None,
            deleting: false,
            resource_version: version.into(),
        }
    }

    #[test]
    fn what_is_there_at_first_is_no_change_and_everything_after_is() {
        let (mut seen, home) = (Seen::default(), Name::new("team").expect("valid"));
        let mut heed = |event| seen.heed(Referent::Secret, event, &home);
        assert!(!heed(MetaEvent::Reset(vec![meta("a", "1")])));
        assert!(!heed(MetaEvent::Applied(meta("a", "1"))), "it is said twice");
        assert!(heed(MetaEvent::Applied(meta("a", "2"))));
        assert!(heed(MetaEvent::Applied(meta("b", "3"))), "it has got the label");
        assert!(heed(MetaEvent::Deleted(meta("b", "4"))));
        assert!(!heed(MetaEvent::Deleted(meta("b", "4"))));
        assert!(
            !heed(MetaEvent::Reset(vec![meta("a", "2")])),
            "a watch was opened again"
        );
        assert!(
            heed(MetaEvent::Reset(vec![meta("a", "5")])),
            "it changed meanwhile"
        );
        assert!(heed(MetaEvent::Reset(Vec::new())));
    }

    #[test]
    fn kinds_are_kept_apart() {
        let (mut seen, home) = (Seen::default(), Name::new("team").expect("valid"));
        seen.heed(Referent::Secret, MetaEvent::Reset(vec![meta("a", "1")]), &home);
        assert!(!seen.heed(Referent::ConfigMap, MetaEvent::Reset(vec![meta("a", "2")]), &home));
    }
}

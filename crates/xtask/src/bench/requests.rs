//! Requests to the API server, told apart by who made them and as whom.

use std::collections::BTreeMap;

use anyhow::Context as _;
use jiff::Timestamp;
use tenure_testkit::Installation;
use tenure_testkit::control_plane::AuditEvent;

use super::figure::{Section, digits};

/// What is asked less often is not listed one by one.
const FEW: f64 = 0.05;

/// Who made a request, and as whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Identity {
    /// The supervisor with its own token.
    Supervisor,
    /// The supervisor with a home's token: the metadata watches.
    Watches,
    /// A worker as itself.
    Own,
    /// A worker as the tenant.
    Acting,
}

impl Identity {
    pub(super) const ALL: [Self; 4] = [Self::Supervisor, Self::Watches, Self::Own, Self::Acting];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Supervisor => "supervisor",
            Self::Watches => "supervisor, metadata watches of the homes",
            Self::Own => "workers as themselves",
            Self::Acting => "workers as the tenant",
        }
    }

    /// Nothing when it was none of ours.
    pub(super) fn of(event: &AuditEvent, tenure: &Installation) -> Option<Self> {
        let account = event.user.strip_prefix("system:serviceaccount:")?;
        let (namespace, _) = account.split_once(':')?;
        if namespace == tenure.system() {
            return Some(Self::Supervisor);
        }
        if namespace != tenure.workers() {
            return None;
        }
        if event.impersonated_user.is_some() {
            return Some(Self::Acting);
        }
        let watches = event.user_agent.starts_with("tenure-supervisor/");
        Some(if watches { Self::Watches } else { Self::Own })
    }
}

/// Counts by identity and by what was asked.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) total: BTreeMap<Identity, usize>,
    pub(super) kinds: BTreeMap<(Identity, String), usize>,
}

impl Tally {
    /// Every request once: the long ones are logged when they start and when they end.
    pub(super) fn of<'a>(events: impl IntoIterator<Item = &'a AuditEvent>, tenure: &Installation) -> Self {
        let mut tally = Self::default();
        for event in events {
            let long = event.verb == "watch";
            if (event.stage == "ResponseStarted") != long {
                continue;
            }
            let Some(identity) = Identity::of(event, tenure) else {
                continue;
            };
            *tally.total.entry(identity).or_default() += 1;
            *tally.kinds.entry((identity, what(event))).or_default() += 1;
        }
        tally
    }

    pub(super) fn all(&self) -> usize {
        self.total.values().sum()
    }

    pub(super) fn by(&self, identity: Identity) -> usize {
        self.total.get(&identity).copied().unwrap_or_default()
    }
}

/// A line for each identity, and below it one for each thing that it asked.
pub(super) fn list(section: &mut Section, tally: &Tally, over: f64) {
    for identity in Identity::ALL {
        let each = tally.by(identity) as f64 / over;
        section.fact(format!("… {}", identity.name()), digits(each));
        let mut kinds: Vec<_> = tally
            .kinds
            .iter()
            .filter(|((who, _), _)| *who == identity)
            .collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let often = |count: usize| count as f64 / over >= FEW;
        let (many, few): (Vec<_>, Vec<_>) = kinds.into_iter().partition(|(_, count)| often(**count));
        for ((_, what), count) in many {
            section.fact(format!("&emsp;`{what}`"), digits(*count as f64 / over));
        }
        if !few.is_empty() {
            let all: usize = few.iter().map(|(_, count)| **count).sum();
            let text = format!("&emsp;{} other kinds, each less than {FEW}", few.len());
            section.fact(text, digits(all as f64 / over));
        }
    }
}

fn what(event: &AuditEvent) -> String {
    let verb = &event.verb;
    let failed = if (400..600).contains(&event.code) {
        format!(" → {}", event.code)
    } else {
        String::new()
    };
    match &event.object {
        Some(object) if object.subresource.is_empty() => format!("{verb} {}{failed}", object.resource),
        Some(object) => format!("{verb} {}/{}{failed}", object.resource, object.subresource),
        None => format!("{verb} {}{failed}", event.request_uri),
    }
}

/// When the answer was complete.
pub(super) fn answered(event: &AuditEvent) -> anyhow::Result<Timestamp> {
    Ok(event.raw["stageTimestamp"]
        .as_str()
        .context("an event without a time")?
        .parse()?)
}

//! Who is next when more homes want a worker than may be at work: deficit round-robin over tenants.
//!
//! Tenants take turns. At each turn a tenant is credited with the same time, and may start the next of its homes when its credit
//! covers what that home's last run took. So a tenant whose runs are ten times as long starts a tenth as many, and one with a
//! hundred homes has no more turns than one with a single home. While others wait, no tenant has more than half of the places.
//! Homes of which somebody has asked for a reconcile go first among those of their tenant, not among all: whoever asks all
//! the time is ahead of himself only. One place is kept for the platform's own tenant, which goes before all others.
//!
//! Synchronous; the places themselves are counted by whoever asks.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tenure_core::Name;

/// What a turn is worth.
const QUANTUM: Duration = Duration::from_millis(500);
/// No run counts for more: what takes longer waits for something.
const MOST: Duration = Duration::from_secs(10);
/// A home that has not run yet counts for so much.
const UNKNOWN: Duration = QUANTUM;

/// A home that wants a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) tenant: String,
    pub(crate) home: Name,
    /// Somebody waits for it.
    pub(crate) requested: bool,
    /// Which of all that ever asked.
    pub(crate) ticket: u64,
}

/// All that wait, and what their last runs took.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    platform: Option<String>,
    /// Tenants with homes that wait, in the order of their turns.
    ring: VecDeque<String>,
    /// The first of them has been credited for this turn.
    in_turn: bool,
    tenants: HashMap<String, Standing>,
    costs: HashMap<Name, Duration>,
}

#[derive(Debug, Default)]
struct Standing {
    credit: Duration,
    waiting: VecDeque<Candidate>,
    /// Places that it has.
    places: usize,
}

impl Schedule {
    /// With the name of the platform's own tenant, if it has one.
    pub(crate) fn new(platform: Option<String>) -> Self {
        Self {
            platform,
            ..Self::default()
        }
    }

    /// This home wants a place.
    pub(crate) fn ask(&mut self, candidate: Candidate) {
        let standing = self.tenants.entry(candidate.tenant.clone()).or_default();
        if standing.waiting.is_empty() {
            standing.credit = Duration::ZERO;
            self.ring.push_back(candidate.tenant.clone());
        }
        let before = |other: &Candidate| other.requested || !candidate.requested;
        let at = standing.waiting.iter().take_while(|other| before(other)).count();
        standing.waiting.insert(at, candidate);
    }

    /// It wants none any more.
    pub(crate) fn withdraw(&mut self, tenant: &str, ticket: u64) {
        if let Some(standing) = self.tenants.get_mut(tenant) {
            standing.waiting.retain(|candidate| candidate.ticket != ticket);
        }
        self.tidy(tenant);
    }

    /// Who gets one of `free` places of `all`, if anybody may have one. It has it from then on.
    pub(crate) fn next(&mut self, free: usize, all: usize) -> Option<Candidate> {
        if free == 0 {
            return None;
        }
        if let Some(platform) = self.platform.clone() {
            if self
                .tenants
                .get(&platform)
                .is_some_and(|its| !its.waiting.is_empty())
            {
                return self.grant(&platform);
            }
            let has_one = self.tenants.get(&platform).is_some_and(|its| its.places > 0);
            if free == 1 && !has_one && all > 1 {
                return None;
            }
        }
        let others_wait = self.ring.len() > 1;
        let most = if others_wait { all.div_ceil(2) } else { all };
        let open = |standing: &Standing| standing.places < most;
        if !self
            .ring
            .iter()
            .filter_map(|name| self.tenants.get(name))
            .any(open)
        {
            return None;
        }
        loop {
            let tenant = self.ring.front()?.clone();
            let cost = self.first_cost(&tenant);
            let standing = self.tenants.get_mut(&tenant)?;
            if open(standing) {
                if !self.in_turn {
                    standing.credit += QUANTUM;
                    self.in_turn = true;
                }
                if standing.credit >= cost {
                    standing.credit -= cost;
                    // its turn goes on until its credit is used up
                    return self.grant(&tenant);
                }
            }
            self.ring.rotate_left(1);
            self.in_turn = false;
        }
    }

    /// A home has left its place, which it had for so long.
    pub(crate) fn left(&mut self, tenant: &str, home: &Name, took: Duration) {
        self.costs.insert(home.clone(), took.min(MOST));
        if let Some(standing) = self.tenants.get_mut(tenant) {
            standing.places = standing.places.saturating_sub(1);
        }
        self.tidy(tenant);
    }

    /// The home is no more.
    pub(crate) fn forget(&mut self, home: &Name) {
        self.costs.remove(home);
    }

    fn first_cost(&self, tenant: &str) -> Duration {
        let first = self.tenants.get(tenant).and_then(|its| its.waiting.front());
        let known = first.and_then(|candidate| self.costs.get(&candidate.home));
        known.copied().unwrap_or(UNKNOWN)
    }

    fn grant(&mut self, tenant: &str) -> Option<Candidate> {
        let standing = self.tenants.get_mut(tenant)?;
        let candidate = standing.waiting.pop_front()?;
        standing.places += 1;
        self.tidy(tenant);
        Some(candidate)
    }

    /// A tenant that does not wait has no turn, and one without places is not remembered.
    fn tidy(&mut self, tenant: &str) {
        let Some(standing) = self.tenants.get(tenant) else {
            return;
        };
        if !standing.waiting.is_empty() {
            return;
        }
        self.in_turn &= self.ring.front().is_none_or(|first| first != tenant);
        self.ring.retain(|name| name != tenant);
        if standing.places == 0 {
            self.tenants.remove(tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn name(text: &str) -> Name {
        Name::new(text).expect("valid")
    }

    fn ask(schedule: &mut Schedule, tenant: &str, home: &str, requested: bool) {
        schedule.ask(Candidate {
            tenant: tenant.to_owned(),
            home: name(home),
            requested,
            ticket: 0,
        });
    }

    /// Lets each of `rounds` places go as soon as it was given, after what the home needs.
    fn starts(
        schedule: &mut Schedule,
        rounds: usize,
        takes: impl Fn(&Name) -> Duration,
    ) -> BTreeMap<String, usize> {
        let mut starts = BTreeMap::new();
        for _ in 0..rounds {
            let Some(next) = schedule.next(1, 1) else { break };
            *starts.entry(next.tenant.clone()).or_default() += 1;
            schedule.left(&next.tenant, &next.home, takes(&next.home));
            schedule.ask(next);
        }
        starts
    }

    #[test]
    fn a_tenant_with_many_homes_has_as_many_turns_as_one_with_a_single_home() {
        let mut schedule = Schedule::default();
        for number in 0..50 {
            ask(&mut schedule, "large", &format!("large-{number}"), false);
        }
        ask(&mut schedule, "small", "small", false);
        let starts = starts(&mut schedule, 200, |_| Duration::from_millis(500));
        assert!(starts["large"].abs_diff(starts["small"]) <= 2, "{starts:?}");
    }

    #[test]
    fn a_tenant_whose_runs_are_ten_times_as_long_starts_a_tenth_as_many() {
        let mut schedule = Schedule::default();
        ask(&mut schedule, "slow", "slow", false);
        ask(&mut schedule, "fast", "fast", false);
        let takes = |home: &Name| Duration::from_millis(if home.as_str() == "slow" { 5000 } else { 500 });
        let starts = starts(&mut schedule, 220, takes);
        assert!((15..=25).contains(&starts["slow"]), "{starts:?}");
    }

    #[test]
    fn nobody_has_more_than_half_of_the_places_while_others_wait() {
        let mut schedule = Schedule::default();
        for number in 0..8 {
            ask(&mut schedule, "a", &format!("a-{number}"), false);
        }
        let alone: Vec<_> = (0..8).filter_map(|n| schedule.next(8 - n, 8)).collect();
        assert_eq!(alone.len(), 8, "nobody else wants one");
        for next in alone {
            schedule.left("a", &next.home, QUANTUM);
            schedule.ask(next);
        }
        ask(&mut schedule, "b", "b-0", false);
        ask(&mut schedule, "b", "b-1", false);
        ask(&mut schedule, "c", "c-0", false);
        let first: Vec<_> = (0..7).filter_map(|n| schedule.next(8 - n, 8)).collect();
        let of = |tenant: &str| first.iter().filter(|next| next.tenant == tenant).count();
        assert_eq!((of("b"), of("c"), of("a")), (2, 1, 4));
    }

    #[test]
    fn what_was_asked_for_goes_first_within_its_tenant_only() {
        let mut schedule = Schedule::default();
        ask(&mut schedule, "a", "a-0", false);
        ask(&mut schedule, "b", "b-0", false);
        ask(&mut schedule, "b", "b-1", true);
        ask(&mut schedule, "b", "b-2", true);
        let order: Vec<_> = std::iter::from_fn(|| schedule.next(9, 9))
            .map(|next| next.home.to_string())
            .collect();
        assert_eq!(order, ["a-0", "b-1", "b-2", "b-0"]);
    }

    #[test]
    fn one_place_is_kept_for_the_platform_which_goes_first() {
        let mut schedule = Schedule::new(Some("platform".to_owned()));
        ask(&mut schedule, "a", "a-0", false);
        ask(&mut schedule, "a", "a-1", false);
        assert!(schedule.next(2, 2).is_some());
        assert_eq!(schedule.next(1, 2), None, "the last one is the platform's");
        ask(&mut schedule, "platform", "p-0", false);
        ask(&mut schedule, "platform", "p-1", false);
        assert_eq!(schedule.next(1, 2).map(|next| next.home), Some(name("p-0")));
        schedule.left("a", &name("a-0"), QUANTUM);
        assert_eq!(schedule.next(1, 2).map(|next| next.home), Some(name("p-1")));
    }

    #[test]
    fn whoever_withdraws_is_passed_over_and_nothing_is_kept_of_it() {
        let mut schedule = Schedule::default();
        ask(&mut schedule, "a", "a-0", false);
        schedule.withdraw("a", 0);
        assert!(schedule.ring.is_empty() && schedule.tenants.is_empty());
        assert_eq!(schedule.next(1, 1), None);
    }
}

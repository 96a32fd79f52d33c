//! How often something may happen, with room for a burst: one number, no timer.
//!
//! Each time moves a mark into the future; while the mark is further ahead than the burst allows, it is too soon.

/// A rate, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// What one time costs.
    pub(crate) every: i64,
    /// How far ahead the mark may be.
    pub(crate) burst: i64,
}

/// What has been used of a rate: the mark, in milliseconds since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used(i64);

impl Used {
    /// From when on it may happen again.
    pub(crate) const fn open_at(self, rate: Rate) -> i64 {
        self.0.saturating_sub(rate.burst)
    }

    /// It happens now, and costs so much.
    pub(crate) fn add(&mut self, now: i64, cost: i64) {
        self.0 = self.0.max(now).saturating_add(cost);
    }
}

use std::cell::Cell;

use jiff::Timestamp;

use crate::{Map, Value};

/// What a run sees of the world.
pub trait Environment {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Fills a buffer with random bytes, good enough for keys.
    fn random(&self, buffer: &mut [u8]);

    /// What the function `lookup` gives: an object, a list of them, or an empty map.
    ///
    /// # Errors
    /// What went wrong, as the template's author shall read it.
    fn lookup(&self, request: &Lookup<'_>) -> Result<Value, String> {
        let _ = request;
        Ok(Map::new().into())
    }
}

/// What `lookup` asks for; empty strings stand for all namespaces and for all names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookup<'a> {
    /// Group and version.
    pub api_version: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// The namespace.
    pub namespace: &'a str,
    /// The name.
    pub name: &'a str,
}

/// A world for tests: the clock stands still, and the same seed gives the same numbers.
#[derive(Debug)]
pub struct Seeded {
    state: Cell<u64>,
    now: Timestamp,
}

impl Seeded {
    /// A world at the start of 1970.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self::at(seed, Timestamp::UNIX_EPOCH)
    }

    /// A world at a time.
    #[must_use]
    pub const fn at(seed: u64, now: Timestamp) -> Self {
        Self {
            state: Cell::new(seed),
            now,
        }
    }
}

impl Environment for Seeded {
    fn now(&self) -> Timestamp {
        self.now
    }

    /// SplitMix64: good for tests, not for keys.
    fn random(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let state = self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            self.state.set(state);
            let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let bytes = (z ^ (z >> 31)).to_le_bytes();
            chunk.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        }
    }
}

//! What a build has cost so far. Everything that copies or loops over what a repository brings asks here.

use std::cell::Cell;
use std::ops::Deref;
use std::time::Instant;

use serde_json::Value;

use crate::{Budget, Error, Reason};

/// Lists and mappings inside each other; what recurses over objects relies on it.
pub(crate) const LEVELS: usize = 200;

/// What a node takes besides its text, in bytes.
const NODE: u64 = 64;

/// Steps between two looks at the clock.
const STEPS: u32 = 64;

/// What may be copied before the objects are weighed again.
const SLACK: u64 = 16 << 20;

/// The costs of one build.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Budget,
    started: Instant,
    /// Bytes that the objects take at most.
    held: Cell<u64>,
    /// Bytes of output.
    written: Cell<u64>,
    steps: Cell<u32>,
}

impl Meter {
    pub(crate) fn new(budget: Budget) -> Self {
        Self {
            budget,
            started: Instant::now(),
            held: Cell::new(0),
            written: Cell::new(0),
            steps: Cell::new(0),
        }
    }

    /// Fails once the time is used up.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.started.elapsed() > self.budget.time {
            return Err(exceeded(MILLISECONDS, self.budget.time.as_millis()));
        }
        Ok(())
    }

    /// The same for short steps: it looks at the clock now and then.
    pub(crate) fn step(&self) -> Result<(), Error> {
        let steps = self.steps.get() + 1;
        if steps < STEPS {
            self.steps.set(steps);
            return Ok(());
        }
        self.steps.set(0);
        self.check()
    }

    pub(crate) fn objects(&self, count: usize) -> Result<(), Error> {
        if count > self.budget.objects {
            return Err(exceeded("objects", self.budget.objects as u128));
        }
        self.check()
    }

    /// Takes `bytes` more for objects.
    pub(crate) fn take(&self, bytes: usize) -> Result<(), Error> {
        self.held.set(self.held.get().saturating_add(bytes as u64));
        if self.held.get() > self.budget.memory {
            return Err(exceeded("bytes of objects", u128::from(self.budget.memory)));
        }
        self.step()
    }

    /// Takes what a text grows by.
    pub(crate) fn grow(&self, old: usize, new: usize) -> Result<(), Error> {
        self.take(new.saturating_sub(old))
    }

    /// Takes so many values, their texts apart.
    pub(crate) fn values(&self, count: usize) -> Result<(), Error> {
        self.take(count.saturating_mul(2 * NODE as usize))
    }

    /// Takes a new member of a mapping, its value apart.
    pub(crate) fn member(&self, name: &str) -> Result<(), Error> {
        self.take(2 * NODE as usize + name.len())
    }

    /// Whether a value may stand `depth` levels deep.
    pub(crate) fn fits(&self, value: &Value, depth: usize) -> Result<(), Error> {
        self.step()?;
        levels_fit(depth.saturating_add(weigh(value).1))
    }

    /// Takes the memory of a value that is put `depth` levels deep.
    pub(crate) fn value(&self, value: &Value, depth: usize) -> Result<(), Error> {
        let (bytes, levels) = weigh(value);
        levels_fit(depth.saturating_add(levels))?;
        self.take(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Takes what an object comes to as text: indentation may make it much larger than it is itself.
    /// [`written`] says how much that is.
    pub(crate) fn output(&self, bytes: u64) -> Result<(), Error> {
        self.check()?;
        let bytes = self.written.get().saturating_add(bytes);
        self.written.set(bytes);
        if bytes > self.budget.memory {
            return Err(exceeded("bytes of output", u128::from(self.budget.memory)));
        }
        Ok(())
    }

    /// Starts on steps of which each may replace what another has put; [`Scale::settle`] notices.
    pub(crate) const fn scale(&self) -> Scale {
        Scale {
            base: self.held.get(),
            weight: None,
        }
    }

    /// Gives back what was taken since `scale` was made, all of it.
    pub(crate) fn give_back(&self, scale: &Scale) {
        self.held.set(scale.base);
    }
}

/// What the objects at hand weighed, and what was held then. They are weighed once much was copied only.
pub(crate) struct Scale {
    base: u64,
    weight: Option<u64>,
}

impl Scale {
    /// Weighs the objects again if much was copied, and gives back what was replaced.
    pub(crate) fn settle<V: Deref<Target = Value>>(
        &mut self,
        meter: &Meter,
        values: impl Iterator<Item = V>,
    ) {
        if meter.held.get().saturating_sub(self.base) < SLACK {
            return;
        }
        let weight = values.map(|v| weigh(&v).0).sum();
        self.base = match self.weight {
            Some(before) => self.base.saturating_sub(before).saturating_add(weight),
            // What was there before the first copies is not known.
            None => meter.held.get(),
        };
        self.weight = Some(weight);
        meter.held.set(self.base);
    }
}

/// What is used up where a build takes too long.
pub(crate) const MILLISECONDS: &str = "milliseconds";

pub(crate) fn exceeded(what: &'static str, limit: u128) -> Error {
    Error::new(Reason::Budget {
        what,
        limit: u64::try_from(limit).unwrap_or(u64::MAX),
    })
}

/// Whether something may stand that deep in an object.
pub(crate) fn levels_fit(levels: usize) -> Result<(), Error> {
    if levels > LEVELS {
        return Err(exceeded("levels", LEVELS as u128));
    }
    Ok(())
}

/// About the bytes that a value takes, and its levels.
fn weigh(value: &Value) -> (u64, usize) {
    let all = |parts: &mut dyn Iterator<Item = (u64, usize)>| {
        let sum = parts.fold((NODE, 0), |(bytes, levels), (b, l)| (bytes + b, levels.max(l)));
        (sum.0, sum.1 + 1)
    };
    match value {
        Value::String(text) => (NODE + text.len() as u64, 0),
        Value::Array(items) => all(&mut items.iter().map(weigh)),
        Value::Object(map) => all(&mut map.iter().map(|(key, value)| {
            let (bytes, levels) = weigh(value);
            (bytes + NODE + key.len() as u64, levels)
        })),
        _ => (NODE, 0),
    }
}

/// About the bytes that a value comes to as YAML.
pub(crate) fn written(value: &Value, indent: u64) -> u64 {
    match value {
        Value::String(text) => text.len() as u64 + 3,
        Value::Array(items) => items.iter().map(|v| indent + 3 + written(v, indent + 2)).sum(),
        Value::Object(map) => map
            .iter()
            .map(|(key, v)| indent + 3 + key.len() as u64 + written(v, indent + 2))
            .sum(),
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_replaced_is_given_back() {
        let meter = Meter::new(Budget {
            memory: 5 * SLACK,
            ..Budget::default()
        });
        let big = json!("x".repeat(2 * usize::try_from(SLACK).expect("small")));
        let mut scale = meter.scale();
        for _ in 0..10 {
            meter.value(&big, 0).expect("only one is kept");
            scale.settle(&meter, [&big].into_iter());
        }
        meter.value(&big, 0).expect("one more fits");
        assert!(meter.value(&big, 0).is_err());
    }

    #[test]
    fn time_and_depth_end() {
        let budget = Budget {
            time: Duration::ZERO,
            ..Budget::default()
        };
        assert!(Meter::new(budget).check().is_err());
        let meter = Meter::new(Budget::default());
        assert!(meter.value(&json!([[1]]), LEVELS - 2).is_ok());
        assert!(meter.value(&json!([[1]]), LEVELS - 1).is_err());
    }
}

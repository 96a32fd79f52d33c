//! Letting go of values that hold values, a million levels deep, on a small stack.

use std::cell::{Cell, RefCell};

use super::Value;

/// Levels that are let go of by plain recursion.
const PLAIN: u32 = 32;

thread_local! {
    static LEVEL: Cell<u32> = const { Cell::new(0) };
    static LATER: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
}

/// Drops values; those at great depth once the recursion is back at the top.
pub(super) fn release(values: impl Iterator<Item = Value>) {
    let level = LEVEL.try_with(Cell::get).unwrap_or(PLAIN);
    if level >= PLAIN {
        let nested: Vec<Value> = values.filter(holds).collect();
        // While a thread ends the queue may be gone; then there is nothing better than recursion.
        let _ = LATER.try_with(|later| later.borrow_mut().extend(nested));
        return;
    }
    let _ = LEVEL.try_with(|l| l.set(level + 1));
    values.for_each(drop);
    let _ = LEVEL.try_with(|l| l.set(level));
    if level == 0 {
        while let Ok(Some(next)) = LATER.try_with(|later| later.borrow_mut().pop()) {
            let _ = LEVEL.try_with(|l| l.set(1));
            drop(next);
            let _ = LEVEL.try_with(|l| l.set(0));
        }
    }
}

const fn holds(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Map(_) | Value::Object(_))
}

#[cfg(test)]
mod tests {
    use crate::value::{Map, Value};

    #[test]
    fn a_million_levels_go_without_a_deep_stack() {
        let mut map = Map::new();
        for i in 0..1_000_000 {
            let outer = Map::new();
            if i % 2 == 0 {
                outer.insert("in", map);
            } else {
                outer.insert("in", vec![Value::from(map), Value::Nil]);
            }
            map = outer;
        }
        drop(map);
    }
}

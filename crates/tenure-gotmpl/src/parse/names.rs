use std::collections::HashSet;

use crate::value::Str;

/// Names that templates use again and again, kept once.
#[derive(Default)]
pub(crate) struct Names(HashSet<Str>);

impl Names {
    pub(super) fn get(&mut self, bytes: &[u8]) -> Str {
        if let Some(name) = self.0.get(bytes) {
            return name.clone();
        }
        let name: Str = bytes.into();
        self.0.insert(name.clone());
        name
    }
}

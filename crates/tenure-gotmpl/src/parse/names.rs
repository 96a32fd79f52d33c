use std::collections::HashSet;
use std::sync::Arc;

use crate::value::Str;

/// Names, and chains of names, that templates use again and again, kept once.
#[derive(Default)]
pub(crate) struct Names {
    names: HashSet<Str>,
    chains: HashSet<Arc<[Str]>>,
}

impl Names {
    pub(super) fn get(&mut self, bytes: &[u8]) -> Str {
        if let Some(name) = self.names.get(bytes) {
            return name.clone();
        }
        let name: Str = bytes.into();
        self.names.insert(name.clone());
        name
    }

    pub(super) fn chain(&mut self, names: &[Str]) -> Arc<[Str]> {
        if let Some(chain) = self.chains.get(names) {
            return Arc::clone(chain);
        }
        let chain: Arc<[Str]> = names.into();
        self.chains.insert(Arc::clone(&chain));
        chain
    }
}

use std::collections::HashMap;
use std::sync::Arc;

use crate::parse::Tree;

/// The templates that can be called: those of the set, and those that texts given to `tpl` define.
pub(crate) struct Scope<'s> {
    set: &'s HashMap<String, Arc<Tree>>,
    own: HashMap<String, Arc<Tree>>,
    outer: Option<&'s Self>,
}

impl<'s> Scope<'s> {
    pub(crate) fn new(set: &'s HashMap<String, Arc<Tree>>) -> Self {
        Self {
            set,
            own: HashMap::new(),
            outer: None,
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Tree>> {
        let mut scope = Some(self);
        while let Some(at) = scope {
            if let Some(tree) = at.own.get(name) {
                return Some(Arc::clone(tree));
            }
            scope = at.outer;
        }
        self.set.get(name).cloned()
    }

    /// The templates of one more text, of which the last is the text itself, inside this scope.
    pub(crate) fn with<'a>(&'a self, trees: &[Arc<Tree>]) -> Option<(Arc<Tree>, Scope<'a>)> {
        let main = trees.last()?;
        let own = trees
            .iter()
            .filter(|tree| !tree.is_empty() || self.find(&tree.name).is_none())
            .map(|tree| (tree.name.clone(), Arc::clone(tree)))
            .collect();
        let inner = Scope {
            set: self.set,
            own,
            outer: Some(self),
        };
        Some((Arc::clone(main), inner))
    }
}

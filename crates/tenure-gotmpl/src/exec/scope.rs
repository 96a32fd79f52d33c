use std::collections::HashMap;
use std::sync::Arc;

use crate::parse::Tree;

/// Most templates that are looked through one by one.
const FEW: usize = 8;

/// The templates that can be called: those of the set, and those that texts given to `tpl` define.
pub(crate) struct Scope<'s> {
    set: &'s HashMap<String, Arc<Tree>>,
    own: Own<'s>,
    outer: Option<&'s Self>,
}

/// What one text defines. Of two templates of a name the later one counts.
enum Own<'s> {
    Few(&'s [Arc<Tree>]),
    Many(HashMap<&'s str, &'s Arc<Tree>>),
}

impl<'s> Scope<'s> {
    pub(crate) fn new(set: &'s HashMap<String, Arc<Tree>>) -> Self {
        Self {
            set,
            own: Own::Few(&[]),
            outer: None,
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Tree>> {
        let mut scope = Some(self);
        while let Some(at) = scope {
            let own = match &at.own {
                Own::Few(trees) => trees.iter().rev().find(|tree| tree.name == name),
                Own::Many(trees) => trees.get(name).copied(),
            };
            if own.is_some() {
                return own;
            }
            scope = at.outer;
        }
        self.set.get(name)
    }

    /// The templates of one more text, of which the last is the text itself, inside this scope.
    pub(crate) fn with<'a>(&'a self, trees: &'a [Arc<Tree>]) -> Option<(&'a Arc<Tree>, Scope<'a>)> {
        let main = trees.last()?;
        let counts = |tree: &&Arc<Tree>| !tree.is_empty() || self.find(&tree.name).is_none();
        let own = if trees.len() <= FEW && trees.iter().all(|tree| counts(&tree)) {
            Own::Few(trees)
        } else {
            let kept = trees.iter().filter(counts);
            Own::Many(kept.map(|tree| (tree.name.as_str(), tree)).collect())
        };
        let inner = Scope {
            set: self.set,
            own,
            outer: Some(self),
        };
        Some((main, inner))
    }
}

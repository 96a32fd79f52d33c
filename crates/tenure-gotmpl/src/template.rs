use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::environment::Environment;
use crate::error::{Error, ParseError};
use crate::exec::{Item, ROOT, Run, Scope, execute, no_template};
use crate::limits::Limits;
use crate::parse::{self, Tree};
use crate::value::{Str, Value};

/// A set of parsed templates that can call each other.
#[derive(Default)]
pub struct Templates {
    trees: HashMap<String, Arc<Tree>>,
    texts: Texts,
    strict: bool,
}

impl Templates {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a missing key of a map an error instead of a missing value.
    #[must_use]
    pub const fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Parses a text under a name, together with the templates that it defines.
    ///
    /// As in Go, a later definition replaces an earlier one unless it is blank.
    ///
    /// # Errors
    /// If the text is no template. The set stays as it was.
    pub fn parse(&mut self, name: &str, text: impl AsRef<[u8]>) -> Result<(), ParseError> {
        self.texts.count();
        for tree in parse::parse(name, text.as_ref())? {
            if !tree.is_empty() || !self.trees.contains_key(&tree.name) {
                self.trees.insert(tree.name.clone(), Arc::new(tree));
            }
        }
        Ok(())
    }

    /// How many texts were parsed for this set so far, those that runs gave to `tpl` included. A text that was
    /// parsed before counts once.
    #[must_use]
    pub fn parsed(&self) -> u64 {
        self.texts.parsed.load(Ordering::Relaxed)
    }

    /// Whether a template of this name is there.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.trees.contains_key(name)
    }

    /// Starts a run.
    #[must_use]
    pub fn session<'a>(&'a self, world: &'a dyn Environment, limits: Limits) -> Session<'a> {
        Session {
            templates: self,
            run: Run::new(world, limits, &self.texts, self.strict),
        }
    }
}

/// A run over a set of templates, with one budget for all that it executes.
///
/// Maps that templates change stay changed for the rest of the session. When it ends they are emptied, as
/// they may refer to themselves by then: what a run is given is the run's.
pub struct Session<'a> {
    templates: &'a Templates,
    run: Run<'a>,
}

impl Session<'_> {
    /// Executes a template with `data` as its dot.
    ///
    /// # Errors
    /// At the first thing Go's engine would stop at, and when a limit is reached.
    pub fn execute(&mut self, name: &str, data: &Value) -> Result<Str, Error> {
        let tree = self
            .templates
            .trees
            .get(name)
            .ok_or_else(|| no_template(&name.into()))?;
        let scope = Scope::new(&self.templates.trees);
        let mut out = Vec::new();
        self.run.begin();
        execute(&mut self.run, &scope, tree, Item::plain(data.clone()), &mut out)?;
        Ok(out.into())
    }
}

/// Most texts that are remembered, and most bytes of them.
const MOST_TEXTS: usize = 4096;
const MOST_BYTES: usize = 16 << 20;

/// The texts that `tpl` was given, parsed.
#[derive(Default)]
pub(crate) struct Texts {
    known: Mutex<Known>,
    parsed: AtomicU64,
}

#[derive(Default)]
struct Known {
    parsed: HashMap<Str, Arc<[Arc<Tree>]>>,
    bytes: usize,
}

impl Texts {
    fn count(&self) {
        self.parsed.fetch_add(1, Ordering::Relaxed);
    }

    /// The templates of a text, the text itself last.
    pub(crate) fn parse(&self, text: &Str) -> Result<Arc<[Arc<Tree>]>, ParseError> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trees) = lock().parsed.get(text) {
            return Ok(Arc::clone(trees));
        }
        self.count();
        let mut trees: Vec<_> = parse::parse(ROOT, text.as_bytes())?
            .into_iter()
            .map(Arc::new)
            .collect();
        trees.sort_by_key(|tree| tree.name == ROOT);
        let trees: Arc<[_]> = trees.into();
        let mut known = lock();
        if known.parsed.len() >= MOST_TEXTS || known.bytes + text.len() > MOST_BYTES {
            *known = Known::default();
        }
        if text.len() <= MOST_BYTES {
            known.bytes += text.len();
            known.parsed.insert(text.clone(), Arc::clone(&trees));
        }
        Ok(trees)
    }
}

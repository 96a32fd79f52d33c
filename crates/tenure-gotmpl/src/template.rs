use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value as Json;

use crate::environment::Environment;
use crate::error::{Error, ParseError};
use crate::exec::{Item, ROOT, Run, Scope, execute, no_template};
use crate::limits::Limits;
use crate::parse::{self, Names, Source, Tree};
use crate::value::{Frozen, Str, Value};

/// A set of parsed templates that can call each other.
#[derive(Default)]
pub struct Templates {
    trees: HashMap<String, Arc<Tree>>,
    /// What each text came to: charts bring the same files in many copies.
    known: HashMap<Str, Vec<Arc<Tree>>>,
    names: Names,
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
    pub fn parse(&mut self, name: &str, text: impl Into<Str>) -> Result<(), ParseError> {
        for tree in self.trees_of(name, text.into())? {
            if !tree.is_empty() || !self.trees.contains_key(&tree.name) {
                self.trees.insert(tree.name.clone(), tree);
            }
        }
        Ok(())
    }

    fn trees_of(&mut self, name: &str, text: Str) -> Result<Vec<Arc<Tree>>, ParseError> {
        let known = self.known.get(&text);
        if let Some(known) = known.filter(|known| known.iter().all(|tree| tree.name != name)) {
            return Ok(under(name, known));
        }
        self.texts.count();
        let trees = parse::parse(name, &text, &mut self.names)?;
        let trees: Vec<_> = trees.into_iter().map(Arc::new).collect();
        self.known.insert(text, trees.clone());
        Ok(trees)
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

/// The same trees as of a text of another name.
fn under(name: &str, known: &[Arc<Tree>]) -> Vec<Arc<Tree>> {
    let Some(first) = known.first() else {
        return Vec::new();
    };
    let source = Arc::new(Source {
        name: name.to_owned(),
        text: first.source.text.clone(),
    });
    let tree = |known: &Arc<Tree>| {
        let is_text = known.name == known.source.name;
        Arc::new(Tree {
            name: if is_text {
                name.to_owned()
            } else {
                known.name.clone()
            },
            source: Arc::clone(&source),
            root: Arc::clone(&known.root),
        })
    };
    known.iter().map(tree).collect()
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
        self.print(name, data).map(Str::from)
    }

    /// The same as bytes, for a caller that has another use for them.
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn print(&mut self, name: &str, data: &Value) -> Result<Vec<u8>, Error> {
        let tree = self
            .templates
            .trees
            .get(name)
            .ok_or_else(|| no_template(&name.into()))?;
        let scope = Scope::new(&self.templates.trees);
        let mut out = Vec::new();
        self.run.begin();
        execute(&mut self.run, &scope, tree, Item::plain(data.clone()), &mut out)?;
        Ok(out)
    }
}

/// Texts of data that are remembered: small ones, which templates hand to each other again and again.
const SMALL: usize = 4 << 10;
const MOST_DATA: usize = 1 << 20;

/// Most texts that are remembered, and most bytes of them.
const MOST_TEXTS: usize = 4096;
const MOST_BYTES: usize = 16 << 20;

/// The texts that `tpl` was given, parsed.
#[derive(Default)]
pub(crate) struct Texts {
    known: Mutex<Known>,
    data: Mutex<Data>,
    parsed: AtomicU64,
}

/// What texts of data came to.
#[derive(Default)]
struct Data {
    read: HashMap<Str, Arc<Frozen>>,
    bytes: usize,
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

    /// What a text of data says, read now unless it was before.
    pub(crate) fn read(&self, text: &Str, read: fn(&[u8]) -> Result<Json, String>) -> Result<Value, String> {
        let lock = || self.data.lock().unwrap_or_else(PoisonError::into_inner);
        let known = (text.len() <= SMALL).then(|| lock().read.get(text).cloned());
        if let Some(Some(value)) = known {
            return Ok(value.thaw());
        }
        let json = read(text.as_bytes())?;
        if text.len() > SMALL {
            return Ok(Value::from_json(&json));
        }
        let value = Arc::new(Frozen::from_json(&json));
        // Aliases make much of a small text.
        let bytes = text.len() + value.size();
        if bytes <= MOST_DATA / 16 {
            let mut data = lock();
            if data.bytes + bytes > MOST_DATA {
                *data = Data::default();
            }
            data.bytes += bytes;
            data.read.insert(text.clone(), Arc::clone(&value));
        }
        Ok(value.thaw())
    }

    /// The templates of a text, the text itself last.
    pub(crate) fn parse(&self, text: &Str) -> Result<Arc<[Arc<Tree>]>, ParseError> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trees) = lock().parsed.get(text) {
            return Ok(Arc::clone(trees));
        }
        self.count();
        let mut trees: Vec<_> = parse::parse(ROOT, text, &mut Names::default())?
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

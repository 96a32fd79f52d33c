use crate::environment::Environment;
use crate::error::{Error, ParseError};
use crate::limits::Limits;
use crate::value::{Str, Value};

/// A set of parsed templates that can call each other.
#[derive(Default)]
pub struct Templates {}

impl Templates {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses a text under a name, together with the templates that it defines.
    ///
    /// As in Go, a later definition replaces an earlier one unless it is blank.
    ///
    /// # Errors
    /// If the text is no template. The set stays as it was.
    pub fn parse(&mut self, name: &str, text: impl AsRef<[u8]>) -> Result<(), ParseError> {
        let _ = (name, text.as_ref());
        Ok(())
    }

    /// Whether a template of this name is there.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// Starts a run.
    #[must_use]
    pub fn session<'a>(&'a self, world: &'a dyn Environment, limits: Limits) -> Session<'a> {
        let _ = (world, limits);
        Session { templates: self }
    }
}

/// A run over a set of templates, with one budget for all that it executes.
///
/// Maps that templates change stay changed for the rest of the session. When it ends they are emptied, as
/// they may refer to themselves by then: what a run is given is the run's.
pub struct Session<'a> {
    templates: &'a Templates,
}

impl Session<'_> {
    /// Executes a template with `data` as its dot.
    ///
    /// # Errors
    /// At the first thing Go's engine would stop at, and when a limit is reached.
    pub fn execute(&mut self, name: &str, data: &Value) -> Result<Str, Error> {
        let _ = (self.templates, data);
        Err(Error::plain(format!(
            "template: no template {name:?} associated with template \"gotpl\""
        )))
    }
}

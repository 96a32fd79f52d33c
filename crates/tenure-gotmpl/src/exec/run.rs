use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use super::{Item, Scope};
use crate::environment::Environment;
use crate::error::Error;
use crate::limits::{Limits, Stack};
use crate::template::Texts;
use crate::value::{List, Map, Str, Value};

/// What the template is called that all others belong to.
pub(crate) const ROOT: &str = "gotpl";

/// Steps between two looks at the clock.
const STEPS_PER_LOOK: u64 = 512;

/// How much is kept to be used again: so many lists and texts, of so many items and bytes at most.
const SPARE: usize = 32;
const SPARE_ITEMS: usize = 64;
const SPARE_BYTES: usize = 64 << 10;

/// What all executions of a session share.
pub(crate) struct Run<'r> {
    pub(crate) world: &'r dyn Environment,
    pub(crate) limits: Limits,
    pub(crate) texts: &'r Texts,
    pub(crate) strict: bool,
    /// Compiled regular expressions.
    pub(crate) expressions: RefCell<HashMap<Str, Rc<crate::golang::regexp::Regexp>>>,
    steps: u64,
    output: usize,
    memory: usize,
    depth: u32,
    included: HashMap<Str, u32>,
    stack: Stack,
    /// Maps that templates changed: they may be part of circles.
    changed: Vec<Map>,
    /// Empty lists of arguments and empty texts that were in use before: calls are many, and most are small.
    lists: Vec<Vec<Value>>,
    texts_out: Vec<Vec<u8>>,
}

impl<'r> Run<'r> {
    pub(crate) fn new(world: &'r dyn Environment, limits: Limits, texts: &'r Texts, strict: bool) -> Self {
        Self {
            world,
            texts,
            strict,
            expressions: RefCell::default(),
            steps: 0,
            output: 0,
            memory: 0,
            depth: 0,
            included: HashMap::new(),
            stack: Stack::here(limits.stack),
            changed: Vec::new(),
            lists: Vec::new(),
            texts_out: Vec::new(),
            limits,
        }
    }

    /// Starts an execution from here: the stack counts from here, the budgets go on.
    pub(crate) fn begin(&mut self) {
        self.stack = Stack::here(self.limits.stack);
    }

    /// An empty list for arguments.
    pub(crate) fn take_list(&mut self) -> Vec<Value> {
        self.lists.pop().unwrap_or_default()
    }

    /// Takes such a list back.
    pub(crate) fn give_back(&mut self, mut list: Vec<Value>) {
        list.clear();
        if list.capacity() <= SPARE_ITEMS && self.lists.len() < SPARE {
            self.lists.push(list);
        }
    }

    /// What a template prints, as a value of its own.
    fn text_of(
        &mut self,
        print: impl FnOnce(&mut Self, &mut Vec<u8>) -> Result<(), Error>,
        finish: fn(&[u8]) -> Str,
    ) -> Result<Value, Error> {
        let mut out = self.texts_out.pop().unwrap_or_default();
        self.enter()?;
        let result = print(self, &mut out);
        self.leave();
        self.output = self.output.saturating_sub(out.len());
        let text = result.map(|()| Value::String(finish(&out)));
        out.clear();
        if out.capacity() <= SPARE_BYTES && self.texts_out.len() < SPARE {
            self.texts_out.push(out);
        }
        text
    }

    pub(crate) fn step(&mut self) -> Result<(), Error> {
        self.steps(1)
    }

    /// Counts work that takes as long as so many nodes.
    pub(crate) fn steps(&mut self, count: u64) -> Result<(), Error> {
        let before = self.steps;
        self.steps = self.steps.saturating_add(count);
        if self.steps > self.limits.steps {
            return Err(Error::limit(format!("more than {} steps", self.limits.steps)));
        }
        if before / STEPS_PER_LOOK != self.steps / STEPS_PER_LOOK
            && self
                .limits
                .deadline
                .is_some_and(|deadline| Instant::now() > deadline)
        {
            return Err(Error::limit("out of time"));
        }
        self.check_stack()
    }

    fn check_stack(&self) -> Result<(), Error> {
        if !self.stack.has_room() {
            return Err(Error::limit("templates are nested too deeply"));
        }
        Ok(())
    }

    pub(crate) fn charge_output(&mut self, bytes: usize) -> Result<(), Error> {
        self.output = self.output.saturating_add(bytes);
        if self.output > self.limits.output {
            return Err(Error::limit(format!(
                "more than {} bytes of output",
                self.limits.output
            )));
        }
        Ok(())
    }

    /// Counts bytes that a function is about to make.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), Error> {
        self.memory = self.memory.saturating_add(bytes);
        if self.memory > self.limits.memory {
            return Err(Error::limit(format!(
                "more than {} bytes of values",
                self.limits.memory
            )));
        }
        Ok(())
    }

    /// Counts what a function made.
    pub(crate) fn charge_value(&mut self, value: &Value) -> Result<(), Error> {
        match value {
            Value::String(text) | Value::Bytes(text) => {
                self.steps(u64::try_from(text.len() / 256).unwrap_or(u64::MAX))?;
                self.charge(text.len())
            }
            Value::List(list) => self.charge(list.len().saturating_mul(size_of::<Value>())),
            _ => self.charge(size_of::<Value>()),
        }
    }

    /// The longest text that may still be made: none has to be longer than all that is put out, and making it
    /// takes time, too.
    pub(crate) fn text_limit(&self) -> usize {
        const BYTES_PER_STEP: u64 = 16;
        let steps = self.limits.steps.saturating_sub(self.steps);
        let bytes = usize::try_from(steps.saturating_mul(BYTES_PER_STEP)).unwrap_or(usize::MAX);
        bytes
            .min(self.limits.output)
            .min(self.limits.memory.saturating_sub(self.memory))
    }

    pub(crate) fn enter(&mut self) -> Result<(), Error> {
        if self.depth >= self.limits.depth {
            return Err(Error::limit(format!(
                "exceeded maximum template depth ({})",
                self.limits.depth
            )));
        }
        self.depth += 1;
        self.check_stack()
    }

    pub(crate) const fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Notes that templates write to a map something that may refer back to it.
    pub(crate) fn changed(&mut self, map: &Map, value: &Value) {
        if matches!(value, Value::Map(_) | Value::List(_) | Value::Object(_))
            && !self.changed.last().is_some_and(|last| last.same(map))
        {
            self.changed.push(map.clone());
        }
    }

    /// `include`: the output of another template as a string.
    pub(crate) fn include(&mut self, scope: &Scope<'_>, name: &Str, data: Value) -> Result<Value, Error> {
        let count = match self.included.get_mut(name) {
            Some(count) => count,
            None => self.included.entry(name.clone()).or_default(),
        };
        if *count > self.limits.includes {
            return Err(Error::around(
                format!("rendering template has a nested reference name: {name}: "),
                Error::plain("unable to execute template"),
            ));
        }
        *count += 1;
        let result = self.included_text(scope, name, data);
        if let Some(count) = self.included.get_mut(name) {
            *count -= 1;
        }
        result
    }

    fn included_text(&mut self, scope: &Scope<'_>, name: &Str, data: Value) -> Result<Value, Error> {
        let tree = scope.find(&name.to_str()).ok_or_else(|| no_template(name))?;
        self.text_of(
            |run, out| super::execute(run, scope, tree, Item::plain(data), out),
            |out| out.into(),
        )
    }

    /// `tpl`: a text as a template, which sees the templates around it and those it defines itself.
    pub(crate) fn tpl(&mut self, scope: &Scope<'_>, text: &Str, data: Value) -> Result<Value, Error> {
        let quoted = || crate::golang::quote::quote(text.as_bytes());
        let trees = self.texts.parse(text).map_err(|error| {
            Error::around(
                format!("cannot parse template {}: ", quoted()),
                Error::plain(error.to_string()),
            )
        })?;
        let Some((tree, inner)) = scope.with(&trees) else {
            return Ok(Value::empty_string());
        };
        let mut entered = false;
        let text = self.text_of(
            |run, out| {
                entered = true;
                super::execute(run, &inner, tree, Item::plain(data), out)
            },
            |out| crate::helm::shortened(out).map_or_else(|| out.into(), Str::from),
        );
        match text {
            Err(error) if entered => Err(Error::around(
                format!("error during tpl function execution for {}: ", quoted()),
                error,
            )),
            other => other,
        }
    }
}

/// The error for a name that no template has.
pub(crate) fn no_template(name: &Str) -> Error {
    let name = crate::golang::quote::quote(name.as_bytes());
    Error::plain(format!(
        "template: no template {name} associated with template \"{ROOT}\""
    ))
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.changed.iter().for_each(Map::clear);
    }
}

/// Keeps lists made in a function within the budget.
pub(crate) fn list_of(run: &mut Run<'_>, items: Vec<Value>) -> Result<Value, Error> {
    run.charge(items.len().saturating_mul(size_of::<Value>()))?;
    Ok(Value::List(List::new(items)))
}

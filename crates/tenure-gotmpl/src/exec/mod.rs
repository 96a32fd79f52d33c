//! Executing parsed templates.

mod call;
mod eval;
mod field;
mod run;
mod scope;

pub(crate) use self::field::missing;
pub(crate) use self::run::{ROOT, Run, list_of, no_template};
pub(crate) use self::scope::Scope;
use crate::error::Error;
use crate::format;
use crate::parse::{Branch, Call, Command, Node, Pipe, Tree, Word};
use crate::value::{List, Shape, Value};

/// A value on its way through a pipeline, and whether it comes out of a variable of type `interface {}`.
///
/// Go tells a nil from nowhere and a nil in an interface apart, in what it allows and in its messages.
#[derive(Clone, Default)]
pub(crate) struct Item {
    pub(crate) value: Value,
    pub(crate) interface: bool,
}

impl Item {
    pub(crate) const fn plain(value: Value) -> Self {
        Self {
            value,
            interface: false,
        }
    }

    pub(crate) const fn interface(value: Value) -> Self {
        Self {
            value,
            interface: true,
        }
    }

    /// No value at all, not even a nil of a type.
    const fn is_invalid(&self) -> bool {
        matches!(self.value, Value::Nil) && !self.interface
    }

    fn type_name(&self) -> &'static str {
        if self.interface {
            "interface {}"
        } else {
            self.value.type_name()
        }
    }
}

/// What is being evaluated, for errors.
#[derive(Clone, Copy)]
enum At<'t> {
    Nothing,
    Call(&'t Call),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Word(&'t Word),
}

/// How a list of nodes was left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// The execution of one template.
struct State<'s, 't, 'r> {
    run: &'s mut Run<'r>,
    scope: &'s Scope<'s>,
    tree: &'t Tree,
    out: &'s mut Vec<u8>,
    at: At<'t>,
    variables: Vec<(&'t [u8], Item)>,
}

/// Executes a template and adds what it prints to `out`.
pub(crate) fn execute(
    run: &mut Run<'_>,
    scope: &Scope<'_>,
    tree: &Tree,
    dot: Item,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut state = State {
        run,
        scope,
        tree,
        out,
        at: At::Nothing,
        variables: vec![(b"$", dot.clone())],
    };
    state.list(&dot, &tree.root).map(|_| ())
}

impl<'t> State<'_, 't, '_> {
    /// An error where the execution is.
    fn error<T>(&self, message: impl AsRef<str>) -> Result<T, Error> {
        Err(self.error_around(message.as_ref(), None))
    }

    /// An error whose message ends in that of its cause.
    fn error_around(&self, message: &str, cause: Option<Error>) -> Error {
        let (position, context) = match self.at {
            At::Nothing => {
                let text = format!("template: {}: {message}", self.tree.name);
                return Error::execution(text, cause);
            }
            At::Call(call) => (call.position, call.to_string()),
            At::Pipe(pipe) => (pipe.position, pipe.to_string()),
            At::Command(command) => (command.position, command.to_string()),
            At::Word(word) => (word.position, word.to_string()),
        };
        let place = self.tree.source.place(position);
        let name = crate::golang::quote::quote(self.tree.name.as_bytes());
        Error::execution(
            format!("template: {place}: executing {name} at <{context}>: {message}"),
            cause,
        )
    }

    /// Puts the place on an error of the run's limits.
    fn limited<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| self.error_around("", Some(error)))
    }

    fn step(&mut self) -> Result<(), Error> {
        let step = self.run.step();
        self.limited(step)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let charged = self.run.charge_output(bytes.len());
        self.limited(charged)?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn list(&mut self, dot: &Item, nodes: &'t [Node]) -> Result<Flow, Error> {
        for node in nodes {
            self.step()?;
            let flow = match node {
                Node::Text(span) => {
                    self.write(self.tree.source.bytes(span))?;
                    Flow::Next
                }
                Node::Action(pipe) => {
                    let item = self.pipeline(dot, pipe)?;
                    if pipe.variables.is_empty() {
                        self.print(pipe, &item)?;
                    }
                    Flow::Next
                }
                Node::If(branch) => self.branch(dot, branch, false)?,
                Node::With(branch) => self.branch(dot, branch, true)?,
                Node::Range(branch) => self.range(dot, branch)?,
                Node::Template(call) => {
                    self.template(dot, call)?;
                    Flow::Next
                }
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn print(&mut self, pipe: &'t Pipe, item: &Item) -> Result<(), Error> {
        self.at = At::Pipe(pipe);
        match &item.value {
            Value::Nil => self.write(b"<no value>"),
            Value::String(text) => self.write(text.as_bytes()),
            value => {
                let printed = format::display(value, self.run.text_limit());
                let printed = self.limited(printed)?;
                self.write(&printed)
            }
        }
    }

    fn branch(&mut self, dot: &Item, branch: &'t Branch, with: bool) -> Result<Flow, Error> {
        let mark = self.variables.len();
        let item = self.pipeline(dot, &branch.pipe)?;
        let flow = if item.value.is_true() {
            self.list(if with { &item } else { dot }, &branch.list)?
        } else if let Some(nodes) = &branch.otherwise {
            self.list(dot, nodes)?
        } else {
            Flow::Next
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, dot: &Item, branch: &'t Branch) -> Result<Flow, Error> {
        let outer = self.variables.len();
        let item = self.pipeline(dot, &branch.pipe)?;
        let ran = self.iterate(branch, &item.value)?;
        let flow = match &branch.otherwise {
            Some(nodes) if !ran => self.list(dot, nodes)?,
            _ => Flow::Next,
        };
        self.variables.truncate(outer);
        Ok(flow)
    }

    /// Runs the body for each element; says whether there were any.
    fn iterate(&mut self, branch: &'t Branch, value: &Value) -> Result<bool, Error> {
        match value {
            Value::Nil => Ok(false),
            Value::Int(count) | Value::Int64(count) => {
                self.count(branch, value, u64::try_from(*count).unwrap_or(0))
            }
            Value::Uint64(count) => self.count(branch, value, *count),
            Value::Uint8(count) => self.count(branch, value, u64::from(*count)),
            Value::List(list) => self.iterate_list(branch, list),
            Value::Bytes(_) => match value.as_list() {
                Some(list) => self.iterate_list(branch, &list),
                None => Ok(false),
            },
            Value::Map(map) => {
                let entries = map.entries();
                let boxed = map.kind().element == crate::value::Kind::Interface;
                for (key, value) in &entries {
                    let element = Item {
                        value: value.clone(),
                        interface: boxed,
                    };
                    if self.once(branch, Item::plain(Value::String(key.clone())), element)? == Flow::Break {
                        break;
                    }
                }
                Ok(!entries.is_empty())
            }
            Value::Object(object) => match object.shape() {
                Shape::Map(map) => self.iterate(branch, &Value::Map(map)),
                Shape::List(list) => self.iterate_list(branch, &list),
                Shape::Plain(plain) if !matches!(plain, Value::String(_)) => self.iterate(branch, &plain),
                _ => self.cannot_iterate(value),
            },
            _ => self.cannot_iterate(value),
        }
    }

    fn cannot_iterate(&self, value: &Value) -> Result<bool, Error> {
        let shown = self.limited(format::display(value, self.run.text_limit()))?;
        self.error(format!(
            "range can't iterate over {}",
            String::from_utf8_lossy(&shown)
        ))
    }

    fn iterate_list(&mut self, branch: &'t Branch, list: &List) -> Result<bool, Error> {
        let boxed = list.kind().element == crate::value::Kind::Interface;
        for at in 0..list.len() {
            let element = Item {
                value: list.get(at).unwrap_or_default(),
                interface: boxed,
            };
            let index = Value::Int(i64::try_from(at).unwrap_or(i64::MAX));
            if self.once(branch, Item::plain(index), element)? == Flow::Break {
                break;
            }
        }
        Ok(!list.is_empty())
    }

    fn count(&mut self, branch: &'t Branch, value: &Value, count: u64) -> Result<bool, Error> {
        if branch.pipe.variables.len() > 1 {
            let shown = self.limited(format::display(value, self.run.text_limit()))?;
            return self.error(format!(
                "can't use {} to iterate over more than one variable",
                String::from_utf8_lossy(&shown)
            ));
        }
        for number in 0..count {
            let signed = i64::try_from(number).unwrap_or(i64::MAX);
            let element = match value {
                Value::Int(_) => Value::Int(signed),
                Value::Int64(_) => Value::Int64(signed),
                Value::Uint8(_) => Value::Uint8(u8::try_from(number).unwrap_or(u8::MAX)),
                _ => Value::Uint64(number),
            };
            if self.once(branch, Item::default(), Item::plain(element))? == Flow::Break {
                break;
            }
        }
        Ok(count > 0)
    }

    /// One turn of a loop.
    fn once(&mut self, branch: &'t Branch, index: Item, element: Item) -> Result<Flow, Error> {
        self.step()?;
        let pipe = &branch.pipe;
        let mark = self.variables.len();
        // The last variable is the element, the one before it the index.
        let values = [index, element.clone()].into_iter();
        let values = values.skip(2_usize.saturating_sub(pipe.variables.len()));
        if pipe.assign {
            for (name, value) in pipe.variables.iter().zip(values) {
                self.assign(name, value)?;
            }
        } else {
            // Declared by the pipeline already, so they are the topmost.
            let top = self.variables.iter_mut().rev();
            top.zip(values.rev()).for_each(|(slot, value)| slot.1 = value);
        }
        let flow = self.list(&element, &branch.list)?;
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn template(&mut self, dot: &Item, call: &'t Call) -> Result<(), Error> {
        self.at = At::Call(call);
        let name = call.name.to_str();
        let Some(tree) = self.scope.find(&name) else {
            let shown = crate::golang::quote::quote(call.name.as_bytes());
            return self.error(format!("template {shown} not defined"));
        };
        let dot = match &call.pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Item::default(),
        };
        let entered = self.run.enter();
        self.limited(entered)?;
        let result = execute(self.run, self.scope, tree, dot, self.out);
        self.run.leave();
        result
    }
}

//! CEL expressions about objects, as Flux evaluates them: the same libraries, the same words.
//!
//! What it refuses: expressions that are too long or nest loops too deeply, as the time they may take
//! grows with every loop. No message shows a value that an expression met: the object may be a Secret.

mod check;
mod sets;
mod value;

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, ExecutionError, ParseErrors, Program, extensions};
use serde_json::Value;

/// Longest expression, in bytes.
const LONGEST: usize = 16 << 10;
/// Most loops (`all`, `exists`, `map`, `filter`) within each other.
const DEEPEST: usize = 3;

/// The standard functions, and strings, encoders and sets, as with Flux.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    env.add_extension(extensions::strings)
        .and_then(|()| env.add_extension(extensions::encoders))
        .and_then(|()| sets::add(&mut env))
        .expect("no two of them declare the same function");
    Arc::new(env)
});

/// An expression that can be evaluated.
pub struct Expression {
    text: String,
    program: Program,
}

/// What is wrong with an expression, or with what it made of an object. Texts are Flux's where Flux
/// fails too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CelError {
    /// It is no expression, or uses names that do not exist.
    #[error("failed to parse the CEL expression '{text}': {issues}")]
    Parse {
        /// The expression.
        text: String,
        /// What is wrong and where.
        issues: String,
    },
    /// It can't come out as true or false.
    #[error("CEL expression output type mismatch: expected bool, got {0}")]
    OutputType(String),
    /// It is more than an object's owner may ask for.
    #[error("failed to parse the CEL expression: {0}")]
    TooMuch(String),
    /// The object lacks what it asks for.
    #[error("failed to evaluate the CEL expression '{text}': {why}")]
    Evaluate {
        /// The expression.
        text: String,
        /// What was missing; never a value.
        why: String,
    },
    /// It came out as something else than true or false.
    #[error("failed to evaluate CEL expression as boolean: '{0}'")]
    NotBoolean(String),
}

impl Expression {
    /// Reads an expression about an object whose fields are not known.
    ///
    /// # Errors
    /// When it is none, or too much.
    pub fn parse(text: &str) -> Result<Self, CelError> {
        if text.len() > LONGEST {
            let message = format!("it has {} bytes, {LONGEST} are allowed", text.len());
            return Err(CelError::TooMuch(message));
        }
        let program = ENV.compile(text).map_err(|errors| CelError::Parse {
            text: text.to_owned(),
            issues: issues(text, &errors),
        })?;
        if check::loops(program.expression()) > DEEPEST {
            let message = format!("it has more than {DEEPEST} loops within each other");
            return Err(CelError::TooMuch(message));
        }
        Ok(Self {
            text: text.to_owned(),
            program,
        })
    }

    /// Reads an expression about these variables, and refuses what can never come out as true or
    /// false: unknown names, and results of another type.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and for what is said above.
    pub fn compile(text: &str, variables: &[&str]) -> Result<Self, CelError> {
        let expression = Self::parse(text)?;
        let found = check::unknown(&expression.program, variables);
        if !found.is_empty() {
            let issues = found
                .iter()
                .map(|issue| shown(text, issue.line, issue.column, &issue.message));
            return Err(CelError::Parse {
                text: text.to_owned(),
                issues: issues.collect::<Vec<_>>().join("\n"),
            });
        }
        match check::output(expression.program.expression()) {
            "bool" => Ok(expression),
            other => Err(CelError::OutputType(other.to_owned())),
        }
    }

    /// Whether it is true of these values.
    ///
    /// # Errors
    /// When a value lacks what it asks for, or the result is no boolean.
    pub fn is_true<'a>(
        &self,
        values: impl IntoIterator<Item = (&'a str, &'a Value)>,
    ) -> Result<bool, CelError> {
        let mut context = Context::with_env(ENV.clone());
        for (name, found) in values {
            context.add_variable_from_value(name, value::convert(found));
        }
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(outcome)) => Ok(outcome),
            Ok(_) => Err(CelError::NotBoolean(self.text.clone())),
            Err(error) => Err(CelError::Evaluate {
                text: self.text.clone(),
                why: self.why(&error),
            }),
        }
    }

    /// The words of cel-go, and no value.
    fn why(&self, error: &ExecutionError) -> String {
        match error {
            ExecutionError::UndeclaredReference(name) => match check::path(self.program.expression(), name) {
                Some(path) => format!("no such attribute(s): {path}"),
                None => format!("no such overload: {name}"),
            },
            ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
            ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
            ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
            ExecutionError::IndexOutOfBounds(_) => "index out of bounds".to_owned(),
            ExecutionError::Overflow(..) => "integer overflow".to_owned(),
            ExecutionError::FunctionError { function, .. } => format!("{function} failed"),
            _ => "no such overload".to_owned(),
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

fn issues(text: &str, errors: &ParseErrors) -> String {
    let errors = errors.errors.iter();
    let place = |number: isize| usize::try_from(number).unwrap_or(1).max(1);
    let lines = errors.map(|error| shown(text, place(error.pos.0), place(error.pos.1), &error.msg));
    lines.collect::<Vec<_>>().join("\n")
}

/// An issue with the line it is in and a mark below.
fn shown(text: &str, line: usize, column: usize, message: &str) -> String {
    let snippet = text.lines().nth(line - 1).unwrap_or_default();
    let dots = ".".repeat(column - 1);
    format!("ERROR: <input>:{line}:{column}: {message}\n | {snippet}\n | {dots}^")
}

#[cfg(test)]
mod tests;

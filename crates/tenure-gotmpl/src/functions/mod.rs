//! The functions that templates can call: those of Go, sprig's and Helm's.

mod argument;
mod builtin;
mod case;
mod certificate;
mod compare;
mod crypto;
mod date;
mod decimal;
mod defaults;
mod derive;
mod dict;
mod encode;
mod escape;
mod flow;
mod list;
mod merge;
mod number;
mod path;
mod random;
mod regex;
mod semver;
mod string;
mod url;
mod wrap;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use crate::error::Error;
use crate::exec::Run;
use crate::value::{Param, Value};

/// What a function gives back.
pub(crate) type Outcome = Result<Value, Error>;

/// A function in Rust; its arguments fit the parameters.
pub(crate) type Plain = fn(&mut Run<'_>, &[Value]) -> Outcome;

/// A function that templates can call.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Param],
    /// The type of any number of further arguments.
    pub(crate) variadic: Option<Param>,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    Plain(Plain),
    /// `len`, which tells kinds of nil apart.
    Length(Plain),
    /// `or` if true, otherwise `and`.
    Choice(bool),
    Call,
    Include,
    Tpl,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const fn fixed(name: &'static str, parameters: &'static [Param], body: Plain) -> Function {
    Function {
        name,
        parameters,
        variadic: None,
        body: Body::Plain(body),
    }
}

const fn variadic(name: &'static str, parameters: &'static [Param], rest: Param, body: Plain) -> Function {
    Function {
        name,
        parameters,
        variadic: Some(rest),
        body: Body::Plain(body),
    }
}

static ALL: &[&[Function]] = &[
    builtin::FUNCTIONS,
    case::FUNCTIONS,
    certificate::FUNCTIONS,
    compare::FUNCTIONS,
    crypto::FUNCTIONS,
    date::FUNCTIONS,
    defaults::FUNCTIONS,
    dict::FUNCTIONS,
    encode::FUNCTIONS,
    escape::FUNCTIONS,
    flow::FUNCTIONS,
    list::FUNCTIONS,
    merge::FUNCTIONS,
    number::FUNCTIONS,
    path::FUNCTIONS,
    random::FUNCTIONS,
    regex::FUNCTIONS,
    semver::FUNCTIONS,
    string::FUNCTIONS,
    url::FUNCTIONS,
    wrap::FUNCTIONS,
];

static BY_NAME: LazyLock<HashMap<&'static [u8], &'static Function>> = LazyLock::new(|| {
    ALL.iter()
        .flat_map(|functions| functions.iter())
        .map(|function| (function.name.as_bytes(), function))
        .collect()
});

/// The function of a name.
pub(crate) fn find(name: &[u8]) -> Option<&'static Function> {
    BY_NAME.get(name).copied()
}

/// The names of all functions, sorted.
#[must_use]
pub fn function_names() -> Vec<&'static str> {
    let mut names: Vec<_> = BY_NAME.values().map(|function| function.name).collect();
    names.sort_unstable();
    names
}

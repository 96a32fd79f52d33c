//! Go's `text/template` and the functions that Helm gives it, with Go's values, output and errors.
//!
//! Parse once, execute often:
//!
//! ```
//! use tenure_gotmpl::{Limits, Seeded, Templates, Value};
//!
//! let mut templates = Templates::new();
//! templates.parse("hello", "{{ range .names }}Hello, {{ . | title }}!\n{{ end }}")?;
//!
//! let data = Value::from_iter([("names", vec!["ann".into(), "bob".into()])]);
//! let world = Seeded::new(7);
//! let mut session = templates.session(&world, Limits::default());
//! assert_eq!(session.execute("hello", &data)?, "Hello, Ann!\nHello, Bob!\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Templates`] holds what was parsed; it is `Send` and `Sync`, and executing it parses nothing again, except
//! for `tpl`, whose texts it remembers. A [`Session`] is one run over it: the limits, the clock, the
//! random numbers and the look-ups of a run come in there. [`Value`]s belong to one thread.
//!
//! # Guarantees
//!
//! - Pure: files, cluster, clock and randomness are reached through [`Environment`] and [`Object`] only.
//! - Bounded: steps, output, memory, template depth, regular expressions, time and stack have limits
//!   ([`Limits`]), and no input panics.
//! - Values are Go's: maps and lists are shared, `set` and `merge` act in place, and numbers keep their types.
//!
//! # Deep recursion
//!
//! Helm lets a template include itself 1,000 times, which takes more stack than a thread has. Run a session
//! inside [`with_deep_stack`]; elsewhere the engine stops with an error when [`Limits::stack`] is used up.

mod encoding;
pub mod regexp {
    //! Expressions as Go reads them, for what else was written for a program in Go.
    pub use crate::golang::regexp::Regexp;
}
pub mod semver {
    //! Versions and ranges by the rules of the Go package that charts rely on.
    pub use crate::golang::semver::{Constraints, Version};
}

mod environment;
mod error;
mod exec;
mod format;
mod functions;
mod golang;
mod helm;
mod limits;
mod parse;
mod template;
mod value;

pub use encoding::yaml::read_yaml;
pub use environment::{Environment, Lookup, Seeded};
pub use error::{Error, ParseError};
pub use functions::function_names;
pub use helm::{execution_error, parse_error, without_no_value};
pub use limits::{Limits, with_deep_stack};
pub use template::{Session, Templates};
pub use value::{
    Field, Frozen, Kind, List, ListType, Map, MapType, Method, Object, Param, Shape, Str, Value, deep_equal,
};

/// Bytes that [`print`] and [`to_yaml`] write at most.
const MOST: usize = 64 << 20;

/// A value as Go's `%v` prints it.
#[must_use]
pub fn print(value: &Value) -> Str {
    format::display(value, MOST).unwrap_or_default().into()
}

/// A value as the function `toYaml` writes it; nothing if it cannot be written.
#[must_use]
pub fn to_yaml(value: &Value) -> Str {
    let text = encoding::yaml::write(value, MOST).unwrap_or_default();
    text.strip_suffix('\n').unwrap_or(&text).into()
}

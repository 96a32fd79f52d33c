//! YAML and JSON text to JSON values and back, the way Go's YAML packages do it.
//!
//! Kubernetes has two dialects: kustomize reads with the third generation of Go's package,
//! Helm and kubectl with the second ([`Dialect`]). Both resolve scalars differently from YAML 1.2.
//!
//! Refuses: duplicate keys, infinite and not-a-number floats (JSON has none), and whatever exceeds
//! [`Limits`]. Every error says line and column, counted from 1.
//!
//! Invariants: reading never panics and never uses more nodes than the limits allow, aliases
//! included; what [`emit::to_string`] writes reads back as the same value in both dialects.
//!
//! ```
//! use tenure_yaml::{Options, parse};
//!
//! let documents = parse(b"a: 0123\n---\nb: yes\n", &Options::kustomize())?;
//! assert_eq!(documents[0].value["a"], 83);
//! assert_eq!(documents[1].value["b"], "yes");
//! # Ok::<(), tenure_yaml::Error>(())
//! ```

mod compose;
pub mod emit;
mod error;
mod fold;
mod number;
mod options;
mod resolve;
mod surrogate;
mod timestamp;

pub use compose::{Document, locate, parse, parse_one};
pub use emit::{EmitOptions, Tree, View, append, to_string, to_string_with};
pub use error::{Error, Location, Reason};
pub use number::go_float;
pub use options::{Dialect, Limits, Options};
pub use resolve::is_text;

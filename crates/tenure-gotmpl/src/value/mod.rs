//! What templates compute with: Go's dynamic values.

mod equal;
mod frozen;
mod json;
mod list;
mod map;
mod object;
mod release;
mod table;
mod text;
mod types;

use std::rc::Rc;

pub use equal::deep_equal;
pub use frozen::Frozen;
pub use list::{List, ListType};
pub use map::{Map, MapType};
pub use object::{Field, Method, Object, Param, Shape};
pub use text::Str;
pub use types::Kind;

/// A value of one of the Go types that templates meet.
///
/// Numbers keep the type they have in Go, because printing and comparing depend on it: a number of a
/// chart's values is a [`Value::Float`], a literal in a template an [`Value::Int`], and what `add`
/// returns an [`Value::Int64`].
///
/// Maps and lists are shared: a clone is another name for the same one, and what `set` does to one
/// is seen by all.
#[derive(Clone, Default)]
pub enum Value {
    /// An untyped nil.
    #[default]
    Nil,
    /// A `bool`.
    Bool(bool),
    /// An `int`.
    Int(i64),
    /// An `int64`.
    Int64(i64),
    /// A `uint8`, what indexing a string gives.
    Uint8(u8),
    /// A `uint64`.
    Uint64(u64),
    /// A `float64`.
    Float(f64),
    /// A `complex128`, real and imaginary part.
    Complex(f64, f64),
    /// A `string`, which in Go is any bytes.
    String(Str),
    /// A `[]uint8`.
    Bytes(Str),
    /// A slice of any other type.
    List(List),
    /// A map with strings as keys.
    Map(Map),
    /// A value of a type with methods or fields.
    Object(Rc<dyn Object>),
}

impl Value {
    /// The empty string.
    #[must_use]
    pub fn empty_string() -> Self {
        Self::String(Str::default())
    }

    /// A list of strings, Go's `[]string`.
    pub fn strings<S: Into<Str>>(items: impl IntoIterator<Item = S>) -> Self {
        let items = items.into_iter().map(|item| Self::String(item.into())).collect();
        Self::List(List::typed(&ListType::STRING, items))
    }

    /// The text of a string.
    #[must_use]
    pub const fn as_str(&self) -> Option<&Str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The map, also that beneath an object whose Go type is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<Map> {
        match self {
            Self::Map(map) => Some(map.clone()),
            Self::Object(object) => match object.shape() {
                Shape::Map(map) => Some(map),
                _ => None,
            },
            _ => None,
        }
    }

    /// The list, also that beneath an object whose Go type is a slice.
    #[must_use]
    pub fn as_list(&self) -> Option<List> {
        match self {
            Self::List(list) => Some(list.clone()),
            Self::Bytes(bytes) => Some(List::typed(
                &ListType::UINT8,
                bytes.as_bytes().iter().map(|byte| Self::Uint8(*byte)).collect(),
            )),
            Self::Object(object) => match object.shape() {
                Shape::List(list) => Some(list),
                _ => None,
            },
            _ => None,
        }
    }

    /// The object as the Rust type behind it.
    #[must_use]
    pub fn downcast<T: Object>(&self) -> Option<&T> {
        match self {
            Self::Object(object) => {
                let any: &dyn std::any::Any = object.as_ref();
                any.downcast_ref()
            }
            _ => None,
        }
    }

    /// Wraps an object.
    pub fn object(object: impl Object) -> Self {
        Self::Object(Rc::new(object))
    }

    /// Whether this is nil: untyped, or a nil list or map.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::List(list) => list.is_nil(),
            Self::Map(map) => map.is_nil(),
            _ => false,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    /// An `int`; an `int64` is [`Value::Int64`].
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value.into())
    }
}

impl From<Str> for Value {
    fn from(value: Str) -> Self {
        Self::String(value)
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::List(List::new(items))
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(list)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl<K: Into<Str>, V: Into<Self>> FromIterator<(K, V)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self::Map(entries.into_iter().collect())
    }
}

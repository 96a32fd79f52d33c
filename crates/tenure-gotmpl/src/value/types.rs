use super::{Shape, Value};

/// What reflection calls the kind of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No value at all.
    Invalid,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `int64`.
    Int64,
    /// `uint8`.
    Uint8,
    /// `uint64`.
    Uint64,
    /// `float64`.
    Float64,
    /// `complex128`.
    Complex128,
    /// `string`.
    String,
    /// A slice.
    Slice,
    /// A map.
    Map,
    /// A struct.
    Struct,
    /// A pointer.
    Ptr,
    /// An interface; only as the element of a list or map.
    Interface,
}

impl Kind {
    /// As Go prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Uint64 => "uint64",
            Self::Float64 => "float64",
            Self::Complex128 => "complex128",
            Self::String => "string",
            Self::Slice => "slice",
            Self::Map => "map",
            Self::Struct => "struct",
            Self::Ptr => "ptr",
            Self::Interface => "interface",
        }
    }

    /// The zero value of the type, where the kind alone decides it.
    #[must_use]
    pub fn zero(self) -> Value {
        match self {
            Self::Bool => Value::Bool(false),
            Self::Int => Value::Int(0),
            Self::Int64 => Value::Int64(0),
            Self::Uint8 => Value::Uint8(0),
            Self::Uint64 => Value::Uint64(0),
            Self::Float64 => Value::Float(0.0),
            Self::Complex128 => Value::Complex(0.0, 0.0),
            Self::String => Value::empty_string(),
            _ => Value::Nil,
        }
    }
}

impl Value {
    /// The kind of its type.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
            Self::Int64(_) => Kind::Int64,
            Self::Uint8(_) => Kind::Uint8,
            Self::Uint64(_) => Kind::Uint64,
            Self::Float(_) => Kind::Float64,
            Self::Complex(..) => Kind::Complex128,
            Self::String(_) => Kind::String,
            Self::Bytes(_) | Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Object(object) => match object.shape() {
                Shape::Struct(_) => Kind::Struct,
                Shape::Pointer(_) => Kind::Ptr,
                Shape::Map(_) => Kind::Map,
                Shape::List(_) => Kind::Slice,
                Shape::Plain(value) => value.kind(),
            },
        }
    }

    /// The name of its type, as `%T` prints it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bytes(_) => "[]uint8",
            Self::List(list) => list.kind().name,
            Self::Map(map) => map.kind().name,
            Self::Object(object) => object.type_name(),
            plain => plain.kind().name(),
        }
    }

    /// Whether templates take it for true, which all but the empty are.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) | Self::Int64(value) => *value != 0,
            Self::Uint8(value) => *value != 0,
            Self::Uint64(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Complex(re, im) => *re != 0.0 || *im != 0.0,
            Self::String(text) | Self::Bytes(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(object) => match object.shape() {
                Shape::Struct(_) | Shape::Pointer(_) => true,
                Shape::Map(map) => !map.is_empty(),
                Shape::List(list) => !list.is_empty(),
                Shape::Plain(value) => value.is_true(),
            },
        }
    }
}

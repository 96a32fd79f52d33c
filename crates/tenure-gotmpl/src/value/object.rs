use std::any::Any;

use super::{List, Map, Str, Value};

/// A value of a Go type with methods or fields, such as a chart's files or its capabilities.
pub trait Object: Any {
    /// The type as `%T` prints it, such as `*common.Capabilities`.
    fn type_name(&self) -> &'static str;

    /// What the type is made of.
    fn shape(&self) -> Shape;

    /// The methods that templates may call.
    fn methods(&self) -> &'static [Method] {
        &[]
    }

    /// Calls a method with arguments that fit its [`Method`].
    ///
    /// # Errors
    /// What the method in Go returns as its error, or panics with.
    fn call(&self, method: &str, arguments: &[Value]) -> Result<Value, String> {
        let _ = arguments;
        Err(format!("{method} is not a method"))
    }

    /// What its `String` or `Error` method says, if it has one.
    fn text(&self) -> Option<Str> {
        None
    }

    /// What a template prints for it, where that is a method of a pointer to it.
    fn printed(&self) -> Option<Str> {
        self.text()
    }

    /// The same type around another map, for copies. Without one the value is its own copy.
    fn with_map(&self, map: Map) -> Option<Value> {
        let _ = map;
        None
    }

    /// What is written as JSON and YAML in its place, if its type says so itself.
    fn marshal(&self) -> Option<Value> {
        None
    }
}

/// What the type of an [`Object`] is made of.
pub enum Shape {
    /// A struct.
    Struct(Vec<Field>),
    /// A pointer to a struct.
    Pointer(Vec<Field>),
    /// A map with a name.
    Map(Map),
    /// A slice with a name.
    List(List),
    /// A number or string with a name.
    Plain(Value),
}

/// An exported field of a struct.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its name in JSON; empty if it is left out there.
    pub json: &'static str,
    /// Whether JSON leaves it out when it is empty.
    pub omit_empty: bool,
    /// Its value.
    pub value: Value,
}

impl Field {
    /// A field that is called the same in JSON.
    pub fn new(name: &'static str, value: impl Into<Value>) -> Self {
        Self {
            name,
            json: name,
            omit_empty: false,
            value: value.into(),
        }
    }

    /// The same under another name in JSON.
    #[must_use]
    pub const fn json(mut self, name: &'static str, omit_empty: bool) -> Self {
        self.json = name;
        self.omit_empty = omit_empty;
        self
    }
}

/// A method that templates may call.
#[derive(Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub parameters: &'static [Param],
}

/// The type of a parameter. Arguments are checked against it before a call, with Go's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Param {
    /// `interface {}`.
    Any,
    /// `reflect.Value`: anything, nil included.
    Reflect,
    /// `string`.
    String,
    /// `int`.
    Int,
    /// `int64`.
    Int64,
    /// `uint32`.
    Uint32,
    /// `float64`.
    Float64,
    /// `bool`.
    Bool,
    /// `map[string]interface {}`.
    Map,
    /// `[]interface {}`.
    List,
    /// Exactly the type of this name.
    Named(&'static str),
}

impl Param {
    /// The name of the type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Reflect => "reflect.Value",
            Self::String => "string",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint32 => "uint32",
            Self::Float64 => "float64",
            Self::Bool => "bool",
            Self::Map => "map[string]interface {}",
            Self::List => "[]interface {}",
            Self::Named(name) => name,
        }
    }
}

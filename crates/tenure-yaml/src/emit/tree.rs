use serde_json::{Number, Value};

/// A value that can be written, whatever type holds it.
pub trait Tree: Sized {
    /// What it is.
    fn view(&self) -> View<'_, Self>;
}

/// What a value is.
#[derive(Debug)]
pub enum View<'a, T> {
    /// Nothing.
    Null,
    /// A truth.
    Bool(bool),
    /// A number.
    Number(&'a Number),
    /// A text.
    Text(&'a str),
    /// A list.
    List(&'a [T]),
    /// A mapping; no key is there twice.
    Map(Vec<(&'a str, &'a T)>),
}

impl Tree for Value {
    fn view(&self) -> View<'_, Self> {
        match self {
            Self::Null => View::Null,
            Self::Bool(truth) => View::Bool(*truth),
            Self::Number(number) => View::Number(number),
            Self::String(text) => View::Text(text),
            Self::Array(items) => View::List(items),
            Self::Object(members) => {
                View::Map(members.iter().map(|(key, value)| (key.as_str(), value)).collect())
            }
        }
    }
}

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Kubernetes name or namespace: never empty, a valid DNS subdomain of at most 253 characters.
///
/// Identities are built from it, so "act as nobody" has no value to be written with.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Box<str>);

/// Why a string is not a name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// The string is empty.
    #[error("a name must not be empty")]
    Empty,
    /// The string is longer than the API server accepts.
    #[error("name of {0} characters is longer than 253")]
    TooLong(usize),
    /// The string has a character or shape that no Kubernetes name has.
    #[error(
        "{0:?} is not a valid name: lower case letters, digits, '-' and '.', starting and ending with a letter or digit"
    )]
    Invalid(String),
}

impl Name {
    /// Checks and wraps `name`.
    ///
    /// # Errors
    /// When the string is not a valid DNS subdomain.
    pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
        let name = name.as_ref();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > 253 {
            return Err(NameError::TooLong(name.len()));
        }
        let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = name.as_bytes();
        let edges = [bytes.first(), bytes.last()]
            .into_iter()
            .flatten()
            .all(|b| alnum(*b));
        let inner = bytes.iter().all(|b| alnum(*b) || *b == b'-' || *b == b'.');
        if !edges || !inner || name.contains("..") || name.contains(".-") || name.contains("-.") {
            return Err(NameError::Invalid(name.to_owned()));
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::new(s)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        Self::new(s)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.into()
    }
}

/// A ServiceAccount: the only kind of identity that Tenure ever acts as.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Account {
    /// Where the ServiceAccount lives.
    pub namespace: Name,
    /// Its name.
    pub name: Name,
}

impl Account {
    /// The user name that the API server gives this account: `system:serviceaccount:<ns>:<name>`.
    #[must_use]
    pub fn username(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

/// One object of a home: its kind and name. The namespace is the home's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectKey {
    /// The kind, as in `kind:`.
    pub kind: String,
    /// The object's name.
    pub name: Name,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_api_server_takes() {
        for good in ["a", "flux-system", "a.b-c.d", "0"] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a..b", "a/b", "a b", "a.-b", "ü"] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Name::new("x".repeat(254)), Err(NameError::TooLong(254)));
    }

    #[test]
    fn an_account_cannot_be_read_with_an_empty_name() {
        assert!(serde_json::from_str::<Account>(r#"{"namespace":"a","name":""}"#).is_err());
    }
}

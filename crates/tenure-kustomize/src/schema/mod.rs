//! What is known of the kinds: which lists merge by which keys, and which objects have no namespace.
//!
//! kustomize holds this in a process-wide variable of kyaml (`openapi.go`@kyaml v0.21.1). Here it is a
//! value that a build makes new, asks, and hands to every kustomization in the order it reads them. What
//! leaks through that variable within one build is kept, as a build reads its directories in sequence:
//!
//! * The first `openapi` field that is reached wins, from the overlay down. It holds for everything read
//!   after it: the siblings, and the overlays above once their bases are done. Later ones are ignored.
//! * A custom schema replaces the built-in one if nothing was merged before it. If something was, it is
//!   laid over the built-in one; and if only the scope of an unknown kind was asked for, under it.
//! * Which of the built-in kinds have no namespace does not depend on the schema. A custom one adds kinds.
//!
//! What leaks from one build to the next in one process is not kept: every build starts anew.

mod builtin;
mod custom;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use serde_json::Value;

use crate::Error;
pub(crate) use builtin::is_cluster;
use custom::Custom;

/// The one version that is built in.
const VERSION: &str = "v1.21.2";

/// The schemas of one build.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    chosen: bool,
    custom: Option<Custom>,
    /// Whether the schema was needed since it was last chosen.
    used: Cell<bool>,
    built_in: Cell<BuiltIn>,
}

/// The place of the built-in definitions.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum BuiltIn {
    #[default]
    Unused,
    /// To be laid over a custom schema, should one come.
    Asked,
    /// In use, beneath the custom schema.
    Below,
    /// In use, above the custom schema.
    Above,
}

impl Schemas {
    /// Takes the `openapi` field of the next kustomization: its `version`, and the document at its `path`.
    ///
    /// # Errors
    /// When both are given, the version is not built in, or the document is not a schema.
    pub(crate) fn choose(&mut self, version: Option<&str>, document: Option<&Value>) -> Result<(), Error> {
        if self.chosen {
            return Ok(());
        }
        match (version, document) {
            (Some(_), Some(_)) => return Err(Error::invalid("give either version or path, not both")),
            (None, Some(document)) => self.custom = Some(Custom::read(document)?),
            (Some(VERSION), None) => {}
            (None | Some(""), None) => return Ok(()),
            (Some(other), None) => {
                return Err(Error::invalid(format!(
                    "OpenAPI version {other:?} is not built in, only {VERSION} is"
                )));
            }
        }
        self.chosen = true;
        self.used.set(false);
        Ok(())
    }

    /// Whether objects of the kind certainly have no namespace.
    pub(crate) fn is_cluster(&self, api_version: &str, kind: &str) -> bool {
        if let Some(known) = is_cluster(api_version, kind) {
            return known;
        }
        if self.custom.is_some() {
            self.load();
        } else if self.built_in.get() == BuiltIn::Unused {
            self.built_in.set(BuiltIn::Asked);
        }
        let custom = self.custom.as_ref();
        custom
            .and_then(|c| c.is_cluster(api_version, kind))
            .unwrap_or(false)
    }

    /// The schema of an object.
    pub(crate) fn object(&self, api_version: &str, kind: &str) -> Option<Schema<'_>> {
        self.load();
        let custom = || self.custom.as_ref()?.object(api_version, kind).map(Node::Custom);
        let built_in =
            |few| builtin::object(api_version, kind, few).map(|id| Node::BuiltIn(builtin::Type::Object(id)));
        let node = self.layered(custom, built_in)?;
        // The definition itself is not looked up by name again, though it may be a reference.
        Some(Schema { schemas: self, node })
    }

    fn load(&self) {
        if self.used.replace(true) {
            return;
        }
        let state = match (self.built_in.get(), &self.custom) {
            (BuiltIn::Unused, Some(_)) => BuiltIn::Unused,
            (BuiltIn::Asked, Some(_)) => BuiltIn::Above,
            (state @ BuiltIn::Above, _) => state,
            (BuiltIn::Unused | BuiltIn::Asked | BuiltIn::Below, _) => BuiltIn::Below,
        };
        self.built_in.set(state);
    }

    /// The first hit of the layers, from the top.
    fn layered<T>(&self, custom: impl Fn() -> Option<T>, built_in: impl Fn(bool) -> Option<T>) -> Option<T> {
        match self.built_in.get() {
            BuiltIn::Above => built_in(false).or_else(custom),
            BuiltIn::Below => built_in(true).or_else(custom).or_else(|| built_in(false)),
            BuiltIn::Unused | BuiltIn::Asked => built_in(true).or_else(custom),
        }
    }

    fn named(&self, name: &str) -> Option<Node<'_>> {
        let custom = || self.custom.as_ref()?.named(name).map(Node::Custom);
        self.layered(custom, |few| {
            builtin::named(name, few).map(|id| Node::BuiltIn(builtin::Type::Object(id)))
        })
    }

    fn resolve<'a>(&'a self, node: Node<'a>) -> Option<Schema<'a>> {
        let node = custom::follow(node, |at| match at {
            Node::Custom(value) => {
                let reference = custom::reference(value)?;
                let start = self.named(&reference.name);
                Some(match start {
                    Some(Node::Custom(value)) => custom::step(value, &reference.way).map(Node::Custom),
                    other => other.filter(|_| reference.way.is_empty()),
                })
            }
            // A custom definition of the same name may hide the built-in one.
            Node::BuiltIn(builtin::Type::Object(id)) if self.custom.is_some() => {
                match self.named(&id.name()?) {
                    Some(node @ Node::Custom(_)) => Some(Some(node)),
                    _ => None,
                }
            }
            Node::BuiltIn(_) => None,
        })?;
        Some(Schema { schemas: self, node })
    }
}

/// What is known of an object, one of its fields or the elements of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema<'a> {
    schemas: &'a Schemas,
    node: Node<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Node<'a> {
    BuiltIn(builtin::Type),
    Custom(&'a Value),
}

impl<'a> Schema<'a> {
    /// The schema of a field, or of the values of a map.
    pub(crate) fn field(self, name: &str) -> Option<Self> {
        self.schemas.resolve(match self.node {
            Node::BuiltIn(of) => Node::BuiltIn(of.field(name)?),
            Node::Custom(schema) => Node::Custom(custom::field(schema, name)?),
        })
    }

    /// The schema of a list's elements.
    pub(crate) fn elements(self) -> Option<Self> {
        self.schemas.resolve(match self.node {
            Node::BuiltIn(of) => Node::BuiltIn(of.elements()?),
            Node::Custom(schema) => Node::Custom(custom::elements(schema)?),
        })
    }

    /// The fields by which a list's elements are told apart; none for a list of plain values. Nothing if the
    /// list does not merge.
    pub(crate) fn merge_keys(self) -> Option<Vec<&'a str>> {
        match self.node {
            Node::BuiltIn(of) => of.merge_keys(),
            Node::Custom(schema) => custom::merge_keys(schema),
        }
    }
}

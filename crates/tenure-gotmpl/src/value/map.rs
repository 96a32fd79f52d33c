use std::cell::RefCell;
use std::rc::Rc;

use super::table::Table;
use super::{Kind, Str, Value};

/// The Go type of a map whose keys are strings.
#[derive(Debug, PartialEq, Eq)]
pub struct MapType {
    /// As `%T` prints it.
    pub name: &'static str,
    /// What its values are; [`Kind::Interface`] if they can be anything.
    pub element: Kind,
}

impl MapType {
    /// `map[string]interface {}`.
    pub const ANY: Self = Self {
        name: "map[string]interface {}",
        element: Kind::Interface,
    };
    /// `map[string]string`.
    pub const STRING: Self = Self {
        name: "map[string]string",
        element: Kind::String,
    };
    /// `map[string][]uint8`.
    pub const BYTES: Self = Self {
        name: "map[string][]uint8",
        element: Kind::Slice,
    };
}

/// The members of a map; apart, so that letting go of them can be told from letting go of a handle.
pub(super) struct Members(RefCell<Table>);

impl Drop for Members {
    fn drop(&mut self) {
        std::mem::take(self.0.get_mut()).release();
    }
}

/// A map with strings as keys. Clones are the same map.
#[derive(Clone)]
pub struct Map {
    members: Option<Rc<Members>>,
    kind: &'static MapType,
}

impl Default for Map {
    fn default() -> Self {
        Self::typed(&MapType::ANY)
    }
}

impl Map {
    /// An empty `map[string]interface {}`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty map of a type.
    #[must_use]
    pub fn typed(kind: &'static MapType) -> Self {
        Self {
            members: Some(Rc::new(Members(RefCell::default()))),
            kind,
        }
    }

    /// A nil map: empty, and not to be written to.
    #[must_use]
    pub const fn nil(kind: &'static MapType) -> Self {
        Self { members: None, kind }
    }

    /// The same members under another type.
    #[must_use]
    pub fn with_type(&self, kind: &'static MapType) -> Self {
        Self {
            members: self.members.clone(),
            kind,
        }
    }

    /// The Go type.
    #[must_use]
    pub const fn kind(&self) -> &'static MapType {
        self.kind
    }

    /// Whether it is a nil map.
    #[must_use]
    pub const fn is_nil(&self) -> bool {
        self.members.is_none()
    }

    /// The number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read(Table::len)
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.read(|members| members.get(key.as_ref()).cloned())
    }

    /// Whether the key is there.
    #[must_use]
    pub fn contains(&self, key: impl AsRef<[u8]>) -> bool {
        self.read(|members| members.get(key.as_ref()).is_some())
    }

    /// Sets a key. A nil map stays as it is and says so with false.
    pub fn insert(&self, key: impl Into<Str>, value: impl Into<Value>) -> bool {
        let Some(members) = &self.members else {
            return false;
        };
        // The old value goes once the borrow is over: letting it go may come back to this map.
        let old = members.0.borrow_mut().insert(key.into(), value.into());
        drop(old);
        true
    }

    /// Takes a key away.
    pub fn remove(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        let members = self.members.as_ref()?;
        members.0.borrow_mut().remove(key.as_ref())
    }

    /// The members in the order of their keys, as they are now.
    #[must_use]
    pub fn entries(&self) -> Vec<(Str, Value)> {
        self.read(Table::entries)
    }

    /// Shows the members in the order of their keys to something that does not change the map.
    pub(crate) fn each<E>(&self, look: impl FnMut(&Str, &Value) -> Result<(), E>) -> Result<(), E> {
        self.read(|members| members.each(look))
    }

    /// The keys, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<Str> {
        self.read(Table::keys)
    }

    /// The values in the order of their keys.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        self.read(Table::values)
    }

    /// Whether both are the same map, not only equal ones.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (&self.members, &other.members) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        }
    }

    /// Takes everything out, which opens the circles it is part of.
    pub fn clear(&self) {
        if let Some(members) = &self.members {
            members.0.take().release();
        }
    }

    fn read<R>(&self, use_it: impl FnOnce(&Table) -> R) -> R {
        match &self.members {
            Some(members) => use_it(&members.0.borrow()),
            None => use_it(&Table::default()),
        }
    }
}

impl<K: Into<Str>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let members = entries.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Self {
            members: Some(Rc::new(Members(RefCell::new(members)))),
            kind: &MapType::ANY,
        }
    }
}

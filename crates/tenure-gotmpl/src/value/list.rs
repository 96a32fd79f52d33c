use std::cell::RefCell;
use std::rc::Rc;

use super::release::release;
use super::{Kind, Value};

/// The Go type of a slice.
#[derive(Debug, PartialEq, Eq)]
pub struct ListType {
    /// As `%T` prints it.
    pub name: &'static str,
    /// What its items are; [`Kind::Interface`] if they can be anything.
    pub element: Kind,
}

impl ListType {
    /// `[]interface {}`.
    pub const ANY: Self = Self::new("[]interface {}", Kind::Interface);
    /// `[]string`.
    pub const STRING: Self = Self::new("[]string", Kind::String);
    /// `[]int`.
    pub const INT: Self = Self::new("[]int", Kind::Int);
    /// `[]uint8`.
    pub const UINT8: Self = Self::new("[]uint8", Kind::Uint8);
    /// `[][]interface {}`.
    pub const LISTS: Self = Self::new("[][]interface {}", Kind::Slice);
    /// `[]map[string]interface {}`.
    pub const MAPS: Self = Self::new("[]map[string]interface {}", Kind::Map);

    /// A type.
    #[must_use]
    pub const fn new(name: &'static str, element: Kind) -> Self {
        Self { name, element }
    }
}

pub(super) struct Items(RefCell<Vec<Value>>);

impl Drop for Items {
    fn drop(&mut self) {
        release(std::mem::take(self.0.get_mut()).into_iter());
    }
}

/// A slice: a window on items that other slices may share.
#[derive(Clone)]
pub struct List {
    items: Option<Rc<Items>>,
    start: u32,
    len: u32,
    kind: &'static ListType,
}

impl List {
    /// A `[]interface {}`.
    #[must_use]
    pub fn new(items: Vec<Value>) -> Self {
        Self::typed(&ListType::ANY, items)
    }

    /// A list of a type.
    #[must_use]
    pub fn typed(kind: &'static ListType, items: Vec<Value>) -> Self {
        Self {
            start: 0,
            len: u32::try_from(items.len()).unwrap_or(u32::MAX),
            items: Some(Rc::new(Items(RefCell::new(items)))),
            kind,
        }
    }

    /// A nil slice.
    #[must_use]
    pub const fn nil(kind: &'static ListType) -> Self {
        Self {
            items: None,
            start: 0,
            len: 0,
            kind,
        }
    }

    /// The Go type.
    #[must_use]
    pub const fn kind(&self) -> &'static ListType {
        self.kind
    }

    /// Whether it is a nil slice.
    #[must_use]
    pub const fn is_nil(&self) -> bool {
        self.items.is_none()
    }

    /// The number of items.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are no items.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// An item.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<Value> {
        self.read(|items| items.get(at).cloned())
    }

    /// The items as they are now.
    #[must_use]
    pub fn to_vec(&self) -> Vec<Value> {
        self.read(<[Value]>::to_vec)
    }

    /// A window on the same items, if it lies within this one.
    #[must_use]
    pub fn slice(&self, start: usize, end: usize) -> Option<Self> {
        if start > end || end > self.len() {
            return None;
        }
        Some(Self {
            items: self.items.clone(),
            start: self.start + u32::try_from(start).ok()?,
            len: u32::try_from(end - start).ok()?,
            kind: self.kind,
        })
    }

    /// Puts the items in another order, for all who share them.
    pub fn sort_by(&self, compare: impl FnMut(&Value, &Value) -> std::cmp::Ordering) {
        let Some(items) = &self.items else {
            return;
        };
        let (start, end) = (self.start as usize, (self.start + self.len) as usize);
        if let Some(window) = items.0.borrow_mut().get_mut(start..end) {
            window.sort_by(compare);
        }
    }

    /// Whether both are the same window on the same items.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (&self.items, &other.items) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b) && self.start == other.start && self.len == other.len,
            (None, None) => true,
            _ => false,
        }
    }

    fn read<R>(&self, use_it: impl FnOnce(&[Value]) -> R) -> R {
        let Some(items) = &self.items else {
            return use_it(&[]);
        };
        let (start, end) = (self.start as usize, (self.start + self.len) as usize);
        use_it(items.0.borrow().get(start..end).unwrap_or_default())
    }
}

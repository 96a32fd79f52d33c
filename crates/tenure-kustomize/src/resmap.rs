//! The objects of a build so far, in order, no two with the same id.

use std::collections::{HashMap, HashSet};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::Error;
use crate::id::ResId;
use crate::meter::Meter;
use crate::origin;
use crate::resource::{Behavior, Resource};

#[derive(Debug, Clone)]
pub(crate) struct ResMap {
    meter: Rc<Meter>,
    list: Vec<Resource>,
    /// Ids and places, while nobody has had the chance to change an object since.
    index: Option<HashMap<ResId, usize>>,
}

impl ResMap {
    pub(crate) fn new(meter: &Rc<Meter>) -> Self {
        Self {
            meter: Rc::clone(meter),
            list: Vec::new(),
            index: None,
        }
    }

    /// What the build may cost.
    pub(crate) fn meter(&self) -> Rc<Meter> {
        Rc::clone(&self.meter)
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Resource> {
        self.list.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = Lent<'_>> {
        self.index = None;
        self.list.iter_mut().map(Lent)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<Lent<'_>> {
        self.index = None;
        self.list.get_mut(at).map(Lent)
    }

    pub(crate) fn into_list(self) -> Vec<Resource> {
        self.list
    }

    pub(crate) fn list_mut(&mut self) -> &mut Vec<Resource> {
        self.index = None;
        &mut self.list
    }

    /// Adds an object whose id is not there yet.
    pub(crate) fn append(&mut self, mut new: Resource) -> Result<(), Error> {
        let index = self.index.get_or_insert_with(|| {
            let entries = self.list.iter().enumerate();
            entries.map(|(at, r)| (key(r.id()), at)).collect()
        });
        let id = new.id();
        if let Some(first) = index.insert(key(id.clone()), self.list.len()) {
            let first = self.list.get(first).map_or("", |r| r.origin.as_str());
            return Err(Error::invalid(format!(
                "{id} is defined twice, in {first} and in {}",
                new.origin
            )));
        }
        new.value.pack();
        self.list.push(new);
        Ok(())
    }

    pub(crate) fn append_all(&mut self, new: impl IntoIterator<Item = Resource>) -> Result<(), Error> {
        new.into_iter().try_for_each(|resource| self.append(resource))
    }

    /// Adds a generated object, or merges it into the one that has or had its id.
    pub(crate) fn absorb(&mut self, mut new: Resource) -> Result<(), Error> {
        let id = new.id();
        let mut found = self.named(&id.name, |other| other.same(&id));
        match (new.behavior, found.pop(), found.is_empty()) {
            (Behavior::Create, None, _) => self.append(new),
            (Behavior::Create, Some(_), true) => Err(Error::invalid(format!(
                "{id} is there already; set behavior to merge or replace"
            ))),
            (_, None, _) => Err(Error::invalid(format!(
                "{id} does not exist, so it cannot be merged or replaced"
            ))),
            (_, Some(_), false) => Err(Error::invalid(format!("{id} could be several objects"))),
            (behavior, Some(at), true) => {
                let Some(mut old) = self.get_mut(at) else {
                    return Ok(());
                };
                new.inherit(&mut old);
                if behavior == Behavior::Merge {
                    let kept = old.annotation(origin::ORIGIN).map(str::to_owned);
                    for field in ["data", "binaryData"] {
                        new.merge_data(&old, field);
                    }
                    if kept.is_some() {
                        new.set_annotation(origin::ORIGIN, kept);
                    }
                }
                *old = new;
                Ok(())
            }
        }
    }

    /// Places of the objects of which any id of this name, now or before, passes the test.
    pub(crate) fn named(&self, name: &str, test: impl Fn(&ResId) -> bool) -> Vec<usize> {
        // Ids are made for those only that have or had the name.
        let had = |r: &Resource| r.name() == name || r.previous_names().any(|n| n == name);
        let hits = self.list.iter().enumerate();
        hits.filter(|(_, r)| had(r) && !r.is_gone() && r.ids().any(|id| id.name == name && test(&id)))
            .map(|(at, _)| at)
            .collect()
    }

    /// The place of the one object that has or had an id.
    pub(crate) fn one(&self, id: &ResId) -> Result<usize, Error> {
        match self.named(&id.name, |other| other.same(id)).as_slice() {
            [at] => Ok(*at),
            [] => Err(Error::invalid(format!("no object matches the patch for {id}"))),
            _ => Err(Error::invalid(format!(
                "several objects match the patch for {id}"
            ))),
        }
    }

    /// Fails if two objects have come to the same id.
    pub(crate) fn distinct(&self) -> Result<(), Error> {
        let mut seen = HashSet::with_capacity(self.list.len());
        for resource in &self.list {
            self.meter.step()?;
            let namespace = match resource.namespace() {
                _ if resource.is_cluster() => None,
                "" => Some("default"),
                namespace => Some(namespace),
            };
            let id = (
                resource.api_version(),
                resource.kind(),
                resource.name(),
                namespace,
            );
            if !seen.insert(id) {
                return Err(Error::invalid(format!("{} is there twice", resource.id())));
            }
        }
        Ok(())
    }

    /// Takes out what patches have deleted.
    pub(crate) fn drop_gone(&mut self) {
        if self.list.iter().any(Resource::is_gone) {
            self.index = None;
            self.list.retain(|r| !r.is_gone());
        }
    }
}

/// An object that may be changed; it is packed again when that is done.
pub(crate) struct Lent<'a>(&'a mut Resource);

impl Deref for Lent<'_> {
    type Target = Resource;

    fn deref(&self) -> &Resource {
        self.0
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Resource {
        self.0
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.value.pack();
    }
}

/// An id in the form in which equal ones are the same object.
fn key(mut id: ResId) -> ResId {
    let namespace = id.effective_namespace().to_owned();
    id.namespace = namespace;
    id
}

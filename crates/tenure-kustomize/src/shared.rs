//! Members that kustomize holds once, though they stand in several places.
//!
//! One labels or annotations field that adds a member to several mappings of an object adds the same
//! node to each (`filtersutil.SetEntry`@api v0.21.1). Whatever changes the member in one place later
//! changes it in all: a label that an overlay sets without `includeSelectors`, a patch, a replacement.
//! A JSON patch parts them, as it reads the object anew.

use serde_json::Value;

/// Members of one name that are the same node.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    key: Box<str>,
    value: Value,
    /// The mappings that hold it, as JSON pointers.
    places: Vec<Box<str>>,
}

impl Shared {
    /// Nothing for a member in one place.
    pub(crate) fn new(key: &str, value: Value, places: Vec<Box<str>>) -> Option<Self> {
        (places.len() > 1).then(|| Self {
            key: key.into(),
            value,
            places,
        })
    }

    /// The mapping at `path` was made anew.
    pub(crate) fn part(all: &mut Vec<Self>, path: &str) {
        for one in all.iter_mut() {
            one.places.retain(|place| **place != *path);
        }
        all.retain(|one| one.places.len() > 1);
    }

    /// Brings what has changed in one place to the others.
    pub(crate) fn sync(all: &mut Vec<Self>, root: &mut Value) {
        for one in all.iter_mut() {
            let Self { key, value, places } = one;
            places.retain(|place| root.pointer(place).is_some_and(|map| map.get(&**key).is_some()));
            let mut now = places
                .iter()
                .filter_map(|place| root.pointer(place)?.get(&**key).cloned());
            let Some(new) = now.rfind(|now| now != value) else {
                continue;
            };
            for place in places.iter() {
                if let Some(member) = root.pointer_mut(place).and_then(|map| map.get_mut(&**key)) {
                    *member = new.clone();
                }
            }
            *value = new;
        }
        all.retain(|one| one.places.len() > 1);
    }
}

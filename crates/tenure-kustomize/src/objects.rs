use std::borrow::Cow;

use serde_json::Value;

use crate::packed::Packed;

/// The objects of a build, in its order. They are kept packed, in a tenth of the memory that they take as
/// [`Value`]s, so a caller that handles one after the other never holds them all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Objects(Vec<Packed>);

impl Objects {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One after the other, each unpacked for as long as it is held.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, Value>> {
        self.0.iter().map(Packed::view)
    }

    /// All of them, unpacked.
    #[must_use]
    pub fn into_vec(self) -> Vec<Value> {
        self.0.into_iter().map(Value::from).collect()
    }

    /// Keeps those for whose `apiVersion` the test holds.
    pub(crate) fn retain_versions(&mut self, test: impl Fn(&str) -> bool) {
        self.0
            .retain(|object| test(object.text(&["apiVersion"]).unwrap_or_default()));
    }

    /// Changes one after the other.
    pub(crate) fn change(&mut self, mut change: impl FnMut(&mut Value)) {
        for object in &mut self.0 {
            change(object.open());
            object.pack();
        }
    }

    /// Changes one after the other, until the first error.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn try_change<E>(&mut self, mut change: impl FnMut(&mut Value) -> Result<(), E>) -> Result<(), E> {
        self.0.iter_mut().try_for_each(|object| {
            let done = change(object.open());
            object.pack();
            done
        })
    }
}

impl FromIterator<Value> for Objects {
    fn from_iter<T: IntoIterator<Item = Value>>(values: T) -> Self {
        let packed = values.into_iter().map(|value| {
            let mut object = Packed::from(value);
            object.pack();
            object
        });
        Self(packed.collect())
    }
}

impl FromIterator<Packed> for Objects {
    fn from_iter<T: IntoIterator<Item = Packed>>(objects: T) -> Self {
        Self(objects.into_iter().collect())
    }
}

use super::Transform;
use super::field::set_members;
use crate::Error;
use crate::config::FieldSpec;
use crate::resmap::ResMap;
use crate::schema::Schemas;

/// Annotations in metadata and templates: wherever the specifications say.
pub(crate) struct Annotation {
    pub(crate) pairs: Vec<(String, String)>,
    pub(crate) specs: Vec<FieldSpec>,
}

impl Transform for Annotation {
    fn apply(&self, all: &mut ResMap, _: &Schemas) -> Result<(), Error> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        let meter = all.meter();
        all.iter_mut()
            .try_for_each(|mut resource| set_members(&mut resource, &self.specs, &self.pairs, &meter))
    }
}

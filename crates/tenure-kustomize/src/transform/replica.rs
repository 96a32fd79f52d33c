use serde_json::Value;

use super::Transform;
use super::field::{Create, set, visit_object};
use crate::config::FieldSpec;
use crate::file::Replica;
use crate::resmap::ResMap;
use crate::schema::Schemas;
use crate::{Error, object};

/// Sets the count of the workloads that have or had a name.
pub(crate) struct Replicas {
    pub(crate) replica: Replica,
    pub(crate) specs: Vec<FieldSpec>,
}

impl Transform for Replicas {
    fn apply(&self, all: &mut ResMap, _: &Schemas) -> Result<(), Error> {
        let Replica { name, count } = &self.replica;
        let meter = all.meter();
        let mut found = false;
        for spec in &self.specs {
            meter.check()?;
            for at in all.named(name, |id| spec.selects(&id.gvk)) {
                found = true;
                let Some(mut resource) = all.get_mut(at) else {
                    continue;
                };
                if spec.selects(&resource.gvk()) {
                    visit_object(&mut resource.value, spec, Create::Scalar, &meter, &mut |node| {
                        if node.as_str().is_some_and(|text| !text.is_empty()) {
                            object::reset(node, &count.to_string());
                            return Ok(());
                        }
                        set(node, Value::from(*count), &meter)
                    })?;
                }
            }
        }
        if found {
            return Ok(());
        }
        let mut kinds: Vec<&str> = self.specs.iter().map(|s| s.kind.as_str()).collect();
        kinds.dedup();
        Err(Error::invalid(format!(
            "no object named {name:?} is one of {}",
            kinds.join(", ")
        )))
    }
}

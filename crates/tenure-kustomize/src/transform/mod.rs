//! Transformers: what each field of a kustomization file does, and each object under `transformers`.

mod annotation;
mod built_in;
pub(crate) mod field;
pub(crate) mod generate;
pub(crate) mod hash;
mod image;
mod json6902;
pub(crate) mod label;
mod merge;
mod name;
mod namespace;
mod patch;
pub(crate) mod path;
mod plugin;
pub(crate) mod reference;
mod replacement;
mod replica;
pub(crate) mod sort;
mod value_add;
pub(crate) mod variable;

pub(crate) use built_in::built_in;
pub(crate) use plugin::{generator, transformer};

use crate::load::Loader;
use crate::origin::Origin;
use crate::resmap::ResMap;
use crate::schema::Schemas;
use crate::{Error, RelPath};

/// Something that changes objects.
pub(crate) trait Transform {
    fn apply(&self, all: &mut ResMap, schemas: &Schemas) -> Result<(), Error>;
}

/// A transformer, with what is said of it in annotations and errors.
pub(crate) struct Step {
    pub(crate) transform: Box<dyn Transform>,
    pub(crate) origin: Option<Origin>,
    /// The field of the kustomization file that asks for it.
    pub(crate) field: String,
}

/// What reading a transformer's configuration needs.
pub(crate) struct Context<'a, 'l> {
    pub(crate) loader: &'a mut Loader<'l>,
    pub(crate) dir: &'a RelPath,
}

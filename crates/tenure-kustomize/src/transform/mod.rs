//! The transformers of a kustomization, in kustomize's order.

mod field;
pub(crate) mod generate;
pub(crate) mod hash;
mod image;
mod json6902;
mod label;
mod merge;
mod merge_keys;
mod name;
mod namespace;
mod patch;
pub(crate) mod reference;
mod reference_table;
mod replica;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::file::KustFile;
use crate::load::Loader;
use crate::resource::Resource;
use crate::{Error, RelPath, object};

/// Applies what the kustomization in `dir` asks for.
pub(crate) fn run(
    loader: &mut Loader<'_>,
    dir: &RelPath,
    file: &KustFile,
    all: &mut Vec<Resource>,
) -> Result<(), Error> {
    patch::strategic(loader, dir, file, all)?;
    patch::patches(loader, dir, file, all)?;
    namespace::run(&file.namespace, all).map_err(|e| file.place("namespace", e))?;
    name::run(&file.name_prefix, &file.name_suffix, all);
    label::labels(file, all)?;
    label::annotations(file, all)?;
    patch::json6902(loader, dir, file, all)?;
    replica::run(file, all)?;
    image::run(file, all)
}

/// The pairs as strings; anything but a scalar is refused.
pub(crate) fn strings(pairs: &BTreeMap<String, Value>) -> Result<Vec<(String, String)>, Error> {
    let one = |(key, value): (&String, &Value)| match object::scalar(value) {
        Some(text) => Ok((key.clone(), text)),
        None => Err(Error::invalid(format!("the value of {key:?} must be a string"))),
    };
    pairs.iter().map(one).collect()
}

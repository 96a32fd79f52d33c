//! Resources, generators, components, then transformers: one kustomization after the other.

use std::collections::HashMap;

use crate::file::KustFile;
use crate::load::{Loader, refuse_remote};
use crate::resource::Resource;
use crate::{Build, Error, Kind, Reason, RelPath, transform};

/// Builds the tree below one kustomization and finishes it.
pub(crate) fn run(mut loader: Loader<'_>, dir: &RelPath, file: KustFile) -> Result<Build, Error> {
    let mut resources = Vec::new();
    accumulate(&mut loader, dir, &file, &mut resources)?;
    transform::hash::run(&mut resources)?;
    transform::reference::run(&mut resources)?;
    let objects = resources.into_iter().map(|r| r.value).collect();
    Ok(Build {
        objects,
        read_set: loader.reads,
    })
}

fn accumulate(
    loader: &mut Loader<'_>,
    dir: &RelPath,
    file: &KustFile,
    into: &mut Vec<Resource>,
) -> Result<(), Error> {
    loader.enter(dir)?;
    let mut known = Known::default();
    let here = std::mem::take(into);
    known.add(into, here)?;
    for (i, name) in file.resources.iter().enumerate() {
        resource(loader, dir, name, into, &mut known)
            .map_err(|e| file.place(&format!("resources/{i}"), e))?;
        loader.check(into.len())?;
    }
    transform::generate::run(loader, dir, file, into)?;
    for (i, name) in file.components.iter().enumerate() {
        component(loader, dir, name, into).map_err(|e| file.place(&format!("components/{i}"), e))?;
        loader.check(into.len())?;
    }
    transform::run(loader, dir, file, into)?;
    loader.check(into.len())?;
    loader.leave();
    Ok(())
}

fn resource(
    loader: &mut Loader<'_>,
    dir: &RelPath,
    name: &str,
    into: &mut Vec<Resource>,
    known: &mut Known,
) -> Result<(), Error> {
    refuse_remote(name)?;
    let path = dir.join(name).map_err(|e| Error::new(Reason::Path(e)))?;
    match loader.kind(&path)? {
        None => Err(loader.not_found(&path)),
        Some(Kind::File) => {
            let (path, bytes) = loader.read_named(dir, name)?;
            let found = loader.resources(&path, &bytes)?;
            known.add(into, found)
        }
        Some(Kind::Dir) => {
            let file = loader.kustomization(&path)?;
            if file.is_component {
                return Err(Error::invalid(format!(
                    "{path} is a component; list it under components"
                )));
            }
            let mut inner = Vec::new();
            accumulate(loader, &path, &file, &mut inner)?;
            known.add(into, inner)
        }
    }
}

fn component(
    loader: &mut Loader<'_>,
    dir: &RelPath,
    name: &str,
    into: &mut Vec<Resource>,
) -> Result<(), Error> {
    refuse_remote(name)?;
    let path = dir.join(name).map_err(|e| Error::new(Reason::Path(e)))?;
    if loader.kind(&path)?.is_none() {
        return Err(loader.not_found(&path));
    }
    let file = loader.kustomization(&path)?;
    if !file.is_component {
        return Err(Error::invalid(format!(
            "{path} is not a component: its kind must be Component"
        )));
    }
    accumulate(loader, &path, &file, into)
}

/// The objects of one kustomization so far, with the file that each came from.
#[derive(Default)]
struct Known(HashMap<(String, String, String, String), String>);

impl Known {
    /// Adds objects, none of which may be there already.
    fn add(&mut self, into: &mut Vec<Resource>, new: Vec<Resource>) -> Result<(), Error> {
        for resource in new {
            let id = resource.id();
            let namespace = id.effective_namespace().to_owned();
            let shown = id.shown();
            if let Some(first) = self
                .0
                .insert((id.group, id.kind, id.name, namespace), resource.origin.clone())
            {
                return Err(Error::invalid(format!(
                    "{shown} is defined twice, in {first} and in {}",
                    resource.origin
                )));
            }
            into.push(resource);
        }
        Ok(())
    }
}

use crate::file::KustFile;
use crate::load::{Loader, documents};
use crate::{Error, Kind, Reason, RelPath, object};

/// A kustomization of all manifests in and below a plain directory. A directory with a
/// kustomization file of its own is one resource.
pub(super) fn kustomization(loader: &mut Loader<'_>, dir: &RelPath) -> Result<KustFile, Error> {
    let mut file = KustFile::default();
    walk(loader, dir, "", &mut file.resources, 0)?;
    Ok(file)
}

fn walk(
    loader: &mut Loader<'_>,
    dir: &RelPath,
    prefix: &str,
    found: &mut Vec<String>,
    depth: usize,
) -> Result<(), Error> {
    loader.meter.objects(found.len())?;
    if depth > loader.options.budget.depth {
        return Err(Error::new(Reason::Budget {
            what: "nested directories",
            limit: loader.options.budget.depth as u64,
        }));
    }
    for entry in loader.list(dir)? {
        let path = dir.join(&entry.name).map_err(|e| Error::new(Reason::Path(e)))?;
        let name = format!("{prefix}{}", entry.name);
        match entry.kind {
            Kind::Dir if loader.kustomization_path(&path)?.is_some() => found.push(name),
            Kind::Dir => walk(loader, &path, &format!("{name}/"), found, depth + 1)?,
            Kind::File if name.ends_with(".yaml") || name.ends_with(".yml") => {
                check(loader, &path)?;
                found.push(name);
            }
            Kind::File => {}
        }
    }
    Ok(())
}

/// Every document must be an object: values files and the like do not belong here.
fn check(loader: &mut Loader<'_>, path: &RelPath) -> Result<(), Error> {
    let bytes = loader.read(path)?;
    for document in documents(path, &bytes)? {
        let missing = |field: &[&str]| object::text(&document.value, field).is_none_or(str::is_empty);
        let reason = match () {
            () if document.value.is_null() => continue,
            () if !document.value.is_object() => "the document is not a mapping",
            () if missing(&["apiVersion"]) => "apiVersion is missing",
            () if missing(&["kind"]) => "kind is missing",
            () => continue,
        };
        return Err(Error::at_file(path, Reason::NotAnObject(reason.into())).at(Some(document.location)));
    }
    Ok(())
}

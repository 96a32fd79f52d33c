//! What Flux's Kustomization adds to a build, and its HelmRelease to a chart.

mod expression;
mod generate;
mod glob;
mod overlay;
mod post_render;
mod selected;
mod substitute;

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

pub use expression::NO_TEXT;
pub use overlay::{CommonMetadata, Overlay};
pub use post_render::PostRender;
pub use selected::selected;
pub use substitute::{substitute, substitute_within, takes_variables};

use crate::load::Loader;
use crate::meter::Meter;
use crate::{
    Budget, Build, Error, FileSystem, LoadRestriction, Objects, Options, Reason, RelPath, object, target,
};

/// Builds `path` of a source with what the Kustomization's spec lays over it, within the default
/// [`Budget`]. A directory without a kustomization file gets one made of all its manifests.
///
/// # Errors
/// As [`crate::build`]; also when the path is missing or a manifest of a plain directory is no object.
pub fn build(fs: &dyn FileSystem, path: &str, overlay: &Overlay) -> Result<Build, Error> {
    build_within(fs, path, overlay, Budget::default())
}

/// The same within another budget.
///
/// # Errors
/// As [`build`].
pub fn build_within(
    fs: &dyn FileSystem,
    path: &str,
    overlay: &Overlay,
    budget: Budget,
) -> Result<Build, Error> {
    let options = Options {
        restriction: LoadRestriction::None,
        budget,
        ..Options::default()
    };
    let mut loader = Loader::new(fs, &options);
    // As in the chroot-like directory that Flux builds in.
    let dir = RelPath::clamped(path).map_err(|e| Error::new(Reason::Path(e)))?;
    let mut file = match loader.kind(&dir)? {
        None => return Err(Error::new(Reason::NoSuchPath(path.to_owned(), loader.hint(&dir)))),
        Some(_) => match loader.kustomization_path(&dir) {
            Ok(None) => generate::kustomization(&mut loader, &dir)?,
            _ => loader.kustomization(&dir)?,
        },
    };
    overlay.lay_over(&mut file, &mut loader, &dir)?;
    let meter = Rc::clone(&loader.meter);
    let mut build = target::run(loader, &dir, &file)?;
    build
        .objects
        .retain_versions(|version| !version.starts_with("kustomize.config.k8s.io/"));
    overlay.common_metadata.room(&meter, build.objects.len())?;
    overlay.common_metadata.apply(&mut build.objects);
    Ok(build)
}

impl CommonMetadata {
    /// Whether there is room for it on so many objects.
    fn room(&self, meter: &Meter, objects: usize) -> Result<(), Error> {
        let pairs = self.labels.iter().chain(&self.annotations);
        let size: usize = pairs.map(|(k, v)| 128 + k.len() + v.len()).sum();
        meter.take(size.saturating_mul(objects))
    }

    /// Puts the labels and annotations on every object, over those that it has.
    pub fn apply(&self, objects: &mut Objects) {
        if self.labels.is_empty() && self.annotations.is_empty() {
            return;
        }
        objects.change(|value| {
            metadata(value, "labels", &self.labels);
            metadata(value, "annotations", &self.annotations);
        });
    }
}

fn metadata(value: &mut Value, field: &str, pairs: &BTreeMap<String, String>) {
    if pairs.is_empty() {
        return;
    }
    if let Some(map) = object::mapping(value, &["metadata", field]) {
        map.extend(pairs.iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))));
    }
}

//! `kustomize build` as a pure, synchronous function: a directory in, Kubernetes objects out.
//!
//! Files are read through [`FileSystem`] only, beneath one root that no path, `..` or link leaves.
//! Remote bases, plugins, Helm and anything that would run a program are refused. A field that is
//! not supported is an error that names file and field; nothing is skipped in silence.
//!
//! Invariants: a build never panics and is bounded by [`Budget`]; its result depends on nothing but
//! the options and what [`ReadSet`] lists.
//!
//! [`flux::build`] adds what Flux's Kustomization does around it: a generated file for plain
//! directories, and the overlay from the object's spec.
//!
//! ```
//! use tenure_kustomize::{MemFs, flux};
//!
//! let files = MemFs::new([("app/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")]);
//! let overlay = flux::Overlay { target_namespace: Some("prod".into()), ..Default::default() };
//! let build = flux::build(&files, "./app", &overlay)?;
//! assert_eq!(build.objects.into_vec()[0]["metadata"]["namespace"], "prod");
//! # Ok::<(), tenure_kustomize::Error>(())
//! ```

mod budget;
mod config;
mod decode;
mod error;
mod file;
mod finish;
pub mod flux;
mod fs;
mod id;
mod load;
mod meter;
mod object;
mod objects;
mod origin;
mod packed;
mod path;
mod read_set;
mod resmap;
mod resource;
mod schema;
mod select;
mod shared;
mod target;
mod transform;
mod written;

use serde_json::Value;
use tenure_yaml::EmitOptions;

pub use budget::{Budget, LoadRestriction, Options, Reorder};
pub use error::{Error, Reason};
pub use file::{Image, Patch, Selector};
pub use fs::{DirFs, Entry, FileSystem, Kind, MemFs};
pub use objects::Objects;
pub use path::{PathError, RelPath};
pub use read_set::{ReadSet, Seen};

/// What a build gives.
#[derive(Debug, Clone)]
pub struct Build {
    /// The objects in kustomize's order.
    pub objects: Objects,
    /// Everything that the build looked at.
    pub read_set: ReadSet,
}

impl Build {
    /// The objects as one YAML stream, as kustomize writes it.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        for (at, object) in self.objects.iter().enumerate() {
            document(&mut text, at, &object);
        }
        text
    }

    /// The same object by object, for a caller that needs no text of the whole.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_yaml(&self, to: &mut dyn std::io::Write) -> std::io::Result<()> {
        let mut text = String::new();
        self.objects.iter().enumerate().try_for_each(|(at, object)| {
            text.clear();
            document(&mut text, at, &object);
            to.write_all(text.as_bytes())
        })
    }
}

fn document(text: &mut String, at: usize, object: &Value) {
    if at > 0 {
        text.push_str("---\n");
    }
    tenure_yaml::append(text, object, &EmitOptions::default());
}

/// Builds the directory `dir` of `fs`, which must hold a kustomization file.
///
/// # Errors
/// When a file is missing, malformed or not allowed, a field is not supported, or a limit is reached.
pub fn build(fs: &dyn FileSystem, dir: &str, options: &Options) -> Result<Build, Error> {
    let dir = RelPath::parse(dir).map_err(|e| Error::at_file(dir, Reason::Path(e)))?;
    let mut loader = load::Loader::new(fs, options);
    let file = loader.kustomization(&dir)?;
    target::run(loader, &dir, &file)
}

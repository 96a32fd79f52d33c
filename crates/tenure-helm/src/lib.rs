//! `helm template` as a pure, synchronous library: a chart and values in, manifests out.
//!
//! A [`Chart`] is read from a directory beneath a root, an archive or memory. A [`Renderer`] renders
//! it any number of times and parses each of its templates once.
//!
//! Refuses: to run a program, to reach the network or the environment, to read a file outside the
//! chart's root. A chart whose dependencies are not in its `charts/` is an error; nothing is fetched.
//!
//! A [`Package`] is a chart on its way into an archive, with other values or with the charts it depends on.
//!
//! Invariants: the result depends on nothing but the chart, the values and [`Options`]; loading is
//! bounded by [`Limits`], rendering by those of [`tenure_gotmpl`]; no input panics. Output, order,
//! warnings and errors are those of Helm 4.2.
//!
//! ```
//! use tenure_gotmpl::Seeded;
//! use tenure_helm::{Chart, File, Limits, Options, Release, Renderer};
//!
//! let chart = Chart::from_files(
//!     vec![
//!         File::new("Chart.yaml", b"apiVersion: v2\nname: hello\nversion: 1.0.0\n"),
//!         File::new("values.yaml", b"who: world\n"),
//!         File::new("templates/map.yaml", b"kind: ConfigMap\ndata: {hello: {{ .Values.who }}}\n"),
//!     ],
//!     &Limits::default(),
//! )?;
//! let renderer = Renderer::new(chart)?;
//! let world = Seeded::new(1);
//! let options = Options::new(Release::new("greeting", "default"), &world);
//! let mut values = serde_json::Map::new();
//! tenure_helm::set("who=you", &mut values)?;
//! let rendered = renderer.render(&values, &options)?;
//! assert_eq!(rendered.manifests[0].content, "kind: ConfigMap\ndata: {hello: you}\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod capabilities;
mod chart;
mod dependencies;
mod error;
mod glob;
mod limits;
mod load;
mod manifest;
mod package;
mod post_render;
mod release;
mod render;
mod schema;
mod strvals;
mod values;
mod version;

pub use capabilities::{Capabilities, KubeVersion};
pub use chart::{Chart, Dependency, File, Maintainer, Metadata, TypeError};
pub use error::Error;
pub use glob::{BadPattern, path_match};
pub use limits::Limits;
pub use load::{ChartFs, DirFs, Entry, IgnoreError, Kind, LoadError};
pub use manifest::{
    DeletePolicy, Head, Hook, HookEvent, INSTALL_ORDER, Manifest, ManifestError, UNINSTALL_ORDER,
    execution_order, split,
};
pub use package::{Package, PackageError, with_build};
pub use post_render::{PostRenderer, Strategy};
pub use release::{check_release_name, name_from_template};
pub use render::{Options, Release, Rendered, Renderer, Selection};
pub use strvals::{SetError, set, set_file, set_json, set_literal, set_string};
pub use values::{NotATable, ValuesError, merge, read_values, with_floats};

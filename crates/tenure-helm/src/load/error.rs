use std::io;

use super::IgnoreError;
use crate::chart::TypeError;
use crate::values::ValuesError;

/// Why a chart was not loaded. Texts are Helm's, where Helm has one.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no chart, or one of an unknown kind.
    #[error("{0}")]
    NotAChart(String),
    /// A file is not YAML.
    #[error("cannot load {file}: {text}")]
    Yaml {
        /// The file.
        file: &'static str,
        /// What is wrong, with the line.
        text: String,
    },
    /// A file has a field of another type.
    #[error("cannot load {file}: {source}")]
    Field {
        /// The file.
        file: &'static str,
        /// Which field.
        source: TypeError,
    },
    /// The default values are malformed.
    #[error("cannot load values.yaml: {0}")]
    Values(#[source] ValuesError),
    /// The metadata breaks a rule.
    #[error("validation: {0}")]
    Invalid(String),
    /// A chart within the chart was not loaded.
    #[error("error unpacking subchart {name} in {parent}: {source}")]
    Subchart {
        /// The name of its file or directory.
        name: String,
        /// The chart around it.
        parent: String,
        /// Why.
        source: Box<Self>,
    },
    /// The ignore file is malformed.
    #[error(transparent)]
    Ignore(#[from] IgnoreError),
    /// A device, a socket or the like among the files.
    #[error("cannot load irregular file {0} as it has file mode type bits set")]
    Irregular(String),
    /// A file of a directory is too large.
    #[error("chart file {0:?} is larger than the maximum file size {1}")]
    FileTooLarge(String, u64),
    /// A file of an archive is too large.
    #[error("decompressed chart file {0:?} is larger than the maximum file size {1}")]
    EntryTooLarge(String, u64),
    /// All files together are too large.
    #[error("decompressed chart is larger than the maximum size {0}")]
    ChartTooLarge(u64),
    /// Another limit was reached.
    #[error("more than {1} {0}")]
    TooMuch(&'static str, u64),
    /// A name in an archive leads out of the chart or is not a name.
    #[error("{0}")]
    IllegalName(String),
    /// The archive is not what it should be.
    #[error("{0}")]
    Archive(String),
    /// A file or directory was not read.
    #[error("error reading {path}: {source}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl LoadError {
    pub(crate) fn yaml(file: &'static str, text: &str) -> Self {
        Self::Yaml {
            file,
            text: text.to_owned(),
        }
    }

    pub(super) const fn field(file: &'static str, source: TypeError) -> Self {
        Self::Field { file, source }
    }
}

impl From<crate::limits::TooMuch> for LoadError {
    fn from((what, limit): crate::limits::TooMuch) -> Self {
        match what {
            "bytes" => Self::ChartTooLarge(limit),
            _ => Self::TooMuch(what, limit),
        }
    }
}

use crate::file::KustFile;
use crate::load::Loader;
use crate::resource::Resource;
use crate::{Error, Reason, RelPath};

pub(crate) fn strategic(_: &mut Loader<'_>, _: &RelPath, file: &KustFile, _: &mut Vec<Resource>) -> Result<(), Error> {
    if file.patches_strategic_merge.is_empty() { Ok(()) } else { Err(file.error("patchesStrategicMerge", Reason::Unsupported)) }
}
pub(crate) fn patches(_: &mut Loader<'_>, _: &RelPath, file: &KustFile, _: &mut Vec<Resource>) -> Result<(), Error> {
    if file.patches.is_empty() { Ok(()) } else { Err(file.error("patches", Reason::Unsupported)) }
}
pub(crate) fn json6902(_: &mut Loader<'_>, _: &RelPath, file: &KustFile, _: &mut Vec<Resource>) -> Result<(), Error> {
    if file.patches_json6902.is_empty() { Ok(()) } else { Err(file.error("patchesJson6902", Reason::Unsupported)) }
}

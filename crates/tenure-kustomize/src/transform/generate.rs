use crate::file::KustFile;
use crate::load::Loader;
use crate::resource::Resource;
use crate::{Error, Reason, RelPath};

/// Not yet.
pub(crate) fn run(_: &mut Loader<'_>, _: &RelPath, file: &KustFile, _: &mut Vec<Resource>) -> Result<(), Error> {
    if file.config_maps.is_empty() { Ok(()) } else { Err(file.error("configMapGenerator", Reason::Unsupported)) }
}

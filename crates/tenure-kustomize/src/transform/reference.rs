use crate::Error;
use crate::resource::Resource;

/// Not yet.
pub(crate) fn run(_: &mut [Resource]) -> Result<(), Error> {
    Ok(())
}

//! Takes a pack into an object database: written as it comes, then indexed.
//!
//! The library's own function for this maps the whole pack while it makes the index, so that all of it counts as memory
//! of the process at once. The pieces that function is made of are put together here around a mapping that gives back what
//! was read.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write as _};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use gix::odb::pack;
use pack::data::EntryRange;
use pack::data::input::{BytesToEntriesIter, EntryDataMode, Mode};
use tempfile::{NamedTempFile, TempPath};
use tenure_sandbox::Mapped;

/// Bytes of the mapped pack that are in memory at once.
const MAPPED: u64 = 4 << 20;
const BUFFER: usize = 64 << 10;

/// Writes the pack that comes from `from`, and an index of it, to `folder`, and checks both. An empty pack leaves nothing.
pub(crate) fn take(
    from: &mut dyn BufRead,
    folder: &Path,
    kind: gix::hash::Kind,
    most: u64,
    progress: &mut dyn gix::DynNestedProgress,
    stop: &AtomicBool,
) -> gix::Result<()> {
    let failed = gix::Error::from_error;
    let (file, path) = NamedTempFile::new_in(folder).map_err(failed)?.into_parts();
    let file = RefCell::new(BufWriter::with_capacity(BUFFER, file));
    let copied = BufReader::with_capacity(BUFFER, Copied { from, to: &file });
    let mut entries = BytesToEntriesIter::new_from_header(copied, Mode::Verify, EntryDataMode::Crc32, kind)?;
    let version = entries.version();
    let mut index = NamedTempFile::new_in(folder).map_err(failed)?;
    let resolver = || {
        file.borrow_mut().flush()?;
        let mapped = Mapped::open(file.borrow().get_ref(), MAPPED)?;
        Ok((of_entry as fn(EntryRange, &Mapped) -> Option<&[u8]>, mapped))
    };
    let done = pack::index::write_data_iter_to_stream(
        pack::index::Version::default(),
        resolver,
        &mut entries,
        Some(1),
        progress,
        &mut index,
        stop,
        kind,
        Some(usize::try_from(most).unwrap_or(usize::MAX)),
        version,
    )?;
    if done.num_objects > 0 {
        let name = folder.join(format!("pack-{}.pack", done.data_hash.to_hex()));
        keep(path, &name).map_err(failed)?;
        // a pack is found by its index
        keep(index.into_temp_path(), &name.with_extension("idx")).map_err(failed)?;
    }
    Ok(())
}

fn of_entry(range: EntryRange, mapped: &Mapped) -> Option<&[u8]> {
    mapped.bytes(range)
}

/// One of the same name has the same content, and may be in use.
fn keep(path: TempPath, name: &Path) -> io::Result<()> {
    match path.persist_noclobber(name) {
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(|refused| refused.error),
    }
}

/// What is read, written to a file on the way.
struct Copied<'a> {
    from: &'a mut dyn BufRead,
    to: &'a RefCell<BufWriter<File>>,
}

impl Read for Copied<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buf)?;
        if let Some(bytes) = buf.get(..read) {
            self.to.borrow_mut().write_all(bytes)?;
        }
        Ok(read)
    }
}

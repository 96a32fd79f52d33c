//! A file that is mapped into memory to be read, of which only a little is in memory at a time.

#![allow(
    unsafe_code,
    reason = "a mapping is only as constant as its file, which the caller answers for"
)]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{Mmap, UncheckedAdvice};

/// A private file, mapped to read. Pages that were read count as memory of the process; after every so many bytes they
/// are given back, and read again from the kernel's copy when they are wanted again.
#[derive(Debug)]
pub struct Mapped {
    map: Mmap,
    every: u64,
    read: AtomicU64,
}

impl Mapped {
    /// Maps the whole of `file`, and gives memory back after every `every` bytes.
    ///
    /// The file must be one that nobody writes to or shortens while it is mapped, as a temporary file without a
    /// name that others know: what is read would change, or end the process.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn open(file: &File, every: u64) -> io::Result<Self> {
        // SAFETY: the caller keeps the file as it is; what comes from it is plain bytes.
        let map = unsafe { Mmap::map(file) }?;
        Ok(Self {
            map,
            every,
            read: AtomicU64::new(0),
        })
    }

    /// These bytes of the file, if it has them all.
    #[must_use]
    pub fn bytes(&self, range: Range<u64>) -> Option<&[u8]> {
        let length = range.end.checked_sub(range.start)?;
        if self.read.fetch_add(length, Ordering::Relaxed) + length > self.every {
            self.read.store(0, Ordering::Relaxed);
            // SAFETY: nothing is ever written through this mapping, and the pages of a shared one hold what the file holds:
            // whoever still reads some finds the same bytes again. What the kernel refuses costs memory only.
            unsafe { self.map.unchecked_advise(UncheckedAdvice::DontNeed) }.ok();
        }
        self.map
            .get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    }
}

//! What `ps` shows of a child: its own arguments, where the stage's were.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use crate::sys;

/// Where this process's arguments are in its memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Title {
    /// Of the first one after the program's name.
    from: usize,
    to: usize,
}

impl Title {
    /// `None` where the kernel does not say.
    pub(crate) fn find() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let (start, to) = range(&stat)?;
        let name = std::env::args_os().next()?.len();
        let from = start.checked_add(name)?.checked_add(1)?;
        (from < to).then_some(Self { from, to })
    }

    /// Writes as much as there is room for.
    pub(crate) fn write(self, args: &[OsString]) {
        let mut text = Vec::new();
        for arg in args {
            text.extend_from_slice(arg.as_bytes());
            text.push(0);
        }
        // the last byte stays NUL: without it the kernel looks for more behind the arguments
        text.resize(self.to - self.from, 0);
        if let Some(last) = text.last_mut() {
            *last = 0;
        }
        sys::overwrite(self.from, &text);
    }
}

/// Gives the process the name that `top` shows, cut off by the kernel at 15 bytes.
pub(crate) fn name(part: &OsStr) {
    // a request's arguments hold no NUL
    let Ok(name) = CString::new(part.as_bytes()) else {
        return;
    };
    if let Err(error) = sys::name(&name) {
        tracing::debug!(%error, "a child can't be named");
    }
}

/// `arg_start` and `arg_end` of proc(5), fields 48 and 49.
fn range(stat: &str) -> Option<(usize, usize)> {
    let mut fields = stat.rsplit_once(") ")?.1.split_whitespace().skip(45);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_where_the_arguments_are() {
        let stat = std::fs::read_to_string("/proc/self/stat").expect("this is Linux");
        let (from, to) = range(&stat).expect("said");
        let all: usize = std::env::args_os().map(|arg| arg.len() + 1).sum();
        assert_eq!(to - from, all);
    }
}

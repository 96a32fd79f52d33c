//! How much of the machine a child has used, and how much it is to get beside others.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, setpriority_pgrp, setpriority_process};

use crate::Child;

/// Clock ticks a second in `/proc/<pid>/stat`: fixed at 100 for user space on Linux.
const TICK: Duration = Duration::from_millis(10);

impl Child {
    /// The processor time that it has used; `None` once it has been reaped.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn cpu(&self) -> io::Result<Option<Duration>> {
        match std::fs::read_to_string(format!("/proc/{}/stat", self.pid())) {
            Ok(stat) => Ok(ticks(&stat).map(|ticks| TICK * ticks)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lets it run when others have no use for the processor, with all threads that it has and will have. `nice` is as in
    /// nice(2), 0 to 19. It is for good: who has lost weight gets none back.
    ///
    /// # Errors
    /// When the kernel refuses; a process that has ended is no error.
    pub fn stand_back(&self, nice: i32) -> io::Result<()> {
        let Some(pid) = i32::try_from(self.pid()).ok().and_then(Pid::from_raw) else {
            return Ok(());
        };
        // Where the kernel weighs sessions and not processes (on a bare machine, for the root group), the session's own
        // number counts. It is root's to write; in a container there is nothing to write for.
        std::fs::write(format!("/proc/{}/autogroup", self.pid()), nice.to_string()).ok();
        // A child leads a session of its own as soon as it has entered; until then it has one thread.
        let whole = setpriority_pgrp(Some(pid), nice);
        let result = if whole.is_err() {
            setpriority_process(Some(pid), nice)
        } else {
            whole
        };
        match result {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            other => Ok(other?),
        }
    }
}

/// User and system time of `/proc/<pid>/stat`.
fn ticks(stat: &str) -> Option<u32> {
    // the second field is the program's name, in parentheses, and may hold blanks
    let rest = stat.rsplit_once(')')?.1;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_blanks_does_not_shift_the_fields() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 0 0 20 0 1 0 99 1 1";
        assert_eq!(ticks(stat), Some(42));
    }
}

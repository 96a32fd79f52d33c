use tenure_proto::lifeline::Usage;

use crate::deadline::monotonic;

/// Clock ticks a second in `/proc/<pid>/stat`: fixed at 100 for user space on Linux.
const TICK_MILLIS: u64 = 10;

/// What this process uses, from `/proc/self`; zeros where that cannot be read.
pub(crate) fn usage() -> Usage {
    let rss_bytes = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|statm| rss(&statm))
        .unwrap_or(0);
    let cpu_milliseconds = std::fs::read_to_string("/proc/self/stat")
        .ok()
        .and_then(|stat| cpu(&stat))
        .unwrap_or(0);
    Usage {
        rss_bytes,
        cpu_milliseconds,
        monotonic_nanoseconds: clock(),
    }
}

/// What the machine's monotonic clock shows, as the lifeline carries it.
pub(crate) fn clock() -> u64 {
    u64::try_from(monotonic().as_nanos()).unwrap_or(u64::MAX)
}

fn rss(statm: &str) -> Option<u64> {
    statm
        .split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|pages| pages * 4096)
}

fn cpu(stat: &str) -> Option<u64> {
    // the second field is the program's name, in parentheses, and may hold blanks
    let rest = stat.rsplit_once(')')?.1;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * TICK_MILLIS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_blanks_does_not_shift_the_fields() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 0 0 20 0 1 0 99 1 1";
        assert_eq!(cpu(stat), Some(420));
        assert_eq!(rss("100 25 3 1 0 9 0"), Some(25 * 4096));
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(usage().rss_bytes > 0);
    }
}

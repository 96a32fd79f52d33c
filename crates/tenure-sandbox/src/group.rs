//! A control group (cgroup v2) for each child, where this process may divide its own: in a container whose groups are
//! writable, in a service with `Delegate=yes`, on a machine of one's own. In most Pods it may not, and the limits of
//! [`enter`](crate::enter) are all there is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is limited, where this process's group has it.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
/// Groups of ours are named so, with the process id of whose they are.
const PREFIX: &str = "tenure-";
/// Where the dividing process itself goes: a group that divides its memory holds no process.
const SELF: &str = "self";
/// What a group holds besides what `RLIMIT_DATA` counts: pages of the program's file, sockets, the kernel's own.
const BESIDES: u64 = 64 << 20;
/// Threads of a child, at most; one that has them all has gone astray.
const THREADS: u64 = 128;

/// The group that is divided.
#[derive(Debug)]
pub struct Groups {
    base: PathBuf,
    controllers: Vec<&'static str>,
}

/// What one child is in, until it is dropped, which ends whatever is left in there.
#[derive(Debug)]
pub struct Group(PathBuf);

/// Why this process can't divide its group.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// There is none of version 2.
    #[error("the machine has no control groups of version 2")]
    None,
    /// The kernel said no, or the files are not what they should be.
    #[error("{}: {source}", path.display())]
    Refused {
        /// The file or directory.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl Groups {
    /// Divides this process's group. Groups of processes that are gone are removed.
    ///
    /// # Errors
    /// [`GroupError`] when it may not.
    pub fn divide() -> Result<Self, GroupError> {
        let own = own().ok_or(GroupError::None)?;
        let base = own.join(format!("{PREFIX}{}", std::process::id()));
        clear(&own);
        make(&base)?;
        let mut groups = Self {
            base,
            controllers: Vec::new(),
        };
        groups.hand_down(&own);
        Ok(groups)
    }

    /// What is limited in each group; none where other processes share the one that is divided.
    #[must_use]
    pub fn controllers(&self) -> &[&'static str] {
        &self.controllers
    }

    /// Puts a child into a group of its own, of this name. `memory` is what it may have, bytes.
    ///
    /// # Errors
    /// When the kernel refuses; the child is where it was then.
    pub fn put(&self, name: &str, pid: u32, memory: Option<u64>) -> Result<Group, GroupError> {
        let dir = self.base.join(name);
        make(&dir)?;
        let group = Group(dir);
        if self.has("memory") {
            if let Some(memory) = memory {
                group.set("memory.max", &memory.saturating_add(BESIDES).to_string())?;
            }
            // all threads end, not the one that asked last
            group.set("memory.oom.group", "1")?;
        }
        if self.has("pids") {
            group.set("pids.max", &THREADS.to_string())?;
        }
        group.set("cgroup.procs", &pid.to_string())?;
        Ok(group)
    }

    fn has(&self, controller: &str) -> bool {
        self.controllers.contains(&controller)
    }

    /// Controllers are handed down one by one: what the machine does not have is left out.
    fn hand_down(&mut self, own: &Path) {
        let there = fs::read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
        let there: Vec<_> = there.split_whitespace().collect();
        let wanted = CONTROLLERS.into_iter().filter(|wanted| there.contains(wanted));
        let wanted: Vec<_> = wanted.collect();
        if wanted.is_empty() || !self.step_aside(own) {
            return;
        }
        for controller in wanted {
            let handed = [own, &self.base]
                .iter()
                .try_for_each(|dir| write(&dir.join("cgroup.subtree_control"), &format!("+{controller}")));
            match handed {
                Ok(()) => self.controllers.push(controller),
                Err(error) => tracing::warn!(%error, "a control group can't be divided"),
            }
        }
    }

    /// Leaves the group that is divided, unless others are in there, who are not ours to move.
    fn step_aside(&self, own: &Path) -> bool {
        let is_root = !own.join("cgroup.type").exists();
        let me = std::process::id().to_string();
        let inside = fs::read_to_string(own.join("cgroup.procs")).unwrap_or_default();
        if is_root || inside.is_empty() {
            return true;
        }
        if inside.split_whitespace().any(|pid| pid != me) {
            return false;
        }
        let place = own.join(format!("{PREFIX}{SELF}"));
        make(&place)
            .and_then(|()| write(&place.join("cgroup.procs"), &me))
            .is_ok()
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        fs::remove_dir(&self.base).ok();
    }
}

impl Group {
    fn set(&self, file: &str, value: &str) -> Result<(), GroupError> {
        write(&self.0.join(file), value)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Linux 5.14; before that a child's own end has to do
        fs::write(self.0.join("cgroup.kill"), "1").ok();
        // one that still holds something is used again by the next child of its name, or cleared by the next start
        fs::remove_dir(&self.0).ok();
    }
}

/// Removes groups of processes that are gone.
fn clear(own: &Path) {
    let entries = fs::read_dir(own).into_iter().flatten().flatten();
    let is_over = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let of = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let pid = of.and_then(|of| of.parse::<u32>().ok());
        pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    };
    for entry in entries.filter(is_over) {
        let inner = fs::read_dir(entry.path()).into_iter().flatten().flatten();
        for group in inner.filter(|inner| inner.file_type().is_ok_and(|kind| kind.is_dir())) {
            fs::remove_dir(group.path()).ok();
        }
        fs::remove_dir(entry.path()).ok();
    }
}

/// This process's group, as a directory.
fn own() -> Option<PathBuf> {
    let cgroup = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    directory(&cgroup, &mounts)
}

/// Of `/proc/self/cgroup` and `/proc/self/mountinfo`, proc(5).
fn directory(cgroup: &str, mounts: &str) -> Option<PathBuf> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    let (root, point) = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        after.starts_with("cgroup2 ").then_some(())?;
        let mut fields = before.split(' ').skip(3);
        Some((fields.next()?, fields.next()?))
    })?;
    let inside = Path::new(path).strip_prefix(root).ok()?;
    Some(Path::new(point).join(inside))
}

fn make(dir: &Path) -> Result<(), GroupError> {
    fs::create_dir_all(dir).map_err(|source| GroupError::Refused {
        path: dir.to_owned(),
        source,
    })
}

fn write(path: &Path, value: &str) -> Result<(), GroupError> {
    fs::write(path, value).map_err(|source| GroupError::Refused {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_wherever_it_is_mounted() {
        let mounts = "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = directory("0::/system.slice/tenure.service\n", mounts);
        assert_eq!(found, Some("/sys/fs/cgroup/system.slice/tenure.service".into()));
        let both = "33 25 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                    34 25 0:30 /pod7 /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            directory("4:memory:/pod7\n0::/pod7/a\n", both),
            Some("/sys/fs/cgroup/unified/a".into())
        );
        assert_eq!(directory("0::/elsewhere\n", both), None, "not of this mount");
        assert_eq!(directory("4:memory:/\n", mounts), None, "only version 1");
    }
}

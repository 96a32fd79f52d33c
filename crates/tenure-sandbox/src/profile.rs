use std::path::PathBuf;

/// What a child keeps when it enters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Directories it may read and write.
    pub writable: Vec<PathBuf>,
    /// Files and directories it may read; those that do not exist are left out.
    pub readable: Vec<PathBuf>,
    /// Bytes of data (heap and stacks); `None` for no limit.
    pub memory: Option<u64>,
    /// Bytes of the largest file it may write.
    pub file_size: u64,
    /// TCP ports it may connect to; empty for any. It may never listen.
    pub ports: Vec<u16>,
}

/// What resolving a host name and verifying a certificate read. glibc looks at most of these.
const COMMON: [&str; 10] = [
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/localtime",
];

/// glibc loads its resolver's parts from here when a name is first looked up.
const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

const LARGEST_FILE: u64 = 1 << 30;

impl Profile {
    /// A worker: its own scratch directory, at most `memory` bytes, and TCP to `ports` (any if empty).
    #[must_use]
    pub fn worker(scratch: impl Into<PathBuf>, memory: Option<u64>, ports: &[u16]) -> Self {
        Self {
            memory,
            ports: ports.to_vec(),
            ..Self::fetcher([scratch.into()])
        }
    }

    /// A fetcher: the directories it works in, TCP to anywhere.
    #[must_use]
    pub fn fetcher(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        let readable = COMMON
            .iter()
            .chain(&LIBRARIES)
            .chain(&["/proc/self", "/dev/urandom"]);
        Self {
            writable: directories.into_iter().collect(),
            readable: readable.map(PathBuf::from).collect(),
            memory: None,
            file_size: LARGEST_FILE,
            ports: Vec::new(),
        }
    }
}

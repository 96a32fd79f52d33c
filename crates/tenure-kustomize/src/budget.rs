use std::time::Duration;

/// Which files a kustomization may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadRestriction {
    /// Files in its own directory and below, as the kustomize command does by default.
    RootOnly,
    /// Any file of the file system, as Flux does.
    None,
}

/// What a build may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Bytes read, all files together.
    pub bytes: u64,
    /// Objects at any moment.
    pub objects: usize,
    /// Kustomizations inside each other.
    pub depth: usize,
    /// Files and directories looked at.
    pub files: usize,
    /// Time from start to end.
    pub time: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            objects: 20_000,
            depth: 64,
            files: 20_000,
            time: Duration::from_secs(60),
        }
    }
}

/// How to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Which files a kustomization may name.
    pub restriction: LoadRestriction,
    /// The limits.
    pub budget: Budget,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            restriction: LoadRestriction::RootOnly,
            budget: Budget::default(),
        }
    }
}

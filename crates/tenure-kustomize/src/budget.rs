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
    /// Bytes that the objects take in memory, with what is being put into them; an estimate.
    pub memory: u64,
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
            memory: 512 << 20,
            time: Duration::from_secs(60),
        }
    }
}

/// The order of the result, unless the kustomization file has `sortOptions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reorder {
    /// As the files have it, as Flux does.
    None,
    /// By kind: namespaces first, webhooks last. What the kustomize command does by default.
    Legacy,
}

/// How to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Which files a kustomization may name.
    pub restriction: LoadRestriction,
    /// The order of the result.
    pub reorder: Reorder,
    /// Label every object with the version of kustomize that this build follows.
    pub managed_by_label: bool,
    /// The limits.
    pub budget: Budget,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            restriction: LoadRestriction::RootOnly,
            reorder: Reorder::None,
            managed_by_label: false,
            budget: Budget::default(),
        }
    }
}

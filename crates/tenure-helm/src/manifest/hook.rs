use std::str::FromStr;

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HookEvent {
    /// Before anything is installed.
    PreInstall,
    /// After everything is installed.
    PostInstall,
    /// Before a release is removed.
    PreDelete,
    /// After a release is removed.
    PostDelete,
    /// Before an upgrade.
    PreUpgrade,
    /// After an upgrade.
    PostUpgrade,
    /// Before a rollback.
    PreRollback,
    /// After a rollback.
    PostRollback,
    /// When tests are asked for.
    Test,
}

impl FromStr for HookEvent {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "pre-install" => Self::PreInstall,
            "post-install" => Self::PostInstall,
            "pre-delete" => Self::PreDelete,
            "post-delete" => Self::PostDelete,
            "pre-upgrade" => Self::PreUpgrade,
            "post-upgrade" => Self::PostUpgrade,
            "pre-rollback" => Self::PreRollback,
            "post-rollback" => Self::PostRollback,
            // `test-success` is what Helm 2 called it.
            "test" | "test-success" => Self::Test,
            _ => return Err(()),
        })
    }
}

/// When a hook's object is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeletePolicy {
    /// Once it has succeeded.
    HookSucceeded,
    /// Once it has failed.
    HookFailed,
    /// Before it is created again.
    BeforeHookCreation,
    /// Something else; Helm keeps it and does nothing about it.
    Other(String),
}

impl From<&str> for DeletePolicy {
    fn from(text: &str) -> Self {
        match text {
            "hook-succeeded" => Self::HookSucceeded,
            "hook-failed" => Self::HookFailed,
            "before-hook-creation" => Self::BeforeHookCreation,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A manifest that is applied at certain moments only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The object's name.
    pub name: String,
    /// The object's kind.
    pub kind: String,
    /// The template, with the path from the outermost chart on.
    pub source: String,
    /// The text.
    pub content: String,
    /// When it runs.
    pub events: Vec<HookEvent>,
    /// Where it comes among those of the same moment.
    pub weight: i64,
    /// When it is deleted, as written.
    pub delete_policies: Vec<DeletePolicy>,
    /// When its logs are wanted, as written.
    pub output_log_policies: Vec<String>,
}

impl Hook {
    /// When it is deleted: as written, or else before it is created again.
    #[must_use]
    pub fn effective_delete_policies(&self) -> &[DeletePolicy] {
        if self.delete_policies.is_empty() {
            &[DeletePolicy::BeforeHookCreation]
        } else {
            &self.delete_policies
        }
    }

    /// Whether it is one of the release's tests.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.events.contains(&HookEvent::Test)
    }
}

/// The hooks of an event in the order in which they run: by weight, then by name; hooks that are equal in
/// both keep the order of their kinds.
#[must_use]
pub fn execution_order(hooks: &[Hook], event: HookEvent) -> Vec<&Hook> {
    let mut due: Vec<&Hook> = hooks.iter().filter(|h| h.events.contains(&event)).collect();
    due.sort_by(|a, b| (a.weight, &a.name).cmp(&(b.weight, &b.name)));
    due
}

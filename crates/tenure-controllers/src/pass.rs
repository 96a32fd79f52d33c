use jiff::Timestamp;
use tenure_api::Limit;
use tenure_core::ObjectKey;

/// How an object stands after a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Ready, or nothing was to be done.
    Ready,
    /// Not ready; it is tried again.
    Failed,
    /// Not ready, and only a change brings it back.
    Stalled,
    /// `spec.suspend`, or the Tenant is suspended.
    Suspended,
    /// Deleted.
    Gone,
}

/// What came of one pass over one object.
#[derive(Debug, Clone)]
pub struct Pass {
    /// How the object stands.
    pub state: State,
    /// The reason of its Ready condition, for metrics and the supervisor.
    pub reason: String,
    /// When it is due again; `None` waits for a change.
    pub next_due: Option<Timestamp>,
    /// Siblings that wait for what this pass brought about.
    pub wake: Vec<Wake>,
    /// What the Tenant does not allow, where the pass failed for that.
    pub limit: Option<Limit>,
}

/// What an object says that is left alone because workers died over it.
pub(crate) const LEFT_ALONE: &str = "workers died over it, one after the other, so it is left alone until it changes or somebody asks for a \
     reconcile; the Tenant's Ready condition says what they died of";

/// Whom to wake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// Everything that names this source.
    ConsumersOf(ObjectKey),
    /// Everything that depends on this object.
    DependantsOf(ObjectKey),
    /// This object.
    Object(ObjectKey),
}

impl Pass {
    /// The object is not there any more.
    #[must_use]
    pub fn gone() -> Self {
        Self {
            state: State::Gone,
            reason: String::new(),
            next_due: None,
            wake: Vec::new(),
            limit: None,
        }
    }

    /// The object is suspended.
    #[must_use]
    pub fn suspended() -> Self {
        Self {
            state: State::Suspended,
            reason: "Suspended".to_owned(),
            next_due: None,
            wake: Vec::new(),
            limit: None,
        }
    }
}

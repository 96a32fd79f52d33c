use std::time::Duration;

/// When to look again after a failure; decided where the failure is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Configuration is wrong: nothing changes until the object, or what it names, does.
    Stalled,
    /// Something else has to happen first; look again after this long.
    After(Duration),
    /// Look again with the caller's own back-off.
    Backoff,
}

/// What every error that can reach a controller says of itself.
pub trait Classify {
    /// The condition reason, in Flux's vocabulary.
    fn reason(&self) -> &'static str;
    /// When to try again.
    fn retry(&self) -> Retry;
    /// What would cure it, as a sentence for a person; empty when the message says it already.
    fn hint(&self) -> Option<String> {
        None
    }
}

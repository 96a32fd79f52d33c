//! Builders for the tables of this crate.

use std::time::Duration;

use tenure_core::{Account, Name};

use crate::{Home, PruneLimits, SourcePolicy};

/// A valid name.
pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A home with these accounts and no other rule.
pub(crate) fn home(namespace: &str, accounts: &[(&str, &str)]) -> Home {
    let account = |(namespace, account): &(&str, &str)| Account {
        namespace: name(namespace),
        name: name(account),
    };
    Home {
        tenant: "dev-team".to_owned(),
        namespace: name(namespace),
        accounts: accounts.iter().map(account).collect(),
        sources: SourcePolicy::default(),
        strict: false,
        leases: false,
        suspended: false,
        max_objects: 0,
        max_artifact_bytes: 64 << 20,
        prune: PruneLimits::default(),
        offboarding_grace: Duration::from_mins(10),
        render_time: Duration::from_mins(1),
    }
}

use std::time::Duration;

use tenure_api::HelmRepository;
use tenure_core::{GoDuration, SourceUrl};

use super::HelmRemote;
use crate::source::plan::{Observed, Plan, Refusal, Resolve};

/// Used when `spec.interval` is empty.
const INTERVAL: Duration = Duration::from_mins(1);

/// Decides; total and without effects.
pub(crate) fn plan(observed: &Observed<'_>) -> Plan<HelmRemote> {
    let repository = match super::typed(observed.object) {
        Ok(repository) => repository,
        Err(error) => return Refusal::unreadable(&error).into(),
    };
    let spec = &repository.spec;
    if repository.metadata.deletion_timestamp.is_some() {
        let url = spec.url.parse::<SourceUrl>().ok();
        return Plan::Release {
            remote: url.map(|url| url.remote_key()),
        };
    }
    let rests = spec.suspend || observed.home.suspended;
    if spec.is_oci() {
        return Plan::Static { suspended: rests };
    }
    if rests {
        return Plan::Rest;
    }
    resolve(&repository, observed).into()
}

fn resolve(repository: &HelmRepository, observed: &Observed<'_>) -> Result<Resolve<HelmRemote>, Refusal> {
    let spec = &repository.spec;
    let remote = HelmRemote::of(spec, observed.home)?;
    let interval = spec
        .interval()
        .map(|interval| interval.unwrap_or(GoDuration::from(INTERVAL)));
    Resolve::new(remote, None, interval, spec.timeout())
}

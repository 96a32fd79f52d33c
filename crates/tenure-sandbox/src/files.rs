//! Landlock: which files and ports are left.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort,
    PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};

use crate::Profile;
use crate::enter::{EnterError, Report};

/// What is asked for; an older kernel grants what it knows.
const WANTED: ABI = ABI::V7;

pub(crate) fn restrict(profile: &Profile, report: &mut Report) -> Result<(), EnterError> {
    let status = rules(profile)
        .and_then(RulesetCreated::restrict_self)
        .map_err(|error| EnterError::Files(error.to_string()))?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, state) => report.missing.push(format!("landlock: {state:?}")),
        (_, LandlockStatus::Available { effective_abi, .. }) => {
            let abi = effective_abi as i32;
            report.granted.push(format!("landlock:{abi}"));
            if abi < 4 {
                report.missing.push("landlock tcp: needs Linux 6.7".to_owned());
            }
            if abi < 6 {
                report
                    .missing
                    .push("landlock scopes: needs Linux 6.12".to_owned());
            }
        }
        (_, state) => report.missing.push(format!("landlock: {state:?}")),
    }
    Ok(())
}

fn rules(profile: &Profile) -> Result<RulesetCreated, RulesetError> {
    let all = AccessFs::from_all(WANTED);
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::from_all(WANTED))?;
    if !profile.ports.is_empty() {
        ruleset = ruleset.handle_access(AccessNet::ConnectTcp)?;
    }
    let mut created = ruleset.create()?;
    for path in &profile.writable {
        created = allow(created, path, all & !BitFlags::from(AccessFs::Execute))?;
    }
    for path in &profile.readable {
        created = allow(created, path, read)?;
    }
    created = allow(created, Path::new("/dev/null"), read | AccessFs::WriteFile)?;
    for port in &profile.ports {
        created = created.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    Ok(created)
}

/// A path that is not there needs no rule.
fn allow(
    created: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(descriptor) = PathFd::new(path) else {
        return Ok(created);
    };
    let access = if path.is_dir() {
        access
    } else {
        access & AccessFs::from_file(WANTED)
    };
    created.add_rule(PathBeneath::new(descriptor, access))
}

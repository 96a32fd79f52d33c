//! Overlays made up at random. `TENURE_OVERLAYS` says how many, `TENURE_SEED` from which on.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tenure_testkit::rig::Tools;

use crate::Both;
use crate::cases::write;
use crate::overlay::tree;

/// Enough to meet every feature several times, in some seconds.
const OVERLAYS: u64 = 150;

pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

#[test]
fn an_overlay_comes_out_as_the_tool_has_it() -> anyhow::Result<()> {
    let tools = Tools::ready()?;
    let first = number("TENURE_SEED", 0);
    let (mut built, mut refused) = (0, 0);
    for seed in first..first + number("TENURE_OVERLAYS", OVERLAYS) {
        let dir = tempfile::tempdir()?;
        for (name, text) in tree(&mut StdRng::seed_from_u64(seed)) {
            write(dir.path(), &name, &text)?;
        }
        let both = Both::of(&tools, dir.path(), "over")?;
        if !both.agree() {
            let kept = dir.keep();
            panic!(
                "seed {seed}, kept in {}: the tool\n{}\nwe\n{}",
                kept.display(),
                both.tool.unwrap_or_else(|error| format!("failed: {error}")),
                both.ours.unwrap_or_else(|error| format!("failed: {error}")),
            );
        }
        match both.ours {
            Ok(_) => built += 1,
            Err(_) => refused += 1,
        }
    }
    // A generator of nonsense would prove nothing.
    assert!(built > 3 * refused, "{built} were built and {refused} refused");
    Ok(())
}

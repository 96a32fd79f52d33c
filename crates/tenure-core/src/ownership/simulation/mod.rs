//! [`Ownership`](super::Ownership) in a cell where messages are lost, late and out of order, processes stand still, crash
//! and come back, and no two clocks are alike.

mod world;

use super::Buckets;
use world::{Flaw, Micros, SECOND, World};

/// How long things go wrong.
const TROUBLE: Micros = 200 * SECOND;
/// After that all is well again.
const RECOVERY: Micros = 60 * SECOND;
/// A lease by the slowest clock, and the requests after it.
const LEASE: Micros = 32 * SECOND;
/// What is handed over takes at most twenty seconds to stop.
const HANDOVER: Micros = 22 * SECOND;

fn seeds() -> u64 {
    if std::env::var_os("TENURE_LONG").is_some() {
        10_000
    } else {
        500
    }
}

/// One story: everything goes wrong for a while. What ran twice is an error.
fn trouble(seed: u64, flaw: Flaw) -> Result<World, String> {
    let places = 2 + (seed % 4) as usize;
    let mut world = World::new(seed, places, flaw);
    for place in 0..places {
        let delay = world.rng.within(0, 20 * SECOND);
        world.start_after(place, delay);
    }
    world.faults = true;
    while world.now < TROUBLE {
        let place = world.rng.within(0, places as u64) as usize;
        match world.rng.within(0, 8) {
            0 | 1 => {
                world.crash(place);
                let delay = world.rng.within(0, 60 * SECOND);
                world.start_after(place, delay);
            }
            2 | 3 => {
                let time = world.rng.within(0, 90 * SECOND);
                world.pause(place, time);
            }
            4 | 5 => {
                let time = world.rng.within(0, 60 * SECOND);
                world.cut(place, time);
            }
            6 => {
                world.leave(place);
                let delay = world.rng.within(10 * SECOND, 60 * SECOND);
                world.start_after(place, delay);
            }
            // the server is away
            _ => {
                let time = world.rng.within(0, 40 * SECOND);
                (0..places).for_each(|place| world.cut(place, time));
            }
        }
        let next = world.now + world.rng.within(0, 40 * SECOND);
        world.run_until(next)?;
    }
    Ok(world)
}

/// Every bucket runs where it belongs.
fn settled(world: &World) -> Result<(), String> {
    let up: Vec<usize> = (0..world.places.len())
        .filter(|place| world.is_up(*place))
        .collect();
    for place in &up {
        let others = up.iter().filter(|other| *other != place);
        let wanted = others.fold(Buckets::ALL, |left, other| {
            left.without(&Buckets::preferring(
                world.identity(*other),
                world.identity(*place),
            ))
        });
        let runs = world.runs(*place);
        if runs != wanted {
            let (runs, wanted) = (runs.len(), wanted.len());
            let seconds = world.now / SECOND;
            return Err(format!(
                "at {seconds} s place {place} runs {runs} buckets instead of {wanted}:\n{}",
                world.describe()
            ));
        }
    }
    Ok(())
}

/// After the trouble: recovery, a loss, a return, a farewell.
fn story(seed: u64) -> Result<(), String> {
    let mut world = trouble(seed, Flaw::None)?;
    let places = world.places.len();
    let up = |world: &mut World| {
        (0..places).for_each(|place| {
            world.cut(place, 0);
            world.start(place);
        });
    };
    world.faults = false;
    // whoever stands still or is about to leave
    let calm = world.now + 90 * SECOND;
    world.run_until(calm)?;
    up(&mut world);
    let pass = |world: &mut World, time: Micros, what: &str| {
        let then = world.now + time;
        world.run_until(then)?;
        settled(world).map_err(|error| format!("{what}: {error}"))
    };
    pass(&mut world, RECOVERY, "after the trouble")?;
    world.crash(0);
    pass(&mut world, LEASE, "after a loss")?;
    world.start(0);
    pass(&mut world, HANDOVER, "after a return")?;
    world.leave(1);
    pass(&mut world, HANDOVER, "after a farewell")
}

#[test]
fn nothing_ever_runs_twice_and_everything_runs_again() {
    for seed in 0..seeds() {
        if let Err(error) = story(seed) {
            panic!("seed {seed}: {error}");
        }
    }
}

#[test]
fn each_flaw_is_noticed() {
    let flaws = [
        Flaw::GivesUpLate,
        Flaw::WaitsTooShort,
        Flaw::SettlesEarly,
        Flaw::ForgesSeen,
        Flaw::StaleLists,
        Flaw::SameIncarnation,
        Flaw::NoDeadline,
        Flaw::CountsFromAnswer,
    ];
    for flaw in flaws {
        let noticed = (0..500).find(|seed| trouble(*seed, flaw).is_err());
        assert!(noticed.is_some(), "{flaw:?} is not noticed");
    }
}

#[test]
fn an_empty_cell_is_taken_at_once() {
    let mut world = World::new(1, 1, Flaw::None);
    world.start(0);
    world.run_until(SECOND / 4).expect("there is only one");
    assert_eq!(world.runs(0), Buckets::ALL);
    // and so is one that was left, or in which only the same place was
    world.leave(0);
    world.run_until(40 * SECOND).expect("there is only one");
    assert!(!world.is_up(0));
    world.start(0);
    world.run_until(41 * SECOND).expect("there is only one");
    assert_eq!(world.runs(0), Buckets::ALL);
    world.crash(0);
    world.start(0);
    world.run_until(42 * SECOND).expect("there is only one");
    assert_eq!(world.runs(0), Buckets::ALL);
}

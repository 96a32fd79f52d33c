//! A cell with a server, a network and members, in which time is a number.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use super::super::bucket::mix;
use super::super::{Buckets, Member, Moment, Ownership, Record, Step, Times, Write, Written};

/// Real time, in microseconds. Nobody in the cell has such a clock.
pub(super) type Micros = u64;
pub(super) const SECOND: Micros = 1_000_000;

/// What the words of the protocol don't allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// A member gives up only after others count it as dead.
    GivesUpLate,
    /// Others count a member as dead before it gives up.
    WaitsTooShort,
    /// It says that it has stopped what still stops.
    SettlesEarly,
    /// It takes everybody as having seen it.
    ForgesSeen,
    /// Lists come from a cache that lags.
    StaleLists,
    /// A process that starts again calls itself what it was called before.
    SameIncarnation,
    /// What a member runs does not end by its own clock.
    NoDeadline,
    /// A renewal counts from its answer on, which is waited for patiently.
    CountsFromAnswer,
}

pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From `low` to just below `high`.
    pub(super) fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    /// Once in so many.
    pub(super) fn once_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }
}

#[derive(Clone)]
enum Request {
    Write(Write),
    Look,
    Delete { identity: String, version: String },
}

#[derive(Clone)]
enum Answer {
    Written(Written),
    Listed(Vec<Record>),
    Nothing,
}

#[derive(Clone)]
enum Input {
    Answer(u64, Answer),
    Timer,
    Stopped(u64),
    Heard(Record),
}

enum Event {
    /// A request reaches the server.
    Served(usize, u64, u64, Request),
    /// Something reaches a process of that life.
    Input(usize, u64, Input),
    Start(usize),
    Resume(usize, u64),
}

/// A process that runs or stands still.
struct Life {
    machine: Ownership,
    paused: bool,
    /// What reached it meanwhile.
    inbox: Vec<Input>,
    asked: Option<(u64, Request, Moment)>,
    /// The next time it wakes.
    wake: Micros,
    hand: u64,
    ordered: Buckets,
    /// What really runs.
    runs: Buckets,
    /// Until when that runs at most, by its own clock.
    over: Moment,
    leaves: bool,
}

pub(super) struct Place {
    identity: String,
    offset: Micros,
    /// How fast its clock is, in millionths.
    rate: u64,
    cut_until: Micros,
    life: Option<Life>,
    lives: u64,
}

pub(super) struct World {
    pub(super) now: Micros,
    pub(super) rng: Rng,
    pub(super) faults: bool,
    wrong: Option<String>,
    flaw: Flaw,
    timeout: Micros,
    order: u64,
    queue: BinaryHeap<Reverse<(Micros, u64)>>,
    events: BTreeMap<u64, Event>,
    leases: BTreeMap<String, Record>,
    versions: u64,
    /// What there was, for a cache that lags.
    past: Vec<(Micros, Vec<Record>)>,
    pub(super) places: Vec<Place>,
}

impl World {
    pub(super) fn new(seed: u64, places: usize, flaw: Flaw) -> Self {
        let mut rng = Rng::new(seed);
        let place = |n| Place {
            identity: format!("supervisor-{n}"),
            offset: rng.within(0, 1_000_000 * SECOND),
            rate: rng.within(970_000, 1_030_000),
            cut_until: 0,
            life: None,
            lives: 0,
        };
        let places = (0..places).map(place).collect();
        let timeout = match flaw {
            Flaw::CountsFromAnswer => 40 * SECOND,
            _ => rng.within(3, 15) * SECOND,
        };
        Self {
            now: 0,
            rng,
            faults: false,
            wrong: None,
            flaw,
            timeout,
            order: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            leases: BTreeMap::new(),
            versions: 0,
            past: Vec::new(),
            places,
        }
    }

    fn times(&self) -> Times {
        let mut times = Times::default();
        match self.flaw {
            Flaw::GivesUpLate => {
                times.give_up = Duration::from_secs(35);
                times.over = Duration::from_secs(45);
            }
            Flaw::WaitsTooShort => times.lease = Duration::from_secs(12),
            _ => {}
        }
        times
    }

    fn at(&mut self, time: Micros, event: Event) {
        self.order += 1;
        self.queue.push(Reverse((time, self.order)));
        self.events.insert(self.order, event);
    }

    fn clock(&self, place: usize) -> Moment {
        let place = &self.places[place];
        Duration::from_micros(
            place.offset + (u128::from(self.now) * u128::from(place.rate) / 1_000_000) as u64,
        )
    }

    /// Lets the time pass, and says what ran twice.
    pub(super) fn run_until(&mut self, end: Micros) -> Result<(), String> {
        while let Some(Reverse((time, order))) = self.queue.peek().copied() {
            if time > end {
                break;
            }
            self.queue.pop();
            let event = self.events.remove(&order).expect("each is queued once");
            self.now = self.now.max(time);
            self.end_by_clock();
            self.happen(event);
            self.check()?;
        }
        self.now = end;
        self.end_by_clock();
        self.check()
    }

    /// What runs ends when its time is over, whatever its supervisor does.
    fn end_by_clock(&mut self) {
        for place in 0..self.places.len() {
            let clock = self.clock(place);
            if let Some(life) = &mut self.places[place].life
                && clock >= life.over
                && self.flaw != Flaw::NoDeadline
            {
                life.runs = Buckets::NONE;
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        if let Some(wrong) = &self.wrong {
            return Err(wrong.clone());
        }
        let mut all = Buckets::NONE;
        for (n, place) in self.places.iter().enumerate() {
            let Some(life) = &place.life else { continue };
            if life.runs.meets(&all) {
                let seconds = self.now as f64 / SECOND as f64;
                return Err(format!("at {seconds:.3} s place {n} runs what another one runs"));
            }
            all = all.and(&life.runs);
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start(place) => self.start(place),
            Event::Resume(place, life) => {
                if self.places[place].lives != life {
                    return;
                }
                let Some(alive) = &mut self.places[place].life else {
                    return;
                };
                alive.paused = false;
                let mut inbox = std::mem::take(&mut alive.inbox);
                // whatever it looks at first
                while !inbox.is_empty() {
                    let next = self.rng.within(0, inbox.len() as u64) as usize;
                    self.take(place, inbox.swap_remove(next));
                }
                self.pump(place);
            }
            Event::Input(place, life, input) => {
                if self.places[place].lives != life {
                    return;
                }
                match &mut self.places[place].life {
                    Some(alive) if alive.paused => alive.inbox.push(input),
                    Some(_) => {
                        self.take(place, input);
                        self.pump(place);
                    }
                    None => {}
                }
            }
            Event::Served(place, life, id, request) => {
                let answer = self.serve(place, request);
                if let Some(delay) = self.travel(place) {
                    self.at(
                        self.now + delay,
                        Event::Input(place, life, Input::Answer(id, answer)),
                    );
                }
            }
        }
    }

    /// What a process does with what reached it.
    fn take(&mut self, place: usize, input: Input) {
        let (now, flaw) = (self.clock(place), self.flaw);
        let Some(life) = &mut self.places[place].life else {
            return;
        };
        match input {
            Input::Timer => {}
            Input::Stopped(hand) => {
                if hand == life.hand {
                    // what ended by its own clock does not come back by that
                    life.runs = life.runs.without(&Buckets::ALL.without(&life.ordered));
                    life.machine.settled(hand);
                }
            }
            Input::Heard(record) => life.machine.heard(now, &record),
            Input::Answer(id, answer) => {
                if life.asked.as_ref().is_none_or(|(asked, ..)| *asked != id) {
                    return;
                }
                let Some((_, request, mut sent)) = life.asked.take() else {
                    return;
                };
                match (request, answer) {
                    (Request::Write(write), answer) => {
                        if flaw == Flaw::CountsFromAnswer {
                            sent = now;
                        }
                        let Answer::Written(outcome) = answer else {
                            return life.machine.wrote(&write, sent, now, Written::Unknown);
                        };
                        life.machine.wrote(&write, sent, now, outcome);
                    }
                    (Request::Look, Answer::Listed(mut records)) => {
                        if flaw == Flaw::ForgesSeen {
                            // all that this process can be called
                            let (identity, lives) = (&self.places[place].identity, self.places[place].lives);
                            let forged = |term| Member {
                                identity: identity.clone(),
                                incarnation: format!("{lives}-{term}"),
                            };
                            for record in &mut records {
                                record.seen.extend((0..100).map(forged));
                            }
                        }
                        let Some(life) = &mut self.places[place].life else {
                            return;
                        };
                        life.machine.looked(sent, now, records);
                    }
                    (Request::Look, _) => life.machine.look_failed(now),
                    (Request::Delete { .. }, _) => {}
                }
            }
        }
    }

    /// What the program around the machine does after each input.
    fn pump(&mut self, place: usize) {
        let now = self.clock(place);
        let (flaw, real) = (self.flaw, self.now);
        let (lives, rate, offset) = {
            let place = &self.places[place];
            (place.lives, place.rate, place.offset)
        };
        let Some(life) = &mut self.places[place].life else {
            return;
        };
        let (hand, ours) = life.machine.ours(now);
        if let Some(over) = life.machine.over_at() {
            life.over = over;
        }
        let mut stops = None;
        if hand != life.hand {
            (life.hand, life.ordered) = (hand, ours);
            life.runs = life.runs.and(&ours);
            let slowest = if life.machine.over_at().is_some() { 20 } else { 7 };
            match life.runs == ours {
                true => life.machine.settled(hand),
                false => stops = Some(self.rng.within(0, slowest * SECOND)),
            }
            if flaw == Flaw::SettlesEarly {
                life.machine.settled(hand);
            }
        }
        let mut send = None;
        let mut wake = life.machine.give_up_at();
        if life.asked.is_none() {
            let request = match life.machine.next(now) {
                Step::Write(write) => Some(Request::Write(write)),
                Step::Look => Some(Request::Look),
                Step::Delete { identity, version } => Some(Request::Delete { identity, version }),
                Step::Wait(until) => {
                    wake = Some(until);
                    None
                }
                Step::Left | Step::Superseded => {
                    if !life.leaves && flaw == Flaw::None {
                        self.wrong = Some(format!(
                            "place {place} ended, though nobody else has its identity"
                        ));
                    }
                    self.places[place].life = None;
                    return;
                }
            };
            if let Some(request) = request {
                self.order += 1;
                life.asked = Some((self.order, request.clone(), now));
                send = Some((self.order, request));
            }
        }
        if let Some(delay) = stops {
            self.at(real + delay, Event::Input(place, lives, Input::Stopped(hand)));
        }
        if let Some(wake) = wake.filter(|wake| *wake < Moment::MAX) {
            let micros = u128::from((wake.as_micros() as u64).saturating_sub(offset));
            // rounded up, so that the moment has come
            let time = (micros * 1_000_000).div_ceil(u128::from(rate)) as u64 + 1;
            let time = time.max(real + 1);
            let life = self.places[place].life.as_mut();
            if let Some(life) = life.filter(|life| life.wake <= real || time < life.wake) {
                life.wake = time;
                self.at(time, Event::Input(place, lives, Input::Timer));
            }
        }
        if let Some((id, request)) = send {
            self.at(
                real + self.timeout,
                Event::Input(place, lives, Input::Answer(id, Answer::Nothing)),
            );
            if let Some(delay) = self.travel(place) {
                self.at(real + delay, Event::Served(place, lives, id, request));
            }
        }
    }

    /// How long a message takes, if it arrives.
    fn travel(&mut self, place: usize) -> Option<Micros> {
        if !self.faults {
            return Some(self.rng.within(500, 20_000));
        }
        if self.now < self.places[place].cut_until || self.rng.once_in(15) {
            return None;
        }
        Some(match self.rng.within(0, 12) {
            0 => self.rng.within(0, 90 * SECOND),
            1 | 2 => self.rng.within(0, 5 * SECOND),
            _ => self.rng.within(500, 100_000),
        })
    }

    fn serve(&mut self, place: usize, request: Request) -> Answer {
        match request {
            Request::Look => {
                let lag = match self.flaw {
                    Flaw::StaleLists => self.rng.within(0, 40 * SECOND),
                    _ => 0,
                };
                let then = self.now.saturating_sub(lag);
                let past = self.past.iter().rev().find(|(time, _)| *time <= then);
                Answer::Listed(past.map(|(_, records)| records.clone()).unwrap_or_default())
            }
            Request::Delete { identity, version } => {
                if self
                    .leases
                    .get(&identity)
                    .is_some_and(|lease| lease.version == version)
                {
                    self.leases.remove(&identity);
                    self.keep();
                }
                Answer::Nothing
            }
            Request::Write(write) => {
                let identity = self.places[place].identity.clone();
                let version = self.leases.get(&identity).map(|lease| lease.version.clone());
                if version != write.version {
                    return Answer::Written(Written::Unknown);
                }
                self.versions += 1;
                let version = self.versions.to_string();
                let record = Record {
                    identity: identity.clone(),
                    version: version.clone(),
                    holder: write.holder,
                    seen: write.seen,
                };
                self.leases.insert(identity, record.clone());
                self.keep();
                for watcher in 0..self.places.len() {
                    let lives = self.places[watcher].lives;
                    if let Some(delay) = self.travel(watcher) {
                        self.at(
                            self.now + delay,
                            Event::Input(watcher, lives, Input::Heard(record.clone())),
                        );
                    }
                }
                Answer::Written(Written::Done(version))
            }
        }
    }

    fn keep(&mut self) {
        let horizon = self.now.saturating_sub(60 * SECOND);
        if self.flaw != Flaw::StaleLists {
            self.past.clear();
        }
        self.past.retain(|(time, _)| *time >= horizon);
        self.past
            .push((self.now, self.leases.values().cloned().collect()));
    }

    pub(super) fn start(&mut self, place: usize) {
        if self.places[place].life.is_some() {
            return;
        }
        let times = self.times();
        let (offset, rate) = (
            self.rng.within(0, 1_000_000 * SECOND),
            self.rng.within(970_000, 1_030_000),
        );
        let same = self.flaw == Flaw::SameIncarnation;
        let home = &mut self.places[place];
        home.lives += 1;
        (home.offset, home.rate) = (offset, rate);
        let process = if same { 0 } else { home.lives };
        home.life = Some(Life {
            machine: Ownership::new(home.identity.clone(), process.to_string(), times),
            paused: false,
            inbox: Vec::new(),
            asked: None,
            wake: 0,
            hand: 0,
            ordered: Buckets::NONE,
            runs: Buckets::NONE,
            over: Moment::ZERO,
            leaves: false,
        });
        self.pump(place);
    }

    pub(super) fn start_after(&mut self, place: usize, delay: Micros) {
        self.at(self.now + delay, Event::Start(place));
    }

    /// The process ends with all that it runs.
    pub(super) fn crash(&mut self, place: usize) {
        self.places[place].life = None;
    }

    /// The process stands still; what it runs does not.
    pub(super) fn pause(&mut self, place: usize, time: Micros) {
        let lives = self.places[place].lives;
        if let Some(life) = &mut self.places[place].life
            && !life.paused
        {
            life.paused = true;
            self.at(self.now + time, Event::Resume(place, lives));
        }
    }

    /// Nothing reaches the server or comes from it.
    pub(super) fn cut(&mut self, place: usize, time: Micros) {
        self.places[place].cut_until = self.now + time;
    }

    pub(super) fn leave(&mut self, place: usize) {
        if let Some(life) = &mut self.places[place].life
            && !life.paused
        {
            life.leaves = true;
            life.machine.leave();
            self.pump(place);
        }
    }

    pub(super) fn is_up(&self, place: usize) -> bool {
        self.places[place].life.is_some()
    }

    /// What really runs there.
    pub(super) fn runs(&self, place: usize) -> Buckets {
        let life = self.places[place].life.as_ref();
        life.map_or(Buckets::NONE, |life| life.runs)
    }

    pub(super) fn identity(&self, place: usize) -> &str {
        &self.places[place].identity
    }

    /// What is known of each member, for messages.
    pub(super) fn describe(&self) -> String {
        let each = self.places.iter().map(|place| match &place.life {
            Some(life) => {
                let owed: Vec<_> = life.machine.owed().map(Member::to_string).collect();
                format!(
                    "{}: paused {}, runs {}, members {}, owed {owed:?}",
                    place.identity,
                    life.paused,
                    life.runs.len(),
                    life.machine.members()
                )
            }
            None => format!("{}: down", place.identity),
        });
        let each: Vec<_> = each.collect();
        format!("{}\n{:#?}", each.join("\n"), self.leases)
    }
}

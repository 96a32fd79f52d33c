//! What processes use, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Clock ticks in a second, of every Linux that Rust's standard library runs on.
const TICKS: f64 = 100.0;
/// How often memory is looked at.
const SAMPLE: Duration = Duration::from_millis(250);

/// The programs that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Supervisor,
    Worker,
    Cache,
    Fetcher,
    ApiServer,
    Etcd,
    Controllers,
    Git,
}

impl Part {
    pub(super) const ALL: [Self; 8] = [
        Self::Supervisor,
        Self::Worker,
        Self::Cache,
        Self::Fetcher,
        Self::ApiServer,
        Self::Etcd,
        Self::Controllers,
        Self::Git,
    ];

    /// Tenure itself.
    pub(super) const OURS: [Self; 4] = [Self::Supervisor, Self::Worker, Self::Cache, Self::Fetcher];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Supervisor => "supervisor",
            Self::Worker => "workers",
            Self::Cache => "cache",
            Self::Fetcher => "fetchers",
            Self::ApiServer => "kube-apiserver (for reference)",
            Self::Etcd => "etcd (for reference)",
            Self::Controllers => "kube-controller-manager (for reference)",
            Self::Git => "SSH and Git server (for reference)",
        }
    }

    fn of(command: &[&str]) -> Option<Self> {
        let program = command.first()?.rsplit('/').next()?;
        match program {
            "kube-apiserver" => Some(Self::ApiServer),
            "etcd" => Some(Self::Etcd),
            "kube-controller-manager" => Some(Self::Controllers),
            _ if program.starts_with("sshd") || program.starts_with("git") => Some(Self::Git),
            // Whatever the file is called; children are started by way of /proc/self/exe.
            _ => match *command.get(1)? {
                "supervisor" => Some(Self::Supervisor),
                "worker" => Some(Self::Worker),
                "cache" => Some(Self::Cache),
                "fetcher" => Some(Self::Fetcher),
                _ => None,
            },
        }
    }
}

/// A process of ours.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) part: Part,
    /// Seconds of CPU, its own.
    cpu: f64,
    /// Seconds of CPU of the children it has waited for.
    children: f64,
}

/// All processes below this one that are told apart.
pub(super) fn ours() -> Vec<Process> {
    let mut all: BTreeMap<u32, Stat> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(stat) = Stat::read(pid) {
            all.insert(pid, stat);
        }
    }
    let me = std::process::id();
    let mine = |mut pid: u32| {
        while let Some(stat) = all.get(&pid) {
            if stat.parent == me {
                return true;
            }
            pid = stat.parent;
        }
        false
    };
    all.iter()
        .filter(|(pid, _)| mine(**pid))
        .filter_map(|(pid, stat)| {
            let raw = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let text = String::from_utf8_lossy(&raw).into_owned();
            let words: Vec<&str> = text.split('\0').filter(|word| !word.is_empty()).collect();
            Some(Process {
                pid: *pid,
                part: Part::of(&words)?,
                cpu: stat.cpu,
                children: stat.children,
            })
        })
        .collect()
}

struct Stat {
    parent: u32,
    cpu: f64,
    children: f64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The program's name may hold spaces and parentheses; what follows the last one may not.
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split_whitespace().collect();
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            cpu: (number(11)? + number(12)?) / TICKS,
            children: (number(13)? + number(14)?) / TICKS,
        })
    }
}

/// Memory of a process, bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Memory {
    /// Its share of everything it maps.
    pub(super) pss: f64,
    /// What nobody else maps.
    pub(super) private: f64,
    /// The part of it that is not a copy of a file.
    pub(super) dirty: f64,
}

/// What `smaps_rollup` says; nothing when the process is gone.
pub(super) fn memory(pid: u32) -> Option<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace()
            .next()?
            .parse::<f64>()
            .ok()
            .map(|kib| kib * 1024.0)
    };
    Some(Memory {
        pss: field("Pss:")?,
        private: field("Private_Clean:")? + field("Private_Dirty:")?,
        dirty: field("Private_Dirty:")?,
    })
}

/// Seconds of CPU by part. Those of workers and fetchers are exact for the ones that have ended, since
/// their parents have waited for them.
pub(super) fn cpu() -> BTreeMap<Part, f64> {
    let mut used = BTreeMap::new();
    for process in ours() {
        *used.entry(process.part).or_default() += process.cpu;
        let children = match process.part {
            Part::Supervisor => Part::Worker,
            Part::Cache => Part::Fetcher,
            Part::Git => Part::Git,
            _ => continue,
        };
        *used.entry(children).or_default() += process.children;
    }
    used
}

/// `after` less `before`, part by part.
pub(super) fn less(after: &BTreeMap<Part, f64>, before: &BTreeMap<Part, f64>) -> BTreeMap<Part, f64> {
    let past = |part: &Part| before.get(part).copied().unwrap_or_default();
    after
        .iter()
        .map(|(part, used)| (*part, (used - past(part)).max(0.0)))
        .collect()
}

/// The most that was seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Peak {
    /// Of all processes of a part at once, PSS in bytes.
    pub(super) sum: f64,
    /// Of one of them.
    pub(super) one: f64,
    /// How many there were at once.
    pub(super) count: usize,
}

/// The most that was seen, by part and of everything that is ours.
#[derive(Debug, Default)]
pub(super) struct Peaks {
    parts: BTreeMap<Part, Peak>,
    /// PSS of all processes of Tenure at once, bytes.
    pub(super) all: f64,
}

impl Peaks {
    pub(super) fn of(&self, part: Part) -> Peak {
        self.parts.get(&part).copied().unwrap_or_default()
    }
}

/// Looks at memory until it is stopped.
pub(super) struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Peaks>,
}

impl Sampler {
    pub(super) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut peaks = Peaks::default();
            while !ended.load(Ordering::Relaxed) {
                sample(&mut peaks);
                std::thread::sleep(SAMPLE);
            }
            peaks
        });
        Self { stop, thread }
    }

    pub(super) fn stop(self) -> Peaks {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn sample(peaks: &mut Peaks) {
    let mut now: BTreeMap<Part, Peak> = BTreeMap::new();
    for process in ours() {
        let Some(Memory { pss, .. }) = memory(process.pid) else {
            continue;
        };
        let seen = now.entry(process.part).or_default();
        seen.sum += pss;
        seen.one = seen.one.max(pss);
        seen.count += 1;
    }
    let all = Part::OURS
        .iter()
        .filter_map(|part| now.get(part))
        .map(|seen| seen.sum);
    peaks.all = peaks.all.max(all.sum());
    for (part, seen) in now {
        let peak = peaks.parts.entry(part).or_default();
        peak.sum = peak.sum.max(seen.sum);
        peak.one = peak.one.max(seen.one);
        peak.count = peak.count.max(seen.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_by_their_command() {
        let part = |command: &str| Part::of(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(part("/x/tenure supervisor --api-url u"), Some(Part::Supervisor));
        assert_eq!(part("/proc/self/exe worker --scratch /s"), Some(Part::Worker));
        assert_eq!(part("/proc/self/exe fetcher"), Some(Part::Fetcher));
        assert_eq!(part("/rig/kube-apiserver --a"), Some(Part::ApiServer));
        assert_eq!(part("sshd: root@notty"), Some(Part::Git));
        assert_eq!(part("bash"), None);
    }

    #[test]
    fn this_process_has_memory() {
        let memory = memory(std::process::id()).expect("smaps_rollup of a process of our own");
        assert!(memory.pss > 0.0 && memory.private > 0.0);
    }
}

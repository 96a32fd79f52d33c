//! The generated part of the page on benchmarks.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use super::Args;
use super::figure::Section;

/// The lines between which figures are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    begin: &'static str,
    end: &'static str,
}

/// Those of everything that needs a control plane.
pub(super) const FIGURES: Place = Place {
    begin: "<!-- figures: written by `cargo xtask bench` -->",
    end: "<!-- end of figures -->",
};

/// Those of builds.
pub(super) const KUSTOMIZE: Place = Place {
    begin: "<!-- builds: written by `cargo xtask bench --only kustomize` -->",
    end: "<!-- end of builds -->",
};

/// Those of charts.
pub(super) const HELM: Place = Place {
    begin: "<!-- charts: written by `cargo xtask bench --only helm` -->",
    end: "<!-- end of charts -->",
};

/// Those of sources.
pub(super) const SOURCES: Place = Place {
    begin: "<!-- sources: written by `cargo xtask bench --only sources` -->",
    end: "<!-- end of sources -->",
};

/// Those of many small applications.
pub(super) const APPS: Place = Place {
    begin: "<!-- applications: written by `cargo xtask bench --only apps` -->",
    end: "<!-- end of applications -->",
};

/// Those of many tenants.
pub(super) const TENANTS: Place = Place {
    begin: "<!-- tenants: written by `cargo xtask bench --only tenants` -->",
    end: "<!-- end of tenants -->",
};

/// Those of neighbours.
pub(super) const NEIGHBOURS: Place = Place {
    begin: "<!-- neighbours: written by `cargo xtask bench --only neighbours` -->",
    end: "<!-- end of neighbours -->",
};

pub(super) fn text(args: &Args, sections: &[Section], took: Duration) -> String {
    let source = if args.source_per_app {
        " --source-per-app"
    } else {
        ""
    };
    let command = format!(
        "cargo xtask bench --apps {} --tenants {} --objects {}{source}",
        args.apps, args.tenants, args.objects
    );
    part(&command, sections, took)
}

/// Sections, under the command that takes them again.
pub(super) fn part(command: &str, sections: &[Section], took: Duration) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "`{command}`, {:.0} s, on {}.\n",
        took.as_secs_f64(),
        machine()
    );
    let parts: Vec<_> = sections.iter().map(Section::markdown).collect();
    text.push_str(&parts.join("\n"));
    text
}

/// Cores, memory, kernel, the day.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?
            .split_whitespace()
            .next()?
            .parse::<f64>()
            .ok()
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or_default();
    format!(
        "{cores} cores, {:.0} GiB of memory, Linux {}, {}; load average at the end {load}",
        kib.unwrap_or_default() / 1024.0 / 1024.0,
        kernel.trim(),
        jiff::Zoned::now().date(),
    )
}

/// Replaces what is between the markers; a page without them gets them at its end.
pub(super) fn write(page: &Path, place: Place, text: &str) -> anyhow::Result<()> {
    let old = if page.exists() {
        fs::read_to_string(page).with_context(|| format!("read {}", page.display()))?
    } else {
        "# Benchmarks\n".to_owned()
    };
    fs::write(page, replaced(&old, place, text)).with_context(|| format!("write {}", page.display()))
}

fn replaced(old: &str, Place { begin, end }: Place, text: &str) -> String {
    let part = format!("{begin}\n\n{}\n\n{end}", text.trim_end());
    match old
        .split_once(begin)
        .and_then(|(head, rest)| Some((head, rest.split_once(end)?.1)))
    {
        Some((head, tail)) => format!("{head}{part}{tail}"),
        None => format!("{}\n\n{part}\n", old.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let once = replaced("# Benchmarks\n\nHow to read.\n", FIGURES, "one");
        let twice = replaced(&format!("{once}\nAfter.\n"), FIGURES, "two");
        assert!(
            twice.starts_with("# Benchmarks\n\nHow to read.\n") && twice.ends_with("\nAfter.\n"),
            "{twice}"
        );
        assert!(twice.contains("two") && !twice.contains("one"), "{twice}");
        let both = replaced(&twice, KUSTOMIZE, "three");
        assert!(both.contains("two") && both.contains("three"), "{both}");
    }
}

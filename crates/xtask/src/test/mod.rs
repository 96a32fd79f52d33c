//! `cargo xtask test`: everything that must hold before a change is taken, what fails early first.

mod background;
mod deny;
mod steps;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::show::{self, Step};

/// How much to test.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also the tests that take long: they are marked `#[ignore]`
    #[arg(long)]
    long: bool,
    /// Only the steps whose names contain this
    #[arg(long)]
    only: Option<String>,
}

/// Something to do.
enum Work {
    /// A check in this process.
    Check(fn() -> anyhow::Result<()>),
    /// A program; its output goes to a log.
    Run(Command),
    /// Wait for what was started in the background.
    Rig,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let started = std::time::Instant::now();
    let logs = crate::cargo::target_directory()?.join("xtask-test");
    fs::create_dir_all(&logs).with_context(|| format!("create {}", logs.display()))?;
    show::title("Tenure: tests");
    let mut rig = Some(background::Rig::start(&logs.join("rig.log"))?);
    let mut summary = Vec::new();
    for (name, work) in steps::all(args.long)? {
        if args.only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let step = Step::start(&name);
        let log = logs.join(format!("{}.log", name.replace(' ', "-")));
        let result = perform(work, &log, &mut rig);
        summary.push((name.clone(), step.elapsed().as_secs_f32()));
        match result {
            Ok(remark) => step.done(&remark),
            Err(error) => {
                step.failed();
                show::line(&format!("\n{error:#}\n"));
                bail!("{name} failed after {:.0} s", started.elapsed().as_secs_f32());
            }
        }
    }
    summarise(summary, started.elapsed().as_secs_f32());
    Ok(())
}

fn perform(work: Work, log: &Path, rig: &mut Option<background::Rig>) -> anyhow::Result<String> {
    match work {
        Work::Check(check) => check().map(|()| String::new()),
        Work::Run(command) => logged(command, log),
        Work::Rig => rig
            .take()
            .map_or(Ok(()), background::Rig::wait)
            .map(|()| String::new()),
    }
}

/// Runs to the end; what it said is in the log, and in the error.
fn logged(mut command: Command, log: &Path) -> anyhow::Result<String> {
    let file = File::create(log).with_context(|| format!("create {}", log.display()))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .with_context(|| format!("start {command:?}"))?;
    let said = String::from_utf8_lossy(&fs::read(log)?).into_owned();
    if !status.success() {
        bail!(
            "{}\n{} ended with {status}; all of it is in {}",
            last_lines(&said, 120),
            spelled(&command),
            log.display()
        );
    }
    Ok(counted(&said))
}

/// The command as a person would type it.
fn spelled(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    words.join(" ")
}

fn last_lines(text: &str, most: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(most)..)
        .unwrap_or_default()
        .join("\n")
}

/// How many tests libtest says that it ran, over all test programs.
fn counted(said: &str) -> String {
    let (mut passed, mut ignored) = (0_u64, 0_u64);
    for line in said.lines().filter(|line| line.starts_with("test result: ")) {
        let words: Vec<_> = line.split([' ', ';']).collect();
        for pair in words.windows(2) {
            if let [number, word] = pair {
                let number = number.parse().unwrap_or(0);
                match *word {
                    "passed" => passed += number,
                    "ignored" => ignored += number,
                    _ => {}
                }
            }
        }
    }
    match (passed, ignored) {
        (0, 0) => String::new(),
        (passed, 0) => format!("{passed} passed"),
        (passed, ignored) => format!("{passed} passed, {ignored} left for --long"),
    }
}

fn summarise(mut steps: Vec<(String, f32)>, total: f32) {
    steps.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let longest: Vec<_> = steps
        .iter()
        .take(3)
        .map(|(name, seconds)| format!("{name} {seconds:.0} s"))
        .collect();
    show::line(&format!(
        "\n  {} {} steps in {total:.0} s; the longest: {}\n",
        show::paint("all passed,", 32),
        steps.len(),
        longest.join(", ")
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_over_all_programs() {
        let said = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
                    noise 9 passed\n\
                    test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured";
        assert_eq!(counted(said), "7 passed, 1 left for --long");
        assert_eq!(counted("nothing here"), "");
    }

    #[test]
    fn a_failing_program_is_told_with_what_it_said() {
        let log = tempfile();
        let mut command = crate::cargo::program("sh");
        command.args(["-c", "echo broken; exit 3"]);
        let error = logged(command, &log).expect_err("it fails").to_string();
        let mut good = crate::cargo::program("sh");
        good.args(["-c", "exit 0"]);
        assert_eq!(logged(good, &log).expect("it works"), "");
        fs::remove_file(&log).expect("removes");
        assert!(error.contains("broken") && error.contains('3'), "{error}");
    }

    fn tempfile() -> std::path::PathBuf {
        std::env::temp_dir().join(format!("tenure-xtask-{}", std::process::id()))
    }
}

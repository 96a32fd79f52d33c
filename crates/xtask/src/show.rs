//! What a person sees while a chore works: a spinner with seconds on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Something that takes a while.
pub(crate) struct Step {
    name: String,
    started: Instant,
    spinner: Option<ProgressBar>,
}

impl Step {
    /// Says that it begins.
    pub(crate) fn start(name: &str) -> Self {
        let spinner = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner().with_message(name.to_owned());
            if let Ok(style) = ProgressStyle::with_template("  {spinner:.cyan} {msg} {elapsed:.dim}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if spinner.is_none() {
            line(&format!("  … {name}"));
        }
        Self {
            name: name.to_owned(),
            started: Instant::now(),
            spinner,
        }
    }

    /// Seconds since it began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Says that it ended well, with a remark.
    pub(crate) fn done(self, remark: &str) {
        self.end(paint("✓", 32), remark);
    }

    /// Says that it failed.
    pub(crate) fn failed(self) {
        self.end(paint("✗", 31), "failed");
    }

    fn end(self, mark: String, remark: &str) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
        let seconds = format!("{:>7.1} s", self.started.elapsed().as_secs_f32());
        let (name, seconds) = (&self.name, paint(&seconds, 2));
        line(format!("  {mark} {name:<44}{seconds}  {remark}").trim_end());
    }
}

/// A headline.
pub(crate) fn title(text: &str) {
    line(&format!("\n{}", paint(text, 1)));
}

/// One line for a person, on standard error.
#[expect(clippy::print_stderr, reason = "for the person who started the chore")]
pub(crate) fn line(text: &str) {
    eprintln!("{text}");
}

/// `text` in an ANSI colour, when somebody looks at it.
pub(crate) fn paint(text: &str, code: u8) -> String {
    if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

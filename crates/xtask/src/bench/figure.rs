use std::fmt::Write as _;

/// One measured value, maybe with the bound it is held against.
pub(super) struct Figure {
    what: String,
    value: String,
    bound: Option<(String, bool)>,
}

/// Figures that belong together.
pub(super) struct Section {
    title: String,
    note: String,
    figures: Vec<Figure>,
    /// The time the section is about, for ratios.
    pub(super) seconds: Option<f64>,
}

impl Section {
    pub(super) fn new(title: impl Into<String>, note: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            note: note.into(),
            figures: Vec::new(),
            seconds: None,
        }
    }

    /// A value without a bound.
    pub(super) fn fact(&mut self, what: impl Into<String>, value: impl Into<String>) {
        self.figures.push(Figure {
            what: what.into(),
            value: value.into(),
            bound: None,
        });
    }

    /// A value that should be at most `bound`, both in `unit`.
    pub(super) fn bounded(&mut self, what: impl Into<String>, value: f64, bound: f64, unit: &str) {
        let text = |number: f64| format!("{} {unit}", digits(number)).trim_end().to_owned();
        let bound_text = format!("≤ {}", text(bound));
        let bound = Some((bound_text, value <= bound));
        self.figures.push(Figure {
            what: what.into(),
            value: text(value),
            bound,
        });
    }

    /// As a table in Markdown.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n", self.title);
        if !self.note.is_empty() {
            let _ = writeln!(text, "{}\n", self.note);
        }
        text.push_str("| figure | value | bound | |\n|---|--:|--:|---|\n");
        for Figure { what, value, bound } in &self.figures {
            let (bound, verdict) = match bound {
                Some((bound, true)) => (bound.as_str(), "ok"),
                Some((bound, false)) => (bound.as_str(), "**over**"),
                None => ("", ""),
            };
            let _ = writeln!(text, "| {what} | {value} | {bound} | {verdict} |");
        }
        text
    }
}

/// As many digits as are worth reading.
pub(super) fn digits(number: f64) -> String {
    match number.abs() {
        n if n >= 100.0 || n.fract() == 0.0 => format!("{number:.0}"),
        n if n >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// Bytes in MiB, or in KiB where that is little.
pub(super) fn bytes(bytes: f64) -> String {
    if bytes.abs() < 1024.0 * 1024.0 {
        format!("{} KiB", digits(bytes / 1024.0))
    } else {
        format!("{} MiB", digits(bytes / 1024.0 / 1024.0))
    }
}

/// The value below which `share` of the sorted values lie.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "an index of a short list"
    )]
    let index = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_over_its_bound_says_so() {
        let mut section = Section::new("T", "");
        section.bounded("requests", 20.5, 20.0, "");
        section.bounded("memory", 4.0, 4.0, "MiB");
        let text = section.markdown();
        assert!(text.contains("| requests | 20.5 | ≤ 20 | **over** |"), "{text}");
        assert!(text.contains("| memory | 4 MiB | ≤ 4 MiB | ok |"), "{text}");
    }

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let sorted = [1.0, 2.0, 3.0, 4.0];
        assert_eq!((quantile(&sorted, 0.5), quantile(&sorted, 0.99)), (2.0, 4.0));
        assert!(quantile(&[], 0.5).is_nan());
    }
}

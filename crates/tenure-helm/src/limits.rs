/// What a chart may cost to load. The defaults are Helm's, where Helm has any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an archive as it is stored.
    pub archive: u64,
    /// Bytes of one file.
    pub file: u64,
    /// Bytes of all files together, those of charts within the chart included.
    pub chart: u64,
    /// Files, those of charts within the chart included.
    pub files: usize,
    /// Directories inside each other.
    pub directories: usize,
    /// Charts inside each other.
    pub charts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive: 32 << 20,
            file: 5 << 20,
            chart: 100 << 20,
            files: 20_000,
            directories: 40,
            charts: 16,
        }
    }
}

/// What is left of the [`Limits`] while a chart and the charts within it are read.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    pub(crate) limits: Limits,
    bytes: u64,
    files: usize,
}

/// A limit that was reached: what there was too much of, and how much was allowed.
pub(crate) type TooMuch = (&'static str, u64);

impl Allowance {
    pub(crate) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: limits.chart,
            files: limits.files,
        }
    }

    pub(crate) fn take_file(&mut self, bytes: u64) -> Result<(), TooMuch> {
        self.files = self
            .files
            .checked_sub(1)
            .ok_or(("files", self.limits.files as u64))?;
        self.bytes = self
            .bytes
            .checked_sub(bytes)
            .ok_or(("bytes", self.limits.chart))?;
        Ok(())
    }

    pub(crate) const fn bytes_left(&self) -> u64 {
        self.bytes
    }
}

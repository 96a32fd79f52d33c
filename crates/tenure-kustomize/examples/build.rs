//! Builds a directory and prints the result: `build <directory>`.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use tenure_kustomize::{DirFs, Options, build};

fn main() -> ExitCode {
    let dir = std::env::args().nth(1).unwrap_or_default();
    let root = Path::new("/");
    let done = std::fs::canonicalize(&dir).and_then(|dir| {
        let fs = DirFs::open(root)?;
        let dir = dir.to_string_lossy().trim_start_matches('/').to_owned();
        let built = build(&fs, &dir, &Options::default()).map_err(std::io::Error::other)?;
        std::io::stdout().write_all(built.to_yaml().as_bytes())
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "Error: {error}");
            ExitCode::FAILURE
        }
    }
}

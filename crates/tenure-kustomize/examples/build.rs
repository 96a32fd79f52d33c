//! Builds a directory and prints the result: `build <directory> [--load-restrictor LoadRestrictionsNone]`.
//! Other flags of the kustomize command are refused.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use tenure_kustomize::{DirFs, LoadRestriction, Options, Reorder, build};

fn options(flags: &[String]) -> std::io::Result<Options> {
    let mut options = Options::default();
    for pair in flags.chunks(2) {
        if pair
            .first()
            .is_some_and(|flag| flag == "--enable-managedby-label")
        {
            options.managed_by_label = true;
            continue;
        }
        match [pair.first(), pair.get(1)].map(|f| f.map_or("", String::as_str)) {
            ["--reorder", "legacy"] => options.reorder = Reorder::Legacy,
            ["--reorder", "none"] | ["--load-restrictor", "LoadRestrictionsRootOnly"] => {}
            ["--load-restrictor", "LoadRestrictionsNone"] => options.restriction = LoadRestriction::None,
            other => {
                return Err(std::io::Error::other(format!(
                    "unsupported flags: {}",
                    other.join(" ")
                )));
            }
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (dir, flags) = args
        .split_first()
        .map_or((String::new(), &[][..]), |(dir, flags)| (dir.clone(), flags));
    let root = Path::new("/");
    let done = std::fs::canonicalize(&dir).and_then(|dir| {
        let fs = DirFs::open(root)?;
        let dir = dir.to_string_lossy().trim_start_matches('/').to_owned();
        let built = build(&fs, &dir, &options(flags)?).map_err(std::io::Error::other)?;
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

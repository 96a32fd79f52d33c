//! The fetcher that the integration tests start. Called by another name it misbehaves in the way
//! that the name says, which is what the parent's guards are tested with.

use std::path::PathBuf;
use std::process::ExitCode;

use tenure_sandbox::{STAGE, Staged};

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == STAGE) {
        let Ok(Staged::Child(given)) = tenure_sandbox::stage() else {
            return ExitCode::SUCCESS;
        };
        args.truncate(1);
        args.extend(given.into_iter().filter_map(|arg| arg.into_string().ok()));
    }
    let value = |flag: &str| {
        let pairs = args.windows(2).filter(|pair| pair[0] == flag);
        pairs.map(|pair| pair[1].clone()).collect::<Vec<_>>()
    };
    let name = args
        .first()
        .map(PathBuf::from)
        .and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
    match name.as_deref() {
        Some("dies") => std::process::abort(),
        Some("hangs") => loop {
            std::thread::park();
        },
        _ => {}
    }
    let dirs = value("--dir").into_iter().map(PathBuf::from).collect();
    let memory = value("--memory").first().and_then(|memory| memory.parse().ok());
    tenure_cache::fetcher_main(dirs, memory)
}

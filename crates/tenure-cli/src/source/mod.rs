//! `tenure source …`: fetch a source as the cache would, list the sources of a namespace, explain why one fails.

mod explain;
mod get;
mod kinds;
mod list;
mod login;
mod progress;
mod wanted;

use clap::Subcommand;

/// What is done with sources.
#[derive(Subcommand)]
pub enum Command {
    /// Fetch a source from here, with nothing but what is given, and say what came of it
    Get(Box<get::Args>),
    /// List sources and what came of them last
    List(list::Args),
    /// Say why a fetch failed, and what would mend it
    Explain(explain::Args),
}

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Get(args) => get::run(&args),
        Command::List(args) => crate::runtime()?.block_on(list::run(args)),
        Command::Explain(args) => crate::runtime()?.block_on(explain::run(args)),
    }
}

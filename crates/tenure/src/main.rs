//! `tenure`: one binary, one subcommand for each part of the system and for each thing a person does.
//!
//! A worker and a fetcher are copies of a stage, which is this program before it has done anything. They enter their
//! sandbox before anything else runs, while there is one thread.

mod log;
#[cfg(test)]
mod manifests;
mod parts;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tenure_sandbox::{STAGE, Staged};

#[derive(Parser)]
#[command(
    name = "tenure",
    version,
    about = "Multi-tenant GitOps for Kubernetes with no cluster-admin anywhere"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Knows the tenants and what is due; spawns the workers
    Supervisor(parts::SupervisorArgs),
    /// Fetches sources for everyone; holds no right on the cluster
    Cache(parts::CacheArgs),
    /// Reconciles one tenant namespace; started by the supervisor
    #[command(hide = true)]
    Worker(parts::WorkerArgs),
    /// Reads one remote and parses what it sends; started by the cache
    #[command(hide = true)]
    Fetcher(parts::FetcherArgs),
    #[command(flatten)]
    Person(tenure_cli::Command),
}

fn main() -> ExitCode {
    let args = match arguments() {
        Ok(Some(args)) => args,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            report(&error.into());
            return ExitCode::FAILURE;
        }
    };
    let done = |()| ExitCode::SUCCESS;
    let result = match Cli::parse_from(args).command {
        Command::Worker(args) => parts::worker(args).map(done),
        Command::Fetcher(args) => parts::fetcher(args),
        Command::Supervisor(args) => parts::supervisor(args).map(done),
        Command::Cache(args) => parts::cache(args).map(done),
        Command::Person(command) => tenure_cli::run(command).map(done),
    };
    result.unwrap_or_else(|error| {
        report(&error);
        ExitCode::FAILURE
    })
}

/// This process's own, or those of the child that a stage becomes; `None` when a stage is over.
fn arguments() -> std::io::Result<Option<Vec<OsString>>> {
    let mut own: Vec<OsString> = std::env::args_os().collect();
    if own.get(1).is_none_or(|first| first != STAGE) {
        return Ok(Some(own));
    }
    own.truncate(1);
    Ok(match tenure_sandbox::stage()? {
        Staged::Child(args) => {
            own.extend(args);
            Some(own)
        }
        Staged::Over => None,
    })
}

#[expect(
    clippy::print_stderr,
    reason = "the last word of a program that failed, for a person or a pod's log"
)]
fn report(error: &anyhow::Error) {
    match error.downcast_ref::<tenure_cli::HelmError>() {
        Some(error) => eprintln!("Error: {error}"),
        None => eprintln!("tenure: {error:#}"),
    }
}

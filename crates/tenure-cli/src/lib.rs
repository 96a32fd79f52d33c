//! What a person types: `tenure uninstall`, `tenure build`, `tenure template`, `tenure source …`, `tenure tenant …`.
//!
//! Every command uses the person's own kubeconfig and rights, and nothing else. It says what it will do
//! before it does it, and does nothing irreversible without being told so.

mod build;
mod cluster;
mod release;
mod source;
mod template;
mod tenant;
mod uninstall;

use clap::Subcommand;

pub use template::HelmError;

/// The commands of a person.
#[derive(Subcommand)]
pub enum Command {
    /// Build a directory as a Kustomization would, and print the objects
    Build(build::Args),
    /// Render a chart as Helm would, and print the manifests
    Template(Box<template::Args>),
    /// Sources: fetch one from here, list them, explain why one fails
    #[command(subcommand)]
    Source(source::Command),
    /// Onboarding: what a tenant's worker and accounts need, and whether it holds
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Take Tenure off the cluster; asks whether to prune what the tenants applied
    Uninstall(uninstall::Args),
}

/// Runs a command to its end.
///
/// # Errors
/// With a message for the person; nothing is half done without saying so.
pub fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Build(args) => build::run(&args),
        Command::Template(args) => template::run(&args),
        Command::Source(command) => source::run(command),
        Command::Tenant(command) => tenant::run(command),
        Command::Uninstall(args) => runtime()?.block_on(uninstall::run(args)),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// Says something to the person who typed the command; a reader that has seen enough is no failure.
pub(crate) fn say(text: &str) {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{text}").ok();
}

/// Says something beside the output, which others may read.
pub(crate) fn hint(text: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "{text}").ok();
}

//! Chores of this repository: `cargo xtask <chore>`. One module per chore.

mod control_plane;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of this repository")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// A Kubernetes control plane of your own on this machine
    ControlPlane(control_plane::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().chore {
        Chore::ControlPlane(args) => control_plane::run(args).await,
    }
}

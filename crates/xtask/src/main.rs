//! Chores of this repository: `cargo xtask <chore>`. One module per chore.

mod bench;
mod cargo;
mod control_plane;
mod demo;
mod generate;
mod image;
mod layers;
#[cfg(test)]
mod named;
mod outcomes;
mod show;
mod sizes;
mod test;
mod upgrade;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of this repository")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Measure Tenure on this machine against its own bounds, and write docs/src/benchmarks.md
    Bench(Box<bench::Args>),
    /// A Kubernetes control plane of your own on this machine
    ControlPlane(control_plane::Args),
    /// Show Tenure at work on this machine
    Demo(demo::Args),
    /// Write deploy/, helm/, tenants/ and docs/reference/ from the tables in tenure-api
    Gen(generate::Args),
    /// Pack the program as a container image, an OCI layout directory
    Image(image::Args),
    /// Check that dependencies between crates go down only
    Layers,
    /// Play the scenarios of tests/outcomes against whatever controllers a cluster has
    Outcomes(outcomes::Args),
    /// Build the programs that the tests run against: a Kubernetes control plane, kubectl, helm, kustomize, a registry, buckets
    Rig,
    /// Check that no Rust file is too long
    Sizes,
    /// Run every check and every test
    Test(test::Args),
    /// Replace the parts of a running installation of the version before by this one's, one by one, and back
    Upgrade(upgrade::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().chore {
        Chore::Bench(args) => bench::run(*args).await,
        Chore::ControlPlane(args) => control_plane::run(args).await,
        Chore::Demo(args) => demo::run(args).await,
        Chore::Gen(args) => generate::run(&args),
        Chore::Image(args) => image::run(&args),
        Chore::Layers => layers::run(),
        Chore::Outcomes(args) => outcomes::run(args).await,
        Chore::Rig => rig(),
        Chore::Sizes => sizes::run(),
        Chore::Test(args) => test::run(&args),
        Chore::Upgrade(args) => upgrade::run(args),
    }
}

fn rig() -> anyhow::Result<()> {
    tenure_testkit::rig::Rig::ready()?;
    tenure_testkit::rig::Tools::ready()?;
    tenure_testkit::rig::registry_program()?;
    tenure_testkit::rig::s3_program()?;
    tenure_testkit::rig::flux_program()?;
    tenure_testkit::rig::Sops::ready(std::path::Path::new("")).map(drop)
}

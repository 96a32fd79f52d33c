use std::path::PathBuf;
use std::time::Instant;

use clap::{Parser, Subcommand};
use tenure_testkit::control_plane::{Options, attach, stop, up};
use tenure_testkit::places::runtime_dir;

#[derive(Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// Where it keeps keys, data and logs
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    /// Starts it, and leaves it running until `down`; builds its programs the first time
    Up,
    /// Stops it and removes all it kept
    Down,
    /// Says whether it runs
    Status,
}

#[expect(clippy::print_stdout, reason = "the answer to the person who asked")]
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let dir = args.dir.unwrap_or_else(|| runtime_dir().join("control-plane"));
    match args.action {
        Action::Up => {
            let started = Instant::now();
            let plane = up(&dir, Options::default()).await?;
            println!(
                "ready after {:.1} s at {}",
                started.elapsed().as_secs_f32(),
                plane.endpoint()?.url
            );
            println!("export KUBECONFIG={}", plane.kubeconfig_path().display());
        }
        Action::Down => {
            stop(&dir)?;
            println!("no control plane in {}", dir.display());
        }
        Action::Status => {
            let plane = attach(&dir).await?;
            println!("ready at {}", plane.endpoint()?.url);
            println!("export KUBECONFIG={}", plane.kubeconfig_path().display());
        }
    }
    Ok(())
}

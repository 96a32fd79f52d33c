//! `cargo xtask bench`: what Tenure costs on this machine, measured against the bounds it set itself.
//!
//! Real parts only: a control plane, an SSH server for Git, an installation with an optimised binary.
//! Nothing here fails because something is slow: a figure over its bound is reported as such.

mod awake;
mod cold;
mod figure;
mod floor;
mod helm;
mod homes;
mod kustomize;
mod neighbours;
mod noop;
mod once;
mod page;
mod policy;
mod process;
mod program;
mod requests;
mod scale;
mod shape;
mod sources;
mod stage;
mod wakes;
mod world;
mod write;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;

use figure::Section;
use shape::Shape;
use stage::Stage;
use world::World;

/// How long any one step may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Parser)]
pub(crate) struct Args {
    /// Applications in all: Kustomizations
    #[arg(long, default_value_t = 100)]
    apps: usize,
    /// Tenants that they belong to
    #[arg(long, default_value_t = 10)]
    tenants: usize,
    /// Objects that each application applies
    #[arg(long, default_value_t = 4)]
    objects: usize,
    /// A GitRepository for each application instead of one for each tenant
    #[arg(long)]
    source_per_app: bool,
    /// Worker starts that are timed
    #[arg(long, default_value_t = 30)]
    wakes: usize,
    /// Dormant homes that are added to see what one costs; counts in rising order
    #[arg(long, value_delimiter = ',', default_values_t = [50, 100, 200])]
    homes: Vec<usize>,
    /// The program, built before; built with the profile `fast` when it is not given
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Applications over tenants, for the part on many small applications
    #[arg(long, value_delimiter = ',', default_values = ["100/1", "500/50", "1000/100"])]
    shapes: Vec<Shape>,
    /// Tenants with nothing to do, for the part on many tenants; counts in rising order
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1000])]
    scale: Vec<usize>,
    /// Where the plot of that part is drawn
    #[arg(long, default_value = "docs/src/images/scale.svg")]
    plot: PathBuf,
    /// Only this part; it has a place of its own on the page
    #[arg(long)]
    only: Option<Part>,
    /// The kustomize to compare with; built from its pinned version when it is not given
    #[arg(long)]
    kustomize: Option<PathBuf>,
    /// The helm to compare with; built from its pinned version when it is not given
    #[arg(long)]
    helm: Option<PathBuf>,
    /// A directory of charts for the part on charts, in place of those made up here: its ten largest are taken
    #[arg(long)]
    charts: Option<PathBuf>,
    /// The page with the markers between which the figures are written
    #[arg(long, default_value = "docs/src/benchmarks.md")]
    page: PathBuf,
    /// Print only
    #[arg(long)]
    no_page: bool,
}

/// The parts that can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// `tenure build` beside kustomize; needs no servers
    Kustomize,
    /// `tenure template` beside helm; needs no servers
    Helm,
    /// The source cache: many objects on one repository, and a fetch beside git's
    Sources,
    /// Many small applications, each with an OCIRepository: the shape of Flux's own benchmark
    Apps,
    /// Ten, a hundred, a thousand tenants with nothing to do
    Tenants,
    /// What tenants notice of others that misbehave
    Neighbours,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.apps >= 1 && args.tenants >= 1,
        "at least one application and one tenant"
    );
    let binary = match &args.binary {
        Some(binary) => std::path::absolute(binary)?,
        None => program::build()?,
    };
    let wanted = |part| args.only.is_none_or(|only| only == part);
    if wanted(Part::Kustomize) {
        builds(&args, &binary)?;
    }
    if wanted(Part::Helm) {
        charts(&args, &binary)?;
    }
    if wanted(Part::Sources) {
        fetches(&args, &binary).await?;
    }
    if wanted(Part::Apps) {
        apps(&args, &binary).await?;
    }
    if wanted(Part::Tenants) {
        tenants(&args, &binary).await?;
    }
    if wanted(Part::Neighbours) {
        beside(&args, &binary).await?;
    }
    if args.only.is_some() {
        return Ok(());
    }
    let began = Instant::now();
    say("starting the control plane");
    let mut stage = Stage::start(binary).await?;
    say("onboarding tenants and creating applications, the supervisor stopped");
    let world = World::create(&stage, &args).await?;
    let mut sections: Vec<Section> = Vec::new();
    say("from a cold start to Ready");
    sections.extend(cold::measure(&mut stage, &world).await?);
    say("the floor: the same objects by a bare loop");
    let ready = sections
        .first()
        .and_then(|section| section.seconds)
        .unwrap_or_default();
    sections.push(floor::measure(&stage, &world, ready).await?);
    say("passes with nothing to do");
    sections.push(noop::measure(&mut stage).await?);
    say("waking workers one at a time");
    sections.push(wakes::measure(&mut stage, &world, args.wakes).await?);
    say("workers kept awake");
    sections.push(awake::measure(&mut stage, &world).await?);
    say("dormant homes");
    sections.push(homes::measure(&mut stage, &world, &args.homes).await?);
    show(
        &args,
        page::FIGURES,
        &page::text(&args, &sections, began.elapsed()),
    )
}

fn builds(args: &Args, binary: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    say("building overlays");
    let section = kustomize::measure(binary, args.kustomize.as_deref())?;
    let text = page::part("cargo xtask bench --only kustomize", &[section], began.elapsed());
    show(args, page::KUSTOMIZE, &text)
}

fn charts(args: &Args, binary: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    say("rendering charts");
    let sections = helm::measure(binary, args.helm.as_deref(), args.charts.as_deref())?;
    let text = page::part("cargo xtask bench --only helm", &sections, began.elapsed());
    show(args, page::HELM, &text)
}

async fn fetches(args: &Args, binary: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    say("fetching sources");
    let sections = sources::measure(binary).await?;
    let text = page::part("cargo xtask bench --only sources", &sections, began.elapsed());
    show(args, page::SOURCES, &text)
}

async fn apps(args: &Args, binary: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut sections = Vec::new();
    for (number, shape) in args.shapes.iter().enumerate() {
        sections.extend(shape::measure(binary.to_owned(), *shape, number == 0).await?);
    }
    let shapes: Vec<_> = args.shapes.iter().map(|shape| shape.text()).collect();
    let command = format!("cargo xtask bench --only apps --shapes {}", shapes.join(","));
    let text = page::part(&command, &sections, began.elapsed());
    show(args, page::APPS, &text)
}

async fn tenants(args: &Args, binary: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    let sections = scale::measure(binary.to_owned(), &args.scale, &args.plot).await?;
    let counts: Vec<_> = args.scale.iter().map(ToString::to_string).collect();
    let command = format!("cargo xtask bench --only tenants --scale {}", counts.join(","));
    let text = page::part(&command, &sections, began.elapsed());
    show(args, page::TENANTS, &text)
}

async fn beside(args: &Args, binary: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    say("neighbours that misbehave");
    let sections = neighbours::measure(binary.to_owned()).await?;
    let text = page::part("cargo xtask bench --only neighbours", &sections, began.elapsed());
    show(args, page::NEIGHBOURS, &text)
}

fn show(args: &Args, place: page::Place, text: &str) -> anyhow::Result<()> {
    print(text);
    if !args.no_page {
        page::write(&args.page, place, text)?;
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "a run of minutes must not look like a hang")]
fn say(line: &str) {
    eprintln!("bench: {line}");
}

#[expect(clippy::print_stdout, reason = "the answer to the person who asked")]
fn print(text: &str) {
    println!("{text}");
}

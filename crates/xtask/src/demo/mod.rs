//! `cargo xtask demo`: the whole of Tenure on this machine, and a tenant at work on it.
//!
//! It is made of the parts that the tests use, so what is shown is what is tested.

mod tenant;

use std::path::PathBuf;

use anyhow::Context as _;
use tenure_testkit::control_plane::Options as PlaneOptions;
use tenure_testkit::git::{Kind, SshGitServer};
use tenure_testkit::install::Options;
use tenure_testkit::rig::Rig;
use tenure_testkit::{ControlPlane, Installation, Node, tenure_binary};

use crate::show::{self, Step};

/// What to show.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// End after the show, with success only if every step was seen
    #[arg(long)]
    exit: bool,
}

/// Everything that runs. It ends with this value, or with the process.
struct Stage {
    plane: ControlPlane,
    tenure: Installation,
    git: SshGitServer,
    kubectl: PathBuf,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let stop = tokio::signal::ctrl_c();
    tokio::select! {
        result = played(&args) => result,
        signal = stop => Ok(signal?),
    }
}

async fn played(args: &Args) -> anyhow::Result<()> {
    show::title("Tenure, on this machine");
    let stage = Stage::start().await?;
    let _node = Node::new(stage.plane.admin_client()).auto(&["default"]);
    tenant::show(&stage).await?;
    stage.say_how_to_look_around();
    if !args.exit {
        show::line("  It stays up until Ctrl-C.\n");
        std::future::pending::<()>().await;
    }
    Ok(())
}

impl Stage {
    async fn start() -> anyhow::Result<Self> {
        let step = Step::start("Kubernetes' programs, built the first time");
        let rig = tokio::task::spawn_blocking(Rig::ready).await??;
        step.done("etcd, kube-apiserver, kube-controller-manager");

        let step = Step::start("tenure, a debug build");
        let binary = tokio::task::spawn_blocking(tenure_binary).await??;
        step.done("TENURE_BIN names another");

        let step = Step::start("A control plane");
        let plane = ControlPlane::start(PlaneOptions::default()).await?;
        step.done(&plane.endpoint()?.url);

        let step = Step::start("Supervisor and cache");
        let options = Options {
            binary: Some(binary),
            ..Options::default()
        };
        let tenure = Installation::start_with(&plane, options)
            .await
            .context("install Tenure")?;
        step.done("in tenure-system, with Role-scoped rights");

        let step = Step::start("A Git server");
        let git = SshGitServer::start().await?;
        step.done(match git.kind() {
            Kind::OpenSsh => "OpenSSH",
            Kind::InProcess => "in this process; as root it would be OpenSSH",
        });
        Ok(Self {
            plane,
            tenure,
            git,
            kubectl: rig.program("kubectl"),
        })
    }

    /// What `kubectl` answers, below the command.
    async fn table(&self, args: &[&str]) -> anyhow::Result<()> {
        let table = self.plane.kubectl(args).await?;
        show::line(&format!(
            "\n    {}",
            show::paint(&format!("$ kubectl {}", args.join(" ")), 36)
        ));
        for line in table.lines().filter(|line| !line.is_empty()) {
            show::line(&format!("    {line}"));
        }
        Ok(())
    }

    fn say_how_to_look_around(&self) {
        show::title("Look around");
        let logs = self.tenure.dir().display();
        for text in [
            format!("export KUBECONFIG={}", self.plane.kubeconfig_path().display()),
            format!("alias kubectl={}", self.kubectl.display()),
            "kubectl get tenants,gitrepositories,kustomizations --all-namespaces".to_owned(),
            "kubectl describe kustomization frontend-app --namespace flux-system".to_owned(),
            format!("tail -f {logs}/supervisor.log {logs}/cache.log"),
        ] {
            show::line(&format!("    {text}"));
        }
        show::line("");
    }
}

//! Scenarios that are folders: see README.md. One test for each, on one installation that all of them share.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use anyhow::Context as _;
use libtest_mimic::{Arguments, Failed, Trial};
use tenure_testkit::git::HttpsGitServer;
use tenure_testkit::outcome::{ACCOUNT, Ground, Home, Onboarding, Scenario, folders};
use tenure_testkit::{ControlPlane, Installation, TenantFixture};
use tenure_tests::PATIENCE;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// Outlives every test: what it starts ends with the thread that has started it.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a machine with threads"));

/// What all scenarios share.
struct Shared {
    plane: ControlPlane,
    tenure: Installation,
    git: HttpsGitServer,
}

impl Shared {
    async fn start() -> anyhow::Result<Self> {
        let plane = ControlPlane::shared().await?;
        let tenure = Installation::start(&plane).await?;
        let git = HttpsGitServer::start().await?;
        Ok(Self { plane, tenure, git })
    }
}

/// Each home is that of a Tenant of its own.
impl Onboarding for Shared {
    async fn onboard(&self, home: &Home) -> anyhow::Result<()> {
        let mut fixture = TenantFixture::new("outcome");
        fixture.name.clone_from(&home.namespace);
        fixture.home.clone_from(&home.namespace);
        fixture.targets.clone_from(&home.targets);
        fixture.account = ACCOUNT.to_owned();
        fixture.rules.clone_from(&home.rules);
        if let Some(spec) = &home.tenant {
            fixture = fixture.with(spec);
        }
        fixture.onboard(&self.tenure).await
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::from_args();
    let shared = Arc::new(OnceCell::new());
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("outcomes/cases");
    let trials = folders(&cases)?
        .into_iter()
        .map(|folder| trial(folder, &shared))
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // to exit would leave what runs, and its directories, behind
    drop(shared);
    Ok(conclusion.exit_code())
}

fn trial(folder: PathBuf, shared: &Arc<OnceCell<Shared>>) -> Trial {
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let shared = Arc::clone(shared);
    Trial::test(name, move || {
        RUNTIME
            .block_on(play(&folder, &shared))
            .map_err(|error| Failed::from(format!("{error:#}")))
    })
}

async fn play(folder: &Path, shared: &OnceCell<Shared>) -> anyhow::Result<()> {
    let scenario = Scenario::read(folder)?;
    let start = || async { RUNTIME.spawn(Shared::start()).await? };
    let shared = shared
        .get_or_try_init(start)
        .await
        .context("start what all scenarios share")?;
    let ground = Ground {
        client: shared.plane.admin_client(),
        git: &shared.git,
        onboarding: shared,
        patience: PATIENCE,
    };
    ground
        .play(&scenario)
        .await
        .with_context(|| scenario.about().to_owned())
}

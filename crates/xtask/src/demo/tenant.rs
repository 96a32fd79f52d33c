//! The show: a commit is applied, one that the tenant may not apply is refused, and it is mended.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use tenure_testkit::git::{Access, GitRepo};
use tenure_testkit::{apply_yaml, until};
use tenure_tests::{PATIENCE, condition, flux, is_ready, request, value};

use super::Stage;
use crate::show::{self, Step};

const DEPLOYMENT: &str = include_str!("../../../../tests/scenarios/article/frontend-deployment.yaml");
const GIT_REPOSITORY: &str = include_str!("../../../../tests/scenarios/article/gitrepository.yaml");
const KUSTOMIZATION: &str = include_str!("../../../../tests/scenarios/article/kustomization.yaml");
const DIRECTORY: &str = "path/to/your/repo";
const HOME: &str = "flux-system";
/// What a tenant may never apply.
const GREEDY: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: dev-team-is-admin
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: frontend, namespace: flux-system}]
";

/// The tenant's repository and its two objects.
struct Team<'a> {
    stage: &'a Stage,
    repo: GitRepo,
    source: Api<DynamicObject>,
    app: Api<DynamicObject>,
}

pub(super) async fn show(stage: &Stage) -> anyhow::Result<()> {
    show::title("The platform team onboards the tenant dev-team");
    let step = Step::start("kubectl apply -k tenants/base/dev-team");
    onboard(stage).await?;
    step.done("a Tenant, Roles in two namespaces, no ClusterRole");
    let team = Team::new(stage)?;
    team.applied().await?;
    team.refused().await?;
    team.mended().await
}

async fn onboard(stage: &Stage) -> anyhow::Result<()> {
    let tenant = crate::generate::root().join("tenants/base/dev-team");
    let tenant = tenant.to_str().context("the checkout's path is no UTF-8")?;
    let built = stage.plane.kubectl(&["kustomize", tenant]).await?;
    let documents = tenure_yaml::parse(built.as_bytes(), &tenure_yaml::Options::helm())?;
    let (identity, _) = stage.git.authorized_keypair(Access::All)?;
    let mut objects = vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}})];
    objects.extend(documents.into_iter().map(|document| document.value));
    objects.push(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git-ssh", "namespace": HOME},
        "stringData": {"identity": identity, "known_hosts": stage.git.known_hosts()?},
    }));
    stage.tenure.apply(&objects).await
}

impl<'a> Team<'a> {
    fn new(stage: &'a Stage) -> anyhow::Result<Self> {
        let client = stage.tenure.admin();
        Ok(Self {
            stage,
            repo: GitRepo::init(&stage.git, "your-org/your-repo.git")?,
            source: flux(&client, "GitRepository", HOME),
            app: flux(&client, "Kustomization", HOME),
        })
    }

    async fn applied(&self) -> anyhow::Result<()> {
        show::title("The tenant pushes a Deployment");
        let commit = self.push("frontend-deployment.yaml", Some(DEPLOYMENT), "Add the frontend")?;
        let url = self.stage.git.url(self.repo.name());
        let source = GIT_REPOSITORY.replace("ssh://git@github.com/your-org/your-repo.git", &url);
        let client = self.stage.tenure.admin();
        apply_yaml(&client, &source, None).await?;
        apply_yaml(&client, KUSTOMIZATION, None).await?;
        let step = Step::start("fetched, built and applied as the tenant");
        self.is_at(&commit).await?;
        step.done(&format!("main@sha1:{}", short(&commit)));
        let step = Step::start("Pods are ready");
        self.available().await?;
        step.done("a stand-in plays the node");
        self.tables(&[
            &["get", "gitrepositories,kustomizations", "--namespace", HOME],
            &["get", "deployments,pods", "--namespace", "default"],
        ])
        .await
    }

    async fn refused(&self) -> anyhow::Result<()> {
        show::title("The tenant pushes a ClusterRoleBinding to cluster-admin");
        let commit = self.push("greedy.yaml", Some(GREEDY), "Make us admin")?;
        request(&self.source, "GitRepository", "flux-gotk-system").await?;
        let step = Step::start("refused, and nothing is changed");
        let ready = self.failed_at(&commit).await?;
        let bindings = self
            .stage
            .plane
            .kubectl(&["get", "clusterrolebindings", "--output=name"])
            .await?;
        ensure!(
            !bindings.contains("dev-team"),
            "the binding is there:\n{bindings}"
        );
        step.done(ready["reason"].as_str().unwrap_or_default());
        for line in ready["message"].as_str().unwrap_or_default().lines() {
            show::line(&format!("    {}", show::paint(line, 33)));
        }
        self.tables(&[&["get", "kustomizations", "--namespace", HOME]])
            .await
    }

    async fn mended(&self) -> anyhow::Result<()> {
        show::title("The tenant takes it back");
        let commit = self.push("greedy.yaml", None, "Take it back")?;
        request(&self.source, "GitRepository", "flux-gotk-system").await?;
        let step = Step::start("applied");
        self.is_at(&commit).await?;
        step.done(&format!("main@sha1:{}", short(&commit)));
        self.tables(&[&["get", "kustomizations", "--namespace", HOME]])
            .await
    }

    fn push(&self, file: &str, content: Option<&str>, message: &str) -> anyhow::Result<String> {
        let step = Step::start(&format!("git push: {message}"));
        let commit = self
            .repo
            .commit(&[(&format!("{DIRECTORY}/{file}"), content)], message)?;
        step.done(short(&commit));
        Ok(commit)
    }

    async fn is_at(&self, commit: &str) -> anyhow::Result<()> {
        until("the commit to be applied", PATIENCE, || async {
            let object = value(&self.app, "frontend-app").await?;
            let revision = object["status"]["lastAppliedRevision"]
                .as_str()
                .unwrap_or_default();
            ensure!(
                revision.ends_with(commit) && is_ready(&object),
                "its status is {}",
                object["status"]
            );
            Ok(())
        })
        .await
    }

    async fn failed_at(&self, commit: &str) -> anyhow::Result<Value> {
        until("the commit to be refused", PATIENCE, || async {
            let object = value(&self.app, "frontend-app").await?;
            let attempted = object["status"]["lastAttemptedRevision"]
                .as_str()
                .unwrap_or_default();
            let ready = condition(&object, "Ready").cloned().unwrap_or_default();
            ensure!(
                attempted.ends_with(commit) && ready["status"] == "False",
                "its status is {}",
                object["status"]
            );
            Ok(ready)
        })
        .await
    }

    async fn available(&self) -> anyhow::Result<()> {
        let deployments: Api<Deployment> = Api::namespaced(self.stage.tenure.admin(), "default");
        until("the Deployment to be available", PATIENCE, || async {
            let status = deployments.get("frontend").await?.status.unwrap_or_default();
            ensure!(status.available_replicas == Some(2), "its status is {status:?}");
            Ok(())
        })
        .await
    }

    async fn tables(&self, commands: &[&[&str]]) -> anyhow::Result<()> {
        for command in commands {
            self.stage.table(command).await?;
        }
        Ok(())
    }
}

fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

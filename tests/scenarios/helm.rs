//! Repositories of charts, and charts.

use anyhow::ensure;
use serde_json::{Value, json};
use tenure_testkit::helm::Charts;
use tenure_testkit::oci::{Artifact, Registry, Signer};
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, Team, condition, is_ready, value};

use crate::kustomization::events;
use crate::moved::{nobody_is_awake, worker};
use crate::world::{play, play_alone, says};

const VALUES: (&str, &str) = ("values.yaml", "replicas: 1\n");

/// A tenant and a repository that only it may read.
struct Tenant<'a> {
    stage: &'a Stage,
    team: Team<'a>,
    charts: Charts,
}

impl<'a> Tenant<'a> {
    async fn new(stage: &'a Stage, name: &str) -> anyhow::Result<Self> {
        Self::onboard(stage, TenantFixture::new(name)).await
    }

    async fn onboard(stage: &'a Stage, fixture: TenantFixture) -> anyhow::Result<Self> {
        let charts = Charts::start().await?;
        charts.logins(&[("reader", "rig-reads-this")]);
        let team = stage.tenant(fixture).await?;
        let tenant = Self { stage, team, charts };
        tenant
            .secret("login", "username", "reader", "password", "rig-reads-this")
            .await?;
        tenant
            .secret("authority", "ca.crt", tenant.charts.ca(), "note", "x")
            .await?;
        Ok(tenant)
    }

    async fn secret(&self, name: &str, a: &str, one: &str, b: &str, two: &str) -> anyhow::Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": self.team.home()}, "stringData": {a: one, b: two},
        });
        self.stage.tenure.apply(&[secret]).await
    }

    async fn repository(&self, login: &str) -> anyhow::Result<()> {
        let spec = json!({
            "url": self.charts.url(), "secretRef": {"name": login}, "certSecretRef": {"name": "authority"},
        });
        self.team.source("HelmRepository", "charts", &spec).await
    }

    async fn chart(&self, spec: &Value) -> anyhow::Result<()> {
        let mut usual = json!({"chart": "app", "version": "1.x", "sourceRef": {"kind": "HelmRepository", "name": "charts"}});
        for (field, value) in spec.as_object().into_iter().flatten() {
            usual[field] = value.clone();
        }
        self.team.source("HelmChart", "app", &usual).await
    }

    /// Waits until the chart is there in this version.
    async fn built(&self, version: &str) -> anyhow::Result<Value> {
        let api = self.team.objects("HelmChart");
        until(&format!("chart {version}"), PATIENCE, || async {
            let object = value(&api, "app").await?;
            let found = &object["status"]["artifact"]["revision"];
            ensure!(
                found == version && is_ready(&object),
                "its status is {}",
                object["status"]
            );
            Ok(object)
        })
        .await
    }
}

fn message(object: &Value, kind: &str) -> String {
    let condition = condition(object, kind).cloned().unwrap_or_default();
    format!(
        "{}: {}",
        condition["reason"].as_str().unwrap_or_default(),
        condition["message"].as_str().unwrap_or_default()
    )
}

#[test]
fn a_new_version_of_a_chart_wakes_the_worker_that_sleeps_under_its_lease() -> anyhow::Result<()> {
    play_alone(|stage| async move {
        let tenant = Tenant::new(&stage, "helm-moved").await?;
        let _ = tenant.charts.publish("app", "1.0.0", &[VALUES]);
        // the repository itself is not looked at
        let rare = json!({
            "url": tenant.charts.url(), "secretRef": {"name": "login"}, "certSecretRef": {"name": "authority"},
            "interval": "10h",
        });
        tenant.team.source("HelmRepository", "charts", &rare).await?;
        tenant.team.ready("HelmRepository", "charts").await?;
        tenant.chart(&json!({"interval": "5m0s"})).await?;
        tenant.built("1.0.0").await?;
        nobody_is_awake(&stage).await?;
        let metrics = stage.tenure.cache_metrics().await?;
        ensure!(metrics.contains("tenure_cache_leases 1"), "{metrics}");
        let _ = tenant.charts.publish("app", "1.1.0", &[VALUES]);
        worker(&stage, &tenant.team)
            .await?
            .hint(tenant.charts.url())
            .await?;
        tenant.built("1.1.0").await?;
        let asked = tenant.charts.requests();
        let listed = asked
            .iter()
            .filter(|one| one.starts_with("GET /charts/index.yaml"));
        let listed: Vec<_> = listed
            .map(|one| one.rsplit(' ').next().unwrap_or_default())
            .collect();
        ensure!(
            listed == ["200", "200", "200", "200"] || listed == ["200", "200", "200", "200", "304"],
            "the repository's, its copy's, the chart's, and the poll's: {asked:?}"
        );
        Ok(())
    })
}

#[test]
fn a_secret_that_changes_ends_the_lease_at_once_where_the_home_watches_it() -> anyhow::Result<()> {
    play_alone(|stage| async move {
        let fixture = TenantFixture::new("helm-secret").with(&json!({"watchSecrets": true}));
        let tenant = Tenant::onboard(&stage, fixture).await?;
        let login = async |password: &str| {
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": "login", "namespace": tenant.team.home(), "labels": {"reconcile.fluxcd.io/watch": "Enabled"}},
                "stringData": {"username": "reader", "password": password},
            });
            stage.tenure.apply(&[secret]).await
        };
        login("rig-reads-this").await?;
        let _ = tenant.charts.publish("app", "1.0.0", &[VALUES]);
        let spec = json!({
            "url": tenant.charts.url(), "secretRef": {"name": "login"}, "certSecretRef": {"name": "authority"},
            "interval": "5m0s",
        });
        tenant.team.source("HelmRepository", "charts", &spec).await?;
        tenant.team.ready("HelmRepository", "charts").await?;
        let leases = async |count: usize| {
            let wanted = format!("tenure_cache_leases {count}");
            until(&wanted, PATIENCE, || async {
                let metrics = stage.tenure.cache_metrics().await?;
                ensure!(metrics.contains(&wanted), "{metrics}");
                Ok(())
            })
            .await
        };
        leases(1).await?;
        nobody_is_awake(&stage).await?;
        // long before the interval, and the lease after it, are over
        login("another").await?;
        let said = tenant.team.refused("HelmRepository", "charts", "Failed").await?;
        ensure!(!said.contains("another"), "{said}");
        leases(0).await?;
        login("rig-reads-this").await?;
        tenant.team.ready("HelmRepository", "charts").await?;
        leases(1).await
    })
}

#[test]
fn a_chart_of_a_repository_is_pulled_and_a_new_version_of_it_too() -> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "helm-roll").await?;
        let digest = tenant.charts.publish("app", "1.0.0", &[VALUES]);
        tenant.chart(&json!({})).await?;
        let said = tenant
            .team
            .refused("HelmChart", "app", "SourceUnavailable")
            .await?;
        says(
            &said,
            &["failed to get source: HelmRepository.source.toolkit.fluxcd.io \"charts\" not found"],
        )?;
        tenant.repository("login").await?;
        let repository = tenant.team.ready("HelmRepository", "charts").await?;
        let status = &repository["status"];
        let revision = status["artifact"]["revision"].as_str().unwrap_or_default();
        ensure!(revision.starts_with("sha256:"), "{status}");
        let index = format!("Succeeded: stored artifact: revision '{revision}'");
        for kind in ["Ready", "ArtifactInStorage"] {
            assert_eq!(message(&repository, kind), index);
        }
        let path = format!(
            "helmrepository/{}/charts/index-{}.yaml",
            tenant.team.home(),
            &revision[7..]
        );
        assert_eq!(status["artifact"]["path"], path);
        ensure!(
            status["url"]
                .as_str()
                .is_some_and(|url| url.ends_with("/charts/index.yaml")),
            "{status}"
        );
        events(
            &stage,
            &tenant.team,
            "charts",
            "HelmRepository Normal NewArtifact stored fetched index of size ",
        )
        .await?;

        let chart = tenant.built("1.0.0").await?;
        let status = &chart["status"];
        assert_eq!(
            status["artifact"]["digest"],
            format!("sha256:{digest}"),
            "as it is"
        );
        assert_eq!(
            status["artifact"]["path"],
            format!("helmchart/{}/app/app-1.0.0.tgz", tenant.team.home())
        );
        assert_eq!(status["observedChartName"], "app");
        assert_eq!(status["observedSourceArtifactRevision"], revision);
        let pulled = "pulled 'app' chart with version '1.0.0'";
        assert_eq!(message(&chart, "Ready"), format!("ChartPullSucceeded: {pulled}"));
        events(
            &stage,
            &tenant.team,
            "app",
            &format!("HelmChart Normal ChartPullSucceeded {pulled}"),
        )
        .await?;

        let _ = tenant.charts.publish("app", "1.1.0", &[VALUES]);
        let _ = tenant.charts.publish("app", "2.0.0", &[VALUES]);
        tenant.team.reconcile("HelmRepository", "charts").await?;
        tenant.built("1.1.0").await?;
        let gone = tenant.team.objects("HelmChart");
        gone.delete("app", &kube::api::DeleteParams::default()).await?;
        tenure_tests::gone(&gone, "app").await
    })
}

#[test]
fn what_is_wrong_with_a_repository_or_a_chart_is_said_and_no_secret_is() -> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "helm-bad").await?;
        let _ = tenant.charts.publish("app", "1.0.0", &[VALUES]);
        tenant
            .secret("wrong", "username", "reader", "password", "canary-of-a-password")
            .await?;
        tenant.repository("wrong").await?;
        let said = tenant.team.refused("HelmRepository", "charts", "Failed").await?;
        says(
            &said,
            &[
                "failed to fetch Helm repository index: ",
                "does not accept the credential",
            ],
        )?;
        ensure!(!said.contains("canary"), "{said}");
        tenant.chart(&json!({"version": "9.x"})).await?;
        let said = tenant
            .team
            .refused("HelmChart", "app", "NoSourceArtifact")
            .await?;
        assert_eq!(said, "no artifact available for HelmRepository source 'charts'");

        tenant.repository("login").await?;
        tenant.team.ready("HelmRepository", "charts").await?;
        let said = tenant
            .team
            .refused("HelmChart", "app", "InvalidChartReference")
            .await?;
        says(
            &said,
            &[
                "invalid chart reference: failed to get chart version for remote reference: ",
                "\"9.x\"",
            ],
        )?;
        let object = value(&tenant.team.objects("HelmChart"), "app").await?;
        ensure!(condition(&object, "Stalled").is_some(), "{}", object["status"]);
        // what made it stall is not there any more
        let _ = tenant.charts.publish("app", "9.1.0", &[VALUES]);
        tenant.team.reconcile("HelmRepository", "charts").await?;
        tenant.built("9.1.0").await?;

        tenant.charts.put("index.yaml", "entries: [");
        tenant.team.reconcile("HelmRepository", "charts").await?;
        let said = tenant
            .team
            .refused("HelmRepository", "charts", "IndexationFailed")
            .await?;
        says(&said, &["failed to load Helm repository from index YAML: "])?;
        Ok(())
    })
}

#[test]
fn a_chart_with_other_values_is_packaged_anew() -> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "helm-values").await?;
        let files = [VALUES, ("prod.yaml", "replicas: 3\n")];
        let digest = tenant.charts.publish("app", "1.0.0", &files);
        tenant.repository("login").await?;
        tenant
            .chart(&json!({"valuesFiles": ["values.yaml", "none.yaml", "prod.yaml"]}))
            .await?;
        let said = tenant
            .team
            .refused("HelmChart", "app", "ValuesFilesError")
            .await?;
        says(
            &said,
            &[
                "values files merge error: ",
                "no values file found at path 'none.yaml'",
            ],
        )?;
        let object = value(&tenant.team.objects("HelmChart"), "app").await?;
        ensure!(
            condition(&object, "BuildFailed").is_some(),
            "{}",
            object["status"]
        );
        tenant
            .chart(&json!({"valuesFiles": ["values.yaml", "none.yaml", "prod.yaml"], "ignoreMissingValuesFiles": true}))
            .await?;
        let chart = tenant.built("1.0.0+2").await?;
        assert_eq!(
            message(&chart, "Ready"),
            "ChartPackageSucceeded: packaged 'app' chart with version '1.0.0+2' and merged values files [values.yaml prod.yaml]"
        );
        assert_eq!(
            chart["status"]["observedValuesFiles"],
            json!(["values.yaml", "prod.yaml"])
        );
        ensure!(
            chart["status"]["artifact"]["digest"] != format!("sha256:{digest}"),
            "it is another"
        );
        Ok(())
    })
}

#[test]
fn a_chart_in_a_git_repository_is_packaged_with_what_it_depends_on() -> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "helm-git").await?;
        let _ = tenant.charts.publish("db", "1.2.3", &[VALUES]);
        let url = tenant.charts.url();
        let chart = format!(
            "apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies:\n- {{name: db, version: 1.x, repository: \"{url}/\"}}\n- {{name: lib, version: '*', repository: \"file://../lib\"}}\n"
        );
        let lib = "apiVersion: v2\nname: lib\nversion: 0.0.1\n";
        let files = [
            ("charts/app/Chart.yaml", Some(chart.as_str())),
            ("charts/app/values.yaml", Some("a: 1\n")),
            ("charts/lib/Chart.yaml", Some(lib)),
            ("prod.yaml", Some("a: 2\n")),
        ];
        tenant.team.commit(&files, "first")?;
        tenant.team.git_repository(&json!({})).await?;
        let from = json!({"kind": "GitRepository", "name": "app"});
        tenant
            .chart(&json!({"chart": "./charts/app", "sourceRef": from}))
            .await?;
        // the home has no object for the URL, and so no credential for it
        let said = tenant
            .team
            .refused("HelmChart", "app", "DependencyBuildError")
            .await?;
        says(
            &said,
            &[
                "dependency build error: failed to add remote dependency 'db': failed to get chart 'db' version '1.x' from ",
            ],
        )?;
        tenant.repository("login").await?;
        tenant.team.ready("HelmRepository", "charts").await?;
        tenant.team.reconcile("HelmChart", "app").await?;
        let first = tenant.built("0.1.0").await?;
        assert_eq!(
            message(&first, "Ready"),
            "ChartPackageSucceeded: packaged 'app' chart with version '0.1.0'"
        );

        tenant
            .team
            .commit(&[("charts/app/README.md", Some("x"))], "no new version")?;
        let commit = tenant
            .team
            .commit(&[("charts/app/NOTES.md", Some("x"))], "no new version")?;
        tenant.team.reconcile("GitRepository", "app").await?;
        let again = tenant.team.reconcile("HelmChart", "app").await?;
        assert_eq!(
            again["status"]["artifact"], first["status"]["artifact"],
            "the version is the same"
        );
        let spec = json!({
            "chart": "./charts/app", "sourceRef": from, "reconcileStrategy": "Revision", "valuesFiles": ["prod.yaml"],
        });
        tenant.chart(&spec).await?;
        tenant.built(&format!("0.1.0+{}.2", &commit[..12])).await?;
        Ok(())
    })
}

#[test]
fn a_chart_in_a_registry_is_pulled_and_its_repository_is_nobodys() -> anyhow::Result<()> {
    play(|stage| async move {
        let tenant = Tenant::new(&stage, "helm-oci").await?;
        let registry = Registry::start().await?;
        registry.set_password("puller", "rig-pulls-this")?;
        for version in ["1.0.0", "1.1.0_build.1"] {
            let chart = Artifact::chart("app", &version.replace('_', "+"), &[VALUES]);
            registry.push("charts/app", version, &chart).await?;
        }
        tenant
            .secret("pull", "username", "puller", "password", "rig-pulls-this")
            .await?;
        tenant
            .secret("registry-ca", "ca.crt", registry.ca(), "note", "x")
            .await?;
        let spec = json!({
            "type": "oci", "url": registry.url("charts"), "secretRef": {"name": "pull"},
            "certSecretRef": {"name": "registry-ca"},
        });
        tenant.team.source("HelmRepository", "charts", &spec).await?;
        tenant.chart(&json!({"version": "1.0.0"})).await?;
        tenant.built("1.0.0").await?;
        tenant.chart(&json!({"version": "1.x"})).await?;
        let chart = tenant.built("1.1.0+build.1").await?;
        ensure!(
            chart["status"].get("observedSourceArtifactRevision").is_none(),
            "{}",
            chart["status"]
        );
        let signer = Signer::new()?;
        tenant
            .secret("cosign", "cosign.pub", &signer.public_key(), "note", "x")
            .await?;
        let signed =
            json!({"version": "1.2.0", "verify": {"provider": "cosign", "secretRef": {"name": "cosign"}}});
        let next = Artifact::chart("app", "1.2.0", &[VALUES]);
        let pushed = registry.push("charts/app", "1.2.0", &next).await?;
        tenant.chart(&signed).await?;
        let said = tenant
            .team
            .refused("HelmChart", "app", "ChartVerificationError")
            .await?;
        says(&said, &["chart verification error: ", "no signature of"])?;
        let chart = value(&tenant.team.objects("HelmChart"), "app").await?;
        for (kind, status, reason) in [
            ("SourceVerified", "False", "VerificationError"),
            ("BuildFailed", "True", "ChartVerificationError"),
        ] {
            let found = condition(&chart, kind).cloned().unwrap_or_default();
            ensure!(found["status"] == status && found["reason"] == reason, "{found}");
        }
        registry.sign("charts/app", &pushed, &signer).await?;
        tenant.team.reconcile("HelmChart", "app").await?;
        let chart = tenant.built("1.2.0").await?;
        assert_eq!(
            message(&chart, "SourceVerified"),
            "Succeeded: verified signature of version 1.2.0"
        );
        let repository = value(&tenant.team.objects("HelmRepository"), "charts").await?;
        assert_eq!(repository["status"], json!({}));
        ensure!(
            repository["metadata"].get("finalizers").is_none(),
            "{}",
            repository["metadata"]
        );
        Ok(())
    })
}

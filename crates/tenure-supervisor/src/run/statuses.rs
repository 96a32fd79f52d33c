//! Each Tenant's status is written by one supervisor: the one that would have a home of the Tenant's name. What the
//! others say of the homes that they have is in the status too, under `elsewhere`, until it is taken in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use tenure_api::{HomeReport, Tenant, TenantStatus};
use tenure_core::Name;
use tokio::time::Instant;

use super::Supervisor;
use crate::tenant_status::{Facts, Report, Sandboxed, status};

impl Supervisor {
    /// Writes what differs from what the server has.
    pub(super) async fn write(&mut self) {
        self.write_at = None;
        self.written_at = Some(Instant::now());
        if self.shared.term.is_over() {
            // after a pause: what was ours may be somebody else's
            return;
        }
        let mut failed = false;
        let tenants: Vec<Tenant> = self.owners.tenants().cloned().collect();
        let mut homes: BTreeMap<String, Vec<Name>> = BTreeMap::new();
        for (home, tenant) in self.owners.homes() {
            homes
                .entry(tenant.name().to_owned())
                .or_default()
                .push(home.clone());
        }
        for tenant in tenants {
            let Ok(name) = Name::new(tenant.name()) else {
                continue;
            };
            let of_it = homes.get(tenant.name()).map(Vec::as_slice).unwrap_or_default();
            failed |= if self.ours.has(&name) {
                !self.write_status(&name, &tenant, of_it).await
            } else {
                !self.write_reports(&name, &tenant, of_it).await
            };
        }
        if failed {
            self.write_at = Some(Instant::now() + self.backoff.next_delay());
        } else {
            self.backoff.reset();
        }
    }

    /// The whole status, once everybody has said how each home fares.
    async fn write_status(&mut self, name: &Name, tenant: &Tenant, homes: &[Name]) -> bool {
        let said = tenant.status.as_ref().map(|status| &status.elsewhere);
        let mut elsewhere = BTreeMap::new();
        for home in homes.iter().filter(|home| !self.ours.has(home)) {
            match said.and_then(|said| said.get(home.as_str())) {
                Some(report) => elsewhere.insert(home.to_string(), report.clone()),
                // its supervisor is about to
                None => return true,
            };
        }
        let wanted = {
            let ours = homes.iter().filter_map(|home| self.reports.get_key_value(home));
            let reports = &merged(ours, tenant.name(), &elsewhere);
            let facts = Facts {
                tenant,
                lost: self.owners.lost(tenant),
                strays: self.owners.strays(tenant),
                unread: self.owners.unread(tenant.name()),
                reports,
                minor: self.cluster.minor,
                constrained: self.cluster.constrained_impersonation,
                tasks: self.tasks,
                pods: self.pods,
            };
            let mut wanted = status(&facts, Timestamp::now());
            wanted.elsewhere = elsewhere;
            wanted
        };
        if tenant.status.as_ref() == Some(&wanted) {
            return true;
        }
        let Ok(mut patch) = serde_json::to_value(&wanted) else {
            return true;
        };
        if wanted.homes.is_empty() {
            // What is left out of a merge patch stays.
            patch["homes"] = json!([]);
        }
        // Each of these is written by the supervisor that has the home, and taken away here.
        let over = said.into_iter().flat_map(BTreeMap::keys);
        let over = over.filter(|home| !wanted.elsewhere.contains_key(*home));
        let over: serde_json::Map<_, _> = over.map(|home| (home.clone(), Value::Null)).collect();
        match patch.as_object_mut() {
            Some(patch) if over.is_empty() => drop(patch.remove("elsewhere")),
            _ => patch["elsewhere"] = Value::Object(over),
        }
        self.patch(name, patch, wanted).await
    }

    /// What we say of our homes to whoever writes the status.
    async fn write_reports(&mut self, name: &Name, tenant: &Tenant, homes: &[Name]) -> bool {
        let mut wanted = tenant.status.clone().unwrap_or_default();
        let mut news = serde_json::Map::new();
        for home in homes.iter().filter(|home| self.ours.has(home)) {
            let report = self.reports.get(home);
            let Some(report) = report.filter(|report| report.tenant == tenant.name()) else {
                continue;
            };
            let report = said_of(report);
            if wanted.elsewhere.get(home.as_str()) == Some(&report) {
                continue;
            }
            if let Ok(value) = serde_json::to_value(&report) {
                news.insert(home.to_string(), replaced(value));
            }
            wanted.elsewhere.insert(home.to_string(), report);
        }
        if news.is_empty() {
            return true;
        }
        self.patch(name, json!({"elsewhere": news}), wanted).await
    }

    async fn patch(&mut self, name: &Name, patch: Value, wanted: TenantStatus) -> bool {
        match self.shared.client.patch_tenant_status(name, patch).await {
            Ok(_) => {
                self.owners.written(name.as_str(), wanted);
                true
            }
            Err(error) if error.is_not_found() => true,
            Err(error) => {
                tracing::warn!(tenant = %name, %error, "failed to write the Tenant's status");
                false
            }
        }
    }
}

/// Our reports of a Tenant's homes, and those of others.
fn merged<'a>(
    ours: impl IntoIterator<Item = (&'a Name, &'a Report)>,
    tenant: &str,
    elsewhere: &BTreeMap<String, HomeReport>,
) -> BTreeMap<Name, Report> {
    let ours = ours.into_iter().filter(|(_, report)| report.tenant == tenant);
    let mut all: BTreeMap<_, _> = ours
        .map(|(home, report)| (home.clone(), report.clone()))
        .collect();
    for (home, said) in elsewhere {
        if let Ok(home) = Name::new(home) {
            all.insert(home, heard_of(tenant, said));
        }
    }
    all
}

fn said_of(report: &Report) -> HomeReport {
    HomeReport {
        // a worker wakes and ends many times an hour
        phase: if report.phase == "Awake" {
            "Dormant"
        } else {
            report.phase
        }
        .to_owned(),
        objects: report.counts.objects,
        ready: report.counts.ready,
        suspended: report.counts.suspended,
        onboarded: report.onboarded,
        last_error: report.last_error.clone(),
        trouble: report.trouble.clone(),
        sandbox: report.sandbox.as_ref().map(|found| found.granted.clone()),
        missing: report
            .sandbox
            .as_ref()
            .map(|found| found.missing.clone())
            .unwrap_or_default(),
        hindered: report.hindered.clone(),
        quarantined: report.quarantined.clone(),
        held: report.held,
        over_budget: report.over_budget.clone(),
        over_limit: report.over_limit.clone(),
        legacy_rights: report.legacy,
    }
}

fn heard_of(tenant: &str, said: &HomeReport) -> Report {
    Report {
        tenant: tenant.to_owned(),
        phase: match said.phase.as_str() {
            "Suspended" => "Suspended",
            "Failing" => "Failing",
            _ => "Dormant",
        },
        counts: crate::index::Counts {
            objects: said.objects,
            ready: said.ready,
            suspended: said.suspended,
            quarantined: i64::try_from(said.quarantined.len()).unwrap_or(i64::MAX),
        },
        onboarded: said.onboarded,
        trouble: said.trouble.clone(),
        last_error: said.last_error.clone(),
        sandbox: said.sandbox.as_ref().map(|granted| Sandboxed {
            granted: granted.clone(),
            missing: said.missing.clone(),
        }),
        hindered: said.hindered.clone(),
        quarantined: said.quarantined.clone(),
        held: said.held,
        over_budget: said.over_budget.clone(),
        over_limit: said.over_limit.clone(),
        legacy: said.legacy_rights,
    }
}

/// A merge patch that leaves nothing of what was there before: what may be absent is said to be.
fn replaced(mut report: Value) -> Value {
    for field in [
        "lastError",
        "trouble",
        "sandbox",
        "missing",
        "quarantined",
        "held",
        "overBudget",
        "overLimit",
        "legacyRights",
        "hindered",
    ] {
        if report.get(field).is_none() {
            report[field] = Value::Null;
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            tenant: "team".into(),
            phase: "Failing",
            counts: crate::index::Counts {
                objects: 3,
                ready: 1,
                suspended: 1,
                quarantined: 1,
            },
            onboarded: true,
            trouble: vec!["no right to list".into()],
            last_error: Some("signal 9".into()),
            sandbox: Some(Sandboxed {
                granted: vec!["landlock:7".into()],
                missing: vec!["seccomp: not there".into()],
            }),
            hindered: Some("pod workers/home: Unschedulable".into()),
            quarantined: vec!["Kustomization/a".into()],
            held: true,
            over_budget: Some("until later".into()),
            over_limit: vec!["Kustomization/b: spec.limits.objects".into()],
            legacy: true,
        }
    }

    #[test]
    fn what_another_supervisor_says_of_a_home_is_what_its_task_said() {
        let said = serde_json::to_value(said_of(&report())).expect("it is plain");
        let said: HomeReport = serde_json::from_value(said).expect("as it was");
        assert_eq!(heard_of("team", &said), report());
        let ours = BTreeMap::from([
            ("a".parse().expect("a name"), report()),
            (
                "other".parse().expect("a name"),
                Report {
                    tenant: "another".into(),
                    ..report()
                },
            ),
        ]);
        let all = merged(&ours, "team", &BTreeMap::from([("b".to_owned(), said)]));
        assert_eq!(all.keys().map(Name::as_str).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn what_is_over_is_taken_out_of_a_report() {
        let well = Report {
            trouble: Vec::new(),
            last_error: None,
            quarantined: Vec::new(),
            held: false,
            hindered: None,
            over_budget: None,
            over_limit: Vec::new(),
            legacy: false,
            ..report()
        };
        let patch = replaced(serde_json::to_value(said_of(&well)).expect("it is plain"));
        for field in [
            "lastError",
            "trouble",
            "quarantined",
            "held",
            "overBudget",
            "overLimit",
            "legacyRights",
            "hindered",
        ] {
            assert_eq!(patch.get(field), Some(&Value::Null), "{field}");
        }
        assert_eq!(patch["sandbox"], json!(["landlock:7"]));
    }
}

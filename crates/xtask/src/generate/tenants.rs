//! `tenants/base/*/rbac.yaml`, each from the `tenant.yaml` beside it.

use std::path::Path;

use anyhow::Context as _;
use tenure_api::Tenant;
use tenure_api::rights::{Impersonation, worker_objects};

use super::{Files, stream};

pub(super) fn files(root: &Path) -> anyhow::Result<Files> {
    let base = Path::new("tenants/base");
    let mut files = Files::new();
    for entry in std::fs::read_dir(root.join(base)).context("read tenants/base")? {
        let name = entry?.file_name();
        let tenant = read(&root.join(base).join(&name).join("tenant.yaml"))?;
        let objects = worker_objects(&tenant, Impersonation::Constrained);
        files.insert(base.join(&name).join("rbac.yaml"), stream(&objects));
    }
    Ok(files)
}

fn read(path: &Path) -> anyhow::Result<Tenant> {
    let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let value = tenure_yaml::parse_one(&text, &tenure_yaml::Options::helm())
        .with_context(|| format!("parse {}", path.display()))?;
    serde_json::from_value(value).with_context(|| format!("{} is not a Tenant", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenant_but_the_misconfigured_one_is_valid() {
        let base = super::super::root().join("tenants/base");
        let mut seen = 0;
        for entry in std::fs::read_dir(&base).expect("tenants/base") {
            let path = entry.expect("an entry").path();
            let tenant = read(&path.join("tenant.yaml")).expect("a Tenant");
            let broken = path.ends_with("misconfigured");
            assert_eq!(
                !tenant.validate().is_empty(),
                broken,
                "{}: {:?}",
                path.display(),
                tenant.validate()
            );
            seen += 1;
        }
        assert!(seen >= 3);
    }
}

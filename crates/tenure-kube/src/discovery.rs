use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::call::{Call, Target};
use crate::caller::Caller;
use crate::error::KubeError;
use crate::resource::ResourceInfo;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Which kinds the API server serves. Plain data: it can be kept and handed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovery {
    /// By `apiVersion`, then by kind.
    kinds: BTreeMap<String, BTreeMap<String, Served>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Served(String, bool);

#[derive(Deserialize)]
pub(crate) struct GroupList {
    #[serde(default)]
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: GroupMeta,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
struct GroupMeta {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Version {
    version: String,
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    resource: String,
    #[serde(default)]
    response_kind: Option<ResponseKind>,
    #[serde(default)]
    scope: String,
}

#[derive(Deserialize)]
struct ResponseKind {
    #[serde(default)]
    kind: String,
}

impl Discovery {
    /// Asks the server: two requests.
    pub(crate) async fn ask(caller: &Caller) -> Result<Self, KubeError> {
        let mut discovery = Self::default();
        for path in ["/api", "/apis"] {
            discovery.add(
                caller
                    .json(&Call::get(Target::raw(path)).accept(AGGREGATED))
                    .await?,
            );
        }
        Ok(discovery)
    }

    pub(crate) fn add(&mut self, groups: GroupList) {
        for group in groups.items {
            for version in group.versions {
                for resource in version.resources {
                    let Some(kind) = resource.response_kind.filter(|k| !k.kind.is_empty()) else {
                        continue;
                    };
                    self.insert(ResourceInfo {
                        group: group.metadata.name.clone(),
                        version: version.version.clone(),
                        plural: resource.resource,
                        kind: kind.kind,
                        namespaced: resource.scope == "Namespaced",
                    });
                }
            }
        }
    }

    /// Adds one kind, as a CustomResourceDefinition that was just established does.
    pub fn insert(&mut self, info: ResourceInfo) {
        let version = self.kinds.entry(info.api_version()).or_default();
        version
            .entry(info.kind)
            .or_insert(Served(info.plural, info.namespaced));
    }

    /// How to reach `kind` of `api_version` (`group/version`, or `v1`).
    #[must_use]
    pub fn resolve(&self, api_version: &str, kind: &str) -> Option<ResourceInfo> {
        let Served(plural, namespaced) = self.kinds.get(api_version)?.get(kind)?;
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Some(ResourceInfo {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.clone(),
            kind: kind.to_owned(),
            namespaced: *namespaced,
        })
    }

    /// Like [`resolve`](Self::resolve), where the version may have gone and another of the group is
    /// as good: for objects known only by an old inventory.
    #[must_use]
    pub fn resolve_any_version(&self, group: &str, version: &str, kind: &str) -> Option<ResourceInfo> {
        let of = |version: &str| {
            if group.is_empty() {
                version.to_owned()
            } else {
                format!("{group}/{version}")
            }
        };
        self.resolve(&of(version), kind).or_else(|| {
            self.kinds
                .keys()
                .filter(|api_version| api_version.rsplit_once('/').map_or("", |(g, _)| g) == group)
                .find_map(|api_version| self.resolve(api_version, kind))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovery() -> Discovery {
        let list = r#"{"items":[{"metadata":{"name":"apps"},"versions":[{"version":"v1","resources":[
            {"resource":"deployments","responseKind":{"group":"","version":"","kind":"Deployment"},"scope":"Namespaced"},
            {"resource":"broken","responseKind":{"kind":""}}]}]},
            {"metadata":{},"versions":[{"version":"v1","resources":[
            {"resource":"namespaces","responseKind":{"kind":"Namespace"},"scope":"Cluster"}]}]}]}"#;
        let mut discovery = Discovery::default();
        discovery.add(serde_json::from_str(list).expect("aggregated discovery"));
        discovery
    }

    #[test]
    fn kinds_are_found_by_api_version_and_kind() {
        let found = discovery().resolve("apps/v1", "Deployment").expect("is served");
        assert_eq!((found.plural.as_str(), found.namespaced), ("deployments", true));
        assert_eq!(
            discovery().resolve("v1", "Namespace").map(|i| i.namespaced),
            Some(false)
        );
        assert_eq!(discovery().resolve("apps/v1beta1", "Deployment"), None);
        assert_eq!(
            discovery()
                .resolve_any_version("apps", "v1beta1", "Deployment")
                .map(|i| i.version),
            Some("v1".to_owned())
        );
    }

    #[test]
    fn it_travels_as_json() {
        let text = serde_json::to_string(&discovery()).expect("plain data");
        assert_eq!(
            serde_json::from_str::<Discovery>(&text).expect("its own output"),
            discovery()
        );
    }
}

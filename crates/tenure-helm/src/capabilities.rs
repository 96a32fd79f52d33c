//! What a chart may ask about the cluster it is rendered for.

use tenure_gotmpl::{Field, Kind, List, ListType, Method, Object, Param, Shape, Str, Value};

/// The version of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeVersion {
    /// All of it, such as `v1.33.4-gke.1245000`.
    version: String,
    /// Numbers only, such as `v1.33.4`; what constraints are checked against.
    normalized: String,
    major: String,
    minor: String,
}

impl KubeVersion {
    /// Reads a version: numbers with dots between them, perhaps `v` before and anything behind.
    ///
    /// # Errors
    /// When it does not start with two numbers; the text is Kubernetes'.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim_start();
        let body = trimmed.strip_prefix('v').unwrap_or(trimmed);
        let mut end = 0;
        for part in body.split('.') {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                break;
            }
            end += digits + usize::from(end > 0);
            if digits < part.len() {
                break;
            }
        }
        let numbers = body.get(..end).unwrap_or_default();
        if numbers.is_empty() {
            return Err(format!("could not parse {text:?} as version"));
        }
        let parts: Vec<&str> = numbers.split('.').collect();
        let [major, minor, ..] = parts.as_slice() else {
            return Err(format!("illegal version string {text:?}"));
        };
        if major.starts_with('0') && *major != "0" {
            return Err(format!(
                "illegal zero-prefixed version component {major:?} in {text:?}"
            ));
        }
        let mut plain = Vec::new();
        for part in &parts {
            let number: u64 = part.parse().map_err(|_| {
                format!("illegal non-numeric version component {part:?} in {text:?}: strconv.ParseUint: parsing {part:?}: value out of range")
            })?;
            plain.push(number.to_string());
        }
        let version = if text.starts_with('v') {
            text.to_owned()
        } else {
            format!("v{text}")
        };
        Ok(Self {
            version,
            normalized: format!("v{}", plain.join(".")),
            major: plain.first().cloned().unwrap_or_default(),
            minor: plain.get(1).cloned().unwrap_or((*minor).to_owned()),
        })
    }

    /// All of it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The numbers, for constraints.
    #[must_use]
    pub fn normalized(&self) -> &str {
        &self.normalized
    }
}

/// What `.Capabilities` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The version of Kubernetes.
    pub kube_version: KubeVersion,
    /// The API versions there are, and perhaps kinds behind them.
    pub api_versions: Vec<String>,
    /// The version of Helm that charts see.
    pub helm_version: String,
}

impl Default for Capabilities {
    /// What `helm template` assumes without a cluster.
    fn default() -> Self {
        Self {
            kube_version: KubeVersion {
                version: "v1.36.0".to_owned(),
                normalized: "v1.36.0".to_owned(),
                major: "1".to_owned(),
                minor: "36".to_owned(),
            },
            api_versions: API_VERSIONS.iter().map(|&name| name.to_owned()).collect(),
            helm_version: "v4.2.4".to_owned(),
        }
    }
}

impl Capabilities {
    pub(crate) fn value(&self) -> Value {
        let versions = VersionSet(List::typed(
            &VERSION_SET,
            self.api_versions
                .iter()
                .map(|v| Value::from(v.as_str()))
                .collect(),
        ));
        Value::object(CapabilitiesObject {
            kube: Value::object(KubeObject(self.kube_version.clone())),
            apis: Value::object(versions),
            helm: Value::object(HelmObject(self.helm_version.clone())),
        })
    }
}

const VERSION_SET: ListType = ListType::new("common.VersionSet", Kind::String);

struct CapabilitiesObject {
    kube: Value,
    apis: Value,
    helm: Value,
}

impl Object for CapabilitiesObject {
    fn type_name(&self) -> &'static str {
        "*common.Capabilities"
    }

    fn shape(&self) -> Shape {
        Shape::Pointer(vec![
            Field::new("KubeVersion", self.kube.clone()),
            Field::new("APIVersions", self.apis.clone()),
            Field::new("HelmVersion", self.helm.clone()),
        ])
    }
}

struct KubeObject(KubeVersion);

impl Object for KubeObject {
    fn type_name(&self) -> &'static str {
        "common.KubeVersion"
    }

    fn shape(&self) -> Shape {
        Shape::Struct(vec![
            Field::new("Version", self.0.version.as_str()),
            Field::new("Major", self.0.major.as_str()),
            Field::new("Minor", self.0.minor.as_str()),
        ])
    }

    fn methods(&self) -> &'static [Method] {
        &[
            Method {
                name: "GitVersion",
                parameters: &[],
            },
            Method {
                name: "String",
                parameters: &[],
            },
        ]
    }

    fn call(&self, method: &str, _arguments: &[Value]) -> Result<Value, String> {
        Ok(match method {
            "GitVersion" => self.0.version.as_str().into(),
            _ => self.0.normalized.as_str().into(),
        })
    }

    fn printed(&self) -> Option<Str> {
        Some(self.0.normalized.as_str().into())
    }
}

struct VersionSet(List);

impl Object for VersionSet {
    fn type_name(&self) -> &'static str {
        VERSION_SET.name
    }

    fn shape(&self) -> Shape {
        Shape::List(self.0.clone())
    }

    fn methods(&self) -> &'static [Method] {
        &[Method {
            name: "Has",
            parameters: &[Param::String],
        }]
    }

    fn call(&self, _method: &str, arguments: &[Value]) -> Result<Value, String> {
        let wanted = arguments.first().and_then(Value::as_str);
        let has = self.0.to_vec().iter().any(|held| held.as_str() == wanted);
        Ok(Value::Bool(has))
    }
}

struct HelmObject(String);

impl Object for HelmObject {
    fn type_name(&self) -> &'static str {
        "version.BuildInfo"
    }

    fn shape(&self) -> Shape {
        Shape::Struct(vec![
            Field::new("Version", self.0.as_str()).json("version", true),
            Field::new("GitCommit", "").json("git_commit", true),
            Field::new("GitTreeState", "").json("git_tree_state", true),
            Field::new("GoVersion", GO_VERSION).json("go_version", true),
            Field::new("KubeClientVersion", "v1.36").json("kube_client_version", false),
        ])
    }
}

/// What Helm's own build says; some charts print it.
const GO_VERSION: &str = "go1.26.8";

/// The groups and versions that Helm's client library knows.
const API_VERSIONS: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha2",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_kubernetes_reads_them() {
        for (text, version, normalized) in [
            ("1.33", "v1.33", "v1.33"),
            ("v1.33.0", "v1.33.0", "v1.33.0"),
            ("v1.33.4-gke.1245000", "v1.33.4-gke.1245000", "v1.33.4"),
            ("1.2.3.4+x", "v1.2.3.4+x", "v1.2.3.4"),
            ("1.33.", "v1.33.", "v1.33"),
        ] {
            let read = KubeVersion::parse(text).expect(text);
            assert_eq!((read.version(), read.normalized()), (version, normalized));
        }
        for (text, want) in [
            ("x", "could not parse \"x\" as version"),
            ("", "could not parse \"\" as version"),
            ("1", "illegal version string \"1\""),
            (
                "01.2",
                "illegal zero-prefixed version component \"01\" in \"01.2\"",
            ),
        ] {
            assert_eq!(KubeVersion::parse(text).expect_err(text), want);
        }
    }
}

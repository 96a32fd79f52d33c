//! The pod of a worker.

use serde_json::{Value, json};
use tenure_api::{LIFELINE_AUDIENCE, PART_OF, PodPlacement, WORKER_LABEL};
use tenure_core::Name;

use crate::config::Pods;
use crate::runtime::Sandbox;

/// Which supervisor has made a pod.
pub(super) const MADE_BY: &str = "tenure.dev/supervisor";
/// Where a worker may write.
pub(super) const SCRATCH: &str = "/scratch";
const TOKEN: &str = "/var/run/tenure";
/// The program itself, and what the kernel keeps for it, besides what the Tenant's worker may allocate.
const BESIDES: u64 = 64 << 20;
const USER: u32 = 65532;

/// What a pod is made of.
pub(super) struct Parts<'a> {
    pub(super) home: &'a Name,
    pub(super) namespace: &'a Name,
    /// Of the home's ServiceAccount, with which the pod goes.
    pub(super) account_uid: &'a str,
    /// Of the supervisor.
    pub(super) incarnation: &'a str,
    pub(super) ca_pem: &'a str,
    pub(super) config: &'a Pods,
    pub(super) sandbox: &'a Sandbox,
    pub(super) placement: &'a PodPlacement,
}

/// Whatever the cluster holds pods to, this one meets the level `restricted` of the Pod Security Standards. It goes by the
/// name of its home, so that the API server takes no second one.
pub(super) fn pod(parts: &Parts<'_>) -> Value {
    let home = parts.home.as_str();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": home, "namespace": parts.namespace.as_str(),
            "labels": {"app": "tenure-worker", PART_OF: "tenure", WORKER_LABEL: home},
            "annotations": {
                MADE_BY: parts.incarnation,
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "true",
            },
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "ServiceAccount", "name": home, "uid": parts.account_uid,
            }],
        },
        "spec": spec(parts),
    })
}

fn spec(parts: &Parts<'_>) -> Value {
    let mut spec = json!({
        "serviceAccountName": parts.home.as_str(),
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 10,
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{
            "name": "worker",
            "image": parts.config.image,
            "args": args(parts),
            "env": [{"name": "TENURE_LIFELINE_CA", "value": parts.ca_pem}],
            "resources": resources(parts.sandbox.memory),
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": true,
            },
            "volumeMounts": [
                {"name": "scratch", "mountPath": SCRATCH},
                {"name": "lifeline", "mountPath": TOKEN, "readOnly": true},
            ],
        }],
        "volumes": [
            {"name": "scratch", "emptyDir": {"sizeLimit": "2Gi"}},
            {"name": "lifeline", "projected": {"sources": [{"serviceAccountToken": {
                "path": "token", "audience": LIFELINE_AUDIENCE, "expirationSeconds": 600,
            }}]}},
        ],
    });
    let placement = parts.placement;
    if !placement.runtime_class_name.is_empty() {
        spec["runtimeClassName"] = json!(placement.runtime_class_name);
    }
    if !placement.node_selector.is_empty() {
        spec["nodeSelector"] = json!(placement.node_selector);
    }
    if !placement.tolerations.is_empty() {
        spec["tolerations"] = json!(placement.tolerations);
    }
    spec
}

fn args(parts: &Parts<'_>) -> Vec<String> {
    let Pods { url, server_name, .. } = parts.config;
    let mut args = vec![
        "worker".to_owned(),
        format!("--lifeline-url={url}"),
        format!("--lifeline-server-name={server_name}"),
        format!("--lifeline-token-file={TOKEN}/token"),
        format!("--scratch={SCRATCH}"),
        format!("--home={}", parts.home),
    ];
    args.extend(parts.sandbox.memory.map(|memory| format!("--memory={memory}")));
    let mut ports = parts.sandbox.ports.clone();
    if !ports.is_empty() {
        let uri = url.parse::<http::Uri>().ok();
        ports.extend(uri.and_then(|uri| uri.port_u16()));
    }
    args.extend(ports.iter().map(|port| format!("--port={port}")));
    args
}

/// A worker that waits needs little; one that works is bounded by its own limit first, which it can name.
fn resources(memory: Option<u64>) -> Value {
    let mut resources = json!({"requests": {"cpu": "10m", "memory": "32Mi"}});
    if let Some(memory) = memory {
        resources["limits"] = json!({"memory": memory.saturating_add(BESIDES).to_string()});
    }
    resources
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn made(sandbox: &Sandbox, placement: &PodPlacement) -> Value {
        let config = Pods {
            image: "tenure:v1".into(),
            listen: ([0, 0, 0, 0], 8443).into(),
            url: "https://10.0.0.7:8443".into(),
            cert_file: PathBuf::new(),
            key_file: PathBuf::new(),
            ca_file: PathBuf::new(),
            server_name: "tenure-supervisor".into(),
        };
        let name = |text: &str| text.parse().expect("a name");
        pod(&Parts {
            home: &name("apps"),
            namespace: &name("tenure-workers"),
            account_uid: "7",
            incarnation: "me",
            ca_pem: "PEM",
            config: &config,
            sandbox,
            placement,
        })
    }

    #[test]
    fn a_worker_in_a_pod_has_its_homes_account_and_no_token_but_the_one_for_its_lifeline() {
        let pod = made(&Sandbox::default(), &PodPlacement::default());
        let spec = &pod["spec"];
        assert_eq!(
            (&spec["serviceAccountName"], &spec["automountServiceAccountToken"]),
            (&json!("apps"), &json!(false))
        );
        let tokens = spec["volumes"].to_string().matches("serviceAccountToken").count();
        assert_eq!((tokens, LIFELINE_AUDIENCE), (1, "tenure-lifeline"));
        assert!(spec["volumes"].to_string().contains(LIFELINE_AUDIENCE));
        assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], "7");
        assert!(spec["containers"][0]["resources"].get("limits").is_none());
        for absent in ["runtimeClassName", "nodeSelector", "tolerations"] {
            assert!(spec.get(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn limits_and_place_are_the_tenants() {
        let sandbox = Sandbox {
            memory: Some(64 << 20),
            ports: vec![443],
            ..Sandbox::default()
        };
        let placement: PodPlacement = serde_json::from_value(json!({
            "runtimeClassName": "gvisor", "nodeSelector": {"pool": "tenants"},
            "tolerations": [{"key": "tenants", "operator": "Exists"}],
        }))
        .expect("a placement");
        let pod = made(&sandbox, &placement);
        let spec = &pod["spec"];
        assert_eq!(spec["runtimeClassName"], "gvisor");
        assert_eq!(spec["nodeSelector"], json!({"pool": "tenants"}));
        assert_eq!(
            spec["tolerations"],
            json!([{"key": "tenants", "operator": "Exists"}])
        );
        let container = &spec["containers"][0];
        assert_eq!(
            container["resources"]["limits"]["memory"],
            (128 << 20).to_string()
        );
        let args = container["args"].to_string();
        for arg in ["--memory=67108864", "--port=443", "--port=8443"] {
            assert!(args.contains(arg), "{args}");
        }
    }
}

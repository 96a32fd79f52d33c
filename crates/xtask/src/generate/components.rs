//! The Deployments of an installation and what they need around them.

use serde_json::{Value, json};
use tenure_api::rights::SUPERVISOR_ACCOUNT;
use tenure_api::{
    CACHE_CONTROL_AUDIENCE, CACHE_TLS, FLUX_VERSION, ISSUER_KEYS, SYSTEM_NAMESPACE, WORKERS_NAMESPACE,
};

/// The image that manifests name; the chart makes it a value.
pub(super) const IMAGE: &str = concat!("tenure:v", env!("CARGO_PKG_VERSION"));
const ADMIN_PORT: u16 = 8081;
const CACHE_PORT: u16 = 8443;
const CACHE: &str = "tenure-cache";
/// The Service that names each replica of the cache by its own address.
const REPLICAS: &str = "tenure-cache-replicas";

pub(super) fn namespaces() -> Vec<Value> {
    let namespace = |name| {
        json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {
                "app.kubernetes.io/part-of": "tenure", "pod-security.kubernetes.io/enforce": "restricted",
            }},
        })
    };
    vec![namespace(SYSTEM_NAMESPACE), namespace(WORKERS_NAMESPACE)]
}

/// The labels that `flux check` and `flux logs` look for.
fn labels(name: &str) -> Value {
    json!({
        "app": name,
        "app.kubernetes.io/component": name,
        "app.kubernetes.io/instance": SYSTEM_NAMESPACE,
        "app.kubernetes.io/part-of": "flux",
        "app.kubernetes.io/version": FLUX_VERSION,
    })
}

/// What the manifests can know of a cluster's addresses: its API server's, which every pod is told.
pub(super) const REFUSED: &str = "--refuse-addresses=$(KUBERNETES_SERVICE_HOST)";

fn metadata(name: &str) -> Value {
    json!({"name": name, "namespace": SYSTEM_NAMESPACE, "labels": labels(name)})
}

fn container(name: &str, args: &[String], memory: &str, mounts: &Value) -> Value {
    json!({
        "name": name,
        "image": IMAGE,
        "args": args,
        "env": [{"name": "RUNTIME_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": memory}},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
        },
        "volumeMounts": mounts,
    })
}

fn probed(mut container: Value, ports: &Value) -> Value {
    let probe = |path| json!({"httpGet": {"path": path, "port": "admin"}});
    container["ports"] = ports.clone();
    container["readinessProbe"] = probe("/readyz");
    container["livenessProbe"] = probe("/healthz");
    container
}

fn deployment(name: &str, account: &str, containers: &[Value], volumes: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": labels(name)},
                "spec": {
                    "automountServiceAccountToken": false,
                    "containers": containers,
                    "securityContext": {
                        "fsGroup": 65532,
                        "runAsGroup": 65532,
                        "runAsNonRoot": true,
                        "runAsUser": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "serviceAccountName": account,
                    "terminationGracePeriodSeconds": 90,
                    "volumes": volumes,
                },
            },
        },
    })
}

/// Ingress to the named ports only; where a pod connects to is the Tenants' sources, so egress is open.
fn network_policy(name: &str, ports: &[u16]) -> Value {
    let ports: Vec<_> = ports
        .iter()
        .map(|port| json!({"port": port, "protocol": "TCP"}))
        .collect();
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(name),
        "spec": {
            "podSelector": {"matchLabels": {"app": name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": ports}],
            "egress": [{}],
        },
    })
}

/// Several replicas are on different nodes where that can be.
fn spread(name: &str) -> Value {
    json!([{
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": name}},
    }])
}

/// The supervisor's pods: one container, which forks the workers; they lose its token before they start.
pub(super) fn supervisor() -> Vec<Value> {
    let args = [
        "supervisor".to_owned(),
        format!("--admin=0.0.0.0:{ADMIN_PORT}"),
        format!("--system-namespace={SYSTEM_NAMESPACE}"),
        format!("--workers-namespace={WORKERS_NAMESPACE}"),
        format!("--cache-url=https://{REPLICAS}.{SYSTEM_NAMESPACE}.svc:{CACHE_PORT}"),
        "--cache-ca=/etc/tenure/cache-ca/ca.crt".to_owned(),
        format!("--cache-server-name={CACHE}"),
        "--cache-token-file=/var/run/secrets/kubernetes.io/serviceaccount/cache-token".to_owned(),
        "--scratch=/scratch".to_owned(),
        "--watch=namespaced".to_owned(),
        REFUSED.to_owned(),
    ];
    let mounts = json!([
        {"name": "cache-ca", "mountPath": "/etc/tenure/cache-ca", "readOnly": true},
        {"name": "scratch", "mountPath": "/scratch"},
        {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true},
    ]);
    let volumes = json!([
        // Only the certificate: the key beside it is the cache's.
        {"name": "cache-ca", "secret": {
            "secretName": CACHE_TLS, "items": [{"key": "ca.crt", "path": "ca.crt"}],
        }},
        {"name": "scratch", "emptyDir": {}},
        {"name": "token", "projected": {"sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
            {"serviceAccountToken": {
                "path": "cache-token", "expirationSeconds": 3600, "audience": CACHE_CONTROL_AUDIENCE,
            }},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        ]}},
    ]);
    let ports = json!([{"name": "admin", "containerPort": ADMIN_PORT, "protocol": "TCP"}]);
    let mut pods = deployment(
        SUPERVISOR_ACCOUNT,
        SUPERVISOR_ACCOUNT,
        &[probed(container("supervisor", &args, "2Gi", &mounts), &ports)],
        &volumes,
    );
    pods["spec"]["template"]["spec"]["topologySpreadConstraints"] = spread(SUPERVISOR_ACCOUNT);
    vec![pods, network_policy(SUPERVISOR_ACCOUNT, &[ADMIN_PORT])]
}

/// Workers' pods, where there are any: nobody connects to them.
pub(super) fn pods() -> Vec<Value> {
    vec![json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": "tenure-worker", "namespace": WORKERS_NAMESPACE,
            "labels": {"app.kubernetes.io/part-of": "tenure"},
        },
        "spec": {
            "podSelector": {"matchLabels": {"app": "tenure-worker"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": [{}],
        },
    })]
}

/// The cache's pods, which have no token at all, on different nodes where that can be.
pub(super) fn cache() -> Vec<Value> {
    let args = [
        "cache".to_owned(),
        format!("--listen=0.0.0.0:{CACHE_PORT}"),
        format!("--admin=0.0.0.0:{ADMIN_PORT}"),
        "--tls-cert=/etc/tenure/tls/tls.crt".to_owned(),
        "--tls-key=/etc/tenure/tls/tls.key".to_owned(),
        "--issuer-keys=/etc/tenure/issuer/jwks.json".to_owned(),
        format!("--workers-namespace={WORKERS_NAMESPACE}"),
        format!("--system-namespace={SYSTEM_NAMESPACE}"),
        "--data=/data".to_owned(),
        REFUSED.to_owned(),
    ];
    let mounts = json!([
        {"name": "data", "mountPath": "/data"},
        {"name": "scratch", "mountPath": "/tmp"},
        {"name": "tls", "mountPath": "/etc/tenure/tls", "readOnly": true},
        {"name": "issuer-keys", "mountPath": "/etc/tenure/issuer", "readOnly": true},
    ]);
    let volumes = json!([
        {"name": "data", "emptyDir": {}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "tls", "secret": {"secretName": CACHE_TLS}},
        {"name": "issuer-keys", "configMap": {"name": ISSUER_KEYS}},
    ]);
    let ports = json!([
        {"name": "grpc", "containerPort": CACHE_PORT, "protocol": "TCP"},
        {"name": "admin", "containerPort": ADMIN_PORT, "protocol": "TCP"},
    ]);
    let mut container = container(CACHE, &args, "1Gi", &mounts);
    if let Some(env) = container["env"].as_array_mut() {
        env.push(json!({"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}));
    }
    let mut pods = deployment(CACHE, CACHE, &[probed(container, &ports)], &volumes);
    pods["spec"]["template"]["spec"]["topologySpreadConstraints"] = spread(CACHE);
    vec![
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(CACHE),
            "automountServiceAccountToken": false,
        }),
        // Without data: the supervisor may patch it and may not create it.
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(ISSUER_KEYS)}),
        pods,
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata(CACHE),
            "spec": {
                "selector": {"app": CACHE},
                "ports": [{"name": "grpc", "port": CACHE_PORT, "targetPort": "grpc", "protocol": "TCP"}],
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata(REPLICAS),
            "spec": {
                "clusterIP": "None",
                "selector": {"app": CACHE},
                "ports": [{"name": "grpc", "port": CACHE_PORT, "targetPort": "grpc", "protocol": "TCP"}],
            },
        }),
        network_policy(CACHE, &[CACHE_PORT, ADMIN_PORT]),
    ]
}

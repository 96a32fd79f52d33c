//! What RBAC cannot say and admission can.

use serde_json::{Value, json};

/// Name of the admission policy about workers, and of its binding, in `deploy/`.
pub const WORKER_POLICY: &str = "tenure-worker-bindings";

/// The ValidatingAdmissionPolicy `name` and its binding, for the worker identities in
/// `workers_namespace`. They are cluster-scoped: each installation of a cluster needs names of its own.
///
/// A worker may release its RoleBindings' finalizer, which takes `patch`; and `patch` alone would let it
/// hand its own rights to somebody else, since it holds them.
#[must_use]
pub fn worker_policies(name: &str, workers_namespace: &str) -> Vec<Value> {
    let worker =
        format!("request.userInfo.username.startsWith('system:serviceaccount:{workers_namespace}:')");
    let metadata = json!({"name": name, "labels": {crate::PART_OF: "tenure"}});
    vec![
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": metadata.clone(),
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [{
                    "apiGroups": ["rbac.authorization.k8s.io"],
                    "apiVersions": ["v1"],
                    "operations": ["UPDATE"],
                    "resources": ["rolebindings"],
                }]},
                "matchConditions": [{"name": "by-a-worker", "expression": worker}],
                "validations": [{
                    "expression": "has(object.subjects) == has(oldObject.subjects) && (!has(object.subjects) || object.subjects == oldObject.subjects)",
                    "message": "a worker may not change who has its rights",
                }],
            },
        }),
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": metadata,
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        }),
    ]
}

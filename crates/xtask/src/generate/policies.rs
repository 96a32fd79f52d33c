//! What RBAC cannot say and admission can.

use serde_json::{Value, json};
use tenure_api::WORKERS_NAMESPACE;

const NAME: &str = "tenure-worker-bindings";

/// A worker may release its RoleBindings' finalizer, which takes `patch`; and `patch` alone would let it
/// hand its own rights to somebody else, since it holds them.
pub(super) fn worker_bindings() -> Vec<Value> {
    let worker =
        format!("request.userInfo.username.startsWith('system:serviceaccount:{WORKERS_NAMESPACE}:')");
    vec![
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": NAME, "labels": {"app.kubernetes.io/part-of": "tenure"}},
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
            "metadata": {"name": NAME, "labels": {"app.kubernetes.io/part-of": "tenure"}},
            "spec": {"policyName": NAME, "validationActions": ["Deny"]},
        }),
    ]
}

/// Metadata of every request, as a cluster in use would log. Bodies would cost the API server more than
/// the requests do.
pub(super) const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: [\"system:apiserver\", \"system:kube-controller-manager\", \"rig-admin\"]}
- {level: None, userGroups: [\"system:serviceaccounts:kube-system\"]}
- {level: Metadata}
";

use super::layout::Layout;
use crate::proc::Spec;
use crate::rig::Rig;

/// The issuer of service account tokens, as in most clusters.
pub(super) const ISSUER: &str = "https://kubernetes.default.svc";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Etcd,
    Api,
    Controllers,
}

impl Server {
    pub(super) const ALL: [Self; 3] = [Self::Etcd, Self::Api, Self::Controllers];

    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Api => "kube-apiserver",
            Self::Controllers => "kube-controller-manager",
        }
    }
}

impl Layout {
    /// The command line of a server.
    pub(super) fn spec(&self, rig: &Rig, server: Server) -> Spec {
        let spec = Spec::new(rig.program(server.program()), self.log(server));
        match server {
            Server::Etcd => spec.args(self.etcd_flags()),
            Server::Api => spec.args(self.api_flags()).args(&self.state.api_server_flags),
            Server::Controllers => spec.args(self.controllers_flags()),
        }
    }

    fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    fn etcd_flags(&self) -> Vec<String> {
        let clients = format!("https://127.0.0.1:{}", self.state.etcd_port);
        let peers = format!("https://127.0.0.1:{}", self.state.etcd_peer_port);
        let mut flags = vec![
            "--name=rig".to_owned(),
            // Nothing here survives a power cut, nor must it.
            "--unsafe-no-fsync".to_owned(),
            "--client-cert-auth".to_owned(),
            "--peer-client-cert-auth".to_owned(),
            format!("--data-dir={}", self.path("etcd")),
            format!("--listen-client-urls={clients}"),
            format!("--advertise-client-urls={clients}"),
            format!("--listen-peer-urls={peers}"),
            format!("--initial-advertise-peer-urls={peers}"),
            format!("--initial-cluster=rig={peers}"),
        ];
        for prefix in ["", "peer-"] {
            flags.extend([
                format!("--{prefix}cert-file={}", self.path("etcd.crt")),
                format!("--{prefix}key-file={}", self.path("etcd.key")),
                format!("--{prefix}trusted-ca-file={}", self.path("etcd-ca.crt")),
            ]);
        }
        flags
    }

    fn api_flags(&self) -> Vec<String> {
        let mut flags = vec![
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            // The service `kubernetes` needs no endpoints: no pod runs.
            "--endpoint-reconciler-type=none".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            "--anonymous-auth=false".to_owned(),
            "--allow-privileged=true".to_owned(),
            "--profiling=true".to_owned(),
            "--audit-log-format=json".to_owned(),
            // The event is in the file before the caller has the answer.
            "--audit-log-mode=blocking-strict".to_owned(),
            "--audit-log-maxsize=4000".to_owned(),
            format!("--service-account-issuer={}", self.state.issuer),
            format!("--service-account-jwks-uri={}/openid/v1/jwks", self.state.issuer),
            format!("--secure-port={}", self.state.api_port),
            format!("--cert-dir={}", self.path("certs")),
            format!("--tls-cert-file={}", self.path("api.crt")),
            format!("--tls-private-key-file={}", self.path("api.key")),
            format!("--client-ca-file={}", self.path("ca.crt")),
            format!("--etcd-servers=https://127.0.0.1:{}", self.state.etcd_port),
            format!("--etcd-cafile={}", self.path("etcd-ca.crt")),
            format!("--etcd-certfile={}", self.path("etcd-client.crt")),
            format!("--etcd-keyfile={}", self.path("etcd-client.key")),
            format!("--audit-policy-file={}", self.path("audit-policy.yaml")),
            format!("--audit-log-path={}", self.path("audit.log")),
        ];
        flags.push(format!(
            "--service-account-signing-key-file={}",
            self.signing_key()
        ));
        for number in &self.state.token_keys {
            let public = self.path(&format!("token-{number}.pub"));
            flags.push(format!("--service-account-key-file={public}"));
        }
        flags
    }

    fn controllers_flags(&self) -> Vec<String> {
        vec![
            "--controllers=*".to_owned(),
            "--leader-elect=false".to_owned(),
            "--use-service-account-credentials=true".to_owned(),
            "--secure-port=0".to_owned(),
            // The defaults are for a shared API server, and tests wait for the controllers.
            "--kube-api-qps=500".to_owned(),
            "--kube-api-burst=1000".to_owned(),
            "--concurrent-namespace-syncs=20".to_owned(),
            format!("--kubeconfig={}", self.path("controllers.kubeconfig")),
            format!("--root-ca-file={}", self.path("ca.crt")),
            format!("--service-account-private-key-file={}", self.signing_key()),
        ]
    }

    fn signing_key(&self) -> String {
        let number = self.state.token_keys.first().copied().unwrap_or_default();
        self.path(&format!("token-{number}.key"))
    }
}

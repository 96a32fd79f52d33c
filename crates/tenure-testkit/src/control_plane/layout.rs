use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Options;
use super::servers::{ISSUER, Server};
use crate::net::free_port;
use crate::pki::{Authority, Identity, signing_key};

/// What must be audited, and how much of it. The control plane's own controllers talk a lot and no
/// test asks what they said.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: [\"system:apiserver\"]}
- {level: Metadata, users: [\"system:kube-controller-manager\"]}
- {level: Metadata, userGroups: [\"system:serviceaccounts:kube-system\"]}
- {level: RequestResponse}
";

/// The directory of a control plane: keys, certificates, logs, data, and `state.json`.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    dir: PathBuf,
    pub(super) state: State,
}

/// What another process must know to use the control plane.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) api_port: u16,
    pub(super) etcd_port: u16,
    pub(super) etcd_peer_port: u16,
    /// Numbers of the keys for service account tokens; the first signs.
    pub(super) token_keys: Vec<u32>,
    pub(super) api_server_flags: Vec<String>,
    pub(super) issuer: String,
}

impl Layout {
    /// Fills a directory with all that the servers read.
    pub(super) fn create(dir: &Path, options: &Options) -> anyhow::Result<Self> {
        let state = State {
            api_port: free_port()?,
            etcd_port: free_port()?,
            etcd_peer_port: free_port()?,
            token_keys: Vec::new(),
            api_server_flags: options.api_server_flags.clone(),
            issuer: options.issuer.clone().unwrap_or_else(|| ISSUER.to_owned()),
        };
        let mut layout = Self {
            dir: dir.to_owned(),
            state,
        };
        layout.write("audit-policy.yaml", AUDIT_POLICY)?;
        layout.write_certificates()?;
        layout.rotate_key(false)?;
        Ok(layout)
    }

    /// Reads what [`Layout::save`] wrote.
    pub(super) fn load(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("state.json");
        let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        Ok(Self {
            dir: dir.to_owned(),
            state: serde_json::from_slice(&text)?,
        })
    }

    /// Says that the control plane is complete.
    pub(super) fn save(&self) -> anyhow::Result<()> {
        self.write("state.json.new", &serde_json::to_string_pretty(&self.state)?)?;
        fs::rename(self.file("state.json.new"), self.file("state.json"))?;
        Ok(())
    }

    /// A new key for tokens in front of the others, or instead of them.
    pub(super) fn rotate_key(&mut self, keep_old: bool) -> anyhow::Result<()> {
        let number = self.state.token_keys.first().map_or(0, |last| last + 1);
        let (private, public) = signing_key()?;
        self.write(&format!("token-{number}.key"), &private)?;
        self.write(&format!("token-{number}.pub"), &public)?;
        if !keep_old {
            self.state.token_keys.clear();
        }
        self.state.token_keys.insert(0, number);
        Ok(())
    }

    fn write_certificates(&self) -> anyhow::Result<()> {
        let authority = Authority::new("rig")?;
        self.write("ca.crt", authority.certificate())?;
        let names = [
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "10.0.0.1",
        ];
        self.write_identity("api", &authority.server("kube-apiserver", &names)?)?;
        self.write_kubeconfig("admin", &authority.client("rig-admin", Some("system:masters"))?)?;
        self.write_kubeconfig(
            "controllers",
            &authority.client("system:kube-controller-manager", None)?,
        )?;
        // An authority of its own: who may speak to the API server may not speak to etcd.
        let storage = Authority::new("rig-etcd")?;
        self.write("etcd-ca.crt", storage.certificate())?;
        self.write_identity("etcd", &storage.server("etcd", &[])?)?;
        self.write_identity("etcd-client", &storage.client("kube-apiserver", None)?)
    }

    fn write_identity(&self, name: &str, identity: &Identity) -> anyhow::Result<()> {
        self.write(&format!("{name}.crt"), &identity.certificate)?;
        self.write(&format!("{name}.key"), &identity.key)
    }

    fn write_kubeconfig(&self, name: &str, identity: &Identity) -> anyhow::Result<()> {
        let authority = fs::read(self.file("ca.crt"))?;
        let config = kubeconfig(&self.url(), &authority, identity);
        self.write(
            &format!("{name}.kubeconfig"),
            &serde_json::to_string_pretty(&config)?,
        )
    }

    fn write(&self, name: &str, content: &str) -> anyhow::Result<()> {
        let path = self.file(name);
        let write = || -> std::io::Result<()> {
            let mut options = fs::File::options();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path)?;
            std::io::Write::write_all(&mut file, content.as_bytes())
        };
        write().with_context(|| format!("write {}", path.display()))
    }

    /// A client with the administrator's certificate.
    pub(super) async fn client(&self) -> anyhow::Result<Client> {
        let text = fs::read(self.kubeconfig())?;
        let kubeconfig: Kubeconfig = serde_json::from_slice(&text)?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        Ok(Client::try_from(config)?)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.file("admin.kubeconfig")
    }

    pub(super) fn audit_log(&self) -> PathBuf {
        self.file("audit.log")
    }

    pub(super) fn log(&self, server: Server) -> PathBuf {
        self.file(&format!("{}.log", server.program()))
    }

    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.state.api_port)
    }
}

/// JSON, which every reader of a kubeconfig takes for YAML.
fn kubeconfig(url: &str, authority: &[u8], identity: &Identity) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "rig",
        "contexts": [{"name": "rig", "context": {"cluster": "rig", "user": "rig"}}],
        "clusters": [{"name": "rig", "cluster": {
            "server": url,
            "certificate-authority-data": STANDARD.encode(authority),
        }}],
        "users": [{"name": "rig", "user": {
            "client-certificate-data": STANDARD.encode(&identity.certificate),
            "client-key-data": STANDARD.encode(&identity.key),
        }}],
    })
}

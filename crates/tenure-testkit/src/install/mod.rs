//! Tenure itself on a control plane: what `deploy/` installs, with the programs as processes of this
//! machine.
//!
//! The rights are those of [`tenure_api::rights`], applied as they are but for the names of the two
//! namespaces, so that several installations can share one control plane.

mod replica;
mod second;
mod tenant;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use kube::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_api::rights::Places;
use tenure_api::{CACHE_CONTROL_AUDIENCE, ISSUER_KEYS, SYSTEM_NAMESPACE, WORKERS_NAMESPACE, rights};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::net::{free_port, local};
use crate::pki::Authority;
use crate::proc::Spec;
use crate::{ControlPlane, Proc, apply_yaml, tenure_binary, until};

use replica::Replica;
use second::Second;
pub use tenant::TenantFixture;

/// How long a program may take to say that it is ready, on a busy machine.
const READY: Duration = Duration::from_secs(120);
/// How long the supervisor's token is good for.
const TOKEN_SECONDS: i64 = 24 * 3600;

/// Supervisor and cache, running.
pub struct Installation {
    system: String,
    workers: String,
    policy: String,
    dir: TempDir,
    client: Client,
    binary: PathBuf,
    supervisor_spec: Spec,
    supervisor: Option<Proc>,
    supervisor_admin: u16,
    second: Option<Second>,
    caches: Vec<Replica>,
}

impl std::fmt::Debug for Installation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Installation")
            .field("system", &self.system)
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// `TENURE_KEEP=<directory>` keeps the logs there, for a look after a failure.
impl Drop for Installation {
    fn drop(&mut self) {
        let Some(keep) = std::env::var_os("TENURE_KEEP") else {
            return;
        };
        let keep = Path::new(&keep).join(&self.system);
        let caches = (0..self.caches.len()).map(replica::log);
        for log in caches.chain(["supervisor.log".to_owned()]) {
            if fs::create_dir_all(&keep)
                .and_then(|()| fs::copy(self.file(&log), keep.join(&log)))
                .is_err()
            {
                return;
            }
        }
    }
}

/// What an installation is called and made from.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Appended to the names of both namespaces; empty for the names that `deploy/` has.
    pub suffix: String,
    /// The program; built when it is not given.
    pub binary: Option<PathBuf>,
    /// Log filter of both programs.
    pub log: Option<String>,
    /// Whether API server and cache are reached as `localhost` and not by address.
    pub by_name: bool,
    /// Where the programs find the API server, if not where it is.
    pub api_url: Option<String>,
    /// Whether a second supervisor can be started.
    pub two_supervisors: bool,
    /// Whether there are two replicas of the cache.
    pub two_caches: bool,
    /// How the supervisor watches, if not as it does by itself.
    pub watch: Option<&'static str>,
    /// Whether Tenants may have workers in the supervisor's process.
    pub tasks: bool,
    /// Whether Tenants may have workers in pods. Somebody has to run those: [`Kubelet`](crate::Kubelet).
    pub pods: bool,
    /// Authorities that vouch for clouds, PEM.
    pub cloud_authorities: Option<PathBuf>,
}

impl Installation {
    /// Installs Tenure under names of its own and starts it.
    ///
    /// # Errors
    /// When the API server refuses something, or a program does not become ready.
    pub async fn start(plane: &ControlPlane) -> anyhow::Result<Self> {
        let suffix = format!("-{:08x}", rand::random::<u32>());
        Self::start_with(
            plane,
            Options {
                suffix,
                ..Options::default()
            },
        )
        .await
    }

    /// The same, where API server and cache are known to the programs as `localhost`.
    ///
    /// # Errors
    /// As [`Installation::start`].
    pub async fn start_by_name(plane: &ControlPlane) -> anyhow::Result<Self> {
        let suffix = format!("-{:08x}", rand::random::<u32>());
        Self::start_with(
            plane,
            Options {
                suffix,
                by_name: true,
                ..Options::default()
            },
        )
        .await
    }

    /// The same with `options`.
    ///
    /// # Errors
    /// As [`Installation::start`].
    pub async fn start_with(plane: &ControlPlane, options: Options) -> anyhow::Result<Self> {
        let binary = match options.binary.clone() {
            Some(binary) => binary,
            None => tokio::task::spawn_blocking(tenure_binary).await??,
        };
        let system = format!("{SYSTEM_NAMESPACE}{}", options.suffix);
        let workers = format!("{WORKERS_NAMESPACE}{}", options.suffix);
        let dir = tempfile::Builder::new().prefix("tenure-").tempdir()?;
        let client = plane.admin_client();
        let replicas = if options.two_caches { 2 } else { 1 };
        let mut this = Self {
            supervisor_spec: Spec::new(&binary, dir.path().join("supervisor.log")),
            system,
            workers,
            policy: format!("{}{}", rights::WORKER_POLICY, options.suffix),
            dir,
            client,
            binary,
            supervisor: None,
            supervisor_admin: free_port()?,
            second: None,
            caches: Vec::new(),
        };
        this.install(&options).await?;
        this.certificates()?;
        this.token(plane).await?;
        for number in 0..replicas {
            let replica = this.replica(number, &options)?;
            this.caches.push(replica);
        }
        this.supervisor_spec = this.supervisor_flags(plane, &options, 0, this.supervisor_admin)?;
        if options.two_supervisors {
            let admin = free_port()?;
            this.second = Some(Second {
                spec: this.supervisor_flags(plane, &options, 1, admin)?,
                admin,
                running: None,
            });
        }
        this.start_supervisor().await?;
        for number in 0..replicas {
            this.start_replica(number).await?;
        }
        Ok(this)
    }

    /// Where the Tenants are.
    #[must_use]
    pub fn system(&self) -> &str {
        &self.system
    }

    /// Where the workers' ServiceAccounts are.
    #[must_use]
    pub fn workers(&self) -> &str {
        &self.workers
    }

    /// The name of the admission policy about workers.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The program.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// A client of the cluster's administrator.
    #[must_use]
    pub fn admin(&self) -> Client {
        self.client.clone()
    }

    /// Everything this installation writes to the machine.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The supervisor; `None` while it is stopped.
    pub fn supervisor(&mut self) -> Option<&mut Proc> {
        self.supervisor.as_mut()
    }

    /// What the supervisor and its workers have logged.
    #[must_use]
    pub fn supervisor_log(&self) -> String {
        fs::read_to_string(self.dir.path().join("supervisor.log")).unwrap_or_default()
    }

    /// Ends the supervisor at once, as a crash would.
    ///
    /// # Errors
    /// When it can't be killed.
    pub fn kill_supervisor(&mut self) -> anyhow::Result<()> {
        self.supervisor
            .take()
            .map_or(Ok(()), |mut running| running.kill().map(drop))
    }

    /// Starts the supervisor, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready; the log's end is in the error.
    pub async fn start_supervisor(&mut self) -> anyhow::Result<()> {
        self.supervisor = Some(Proc::spawn(&self.supervisor_spec)?);
        let log = self.dir.path().join("supervisor.log");
        ready("the supervisor", self.supervisor_admin)
            .await
            .with_context(|| tail(&log))
    }

    /// Tells the supervisor to end, as a rolling update does, and waits until it has.
    ///
    /// # Errors
    /// When it does not run, or does not end well.
    pub async fn stop_supervisor(&mut self) -> anyhow::Result<()> {
        let mut running = self.supervisor.take().context("no supervisor runs")?;
        running.terminate()?;
        let status = running.wait(replica::ENDS).await?;
        ensure!(status.success(), "it ended with {status}: {}", running.log());
        Ok(())
    }

    /// From its next start on the supervisor, and with it its workers, is this program.
    pub fn replace_supervisor(&mut self, program: &Path) {
        self.supervisor_spec.set_program(program);
    }

    /// The body of the supervisor's `/metrics`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn supervisor_metrics(&self) -> anyhow::Result<String> {
        Ok(get(self.supervisor_admin, "/metrics").await?.1)
    }

    /// An object with this installation's namespaces in place of those that `deploy/` has.
    #[must_use]
    pub fn localised(&self, object: &Value) -> Value {
        let places = Places {
            system: &self.system,
            workers: &self.workers,
        };
        places.renamed(object)
    }

    /// Applies objects as the administrator, with this installation's namespaces.
    ///
    /// # Errors
    /// When the API server refuses one.
    pub async fn apply(&self, objects: &[Value]) -> anyhow::Result<()> {
        for object in objects {
            apply_yaml(&self.client, &self.localised(object).to_string(), None).await?;
        }
        Ok(())
    }

    async fn install(&self, options: &Options) -> anyhow::Result<()> {
        let crds: Vec<Value> = tenure_api::crds();
        self.apply(&crds).await?;
        for crd in &crds {
            self.established(crd).await?;
        }
        let namespace = |name: &str| {
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
                "name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
            }})
        };
        self.apply(&[namespace(SYSTEM_NAMESPACE), namespace(WORKERS_NAMESPACE)])
            .await?;
        self.apply(&rights::supervisor_objects()).await?;
        if options.pods {
            self.apply(&rights::pod_objects()).await?;
        }
        self.apply(&rights::release_objects()).await?;
        self.apply(&rights::worker_policies(&self.policy, &self.workers))
            .await?;
        let keys = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": ISSUER_KEYS, "namespace": SYSTEM_NAMESPACE},
        });
        self.apply(&[keys]).await
    }

    async fn established(&self, crd: &Value) -> anyhow::Result<()> {
        use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
        let name = crd["metadata"]["name"].as_str().context("a CRD without a name")?;
        let api: kube::Api<CustomResourceDefinition> = kube::Api::all(self.client.clone());
        until(&format!("CRD {name} to be established"), READY, || async {
            let status = api.get(name).await?.status.unwrap_or_default();
            let conditions = status.conditions.unwrap_or_default();
            let established = conditions
                .iter()
                .any(|c| c.type_ == "Established" && c.status == "True");
            ensure!(established, "its conditions are {conditions:?}");
            Ok(())
        })
        .await
    }

    fn certificates(&self) -> anyhow::Result<()> {
        let authority = Authority::new("tenure-cache-ca")?;
        let server = authority.server("tenure-cache", &["tenure-cache", "127.0.0.1"])?;
        let lifelines = Authority::new("tenure-lifeline-ca")?;
        let lifeline = lifelines.server("tenure-supervisor", &["tenure-supervisor"])?;
        fs::write(self.file("lifeline-ca.crt"), lifelines.certificate())?;
        fs::write(self.file("lifeline.crt"), &lifeline.certificate)?;
        fs::write(self.file("lifeline.key"), &lifeline.key)?;
        fs::write(self.file("cache-ca.crt"), authority.certificate())?;
        fs::write(self.file("cache.crt"), &server.certificate)?;
        Ok(fs::write(self.file("cache.key"), &server.key)?)
    }

    async fn token(&self, plane: &ControlPlane) -> anyhow::Result<()> {
        let account = (self.system.as_str(), rights::SUPERVISOR_ACCOUNT);
        let token = plane.token_for(account, None, TOKEN_SECONDS).await?;
        let control = plane
            .token_for(account, Some(CACHE_CONTROL_AUDIENCE), TOKEN_SECONDS)
            .await?;
        fs::write(self.file("cache-token"), control.expose())?;
        fs::write(self.file("api-ca.crt"), plane.endpoint()?.ca)?;
        Ok(fs::write(self.file("token"), token.expose())?)
    }

    fn supervisor_flags(
        &self,
        plane: &ControlPlane,
        options: &Options,
        number: usize,
        admin: u16,
    ) -> anyhow::Result<Spec> {
        let (scratch, log) = match number {
            0 => ("scratch", "supervisor.log"),
            _ => ("scratch-1", second::LOG),
        };
        for directory in ["keys", scratch] {
            fs::create_dir_all(self.file(directory))?;
        }
        let named = |url: String| {
            if options.by_name {
                url.replace("127.0.0.1", "localhost")
            } else {
                url
            }
        };
        let api_url = match &options.api_url {
            Some(url) => url.clone(),
            None => named(plane.endpoint()?.url),
        };
        let flags = [
            ("--api-url", api_url),
            ("--api-ca", self.path("api-ca.crt")),
            ("--token-file", self.path("token")),
            ("--system-namespace", self.system.clone()),
            ("--workers-namespace", self.workers.clone()),
            ("--cache-ca", self.path("cache-ca.crt")),
            ("--cache-token-file", self.path("cache-token")),
            ("--scratch", self.path(scratch)),
            ("--issuer-keys-file", self.path("keys/jwks.json")),
            ("--admin", local(admin).to_string()),
            ("--identity", format!("supervisor-{number}")),
            // where the servers of the tests are
            ("--allow-addresses", "127.0.0.0/8".to_owned()),
        ];
        let mut spec = self.spec("supervisor", log, &flags, options);
        if let Some(mode) = options.watch {
            spec = spec.arg("--watch").arg(mode);
        }
        if options.tasks {
            spec = spec.arg("--allow-tasks");
        }
        if options.pods {
            let address = local(free_port()?).to_string();
            for (flag, value) in [
                ("--pods-image", "tenure:test".to_owned()),
                ("--lifeline-listen", address.clone()),
                ("--lifeline-address", address),
                ("--lifeline-tls-cert", self.path("lifeline.crt")),
                ("--lifeline-tls-key", self.path("lifeline.key")),
                ("--lifeline-ca", self.path("lifeline-ca.crt")),
            ] {
                spec = spec.arg(flag).arg(value);
            }
        }
        let caches = self.caches.iter().map(|replica| named(replica.url()));
        Ok(caches.fold(spec, |spec, url| spec.arg("--cache-url").arg(url)))
    }

    fn spec(&self, part: &str, log: &str, flags: &[(&str, String)], options: &Options) -> Spec {
        let mut spec = Spec::new(&self.binary, self.file(log)).arg(part);
        for (flag, value) in flags {
            spec = spec.arg(flag).arg(value);
        }
        match &options.log {
            Some(filter) => spec.env("TENURE_LOG", filter),
            None => spec,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }
}

async fn ready(what: &str, port: u16) -> anyhow::Result<()> {
    until(&format!("{what} to be ready"), READY, || async {
        let (code, body) = get(port, "/readyz").await?;
        ensure!(code == 200, "it answers {code}: {body}");
        Ok(())
    })
    .await
}

/// A plain HTTP GET on this machine: the status code and the body.
async fn get(port: u16, path: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(local(port)).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let code = answer
        .split_whitespace()
        .nth(1)
        .and_then(|code| code.parse().ok())
        .context("no HTTP answer")?;
    Ok((
        code,
        answer
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
            .to_owned(),
    ))
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

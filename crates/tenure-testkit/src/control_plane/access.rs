use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::{Api, Client};
use tenure_core::Secret;

use super::{ControlPlane, ready_rig};
use crate::command::{output, program, run};
use crate::rig::{Tools, flux_program};
use crate::wait::until;

/// Where the API server is and how to trust it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `https://127.0.0.1:<port>`.
    pub url: String,
    /// The certificate authority, PEM.
    pub ca: String,
}

/// A namespace for one test, with its account `default` in place.
pub struct TempNamespace {
    name: String,
    client: Client,
}

impl ControlPlane {
    /// A client that may do everything.
    #[must_use]
    pub fn admin_client(&self) -> Client {
        self.client.clone()
    }

    /// For clients with an identity of their own.
    ///
    /// # Errors
    /// When the control plane's directory is gone.
    pub fn endpoint(&self) -> anyhow::Result<Endpoint> {
        let ca = fs::read_to_string(self.layout.file("ca.crt"))?;
        Ok(Endpoint {
            url: self.layout.url(),
            ca,
        })
    }

    /// Runs the pinned kubectl as the administrator and returns what it printed.
    ///
    /// # Errors
    /// When it fails; the message carries what it wrote on standard error.
    pub async fn kubectl(&self, args: &[&str]) -> anyhow::Result<String> {
        let mut command = self.kubectl_command(args).await?;
        tokio::task::spawn_blocking(move || run(&mut command)).await?
    }

    /// As [`ControlPlane::kubectl`], with a text on its standard input.
    ///
    /// # Errors
    /// As [`ControlPlane::kubectl`].
    pub async fn kubectl_with_input(&self, args: &[&str], input: &str) -> anyhow::Result<String> {
        fed(self.kubectl_command(args).await?, input).await
    }

    /// Runs the pinned helm as the administrator and returns what it printed. Its settings are its own,
    /// not the machine's.
    ///
    /// # Errors
    /// When it fails; the message carries what it wrote on standard error.
    pub async fn helm(&self, args: &[&str]) -> anyhow::Result<String> {
        let tools = tokio::task::spawn_blocking(Tools::ready).await??;
        let mut command = program(tools.helm_program());
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"HELM_") {
                command.env_remove(name);
            }
        }
        for home in ["CACHE", "CONFIG", "DATA"] {
            command.env(format!("HELM_{home}_HOME"), self.layout.file("helm").join(home));
        }
        command.env("KUBECONFIG", self.kubeconfig_path()).args(args);
        tokio::task::spawn_blocking(move || run(&mut command)).await?
    }

    /// Runs the pinned flux as the administrator and returns what it printed, on both ways.
    ///
    /// # Errors
    /// When it fails; the message carries what it wrote.
    pub async fn flux(&self, args: &[&str]) -> anyhow::Result<String> {
        let flux = tokio::task::spawn_blocking(flux_program).await??;
        let mut command = program(flux);
        command
            .env("KUBECONFIG", self.kubeconfig_path())
            .env("HOME", self.layout.file("flux"))
            .args(args);
        let said = tokio::task::spawn_blocking(move || output(&mut command)).await??;
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&said.stdout),
            String::from_utf8_lossy(&said.stderr)
        );
        ensure!(said.status.success(), "flux {}: {text}", args.join(" "));
        Ok(text)
    }

    /// Runs the product's own command line as the administrator, with a text on its standard input, and
    /// returns what it printed.
    ///
    /// # Errors
    /// When it fails; the message carries what it wrote on standard error.
    pub async fn tenure(&self, args: &[&str], input: &str) -> anyhow::Result<String> {
        let binary = tokio::task::spawn_blocking(crate::tenure_binary).await??;
        let mut command = program(binary);
        command.env("KUBECONFIG", self.kubeconfig_path()).args(args);
        fed(command, input).await
    }

    /// Runs the lines of a guide as a person would, in `directory`, with the pinned kubectl and as the
    /// administrator. Returns what they printed.
    ///
    /// # Errors
    /// When one of them fails; the message carries what it wrote on standard error.
    pub async fn shell(&self, script: &str, directory: &Path) -> anyhow::Result<String> {
        let rig = ready_rig().await?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(rig.dir().to_owned()).chain(std::env::split_paths(&path));
        let mut command = program("sh");
        command
            .args(["-e", "-u", "-c", script])
            .current_dir(directory)
            .env("PATH", std::env::join_paths(paths)?)
            .env("KUBECONFIG", self.kubeconfig_path())
            .env("KUBECACHEDIR", self.layout.file("kubectl-cache"));
        tokio::task::spawn_blocking(move || run(&mut command)).await?
    }

    async fn kubectl_command(&self, args: &[&str]) -> anyhow::Result<Command> {
        let mut command = program(ready_rig().await?.program("kubectl"));
        command
            .env("KUBECONFIG", self.kubeconfig_path())
            .env("KUBECACHEDIR", self.layout.file("kubectl-cache"))
            .args(args);
        Ok(command)
    }

    /// A token of a service account, from the TokenRequest API. Without an audience it is for the
    /// API server itself. The API server gives no token for less than 600 seconds.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn token_for(
        &self,
        (namespace, name): (&str, &str),
        audience: Option<&str>,
        seconds: i64,
    ) -> anyhow::Result<Secret> {
        let spec = TokenRequestSpec {
            audiences: audience.map(|audience| vec![audience.to_owned()]),
            expiration_seconds: Some(seconds),
            bound_object_ref: None,
        };
        request_token(&self.client, (namespace, name), spec).await
    }

    /// A token of an account that is bound to a pod of the same namespace, as a kubelet gets it; the pod by name and uid.
    ///
    /// # Errors
    /// When the account or the pod does not exist, or the pod has another account.
    pub async fn token_of_pod(
        &self,
        account: (&str, &str),
        audience: &str,
        (pod, uid): (&str, &str),
    ) -> anyhow::Result<Secret> {
        token_of_pod(&self.client, account, audience, (pod, uid)).await
    }

    /// A namespace with a name that is free, starting with `prefix`.
    ///
    /// # Errors
    /// When it cannot be created or the controllers do not see it.
    pub async fn temp_namespace(&self, prefix: &str) -> anyhow::Result<TempNamespace> {
        let namespaces: Api<Namespace> = Api::all(self.admin_client());
        let namespace = Namespace {
            metadata: ObjectMeta {
                generate_name: Some(format!("{prefix}-")),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let created = namespaces.create(&PostParams::default(), &namespace).await?;
        let name = created.metadata.name.context("a namespace without a name")?;
        self.await_default_account(&name).await?;
        Ok(TempNamespace {
            name,
            client: self.admin_client(),
        })
    }

    /// Until then no pod can be created in a namespace.
    pub(super) async fn await_default_account(&self, namespace: &str) -> anyhow::Result<()> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin_client(), namespace);
        let what = format!("the account default of namespace {namespace}");
        until(&what, Duration::from_secs(60), || async {
            accounts.get("default").await?;
            Ok(())
        })
        .await
    }
}

impl fmt::Debug for TempNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TempNamespace({})", self.name)
    }
}

impl TempNamespace {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Deletes it and waits until it is gone. One that is not deleted goes with its control plane.
    ///
    /// # Errors
    /// When the API server refuses, or a finalizer keeps the namespace for a minute.
    pub async fn delete(self) -> anyhow::Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client);
        namespaces.delete(&self.name, &DeleteParams::default()).await?;
        let what = format!("namespace {} to be gone", self.name);
        until(&what, Duration::from_secs(60), || async {
            match namespaces.get_opt(&self.name).await? {
                None => Ok(()),
                Some(left) => bail!("it is still there with status {:?}", left.status),
            }
        })
        .await
    }
}

/// Runs to the end with a text on standard input.
async fn fed(mut command: Command, input: &str) -> anyhow::Result<String> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let input = input.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output()?;
        let _ = writer.join();
        if !output.status.success() {
            bail!(
                "{command:?} failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    })
    .await?
}

/// As [`ControlPlane::token_of_pod`].
pub(crate) async fn token_of_pod(
    client: &Client,
    account: (&str, &str),
    audience: &str,
    (pod, uid): (&str, &str),
) -> anyhow::Result<Secret> {
    let spec = TokenRequestSpec {
        audiences: Some(vec![audience.to_owned()]),
        expiration_seconds: Some(600),
        bound_object_ref: Some(BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(pod.to_owned()),
            uid: Some(uid.to_owned()),
        }),
    };
    request_token(client, account, spec).await
}

async fn request_token(
    client: &Client,
    (namespace, name): (&str, &str),
    spec: TokenRequestSpec,
) -> anyhow::Result<Secret> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let request = TokenRequest {
        spec: Some(spec),
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await
        .with_context(|| format!("ask for a token of {namespace}/{name}"))?;
    let token = answer.status.and_then(|status| status.token);
    Ok(Secret::from(
        token.context("a token request was answered without a token")?,
    ))
}

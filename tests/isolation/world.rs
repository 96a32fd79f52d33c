//! Callers with real tokens, and what they may be answered.

use anyhow::{Context as _, ensure};
use http::Request;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tenure_api::rights::{DEFAULT_KINDS, FLUX_KINDS};
use tenure_core::Secret;
use tenure_testkit::ControlPlane;

/// A ServiceAccount with a token of its own.
pub(crate) struct Caller {
    client: Client,
    /// Its name for the API server.
    pub(crate) who: String,
}

/// An answer of the API server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// A request: method, path, and the kind and text of a body.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) verb: &'static str,
    method: &'static str,
    path: String,
    body: Option<(&'static str, Value)>,
    upgrade: bool,
}

impl Ask {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            verb: "get",
            method: "GET",
            path: path.into(),
            body: None,
            upgrade: false,
        }
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self {
            verb: "delete",
            method: "DELETE",
            ..Self::get(path)
        }
    }

    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self {
            verb: "create",
            method: "POST",
            body: Some(("application/json", body)),
            ..Self::get(path)
        }
    }

    pub(crate) fn put(path: impl Into<String>, body: Value) -> Self {
        Self {
            verb: "update",
            method: "PUT",
            ..Self::post(path, body)
        }
    }

    pub(crate) fn merge(path: impl Into<String>, body: Value) -> Self {
        Self {
            verb: "patch",
            method: "PATCH",
            body: Some(("application/merge-patch+json", body)),
            ..Self::get(path)
        }
    }

    pub(crate) fn apply(path: &str, body: Value) -> Self {
        let path = format!("{path}?fieldManager=rig&force=true");
        Self {
            body: Some(("application/apply-patch+yaml", body)),
            ..Self::merge(path, json!({}))
        }
    }

    /// As a browser or kubectl opens a stream.
    pub(crate) fn websocket(path: impl Into<String>) -> Self {
        Self {
            upgrade: true,
            ..Self::get(path)
        }
    }
}

impl std::fmt::Display for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({})", self.method, self.path, self.verb)
    }
}

impl Caller {
    pub(crate) async fn account(plane: &ControlPlane, namespace: &str, name: &str) -> anyhow::Result<Self> {
        let token = plane.token_for((namespace, name), None, 3600).await?;
        Self::with(plane, &token, user(namespace, name)).await
    }

    /// Whoever the token is for.
    pub(crate) async fn with(plane: &ControlPlane, token: &Secret, who: String) -> anyhow::Result<Self> {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {
                "server": plane.endpoint()?.url, "certificate-authority": plane.dir().join("ca.crt"),
            }}],
            "users": [{"name": "x", "user": {"token": token.expose_str().context("a token is text")?}}],
        });
        let kubeconfig: Kubeconfig = serde_json::from_value(config)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Self {
            client: Client::try_from(config)?,
            who,
        })
    }

    /// As itself.
    pub(crate) async fn ask(&self, ask: &Ask) -> anyhow::Result<Answer> {
        self.send(ask, None).await
    }

    /// As somebody else.
    pub(crate) async fn acting(&self, user: &str, ask: &Ask) -> anyhow::Result<Answer> {
        self.send(ask, Some(user)).await
    }

    async fn send(&self, ask: &Ask, user: Option<&str>) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(ask.method).uri(&ask.path);
        if let Some(user) = user {
            request = request.header("Impersonate-User", user);
        }
        if ask.upgrade {
            let headers = [
                ("Connection", "Upgrade"),
                ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("Sec-WebSocket-Protocol", "v5.channel.k8s.io"),
            ];
            request = headers
                .into_iter()
                .fold(request, |request, (name, value)| request.header(name, value));
        }
        let body = match &ask.body {
            Some((kind, body)) => {
                request = request.header("Content-Type", *kind);
                Body::from(serde_json::to_vec(body)?)
            }
            None => Body::empty(),
        };
        let response = self
            .client
            .send(request.body(body)?)
            .await
            .with_context(|| ask.to_string())?;
        let code = response.status().as_u16();
        let bytes = response.into_body().collect_bytes().await?;
        Ok(Answer {
            code,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        })
    }

    /// Fails unless the API server forbids it, for want of a right.
    pub(crate) async fn forbidden(&self, user: Option<&str>, ask: &Ask) -> anyhow::Result<String> {
        let answer = self.send(ask, user).await?;
        ensure!(
            answer.code == 403,
            "{} as {user:?}: {ask} was answered {} {}",
            self.who,
            answer.code,
            answer.message()
        );
        Ok(answer.message().to_owned())
    }

    /// Fails unless a right is missing, or admission refuses.
    pub(crate) async fn forbidden_or_invalid(&self, ask: &Ask) -> anyhow::Result<()> {
        let answer = self.send(ask, None).await?;
        ensure!(
            [403, 422].contains(&answer.code),
            "{}: {ask} was answered {}",
            self.who,
            answer.code
        );
        Ok(())
    }

    /// Fails unless it is answered with this status.
    pub(crate) async fn answered(&self, user: Option<&str>, ask: &Ask, code: u16) -> anyhow::Result<Value> {
        let answer = self.send(ask, user).await?;
        ensure!(
            answer.code == code,
            "{} as {user:?}: {ask} was answered {} {} instead of {code}",
            self.who,
            answer.code,
            answer.message()
        );
        Ok(answer.body)
    }
}

/// The collection of a `resource.group` in a namespace.
pub(crate) fn collection(kind: &str, namespace: &str) -> String {
    let (resource, group) = kind.split_once('.').unwrap_or((kind, ""));
    let version = match group {
        "autoscaling" => "v2",
        "tenure.dev" => "v1alpha1",
        _ => "v1",
    };
    let root = if group.is_empty() {
        format!("/api/{version}")
    } else {
        format!("/apis/{group}/{version}")
    };
    format!("{root}/namespaces/{namespace}/{resource}")
}

/// Every kind that a worker has to do with.
pub(crate) fn kinds() -> Vec<String> {
    let served = [
        "gitrepositories",
        "ocirepositories",
        "helmrepositories",
        "helmcharts",
        "buckets",
        "externalartifacts",
        "kustomizations",
    ];
    let flux = FLUX_KINDS.iter().flat_map(|(group, kinds)| {
        let kinds = kinds.iter().filter(|(kind, _)| served.contains(kind));
        kinds.map(move |(kind, _)| format!("{kind}.{group}"))
    });
    let mut kinds: Vec<_> = DEFAULT_KINDS
        .iter()
        .map(|kind| (*kind).to_owned())
        .chain(flux)
        .collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

/// Requests that read.
pub(crate) fn reads(kind: &str, namespace: &str) -> Vec<Ask> {
    let all = collection(kind, namespace);
    vec![
        Ask::get(format!("{all}/prize")),
        Ask {
            verb: "list",
            ..Ask::get(&all)
        },
        Ask {
            verb: "watch",
            ..Ask::get(format!("{all}?watch=true&timeoutSeconds=1"))
        },
    ]
}

/// Requests that write.
pub(crate) fn writes(kind: &str, namespace: &str) -> Vec<Ask> {
    let all = collection(kind, namespace);
    let one = format!("{all}/prize");
    let object = json!({"metadata": {"name": "prize", "namespace": namespace}});
    vec![
        Ask::post(&all, object.clone()),
        Ask::put(&one, object.clone()),
        Ask::merge(&one, object.clone()),
        Ask::apply(&one, object),
        Ask::delete(&one),
        Ask {
            verb: "deletecollection",
            ..Ask::delete(&all)
        },
    ]
}

/// The name of a ServiceAccount for the API server.
pub(crate) fn user(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

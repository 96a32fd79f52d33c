//! `tenure source explain`: what a source's conditions say, what that means, and what would mend it. It looks at what the
//! person may read, and says what it could not look at.

use anyhow::{Context as _, bail};
use kube::Client;
use serde_json::Value;
use tenure_api::reasons;

use super::kinds::{GROUP, named};
use crate::cluster::{api, client};
use crate::say;

/// Flags of `tenure source explain`.
#[derive(clap::Args)]
pub struct Args {
    /// The source, as KIND/NAME: gitrepository/app
    object: String,
    /// The namespace that it lives in
    #[arg(short, long)]
    namespace: String,
    /// The kubeconfig's context
    #[arg(long)]
    context: Option<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (kind, name) = args
        .object
        .split_once('/')
        .with_context(|| format!("{:?} must be KIND/NAME", args.object))?;
    let kind = named(kind).with_context(|| format!("{kind:?} is no kind of source"))?;
    let client = client(args.context).await?;
    let objects = api(
        &client,
        GROUP,
        "v1",
        kind.kind,
        kind.plural,
        Some(&args.namespace),
    );
    let found = objects
        .get_opt(name)
        .await
        .with_context(|| format!("failed to read {}/{name} in '{}'", kind.kind, args.namespace))?;
    let Some(found) = found else {
        bail!("there is no {}/{name} in '{}'", kind.kind, args.namespace);
    };
    let object = serde_json::to_value(found)?;
    for line in story(kind.kind, &object) {
        say(&line);
    }
    for (name, keys) in secrets(&object) {
        say(&secret(&client, &args.namespace, &name, keys).await);
    }
    Ok(())
}

/// The condition that says whether it is well.
pub(super) fn ready(object: &Value) -> Option<&Value> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| condition["type"] == "Ready")
}

/// What the object itself tells.
fn story(kind: &str, object: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = text(&object["metadata"]["name"]);
    let mut lines = Vec::new();
    if object["spec"]["suspend"] == true {
        lines.push(format!(
            "{kind}/{name} is suspended: it is not fetched until spec.suspend is taken away."
        ));
    }
    let Some(ready) = ready(object) else {
        lines.push(format!(
            "{kind}/{name} has not been looked at yet. If that lasts, no Tenant has the namespace as a home, or its worker does \
             not start: kubectl get tenants -A"
        ));
        return lines;
    };
    let (reason, message) = (text(&ready["reason"]), text(&ready["message"]));
    let since = text(&ready["lastTransitionTime"]);
    let observed = &object["status"]["observedGeneration"];
    if ready["status"] == "True" {
        lines.push(format!("{kind}/{name} is well since {since}: {message}"));
    } else {
        lines.push(format!(
            "{kind}/{name} fails since {since} with {reason}: {message}"
        ));
        let meaning = reasons::ALL.iter().find(|(known, _)| *known == reason);
        lines.extend(meaning.map(|(_, meaning)| format!("  means   {meaning}")));
        lines.push(format!("  mend    {}", advice(&reason)));
    }
    if *observed != object["metadata"]["generation"] && !observed.is_null() {
        lines.push(
            "  the status is of an older spec; the present one has not been tried to its end".to_owned(),
        );
    }
    let stalled = object.pointer("/status/conditions").and_then(Value::as_array);
    let stalled = stalled.into_iter().flatten();
    if stalled
        .filter(|condition| condition["type"] == "Stalled")
        .any(|condition| condition["status"] == "True")
    {
        lines.push("  it is not tried again until its spec, or the Tenant, changes".to_owned());
    }
    match object.pointer("/status/artifact/revision") {
        Some(revision) if ready["status"] != "True" => {
            lines.push(format!("  what uses it goes on with {}", text(revision)));
        }
        None => lines.push("  it has no artifact, so what uses it waits".to_owned()),
        _ => {}
    }
    lines
}

/// What a person can do about a reason.
fn advice(reason: &str) -> &'static str {
    match reason {
        reasons::AUTHENTICATION_FAILED => {
            "look at the Secret that spec.secretRef names: its keys, whether the password or token still holds, and whether it opens \
             this repository. `tenure source get` tries it from here"
        }
        reasons::ACCESS_DENIED => {
            "the platform team decides: spec.sources.allow of the Tenant, or the account that is named"
        }
        reasons::URL_INVALID | reasons::INVALID_URL => {
            "correct spec.url; the message says what is wrong with it"
        }
        reasons::FEATURE_GATE_DISABLED => {
            "take the field that the message names out of the spec: it is not supported"
        }
        reasons::GIT_OPERATION_FAILED => {
            "is the reference there, does the host answer from inside the cluster, and is its address allowed? `tenure source get git` \
             with the same reference shows what the host says"
        }
        reasons::EMPTY_GIT_REPOSITORY => "push a commit",
        reasons::OCI_ARTIFACT_PULL_FAILED => {
            "is the tag there, and does the login in the Secret open the repository? `tenure source get oci` tries it from here"
        }
        reasons::OCI_ARTIFACT_LAYER_OPERATION_FAILED => {
            "spec.layerSelector must name a layer that the artifact has, and with `extract` the layer must be a tar.gz"
        }
        reasons::INDEXATION_FAILED | reasons::INVALID_CHART_REFERENCE | reasons::CHART_PULL_ERROR => {
            "`tenure source get helm URL --chart NAME` shows what the repository's index has"
        }
        reasons::BUCKET_OPERATION_FAILED => {
            "is the bucket there, in this region, and may the keys list it? `tenure source get bucket` tries it from here"
        }
        reasons::VERIFICATION_ERROR | reasons::CHART_VERIFICATION_ERROR => {
            "who signed it, and is that key in the Secret that spec.verify names?"
        }
        reasons::SOURCE_UNAVAILABLE | reasons::NO_SOURCE_ARTIFACT | reasons::DEPENDENCY_NOT_READY => {
            "look at the object that the message names; explain that one"
        }
        reasons::STORAGE_OPERATION_FAILED
        | reasons::READ_OPERATION_FAILED
        | reasons::ARCHIVE_OPERATION_FAILED => {
            "the installation's disk, or a limit: the logs of the cache and the supervisor say more"
        }
        "SourceCacheUnavailable" => "the source cache does not answer: kubectl get pods -n tenure-system",
        "TenantSuspended" => "the Tenant is suspended",
        _ => "the message says what was tried, on what and as whom",
    }
}

/// The Secrets that the spec names, and a set of keys of which one suffices.
fn secrets(object: &Value) -> Vec<(String, &'static [&'static [&'static str]])> {
    const LOGIN: &[&[&str]] = &[
        &["username", "password"],
        &["bearerToken"],
        &["identity", "known_hosts"],
        &[".dockerconfigjson"],
        &["accesskey", "secretkey"],
        &["githubAppID", "githubAppPrivateKey"],
    ];
    const AUTHORITY: &[&[&str]] = &[&["ca.crt"], &["tls.crt", "tls.key"]];
    const PROXY: &[&[&str]] = &[&["address"]];
    let fields = [
        ("/spec/secretRef/name", LOGIN),
        ("/spec/certSecretRef/name", AUTHORITY),
        ("/spec/proxySecretRef/name", PROXY),
    ];
    let named = |(path, keys)| Some((object.pointer(path)?.as_str()?.to_owned(), keys));
    fields.into_iter().filter_map(named).collect()
}

/// Whether a Secret is there and has keys that such a Secret has; what they hold is not looked at.
async fn secret(client: &Client, namespace: &str, name: &str, keys: &[&[&str]]) -> String {
    let secrets = api(client, "", "v1", "Secret", "secrets", Some(namespace));
    let found = match secrets.get_opt(name).await {
        Ok(Some(secret)) => secret,
        Ok(None) => return format!("  Secret '{name}' is not there"),
        Err(error) => return format!("  Secret '{name}' was not looked at: {error}"),
    };
    let has: Vec<&str> = found.data["data"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
        .collect();
    match keys.iter().any(|all| all.iter().all(|key| has.contains(key))) {
        true => format!("  Secret '{name}' is there and has {}", has.join(", ")),
        false => {
            let wanted: Vec<String> = keys.iter().map(|all| all.join(" and ")).collect();
            format!("  Secret '{name}' has none of: {}", wanted.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failing(reason: &str) -> Value {
        json!({
            "metadata": {"name": "app", "generation": 2},
            "spec": {"secretRef": {"name": "git"}, "proxySecretRef": {"name": "proxy"}},
            "status": {
                "observedGeneration": 2,
                "artifact": {"revision": "main@sha1:1"},
                "conditions": [
                    {"type": "Stalled", "status": "True"},
                    {"type": "Ready", "status": "False", "reason": reason, "message": "no", "lastTransitionTime": "2026-01-01T00:00:00Z"},
                ],
            },
        })
    }

    #[test]
    fn a_failure_is_told_with_its_meaning_its_cure_and_what_goes_on() {
        let told = story("GitRepository", &failing(reasons::ACCESS_DENIED)).join("\n");
        for part in [
            "fails since 2026-01-01T00:00:00Z with AccessDenied: no",
            "The Tenant does not allow it.",
            "spec.sources.allow",
            "not tried again until",
            "goes on with main@sha1:1",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn what_nobody_has_looked_at_is_told_from_what_is_suspended() {
        let unseen = story(
            "Bucket",
            &json!({"metadata": {"name": "b"}, "spec": {"suspend": true}}),
        );
        assert!(unseen[0].contains("is suspended") && unseen[1].contains("has not been looked at"));
    }

    #[test]
    fn the_secrets_of_a_spec_are_found() {
        let names: Vec<_> = secrets(&failing("Failed"))
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["git", "proxy"]);
    }
}

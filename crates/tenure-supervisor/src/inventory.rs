//! What is cached, as objects that people can list: `kubectl get artifacts`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tenure_core::{Backoff, Digest, Name};
use tenure_kube::{KubeError, SupervisorClient};
use tenure_proto::lifeline::CacheEndpoint;
use tenure_proto::source::movements_client::MovementsClient;
use tenure_proto::source::{Cached, Inventory, InventoryRequest};
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use crate::control;

/// Keeps the objects like the cache's list until `stop`. While the cache does not answer they stay as they are.
pub(crate) async fn keep(
    client: SupervisorClient,
    cache: CacheEndpoint,
    token_file: PathBuf,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
    loop {
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = follow(&client, &cache, &token_file, &mut backoff) => ended,
        };
        tracing::debug!(reason = ended, "the list of cached artifacts is not kept");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(backoff.next_delay()) => {}
        }
    }
}

/// Says why it ended.
async fn follow(
    client: &SupervisorClient,
    cache: &CacheEndpoint,
    token_file: &Path,
    backoff: &mut Backoff,
) -> String {
    let mut lists = match subscribe(cache, token_file).await {
        Ok(lists) => lists,
        Err(why) => return why,
    };
    let mut known = match client.artifacts().await {
        Ok(objects) => objects.iter().filter_map(read).collect(),
        Err(error) => return error.to_string(),
    };
    loop {
        match lists.message().await {
            Ok(Some(list)) => {
                if let Err(error) = write(client, &mut known, &list).await {
                    return error.to_string();
                }
                if list.left_out > 0 {
                    let left_out = list.left_out;
                    tracing::warn!(left_out, "more artifacts are cached than are listed");
                }
                backoff.reset();
            }
            Ok(None) => return "it ended the call".to_owned(),
            Err(status) => return status.message().to_owned(),
        }
    }
}

async fn subscribe(cache: &CacheEndpoint, token_file: &Path) -> Result<Streaming<Inventory>, String> {
    let request = control::request(token_file, InventoryRequest {}).await?;
    let mut client = MovementsClient::new(control::channel(cache)?);
    let answer = client.inventory(request).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| format!("failed to ask for the inventory: {}", status.message()))
}

/// Name and status of an object.
fn read(object: &Value) -> Option<(Name, Value)> {
    let name = Name::new(object.pointer("/metadata/name")?.as_str()?).ok()?;
    Some((name, object["status"].clone()))
}

/// Makes the objects like the list; `known` is what the server has.
async fn write(
    client: &SupervisorClient,
    known: &mut BTreeMap<Name, Value>,
    list: &Inventory,
) -> Result<(), KubeError> {
    let wanted: BTreeMap<Name, Value> = list.artifacts.iter().filter_map(wanted).collect();
    let gone: Vec<Name> = known
        .keys()
        .filter(|name| !wanted.contains_key(name))
        .cloned()
        .collect();
    for name in gone {
        client.delete_artifact(&name).await?;
        known.remove(&name);
    }
    for (name, status) in wanted {
        match known.get(&name) {
            Some(before) if *before == status => continue,
            Some(_) => {}
            None => client.create_artifact(&name).await?,
        }
        match client.patch_artifact_status(&name, &status).await {
            // somebody has deleted it
            Err(error) if error.is_not_found() => {
                known.remove(&name);
            }
            result => {
                result?;
                known.insert(name, status);
            }
        }
    }
    Ok(())
}

/// The object's name says remote and digest, so that it is the same whoever writes it.
fn wanted(cached: &Cached) -> Option<(Name, Value)> {
    let hash = Digest::of(format!("{}\0{}", cached.url, cached.digest).as_bytes()).hex();
    let kind = cached.kind.to_lowercase();
    let name = Name::new(format!("{kind}-{}", hash.get(..20)?)).ok()?;
    let made = cached.made_at.as_ref();
    let made = made.and_then(|at| jiff::Timestamp::from_second(at.seconds).ok());
    let mut status = json!({
        "kind": cached.kind,
        "url": cached.url,
        "revision": cached.revision,
        "digest": cached.digest,
        "size": cached.size,
        "readers": cached.readers,
        "homes": cached.homes,
    });
    if let Some(made) = made {
        status["madeAt"] = tenure_api::rfc3339(made).into();
    }
    Some((name, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cached(url: &str) -> Cached {
        Cached {
            kind: "GitRepository".into(),
            url: url.into(),
            revision: "main@sha1:1".into(),
            digest: Digest::of(b"x").to_string(),
            size: 3,
            made_at: Some(std::time::SystemTime::UNIX_EPOCH.into()),
            readers: 1,
            homes: vec!["apps".into()],
        }
    }

    #[test]
    fn an_object_says_what_is_cached_under_a_name_of_its_own() {
        let (name, status) = wanted(&cached("https://h/a")).expect("an object");
        assert!(name.as_str().starts_with("gitrepository-"), "{name}");
        assert_eq!(status["madeAt"], "1970-01-01T00:00:00Z");
        assert_eq!(status["homes"], json!(["apps"]));
        let (other, _) = wanted(&cached("https://h/b")).expect("an object");
        assert_ne!(name, other);
        let written = json!({"metadata": {"name": name.as_str()}, "status": status});
        assert_eq!(read(&written), Some((name, status)));
    }
}

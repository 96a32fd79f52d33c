//! Keeps the keys that the cache verifies tokens with current.

use std::path::Path;
use std::time::Duration;

use tenure_core::Name;
use tenure_kube::{KubeError, SupervisorClient};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::membership::Ours;

const PERIOD: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(5);

/// Refreshes the ConfigMap while it is for us to do, and the file: at start, every minute, and when `hurry` is notified; until `cancel`.
pub(crate) async fn keep(
    client: SupervisorClient,
    file: Option<std::path::PathBuf>,
    hurry: std::sync::Arc<Notify>,
    mut ours: watch::Receiver<Ours>,
    cancel: CancellationToken,
) {
    let Ok(name) = Name::new(tenure_api::ISSUER_KEYS) else {
        return;
    };
    let mut hurried = false;
    loop {
        let mine = ours.borrow().has(&name);
        let shared = (mine || hurried).then_some(&name);
        hurried = false;
        let wait = match refresh(&client, file.as_deref(), shared).await {
            Ok(()) => PERIOD,
            Err(error) => {
                tracing::warn!(%error, "failed to refresh the issuer's keys");
                SOON
            }
        };
        tokio::select! {
            () = cancel.cancelled() => return,
            // whoever sees a new key says so, also if others keep the ConfigMap
            () = hurry.notified() => hurried = true,
            Ok(_) = ours.wait_for(|ours| ours.has(&name) != mine) => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Writes the file, if there is one, and the ConfigMap, if it is for us to do.
async fn refresh(
    client: &SupervisorClient,
    file: Option<&Path>,
    shared: Option<&Name>,
) -> Result<(), KubeError> {
    if file.is_none() && shared.is_none() {
        return Ok(());
    }
    let keys = client.issuer_keys().await?;
    if let Some(file) = file
        && let Err(error) = replace(file, &keys)
    {
        tracing::warn!(%error, file = %file.display(), "failed to write the issuer's keys");
    }
    let Some(name) = shared else { return Ok(()) };
    match client.put_issuer_keys(name, &keys).await {
        // Installations without a kubelet have the file alone.
        Err(error) if error.is_not_found() && file.is_some() => Ok(()),
        result => result.map(drop),
    }
}

/// Readers see the old content or the new, never a part.
fn replace(file: &Path, content: &str) -> std::io::Result<()> {
    if std::fs::read_to_string(file).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let mut next = file.as_os_str().to_owned();
    next.push(".next");
    std::fs::write(&next, content)?;
    std::fs::rename(&next, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_whole_and_only_when_it_differs() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("jwks.json");
        for keys in ["{\"keys\":[]}", "{\"keys\":[1]}"] {
            replace(&file, keys).expect("written");
            assert_eq!(std::fs::read_to_string(&file).expect("there"), keys);
        }
        let before = std::fs::metadata(&file)
            .and_then(|m| m.modified())
            .expect("there");
        replace(&file, "{\"keys\":[1]}").expect("nothing to do");
        assert_eq!(
            std::fs::metadata(&file)
                .and_then(|m| m.modified())
                .expect("there"),
            before
        );
        assert_eq!(std::fs::read_dir(directory.path()).expect("there").count(), 1);
    }
}

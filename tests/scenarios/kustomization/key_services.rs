//! `spec.decryption` with a key that never leaves its service. sops itself encrypts with it, and both speak to a server of the
//! test's own, which answers as Vault documents `transit/encrypt` and `transit/decrypt`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tenure_testkit::canary::{Place, assert_absent};
use tenure_testkit::rig::Sops;
use tenure_testkit::serve::Site;

use super::decryption::{keys, value};
use super::roll;
use crate::world::{play, says, settled};

const TOKEN: &str = "hvs.canary-of-a-vault-token";
const SECRET: &str =
    "apiVersion: v1\nkind: Secret\nmetadata: {name: kept}\nstringData: {password: from-vault}\n";

/// How often it opened a key.
type Opened = Arc<AtomicUsize>;

/// Vault's transit engine with the key `team`. Its ciphertext is the plaintext, turned round.
async fn vault(State(opened): State<Opened>, headers: HeaderMap, uri: Uri, body: String) -> Response {
    let token = headers.get("x-vault-token").and_then(|token| token.to_str().ok());
    if token != Some(TOKEN) {
        return (StatusCode::FORBIDDEN, r#"{"errors":["permission denied"]}"#).into_response();
    }
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let text = |name: &str| {
        body[name]
            .as_str()
            .map(|text| text.chars().rev().collect::<String>())
    };
    match uri.path() {
        "/v1/transit/encrypt/team" => {
            let turned = text("plaintext").unwrap_or_default();
            axum::Json(json!({"data": {"ciphertext": format!("vault:v1:{turned}")}})).into_response()
        }
        "/v1/transit/decrypt/team" => {
            let turned = text("ciphertext").unwrap_or_default();
            let Some(plain) = turned.strip_suffix(":1v:tluav") else {
                return (StatusCode::BAD_REQUEST, r#"{"errors":["no ciphertext"]}"#).into_response();
            };
            opened.fetch_add(1, Ordering::SeqCst);
            axum::Json(json!({"data": {"plaintext": plain}})).into_response()
        }
        _ => (StatusCode::NOT_FOUND, r#"{"errors":[]}"#).into_response(),
    }
}

/// What sops makes of a Secret with the key of that server.
fn encrypted(site: &Site) -> anyhow::Result<String> {
    let dir = tempfile::tempdir()?;
    let (file, ca) = (dir.path().join("secret.yaml"), dir.path().join("ca.crt"));
    std::fs::write(&file, SECRET)?;
    std::fs::write(&ca, site.ca())?;
    let key = format!("https://{}/v1/transit/keys/team", site.host());
    let words = ["--hc-vault-transit", &key, "--encrypted-regex", "^stringData$"];
    let environment = [("VAULT_TOKEN", TOKEN.as_ref()), ("VAULT_CACERT", ca.as_os_str())];
    let sops = Sops::ready(Path::new("/nonexistent"))?;
    let bytes = sops.encrypt_with(&file, &words, &environment)?;
    Ok(String::from_utf8(bytes.context("sops refuses")?)?)
}

#[test]
fn a_secret_is_decrypted_with_a_key_that_vault_keeps() -> anyhow::Result<()> {
    play(|stage| async move {
        let opened = Opened::default();
        let site = Site::start(Router::new().fallback(vault).with_state(opened.clone())).await?;
        let document = tokio::task::block_in_place(|| encrypted(&site))?;
        let team = settled(&stage, "vault").await?;

        let entries = json!({"sops.vault-token": "hvs.of-somebody-else", "ca.crt": site.ca()});
        keys(&stage, &team, entries).await?;
        team.commit(&[("deploy/secret.yaml", Some(&document))], "encrypted")?;
        team.reconcile("GitRepository", "app").await?;
        let message = team.refused("Kustomization", "app", "BuildFailed").await?;
        says(&message, &["Vault refused with status 403", "permission denied"])?;
        assert_absent(&[Place::text("the condition", message)], "hvs.of-somebody-else");

        let entries = json!({"sops.vault-token": TOKEN, "ca.crt": site.ca()});
        keys(&stage, &team, entries).await?;
        let more = crate::world::config_map("more", "value");
        roll(&team, &[("deploy/more.yaml", Some(&more))]).await?;
        let password = value(&stage, &team, "kept", "password").await?;
        assert_eq!(password.as_deref(), Some("from-vault"));
        assert!(
            opened.load(Ordering::SeqCst) > 0,
            "the key was opened by the server"
        );
        let status = tenure_tests::value(&team.objects("Kustomization"), "app").await?;
        let places = [
            Place::text("the object", status.to_string()),
            Place::text("the log", stage.tenure.supervisor_log()),
        ];
        assert_absent(&places, TOKEN);
        Ok(())
    })
}

#[test]
fn a_key_service_is_asked_only_where_the_platform_allows_it() -> anyhow::Result<()> {
    play(|stage| async move {
        let site = Site::start(Router::new().fallback(vault).with_state(Opened::default())).await?;
        let document = tokio::task::block_in_place(|| encrypted(&site))?;
        let metadata = document.replace(&site.host(), "169.254.169.254:443");
        assert_ne!(document, metadata, "the file names the server");
        let team = settled(&stage, "vault-elsewhere").await?;
        keys(
            &stage,
            &team,
            json!({"sops.vault-token": TOKEN, "ca.crt": site.ca()}),
        )
        .await?;
        team.commit(&[("deploy/secret.yaml", Some(&metadata))], "leads elsewhere")?;
        team.reconcile("GitRepository", "app").await?;
        let message = team.refused("Kustomization", "app", "BuildFailed").await?;
        says(&message, &["169.254.169.254", "the metadata service of a cloud"])?;
        Ok(())
    })
}

use std::collections::BTreeMap;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, SigningKey as _};
use serde_json::json;

use super::{Artifact, Part, Pushed, Registry};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIMPLE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const STATEMENT: &str = "application/vnd.in-toto+json";

/// A key that signs artifacts as cosign does, without a transparency log.
#[derive(Debug)]
pub struct Signer {
    key: KeyPair,
}

impl Signer {
    /// A new key, ECDSA on P-256 as `cosign generate-key-pair` makes.
    ///
    /// # Errors
    /// When the machine cannot make a key.
    pub fn new() -> anyhow::Result<Self> {
        let key = KeyPair::generate().context("make a key to sign with")?;
        Ok(Self { key })
    }

    /// Its public half, PEM: `cosign.pub`.
    #[must_use]
    pub fn public_key(&self) -> String {
        self.key.public_key_pem()
    }

    fn sign(&self, message: &[u8]) -> anyhow::Result<String> {
        let signature = self.key.sign(message).context("sign")?;
        Ok(STANDARD.encode(signature))
    }
}

impl Registry {
    /// Signs an artifact as cosign 2 does: under the tag `sha256-<hex>.sig`.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn sign(&self, repository: &str, pushed: &Pushed, signer: &Signer) -> anyhow::Result<()> {
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": format!("{}/{repository}", self.host())},
                "image": {"docker-manifest-digest": pushed.digest},
                "type": "cosign container image signature",
            },
            "optional": null,
        })
        .to_string();
        let note = (
            "dev.cosignproject.cosign/signature".to_owned(),
            signer.sign(payload.as_bytes())?,
        );
        let layer = Part {
            annotations: BTreeMap::from([note]),
            ..Part::new(SIMPLE, payload)
        };
        let tag = format!("{}.sig", pushed.digest.replace(':', "-"));
        self.push(repository, &tag, &Artifact::with_layer(layer))
            .await
            .map(drop)
    }

    /// Signs an artifact as cosign 3 does: with a bundle that refers to it, listed under the tag `sha256-<hex>`,
    /// since this registry lists no referrers.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn sign_with_bundle(
        &self,
        repository: &str,
        pushed: &Pushed,
        signer: &Signer,
    ) -> anyhow::Result<()> {
        let hex = pushed.digest.trim_start_matches("sha256:");
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "predicateType": "https://sigstore.dev/cosign/sign/v1",
            "predicate": {},
            "subject": [{"digest": {"sha256": hex}}],
        })
        .to_string();
        let (kind, size) = (STATEMENT.len(), statement.len());
        let signed = signer.sign(format!("DSSEv1 {kind} {STATEMENT} {size} {statement}").as_bytes())?;
        let bundle = json!({
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": "rig"}},
            "dsseEnvelope": {
                "payload": STANDARD.encode(&statement),
                "payloadType": STATEMENT,
                "signatures": [{"sig": signed}],
            },
        });
        let artifact = Artifact {
            artifact_type: Some(BUNDLE.to_owned()),
            subject: Some((pushed.media_type.clone(), pushed.digest.clone(), pushed.size)),
            ..Artifact::with_layer(Part::new(BUNDLE, bundle.to_string()))
        };
        let attached = self.push(repository, "", &artifact).await?;
        let tag = pushed.digest.replace(':', "-");
        self.push_referrers(repository, &tag, &[(BUNDLE, &attached)])
            .await
            .map(drop)
    }
}

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tenure_core::Digest;

use crate::referrers::of_session;
use crate::resolve::within;
use crate::session::Session;
use crate::{Descriptor, Limits, Manifest, OciError, Remote};

/// What cosign 3 and others attach to a manifest.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What cosign 2 puts under the tag `sha256-<hex>.sig`.
const SIMPLE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Notation's.
const NOTATION: &str = "application/vnd.cncf.notary.signature";
/// The envelopes in them.
const ENVELOPES: [&str; 2] = ["application/jose+json", "application/cose"];
/// Signatures of one manifest that are looked at.
const MOST: usize = 64;
/// Bytes of one signature.
const LARGEST: u64 = 1 << 20;
/// Bytes of all of them.
const ALL: u64 = 3 << 20;

/// A signature as it lies beside an artifact. Nothing of it has been verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    /// What kind it is: of a layer, or of the manifest that has it.
    pub media_type: String,
    /// The annotations of its layer: cosign 2 keeps the signature itself there.
    pub annotations: BTreeMap<String, String>,
    /// Its bytes, whose digest has been verified.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub payload: Vec<u8>,
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD
        .decode(text)
        .map_err(|_| serde::de::Error::custom("not base64"))
}

/// The signatures of a manifest, of every kind that a verifier may ask for, for it to verify: bundles and
/// notation's from the referrers, and cosign 2's from their tag. Where notation's are among them, the manifest itself
/// comes last: what they sign is not its digest alone but its size and media type, too.
///
/// # Errors
/// [`OciError`]; that there is none is not an error.
pub async fn signatures(
    remote: &Remote,
    digest: Digest,
    limits: &Limits,
) -> Result<Vec<Signature>, OciError> {
    let what = format!("signatures of {digest}");
    within(remote, &what, limits, async {
        let session = Session::open(remote, *limits, &what).await?;
        let mut found = Collected::default();
        for referrer in of_session(&session, digest).await? {
            let kind = referrer.artifact_type.as_deref().unwrap_or_default();
            if [BUNDLE, NOTATION].contains(&kind) {
                let manifest = session.manifest(referrer.digest).await?;
                found
                    .add(&session, &manifest, &[BUNDLE, ENVELOPES[0], ENVELOPES[1]])
                    .await?;
            }
        }
        let tag = format!("sha256-{}.sig", digest.hex());
        if let Some(manifest) = session.manifest_at(&tag).await? {
            found.add(&session, &manifest, &[SIMPLE]).await?;
        }
        if found.has_envelopes() {
            let manifest = itself(&session, digest).await?;
            found.count(
                &session,
                u64::try_from(manifest.payload.len()).unwrap_or(u64::MAX),
            )?;
            found.signatures.push(manifest);
        }
        Ok(found.signatures)
    })
    .await
}

#[derive(Default)]
struct Collected {
    signatures: Vec<Signature>,
    bytes: u64,
}

impl Collected {
    fn has_envelopes(&self) -> bool {
        let mut all = self.signatures.iter();
        all.any(|one| ENVELOPES.contains(&one.media_type.as_str()))
    }

    /// Makes room for one more.
    fn count(&mut self, session: &Session<'_>, size: u64) -> Result<(), OciError> {
        self.bytes = self.bytes.saturating_add(size);
        if self.signatures.len() >= MOST || size > LARGEST || self.bytes > ALL {
            return Err(session.too_large(format!("more than {MOST} signatures, or {ALL} bytes of them")));
        }
        Ok(())
    }

    async fn add(
        &mut self,
        session: &Session<'_>,
        manifest: &Manifest,
        kinds: &[&str],
    ) -> Result<(), OciError> {
        for layer in manifest
            .layers
            .iter()
            .filter(|l| kinds.contains(&l.media_type.as_str()))
        {
            self.count(session, layer.size)?;
            self.signatures.push(read(session, layer).await?);
        }
        Ok(())
    }
}

/// The manifest, as what it says it is; else as what the registry says.
async fn itself(session: &Session<'_>, digest: Digest) -> Result<Signature, OciError> {
    let (payload, kind) = session.manifest_bytes(&digest).await?;
    let document = session.document(&payload, kind.as_deref())?;
    Ok(Signature {
        media_type: document.media_type.or(kind).unwrap_or_default(),
        annotations: BTreeMap::new(),
        payload,
    })
}

async fn read(session: &Session<'_>, layer: &Descriptor) -> Result<Signature, OciError> {
    let mut payload = Vec::new();
    session.blob(layer, &mut payload).await?;
    Ok(Signature {
        media_type: layer.media_type.clone(),
        annotations: layer.annotations.clone(),
        payload,
    })
}

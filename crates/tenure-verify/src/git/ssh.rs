use ssh_key::{AuthorizedKeys, HashAlg, PublicKey, SshSig};

/// What Git signs for; a signature for anything else is none.
const NAMESPACE: &str = "git";

/// The fingerprint of the key, of those in `files`, that made the signature.
pub(super) fn verify(signature: &str, payload: &[u8], files: &[String]) -> Result<String, String> {
    let signature: SshSig = signature
        .parse()
        .map_err(|error| format!("unable to unarmor SSH signature: {error}"))?;
    let mut unreadable = None;
    let mut tried = false;
    for file in files {
        let keys = match read(file) {
            Ok(keys) => keys,
            // A file that cannot be read does not hide one that can.
            Err(error) => {
                unreadable.get_or_insert(format!("unable to parse authorized keys: {error}"));
                continue;
            }
        };
        tried = true;
        for key in keys {
            if key.verify(NAMESPACE, payload, &signature).is_ok() {
                return Ok(key.fingerprint(HashAlg::Sha256).to_string());
            }
        }
    }
    Err(match unreadable.filter(|_| !tried) {
        Some(error) => error,
        None if signature.namespace() != NAMESPACE => format!(
            "unable to verify payload with any of the given authorized keys: it was signed for {:?}, not for {NAMESPACE:?}",
            signature.namespace()
        ),
        None => "unable to verify payload with any of the given authorized keys: no matching key".to_owned(),
    })
}

fn read(file: &str) -> Result<Vec<PublicKey>, String> {
    AuthorizedKeys::new(file)
        .map(|entry| entry.map(PublicKey::from))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("unable to parse authorized key: {error}"))
}

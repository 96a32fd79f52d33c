//! A token issuer: signs what the API server would sign, and keeps a key file.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://issuer.test";

pub(crate) struct Issuer {
    path: PathBuf,
    keys: Vec<(String, EncodingKey)>,
}

impl Issuer {
    pub(crate) fn new(dir: &Path) -> Self {
        let mut issuer = Self {
            path: dir.join("jwks.json"),
            keys: Vec::new(),
        };
        issuer.add_key("first");
        issuer
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Signs with a new key from now on; the old ones stay in the file.
    pub(crate) fn add_key(&mut self, kid: &str) {
        let pem = rcgen::KeyPair::generate().expect("a key").serialize_pem();
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).expect("that key");
        self.keys.push((kid.to_owned(), key));
        let keys = self.keys.iter().map(|(kid, key)| {
            let mut jwk = Jwk::from_encoding_key(key, Algorithm::ES256).expect("its public half");
            jwk.common.key_id = Some(kid.clone());
            jwk
        });
        let set = JwkSet { keys: keys.collect() };
        std::fs::write(&self.path, serde_json::to_vec(&set).expect("JSON")).expect("writable");
    }

    pub(crate) fn claims(home: &str) -> Value {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        json!({
            "iss": ISSUER, "sub": format!("system:serviceaccount:tenure-workers:{home}"),
            "aud": ["tenure-cache"], "exp": now + 600, "nbf": now, "iat": now,
            "kubernetes.io": {"namespace": "tenure-workers", "serviceaccount": {"name": home, "uid": "u"}},
        })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let (kid, key) = self.keys.last().expect("there is one");
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(kid.clone());
        encode(&header, claims, key).expect("signs")
    }
}

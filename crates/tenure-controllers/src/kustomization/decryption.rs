//! `spec.decryption`: what sops has encrypted in a source and in what is built of it. What comes to light
//! stays in memory, and no message shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde_json::Value;
use tenure_api::{DECRYPT, SOPS_MAC};
use tenure_core::Secret;
use tenure_kustomize::{Entry, FileSystem, Kind, Objects, RelPath};
use tenure_net::cloud::{Identity, Places};
use tenure_sops::services::{Credential, Services};
use tenure_sops::{Document, Format, Keyring, Limits, Mac};
use zeroize::Zeroizing;

use super::mask::Mask;
use super::plan::Apply;
use crate::source::identity;
use crate::{Effects, reads};

/// As kustomize looks for them.
const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The entry of a decryption Secret with authorities that vouch for key services, besides the public ones.
const CA: &str = "ca.crt";

/// The vaults of Azure's public cloud, for tokens.
const VAULTS: &str = "https://vault.azure.net/.default";

/// Files that are looked at; a source that names more is no source of secrets.
const MOST_FILES: usize = 10_000;

/// What a Kustomization decrypts with.
pub(super) struct Decryptor {
    keys: Keyring,
    mac: Mac,
    limits: Limits,
    /// What came to light.
    pub(super) hidden: Mask,
}

/// What decrypts for the plan; nothing if its spec does not ask for it.
///
/// # Errors
/// When the Secret or one of its keys can't be used.
pub(super) async fn decryptor(plan: &Apply, effects: &Effects) -> Result<Option<Decryptor>, String> {
    let Some(decryption) = &plan.kustomization.spec.decryption else {
        return Ok(None);
    };
    let mut keys = Keyring::default();
    if let Some(reference) = &decryption.secret_ref {
        let secret = format!("{}/{}", effects.home.namespace, reference.name);
        let found = reads::secret(effects, &plan.account, &reference.name).await;
        let found =
            found.map_err(|error| format!("cannot get sops decryption Secret '{secret}': {error}"))?;
        // In Flux's words, which are those of the API server.
        let data = found.ok_or_else(|| format!("secrets \"{}\" not found", reference.name))?;
        let failed = |name: &str, error: &dyn std::fmt::Display| {
            format!("failed to import '{name}' data from sops decryption Secret '{secret}': {error}")
        };
        for (name, value) in &data {
            let imported = keys.import(name, value.expose());
            imported.map_err(|error| failed(name, &error))?;
        }
        let of_services = data.iter().filter(|(name, _)| Services::knows(name));
        for (name, value) in of_services {
            let ca = data.get(CA).map(|pem| pem.expose());
            let http = effects
                .key_services
                .open(ca)
                .map_err(|error| failed(CA, &error))?;
            let imported = Services::new(http).import(keys, name, value.expose());
            keys = imported.map_err(|error| failed(name, &error))?;
        }
    }
    if let Some(account) = decryption
        .service_account_name
        .as_deref()
        .filter(|name| !name.is_empty())
    {
        keys = by_identity(keys, account, effects).await?;
    }
    let annotations = plan.kustomization.metadata.annotations.as_ref();
    let ignored = annotations
        .and_then(|annotations| annotations.get(SOPS_MAC))
        .is_some_and(|value| value.eq_ignore_ascii_case("ignore"));
    Ok(Some(Decryptor {
        keys,
        mac: if ignored { Mac::Ignore } else { Mac::Verify },
        limits: Limits::default(),
        hidden: Mask::default(),
    }))
}

/// With the key services of the clouds that the account's annotations speak of, where the home is who they say.
async fn by_identity(keys: Keyring, account: &str, effects: &Effects) -> Result<Keyring, String> {
    let failed = |why: String| format!("failed to get the identity of '{account}' for decryption: {why}");
    let clouds = identity::clouds(account, effects).await.map_err(failed)?;
    if clouds.is_empty() {
        return Err(failed("its annotations name none".to_owned()));
    }
    let http = effects.key_services.open(None).map_err(failed)?;
    let mut services = Services::new(http);
    for provider in clouds {
        // A cloud that does not answer is no trouble for files that need another one.
        services = match credential(provider, account, effects).await {
            Ok(credential) => services.with_credential(credential),
            Err(why) => services.without(provider, why),
        };
    }
    Ok(services.known_to(keys))
}

async fn credential(provider: &str, account: &str, effects: &Effects) -> Result<Credential, String> {
    let workload = identity::log_in(provider, Some(account), effects).await?;
    let (outbound, places) = (effects.key_services.clouds(), Places::default());
    let text = |secret: &Secret| Zeroizing::new(secret.expose_str().unwrap_or_default().to_owned());
    let failed = |error: tenure_net::cloud::CloudError| error.to_string();
    Ok(match &workload.identity {
        Identity::Aws { role } => {
            let keys = workload
                .aws_keys(home_region(role), &outbound, &places)
                .await
                .map_err(failed)?;
            Credential::Aws {
                key_id: keys.access_key.clone(),
                secret: text(&keys.secret_key),
                session: keys.session_token.as_ref().map(text),
            }
        }
        Identity::Google { .. } => {
            let access = workload.google_token(&outbound, &places).await.map_err(failed)?;
            Credential::Google(text(&access.token))
        }
        Identity::Azure { .. } => {
            let access = workload.azure_token(VAULTS, &outbound, &places).await;
            Credential::Azure(text(&access.map_err(failed)?.token))
        }
    })
}

/// A region of the partition that a role is in: its keys are good in all of them.
fn home_region(role: &str) -> &'static str {
    match role.split(':').nth(1) {
        Some("aws-cn") => "cn-north-1",
        Some("aws-us-gov") => "us-gov-west-1",
        _ => "us-east-1",
    }
}

impl Decryptor {
    /// The files with those decrypted that a kustomization file reads as data: files and variables of Secret
    /// generators, and patches. Resources are decrypted once they are built.
    ///
    /// # Errors
    /// Names the file.
    pub(super) fn sources<'a>(
        &mut self,
        files: &'a dyn FileSystem,
        path: &str,
    ) -> Result<Decrypted<'a>, String> {
        let mut decrypted = Decrypted {
            files,
            plain: BTreeMap::new(),
        };
        // A path that is none is an error of the build.
        if let Ok(root) = RelPath::clamped(path) {
            let mut open = vec![root];
            let mut seen = BTreeSet::new();
            while let Some(dir) = open.pop() {
                if seen.len() < MOST_FILES && seen.insert(dir.clone()) {
                    self.directory(&dir, &mut decrypted, &mut open)
                        .map_err(|why| format!("error decrypting sources: {why}"))?;
                }
            }
        }
        Ok(decrypted)
    }

    fn directory(
        &mut self,
        dir: &RelPath,
        decrypted: &mut Decrypted<'_>,
        open: &mut Vec<RelPath>,
    ) -> Result<(), String> {
        // What can't be read or is nothing of the kind, the build says better.
        let Some(file) = kustomization(decrypted.files, dir) else {
            return Ok(());
        };
        for generator in list(&file, "secretGenerator") {
            for source in texts(generator, "files") {
                let (key, path) = source.split_once('=').unwrap_or((source, source));
                self.file(dir, path, Format::of_path(key), decrypted)?;
            }
            for path in texts(generator, "envs") {
                let format = match Format::of_path(path) {
                    Format::Binary => Format::Dotenv,
                    format => format,
                };
                self.file(dir, path, format, decrypted)?;
            }
        }
        for patch in list(&file, "patches") {
            if let Some(path) = patch.get("path").and_then(Value::as_str) {
                self.file(dir, path, Format::of_path(path), decrypted)?;
            }
        }
        let inner = texts(&file, "resources").chain(texts(&file, "components"));
        open.extend(inner.filter_map(|path| dir.join(path).ok()));
        Ok(())
    }

    fn file(
        &mut self,
        dir: &RelPath,
        path: &str,
        format: Format,
        decrypted: &mut Decrypted<'_>,
    ) -> Result<(), String> {
        let Ok(path) = dir.join(path) else { return Ok(()) };
        if decrypted.plain.contains_key(&path) {
            return Ok(());
        }
        let bytes = match decrypted.files.read(&path, self.limits.bytes as u64) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let limit = self.limits.bytes;
                return Err(format!(
                    "{path}: cannot decrypt file with size exceeding limit ({limit} bytes)"
                ));
            }
            Err(_) => return Ok(()),
        };
        if format.marks(&bytes) {
            let plain = self
                .text(&bytes, format, format)
                .map_err(|why| format!("{path}: {why}"))?;
            decrypted.plain.insert(path, plain);
        }
        Ok(())
    }

    fn text(&mut self, bytes: &[u8], from: Format, to: Format) -> Result<Zeroizing<Vec<u8>>, String> {
        let open = || {
            let document = Document::parse(bytes, from, &self.limits)?;
            let key = self.keys.data_key(&document)?;
            document.decrypt(&key, self.mac)
        };
        let plain = open().map_err(|error| self.said(&error))?;
        plain.secrets().for_each(|secret| self.hidden.add(secret));
        plain.write(to).map_err(|error| error.to_string())
    }

    /// The error, with the way out where there is one.
    fn said(&self, error: &tenure_sops::Error) -> String {
        match error {
            tenure_sops::Error::Mac(_) => format!(
                "{error}, or set the annotation {}: ignore on the Kustomization",
                SOPS_MAC
            ),
            _ => error.to_string(),
        }
    }

    /// Decrypts what of the built objects is encrypted: whole objects, and the values of Secrets.
    ///
    /// # Errors
    /// Names the object.
    pub(super) fn objects(&mut self, objects: &mut Objects) -> Result<(), String> {
        objects.try_change(|object| {
            if disabled(object) {
                return Ok(());
            }
            let title = title(object);
            let failed = |why: String| format!("decryption failed for '{title}': {why}");
            if is_encrypted(object) {
                self.object(object).map_err(failed)?;
            } else if object["kind"] == "Secret" {
                self.secret(object).map_err(failed)?;
            }
            Ok(())
        })
    }

    /// The MAC is not verified: the build has put labels and names of its own into the object, and its order
    /// may not be the file's. Each value is still bound to the keys it stands under.
    fn object(&mut self, object: &mut Value) -> Result<(), String> {
        let what = format!("{} {} data", place(object), text(object, "/kind"));
        let open = || {
            let document = Document::from_value(object.clone(), &self.limits)?;
            if document.needs_comments() {
                return Ok(None);
            }
            let key = self.keys.data_key(&document)?;
            document.decrypt(&key, Mac::Ignore).map(Some)
        };
        let failed = |why: String| format!("failed to decrypt and format {what}: {why}");
        let plain = open().map_err(|error: tenure_sops::Error| failed(error.to_string()))?;
        let plain = plain.ok_or_else(|| {
            failed(
                "comments decide what is encrypted, and a build keeps none; use encrypted_regex".to_owned(),
            )
        })?;
        plain.secrets().for_each(|secret| self.hidden.add(secret));
        *object = plain.into_value().map_err(|error| failed(error.to_string()))?;
        Ok(())
    }

    fn secret(&mut self, object: &mut Value) -> Result<(), String> {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let place = place(object);
        let Some(data) = object.get_mut("data").and_then(Value::as_object_mut) else {
            return Ok(());
        };
        for (key, value) in data {
            // What is not base64, the API server refuses.
            let Some(bytes) = value.as_str().and_then(|text| STANDARD.decode(text).ok()) else {
                continue;
            };
            if let Some(format) = Format::of_content(&bytes) {
                let plain = self.text(&bytes, format, Format::of_path(key)).map_err(|why| {
                    format!("failed to decrypt and format {place} Secret field '{key}': {why}")
                })?;
                *value = Value::String(STANDARD.encode(&*plain));
            }
        }
        Ok(())
    }
}

/// Refuses a Secret that is still encrypted: somebody forgot the decryption, and would get ciphertext.
///
/// # Errors
/// In Flux's words.
pub(super) fn refuse_encrypted(objects: &[Value]) -> Result<(), String> {
    let left = objects.iter().find(|object| {
        object["kind"] == "Secret"
            && object["apiVersion"] == "v1"
            && object.get("sops").is_some()
            && !disabled(object)
    });
    left.map_or(Ok(()), |object| {
        let namespace = match text(object, "/metadata/namespace") {
            "" => String::new(),
            namespace => format!("{namespace}/"),
        };
        Err(format!(
            "Secret/{namespace}{} is SOPS encrypted, configuring decryption is required for this secret to be reconciled",
            text(object, "/metadata/name")
        ))
    })
}

fn kustomization(files: &dyn FileSystem, dir: &RelPath) -> Option<Value> {
    let read = |name| files.read(&dir.join(name).ok()?, 1 << 20).ok();
    let bytes = FILE_NAMES.into_iter().find_map(read)?;
    tenure_yaml::parse_one(&bytes, &tenure_yaml::Options::kustomize()).ok()
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn texts<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    list(value, field).filter_map(Value::as_str)
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn is_encrypted(object: &Value) -> bool {
    object
        .pointer("/sops/mac")
        .is_some_and(|mac| !mac.is_null() && mac != "")
}

fn disabled(object: &Value) -> bool {
    let annotations = object.pointer("/metadata/annotations");
    let value = annotations.and_then(|annotations| annotations.get(DECRYPT));
    value
        .and_then(Value::as_str)
        .is_some_and(|value| value.eq_ignore_ascii_case("disabled"))
}

/// As kustomize names an object.
fn title(object: &Value) -> String {
    let (group, version) = text(object, "/apiVersion")
        .rsplit_once('/')
        .unwrap_or(("[noGrp]", text(object, "/apiVersion")));
    format!(
        "{}.{version}.{group}/{}",
        text(object, "/kind"),
        text(object, "/metadata/name")
    )
}

fn place(object: &Value) -> String {
    format!(
        "'{}/{}'",
        text(object, "/metadata/namespace"),
        text(object, "/metadata/name")
    )
}

/// The files of a source, some of them decrypted in memory.
pub(super) struct Decrypted<'a> {
    files: &'a dyn FileSystem,
    plain: BTreeMap<RelPath, Zeroizing<Vec<u8>>>,
}

impl FileSystem for Decrypted<'_> {
    fn kind(&self, path: &RelPath) -> io::Result<Option<Kind>> {
        self.files.kind(path)
    }

    fn read(&self, path: &RelPath, limit: u64) -> io::Result<Vec<u8>> {
        match self.plain.get(path) {
            Some(plain) if plain.len() as u64 > limit => Err(io::ErrorKind::FileTooLarge.into()),
            Some(plain) => Ok(plain.to_vec()),
            None => self.files.read(path, limit),
        }
    }

    fn list(&self, path: &RelPath, limit: usize) -> io::Result<Vec<Entry>> {
        self.files.list(path, limit)
    }

    fn missing_hint(&self, path: &RelPath) -> Option<String> {
        self.files.missing_hint(path)
    }
}

#[cfg(test)]
#[path = "decryption_tests.rs"]
mod tests;

use std::io;
use std::time::Instant;

use serde_json::Value;
use tenure_core::Digest;
use tenure_yaml::{Document, Location};

use crate::file::{FILE_NAMES, KustFile};
use crate::read_set::listing;
use crate::resource::Resource;
use crate::{Entry, Error, FileSystem, Kind, LoadRestriction, Options, ReadSet, Reason, RelPath, Seen};

/// Reads files for one build, keeps the read set and the budgets.
pub(crate) struct Loader<'a> {
    fs: &'a dyn FileSystem,
    pub(crate) options: Options,
    pub(crate) reads: ReadSet,
    /// The kustomizations being built, outermost first.
    stack: Vec<RelPath>,
    bytes: u64,
    files: usize,
    started: Instant,
}

impl<'a> Loader<'a> {
    pub(crate) fn new(fs: &'a dyn FileSystem, options: &Options) -> Self {
        Self {
            fs,
            options: *options,
            reads: ReadSet::default(),
            stack: Vec::new(),
            bytes: 0,
            files: 0,
            started: Instant::now(),
        }
    }

    /// Fails once the time is used up or there are too many objects.
    pub(crate) fn check(&self, objects: usize) -> Result<(), Error> {
        let budget = self.options.budget;
        if self.started.elapsed() > budget.time {
            return Err(exceeded("seconds", budget.time.as_secs()));
        }
        if objects > budget.objects {
            return Err(exceeded("objects", budget.objects as u64));
        }
        Ok(())
    }

    /// Starts on the kustomization in `dir`; [`Self::leave`] ends it.
    pub(crate) fn enter(&mut self, dir: &RelPath) -> Result<(), Error> {
        if self.stack.contains(dir) {
            return Err(Error::new(Reason::Cycle(dir.to_string())));
        }
        if self.stack.len() >= self.options.budget.depth {
            return Err(exceeded(
                "nested kustomizations",
                self.options.budget.depth as u64,
            ));
        }
        self.stack.push(dir.clone());
        self.check(0)
    }

    pub(crate) fn leave(&mut self) {
        self.stack.pop();
    }

    pub(crate) fn kind(&mut self, path: &RelPath) -> Result<Option<Kind>, Error> {
        self.files += 1;
        if self.files > self.options.budget.files {
            return Err(exceeded("files", self.options.budget.files as u64));
        }
        let kind = self
            .fs
            .kind(path)
            .map_err(|e| Error::at_file(path, Reason::Io(e)))?;
        self.reads.note(
            path,
            match kind {
                Some(Kind::Dir) => Seen::Dir,
                Some(Kind::File) => Seen::SomeFile,
                None => Seen::Missing,
            },
        );
        Ok(kind)
    }

    pub(crate) fn hint(&self, path: &RelPath) -> Option<String> {
        self.fs.missing_hint(path)
    }

    pub(crate) fn not_found(&self, path: &RelPath) -> Error {
        Error::new(Reason::NotFound(path.to_string(), self.hint(path)))
    }

    pub(crate) fn list(&mut self, path: &RelPath) -> Result<Vec<Entry>, Error> {
        self.kind(path)?;
        let entries = self
            .fs
            .list(path)
            .map_err(|e| Error::at_file(path, Reason::Io(e)))?;
        self.reads.note(path, Seen::Listing(listing(&entries)));
        Ok(entries)
    }

    pub(crate) fn read(&mut self, path: &RelPath) -> Result<Vec<u8>, Error> {
        match self.kind(path)? {
            None => return Err(self.not_found(path)),
            Some(Kind::Dir) => return Err(Error::invalid(format!("{path} is a directory, not a file"))),
            Some(Kind::File) => {}
        }
        let limit = self.options.budget.bytes;
        let bytes = self
            .fs
            .read(path, limit.saturating_sub(self.bytes))
            .map_err(|e| match e.kind() {
                io::ErrorKind::FileTooLarge => exceeded("bytes", limit).or_file(path),
                _ => Error::at_file(path, Reason::Io(e)),
            })?;
        self.bytes += bytes.len() as u64;
        self.reads.note(path, Seen::File(Digest::of(&bytes)));
        Ok(bytes)
    }

    /// Reads a file that the kustomization in `dir` names.
    pub(crate) fn read_named(&mut self, dir: &RelPath, name: &str) -> Result<(RelPath, Vec<u8>), Error> {
        refuse_remote(name)?;
        let path = dir.join(name).map_err(|e| Error::new(Reason::Path(e)))?;
        if self.options.restriction == LoadRestriction::RootOnly && !path.is_beneath(dir) {
            return Err(Error::new(Reason::Restricted(path.to_string())));
        }
        let bytes = self.read(&path)?;
        Ok((path, bytes))
    }

    /// The kustomization file in `dir`.
    pub(crate) fn kustomization(&mut self, dir: &RelPath) -> Result<KustFile, Error> {
        match self.kind(dir)? {
            None => return Err(Error::new(Reason::NoSuchPath(dir.to_string(), self.hint(dir)))),
            Some(Kind::File) => return Err(Error::invalid(format!("{dir} is a file, not a directory"))),
            Some(Kind::Dir) => {}
        }
        self.kustomization_if_any(dir)?
            .ok_or_else(|| Error::new(Reason::NoKustomization(dir.to_string())))
    }

    /// The kustomization file in `dir`, if there is one.
    pub(crate) fn kustomization_if_any(&mut self, dir: &RelPath) -> Result<Option<KustFile>, Error> {
        let Some(path) = self.kustomization_path(dir)? else {
            return Ok(None);
        };
        let bytes = self.read(&path)?;
        KustFile::parse(&path, &bytes).map(Some)
    }

    /// Where the kustomization file in `dir` is, if there is one.
    pub(crate) fn kustomization_path(&mut self, dir: &RelPath) -> Result<Option<RelPath>, Error> {
        let mut found = None;
        for name in FILE_NAMES {
            let path = dir.join(name).map_err(|e| Error::new(Reason::Path(e)))?;
            if self.kind(&path)? == Some(Kind::File) && found.replace(path).is_some() {
                return Err(Error::new(Reason::ManyKustomizations(dir.to_string())));
            }
        }
        Ok(found)
    }

    /// The objects in a file of manifests.
    pub(crate) fn resources(&mut self, path: &RelPath, bytes: &[u8]) -> Result<Vec<Resource>, Error> {
        resources(path, bytes)
    }
}

fn exceeded(what: &'static str, limit: u64) -> Error {
    Error::new(Reason::Budget { what, limit })
}

/// The documents of a file.
pub(crate) fn documents(path: &RelPath, bytes: &[u8]) -> Result<Vec<Document>, Error> {
    tenure_yaml::parse(bytes, &tenure_yaml::Options::kustomize()).map_err(|e| Error::yaml(path, e))
}

/// The objects of a file, lists expanded.
pub(crate) fn resources(path: &RelPath, bytes: &[u8]) -> Result<Vec<Resource>, Error> {
    let mut out = Vec::new();
    for document in documents(path, bytes)? {
        if document.value.is_null() {
            continue;
        }
        expand(document.value, &mut out, path, document.location)?;
    }
    Ok(out)
}

fn expand(value: Value, out: &mut Vec<Resource>, path: &RelPath, at: Location) -> Result<(), Error> {
    let fail = |text: &str| Err(Error::at_file(path, Reason::NotAnObject(text.into())).at(Some(at)));
    let Value::Object(mut map) = value else {
        return fail("the document is not a mapping");
    };
    let kind = map
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if kind.is_empty() {
        return fail("kind is missing");
    }
    if kind.ends_with("List") && (kind == "List" || map.contains_key("items")) {
        return match map.remove("items") {
            Some(Value::Array(items)) => items.into_iter().try_for_each(|item| expand(item, out, path, at)),
            None | Some(Value::Null) => Ok(()),
            Some(_) => fail("items is not a list"),
        };
    }
    if let Some(name) = map
        .get_mut("metadata")
        .and_then(|m| m.get_mut("name"))
        .filter(|n| n.is_number())
    {
        *name = Value::String(crate::object::scalar(name).unwrap_or_default());
    }
    let name = map
        .get("metadata")
        .and_then(|m| m.get("name"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    if name.is_empty() {
        return fail("metadata.name is missing");
    }
    let mut value = Value::Object(map);
    if is_local(&value) {
        return Ok(());
    }
    tidy(&mut value);
    out.push(Resource::new(value, path.to_string()));
    Ok(())
}

/// Annotations that kustomize keeps for itself; they never reach its output.
const INTERNAL: [&str; 4] = [
    "config.kubernetes.io/index",
    "config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/path",
];

/// Values of annotations become strings; empty mappings and internal annotations go.
fn tidy(value: &mut Value) {
    let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    for field in ["labels", "annotations"] {
        if let Some(map) = meta.get_mut(field).and_then(Value::as_object_mut) {
            map.retain(|key, _| !INTERNAL.contains(&key.as_str()));
            for value in map.values_mut().filter(|_| field == "annotations") {
                if let Some(text) = crate::object::scalar(value) {
                    *value = Value::String(text);
                }
            }
        }
        let empty = meta
            .get(field)
            .is_some_and(|v| v.is_null() || v.as_object().is_some_and(serde_json::Map::is_empty));
        if empty {
            meta.shift_remove(field);
        }
    }
}

/// Objects that say of themselves that they are for local use only.
fn is_local(value: &Value) -> bool {
    let annotation = value.pointer("/metadata/annotations/config.kubernetes.io~1local-config");
    annotation.is_some_and(|v| v.as_str() != Some("false"))
}

/// Refuses what kustomize would fetch.
pub(crate) fn refuse_remote(name: &str) -> Result<(), Error> {
    let scheme = name.split_once("://").is_some_and(|(s, _)| {
        !s.is_empty()
            && s.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b':')
    });
    let host = name.split('/').next().unwrap_or_default();
    let known = ["github.com", "gitlab.com", "bitbucket.org"].contains(&host.to_ascii_lowercase().as_str());
    let scp = name
        .split_once(':')
        .is_some_and(|(host, _)| host.contains('@') && !host.contains('/'));
    if scheme || known || scp || name.starts_with("git::") || name.contains("?ref=") {
        return Err(Error::new(Reason::Remote(redact(name))));
    }
    Ok(())
}

/// The text of a URL without what may be a password.
fn redact(name: &str) -> String {
    let (head, tail) = name.split_once("://").map_or(("", name), |(s, t)| (s, t));
    let tail = tail.rsplit_once('@').map_or(tail, |(_, host)| host);
    let tail = tail.split('?').next().unwrap_or_default();
    if head.is_empty() {
        tail.to_owned()
    } else {
        format!("{head}://{tail}")
    }
}

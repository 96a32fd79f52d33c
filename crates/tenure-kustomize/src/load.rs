use std::io;
use std::rc::Rc;

use serde_json::Value;
use tenure_yaml::{Document, Location};

use crate::file::{FILE_NAMES, KustFile};
use crate::meter::{Meter, exceeded};
use crate::resource::Resource;
use crate::schema::Schemas;
use crate::written::Written;
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
    pub(crate) meter: Rc<Meter>,
    /// What is known of the kinds' fields.
    pub(crate) schemas: Schemas,
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
            meter: Rc::new(Meter::new(options.budget)),
            schemas: Schemas::default(),
        }
    }

    /// Starts on the kustomization in `dir`; [`Self::leave`] ends it.
    pub(crate) fn enter(&mut self, dir: &RelPath) -> Result<(), Error> {
        if self.stack.contains(dir) {
            return Err(Error::new(Reason::Cycle(dir.to_string())));
        }
        if self.stack.len() >= self.options.budget.depth {
            return Err(exceeded(
                "nested kustomizations",
                self.options.budget.depth as u128,
            ));
        }
        self.stack.push(dir.clone());
        self.meter.check()
    }

    pub(crate) fn leave(&mut self) {
        self.stack.pop();
    }

    pub(crate) fn kind(&mut self, path: &RelPath) -> Result<Option<Kind>, Error> {
        self.files += 1;
        if self.files > self.options.budget.files {
            return Err(exceeded("files", self.options.budget.files as u128));
        }
        self.meter.check()?;
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
            .list(path, self.options.budget.files)
            .map_err(|e| match e.kind() {
                io::ErrorKind::FileTooLarge => {
                    exceeded("files", self.options.budget.files as u128).or_file(path)
                }
                _ => Error::at_file(path, Reason::Io(e)),
            })?;
        self.reads.note_listing(path, &entries);
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
                io::ErrorKind::FileTooLarge => exceeded("bytes", u128::from(limit)).or_file(path),
                _ => Error::at_file(path, Reason::Io(e)),
            })?;
        self.bytes += bytes.len() as u64;
        self.reads.note_file(path, &bytes);
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
        KustFile::parse(&path, &bytes, &self.meter).map(Some)
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

    /// Takes the schema that a kustomization file brings. The first one counts, outermost first.
    pub(crate) fn use_schema(&mut self, dir: &RelPath, file: &KustFile) -> Result<(), Error> {
        let field = |name: &str| {
            let found = file.openapi.iter().find(|(key, _)| key.as_str() == name);
            found.map(|(_, value)| value.clone())
        };
        let document = match field("path") {
            None => None,
            Some(name) => {
                let (path, bytes) = self
                    .read_named(dir, &name)
                    .map_err(|e| file.place("openapi/path", e))?;
                let options = tenure_yaml::Options::helm().last_wins();
                let document = tenure_yaml::parse_one(&bytes, &options).map_err(|e| Error::yaml(&path, e))?;
                self.meter.value(&document, 0).map_err(|e| e.or_file(&path))?;
                Some(document)
            }
        };
        self.schemas
            .choose(field("version").as_deref(), document.as_ref())
            .map_err(|e| file.place("openapi", e))
    }

    /// The objects in a file of manifests.
    pub(crate) fn resources(&mut self, path: &RelPath, bytes: &[u8]) -> Result<Vec<Resource>, Error> {
        let mut found = resources(path, bytes, &self.meter)?;
        for resource in &mut found {
            resource.is_cluster_by_schema = self.schemas.is_cluster(resource.api_version(), resource.kind());
        }
        Ok(found)
    }
}

/// The documents of a file.
pub(crate) fn documents(path: &RelPath, bytes: &[u8]) -> Result<Vec<Document>, Error> {
    tenure_yaml::parse(bytes, &tenure_yaml::Options::kustomize().as_nodes()).map_err(|e| Error::yaml(path, e))
}

/// The objects of a file, lists expanded.
pub(crate) fn resources(path: &RelPath, bytes: &[u8], meter: &Meter) -> Result<Vec<Resource>, Error> {
    let found = documents(path, bytes)?;
    let fail = |reason, at| Error::at_file(path, Reason::NotAnObject(reason)).at(Some(at));
    expand_all(found, path.as_str(), meter, &fail).map_err(|e| e.or_file(path))
}

/// The objects of a text that is no file; `shown` says what it is.
pub(crate) fn resources_of(shown: &str, bytes: &[u8], meter: &Meter) -> Result<Vec<Resource>, Error> {
    let found = tenure_yaml::parse(bytes, &tenure_yaml::Options::kustomize().as_nodes())
        .map_err(|e| Error::invalid(format!("line {} of {shown}: {}", e.location.line, e.reason)))?;
    expand_all(found, shown, meter, &|reason, at| {
        Error::invalid(format!(
            "line {} of {shown} is no Kubernetes object: {reason}",
            at.line
        ))
    })
}

type Fail<'a> = &'a dyn Fn(String, Location) -> Error;

fn expand_all(
    documents: Vec<Document>,
    origin: &str,
    meter: &Meter,
    fail: Fail<'_>,
) -> Result<Vec<Resource>, Error> {
    let mut out = Vec::new();
    let mut lists = Vec::new();
    for document in documents {
        meter.value(&document.value, 0)?;
        let texts = document.texts.iter().map(|(at, text)| at.len() + text.len());
        meter.take(texts.sum())?;
        expand(document, origin, fail, &mut out, &mut lists)?;
    }
    // What lists hold comes after everything else, as kustomize has it.
    let mut next = 0;
    while let Some((items, at)) = lists
        .get_mut(next)
        .map(|(items, at)| (std::mem::take(items), *at))
    {
        next += 1;
        for value in items {
            meter.take(origin.len())?;
            // Kustomize turns them to JSON and back: how they were written is lost.
            let item = Document {
                value,
                location: at,
                texts: Vec::new(),
            };
            expand(item, origin, fail, &mut out, &mut lists)?;
        }
        meter.objects(out.len())?;
    }
    Ok(out)
}

fn expand(
    document: Document,
    origin: &str,
    fail: Fail<'_>,
    out: &mut Vec<Resource>,
    lists: &mut Vec<(Vec<Value>, Location)>,
) -> Result<(), Error> {
    let at = document.location;
    let mut map = match document.value {
        Value::Null => return Ok(()),
        Value::Object(map) if map.is_empty() => return Ok(()),
        Value::Object(map) => map,
        _ => return Err(fail("the document is not a mapping".into(), at)),
    };
    let kind = map
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if kind.is_empty() {
        return Err(fail("kind is missing".into(), at));
    }
    let is_list = kind.ends_with("List");
    if is_list && (kind == "List" || map.contains_key("items")) {
        return match map.remove("items") {
            Some(Value::Array(items)) => {
                lists.push((items, at));
                Ok(())
            }
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(fail("items is not a list".into(), at)),
        };
    }
    let mut value = Value::Object(map);
    let written = Written::below("", &value, &document.texts);
    let name = value.pointer("/metadata/name");
    // Names are compared as texts, whatever they are in the end.
    let text = written.text(&value, &["metadata", "name"]).unwrap_or_default();
    let is_plain_name = name.is_some_and(|n| *n != *text);
    if text.is_empty() || name.is_none_or(Value::is_null) {
        return Err(fail("metadata.name is missing".into(), at));
    }
    if let Some(name) = value.pointer_mut("/metadata/name") {
        *name = Value::String(text);
    }
    let mut resource = Resource::new(value, origin.to_owned());
    resource.written = written;
    resource.is_plain_name = is_plain_name;
    out.push(resource);
    Ok(())
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

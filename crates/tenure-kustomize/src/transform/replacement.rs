//! `replacements`: a value from one object into others.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::path::{self, Made};
use super::{Context, Transform};
use crate::file::{FieldOptions, Replacement, Source, Target};
use crate::id::ResId;
use crate::meter::{Meter, levels_fit};
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::schema::Schemas;
use crate::select::Matcher;
use crate::{Error, decode, object};

/// Replacements, in order.
pub(crate) struct Replacements(Vec<Ready>);

struct Ready {
    source: From,
    targets: Vec<Into>,
}

enum From {
    Text(String),
    Field(Source),
}

struct Into {
    select: Matcher,
    reject: Vec<Matcher>,
    paths: Vec<String>,
    options: FieldOptions,
}

impl Replacements {
    pub(crate) fn read(context: &mut Context<'_, '_>, entries: &[Replacement]) -> Result<Self, Error> {
        let meter = Rc::clone(&context.loader.meter);
        let mut ready = Vec::new();
        for entry in entries {
            let Some(path) = entry.path.as_deref().filter(|p| !p.is_empty()) else {
                ready.push(Ready::new(entry, &meter)?);
                continue;
            };
            if entry.source.is_some() || entry.targets.as_ref().is_some_and(|t| !t.is_empty()) {
                return Err(Error::invalid("give either path or source and targets, not both"));
            }
            let (path, bytes) = context.loader.read_named(context.dir, path)?;
            let options = tenure_yaml::Options::helm().last_wins();
            let value = tenure_yaml::parse_one(&bytes, &options).map_err(|e| Error::yaml(&path, e))?;
            meter.value(&value, 0).map_err(|e| e.or_file(&path))?;
            let inner: Vec<Replacement> = match value {
                Value::Array(_) => decode::list(&value),
                Value::Object(_) => decode::one(&value).map(|one| vec![one]),
                _ => Err(Error::invalid("must be a replacement or a list of them")),
            }
            .map_err(|e| e.or_file(&path))?;
            for entry in &inner {
                ready.push(Ready::new(entry, &meter).map_err(|e| e.or_file(&path))?);
            }
        }
        Ok(Self(ready))
    }
}

impl Ready {
    fn new(entry: &Replacement, meter: &Meter) -> Result<Self, Error> {
        let source = match (&entry.source, &entry.source_value) {
            (Some(source), None) => From::Field(source.clone()),
            (None, Some(text)) => From::Text(text.clone()),
            (Some(_), Some(_)) => return Err(Error::invalid("give either source or sourceValue, not both")),
            (None, None) => return Err(Error::invalid("a replacement needs a source")),
        };
        let Some(targets) = &entry.targets else {
            return Err(Error::invalid("a replacement needs at least one target"));
        };
        Ok(Self {
            source,
            targets: targets
                .iter()
                .map(|t| Into::new(t, meter))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Into {
    fn new(target: &Target, meter: &Meter) -> Result<Self, Error> {
        let Some(select) = &target.select else {
            return Err(Error::invalid("a target must select objects"));
        };
        let mut paths = target.field_paths.clone();
        if paths.is_empty() {
            paths.push("metadata.name".to_owned());
        }
        Ok(Self {
            select: Matcher::new(select, meter)?,
            reject: target
                .reject
                .iter()
                .map(|r| Matcher::new(r, meter))
                .collect::<Result<_, _>>()?,
            paths,
            options: target.options.clone().unwrap_or_default(),
        })
    }

    /// By any id that the object has or had.
    fn takes(&self, resource: &Resource) -> Result<bool, Error> {
        let any_id = |m: &Matcher| {
            let mut hits = resource.ids().map(|id| m.matches_id(&id));
            hits.find(|hit| !matches!(hit, Ok(false))).unwrap_or(Ok(false))
        };
        if !self.select.fits_metadata(resource) || !any_id(&self.select)? {
            return Ok(false);
        }
        for m in &self.reject {
            if m.asks_metadata() && m.fits_metadata(resource) || m.asks_id() && any_id(m)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Transform for Replacements {
    fn apply(&self, all: &mut ResMap, _: &Schemas) -> Result<(), Error> {
        let meter = all.meter();
        for Ready { source, targets } in &self.0 {
            meter.check()?;
            let value = match source {
                From::Text(text) => Taken::new(Value::from(text.clone())),
                From::Field(source) => taken(all, source)?,
            };
            for target in targets {
                for mut resource in all.iter_mut() {
                    meter.step()?;
                    if !target.takes(&resource)? {
                        continue;
                    }
                    for path in &target.paths {
                        let put = Put {
                            taken: &value,
                            options: &target.options,
                            meter: &meter,
                        };
                        put.at(resource.value.open(), path)
                            .map_err(|e| e.about(format_args!("target {}: {path}", resource.id())))?;
                        resource.sync();
                    }
                }
            }
        }
        Ok(())
    }
}

fn shown(source: &Source) -> String {
    ResId {
        gvk: crate::id::Gvk {
            group: source.group.clone(),
            version: source.version.clone(),
            kind: source.kind.clone(),
        },
        name: source.name.clone(),
        namespace: source.namespace.clone(),
        is_cluster: false,
    }
    .to_string()
}

/// What a source gives: a value, and the text that stands for it if it is a scalar.
struct Taken {
    value: Value,
    text: Option<String>,
}

impl Taken {
    fn new(value: Value) -> Self {
        let text = object::scalar_or_null(&value);
        Self { value, text }
    }
}

/// The value at a source.
fn taken(all: &ResMap, source: &Source) -> Result<Taken, Error> {
    let effective = |namespace: &str| {
        if namespace.is_empty() {
            "default".to_owned()
        } else {
            namespace.to_owned()
        }
    };
    let selected = |id: &ResId| {
        (source.name.is_empty() || source.name == id.name)
            && (source.namespace.is_empty() || effective(&source.namespace) == effective(&id.namespace))
            && id.gvk.is_selected(&source.group, &source.version, &source.kind)
    };
    let mut found = all.iter().filter(|r| r.ids().any(|id| selected(&id)));
    let resource = match (found.next(), found.next()) {
        (Some(one), None) => one,
        (None, _) => {
            return Err(Error::invalid(format!(
                "no object matches the source {}",
                shown(source)
            )));
        }
        _ => {
            return Err(Error::invalid(format!(
                "several objects match the source {}",
                shown(source)
            )));
        }
    };
    let path = if source.field_path.is_empty() {
        "metadata.name"
    } else {
        &source.field_path
    };
    let missing = || Error::invalid(format!("the source {} has no field {path}", resource.id()));
    let object = resource.value.view();
    let (way, value) = path::lookup_at(&object, &path::parts(path))
        .map_err(|e| e.about(format_args!("source {}: {path}", resource.id())))?
        .filter(|(_, v)| !is_empty(v))
        .ok_or_else(missing)?;
    let mut taken = Taken::new(value.clone());
    if taken.text.is_some() {
        taken.text = resource.written.text(&object, &way);
    }
    let options = source.options.clone().unwrap_or_default();
    if options.delimiter.is_empty() {
        return Ok(taken);
    }
    let text = taken
        .text
        .ok_or_else(|| Error::invalid(format!("source {path}: a delimiter needs a scalar")))?;
    let pieces: Vec<&str> = text.split(options.delimiter.as_str()).collect();
    let piece = usize::try_from(options.index).ok().and_then(|i| pieces.get(i));
    let piece = piece.ok_or_else(|| {
        Error::invalid(format!(
            "source {path}: index {} is beyond the {} pieces",
            options.index,
            pieces.len()
        ))
    })?;
    let mut out = value.clone();
    if !object::set_text(&mut out, piece) {
        out = Value::from(*piece);
    }
    Ok(Taken {
        value: out,
        text: Some((*piece).to_owned()),
    })
}

fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value.as_object().is_some_and(Map::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
}

/// A value on its way into objects.
struct Put<'a> {
    taken: &'a Taken,
    options: &'a FieldOptions,
    meter: &'a Meter,
}

impl Put<'_> {
    fn at(&self, object: &mut Value, path: &str) -> Result<(), Error> {
        let parts = path::parts(path);
        levels_fit(parts.len())?;
        let made = self.options.create.then(|| Made::like(&self.taken.value));
        if self.inside_text(object, &parts, made)?.is_some() {
            return Ok(());
        }
        let depth = parts.len();
        match path::each(object, &parts, made, self.meter, &mut |node, is_new| {
            self.set(node, is_new, depth)?;
            // Annotations become texts in the end, so the text is kept and not what it means.
            if let ([a, b, _], Some(text)) = (parts.as_slice(), &self.taken.text)
                && is_new
                && (a.as_str(), b.as_str()) == ("metadata", "annotations")
                && self.options.delimiter.is_empty()
            {
                *node = Value::from(text.as_str());
            }
            Ok(())
        })? {
            0 => Err(Error::invalid("there is no such field")),
            _ => Ok(()),
        }
    }

    /// Puts the value at a node: a scalar keeps its type, anything else is replaced.
    fn set(&self, node: &mut Value, is_new: bool, depth: usize) -> Result<(), Error> {
        let delimiter = self.options.delimiter.as_str();
        if delimiter.is_empty() {
            self.meter.value(&self.taken.value, depth)?;
            return overwrite(node, is_new, self.taken);
        }
        let Some(old) = object::scalar_or_null(node) else {
            return Err(Error::invalid("a delimiter needs a scalar"));
        };
        let old = if node.is_null() { String::new() } else { old };
        let new = self.taken.text.clone().unwrap_or_default();
        let mut pieces: Vec<&str> = old.split(delimiter).collect();
        match usize::try_from(self.options.index) {
            Err(_) => pieces.insert(0, &new),
            Ok(i) => match pieces.get_mut(i) {
                Some(piece) => *piece = &new,
                None => pieces.push(&new),
            },
        }
        let joined = pieces.join(delimiter);
        self.meter.grow(old.len(), joined.len())?;
        overwrite(node, is_new, &Taken::new(Value::from(joined)))
    }

    /// Puts the value into YAML or JSON that is the text of a scalar on the way. Nothing if there is no
    /// such text.
    fn inside_text(
        &self,
        object: &mut Value,
        parts: &[String],
        made: Option<Made>,
    ) -> Result<Option<()>, Error> {
        let Some((outer, inner, old)) = text_on_the_way(object, parts) else {
            return Ok(None);
        };
        self.meter.check()?;
        let parsed = tenure_yaml::parse(old.as_bytes(), &tenure_yaml::Options::kustomize());
        let Some(first) = parsed.ok().and_then(|documents| documents.into_iter().next()) else {
            return Ok(None);
        };
        let mut data = first.value;
        let depth = inner.len();
        let found = path::each(&mut data, inner, made, self.meter, &mut |node, is_new| {
            self.meter.value(&self.taken.value, depth)?;
            overwrite(node, is_new, self.taken)
        });
        match found {
            Ok(0) => return Ok(None),
            Err(e) if e.is_limit() => return Err(e),
            Err(_) => return Ok(None),
            Ok(_) => {}
        }
        let new = serialised(&data, &old);
        let mut write = |node: &mut Value, _| {
            self.meter.grow(old.len(), new.len())?;
            *node = Value::from(new.clone());
            Ok(())
        };
        path::each(object, outer, None, self.meter, &mut write).map(|_| Some(()))
    }
}

/// The scalar that a path leads into: the way to it, the way on, and its text.
fn text_on_the_way<'p>(object: &Value, parts: &'p [String]) -> Option<(&'p [String], &'p [String], String)> {
    let until = (1..parts.len()).find(|n| {
        let found = path::lookup(object, parts.get(..*n).unwrap_or_default());
        found.is_ok_and(|v| v.is_some_and(|v| !v.is_object() && !v.is_array() && !v.is_null()))
    })?;
    let (outer, inner) = parts.split_at(until);
    let text = path::lookup(object, outer).ok()??.as_str()?.to_owned();
    Some((outer, inner, text))
}

fn overwrite(node: &mut Value, is_new: bool, taken: &Taken) -> Result<(), Error> {
    let text = taken.text.as_deref();
    match node {
        Value::Object(_) | Value::Array(_) => *node = taken.value.clone(),
        // What was just created has no type of its own yet.
        Value::Null if is_new => *node = text.map_or_else(|| taken.value.clone(), object::plain),
        Value::Null if text.is_none() => *node = Value::from(""),
        _ => {
            let text = text.unwrap_or_default();
            if !object::set_text(node, text) {
                return Err(Error::invalid(format!(
                    "{text:?} cannot stand where {} is",
                    super::field::kind(node)
                )));
            }
        }
    }
    Ok(())
}

/// As JSON or YAML, whichever it was.
fn serialised(data: &Value, old: &str) -> String {
    if !old.trim_start().starts_with(['{', '[']) {
        let options = tenure_yaml::EmitOptions {
            sort: false,
            width: None,
            ..tenure_yaml::EmitOptions::default()
        };
        return tenure_yaml::to_string_with(data, &options).trim().to_owned();
    }
    if old.contains('\n') && old.contains("  ") {
        return super::hash::go_json_indented(data);
    }
    super::hash::go_json(data)
}

//! One kustomization after the other: resources, generators, components, then transformers.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;

use crate::config::{Config, from_crds};
use crate::file::{KustFile, Var};
use crate::load::{Loader, refuse_remote};
use crate::meter::Meter;
use crate::origin::Origin;
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::schema::Schemas;
use crate::transform::variable::Variables;
use crate::transform::{self, Context, Step, Transform as _};
use crate::{Build, Error, Kind, Reason, RelPath, Reorder, finish, origin};

/// What has come together so far, and the rules to go on by.
struct Accumulator {
    all: ResMap,
    config: Arc<Config>,
    variables: Variables,
}

impl Accumulator {
    fn new(meter: &Rc<Meter>) -> Self {
        Self {
            all: ResMap::new(meter),
            config: Arc::default(),
            variables: Variables::default(),
        }
    }

    fn merge(&mut self, other: Self) -> Result<(), Error> {
        self.all.append_all(other.all.into_list())?;
        self.config = Config::merge(&self.config, &other.config)?;
        self.variables.merge(other.variables)
    }
}

/// A kustomization and where it is.
struct Target<'f> {
    dir: RelPath,
    file: &'f KustFile,
    /// Its directory as annotations show it, if anybody wants to know where objects come from.
    shown: Option<String>,
}

impl Target<'_> {
    fn shown_file(&self) -> Option<String> {
        let shown = self.shown.as_deref()?;
        let path = self.file.path.as_ref()?;
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        Some(join(shown, name))
    }
}

/// A path below a shown directory, `..` taken out by its text.
fn join(dir: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in dir.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Builds the tree below one kustomization and finishes it.
pub(crate) fn run(mut loader: Loader<'_>, dir: &RelPath, file: &KustFile) -> Result<Build, Error> {
    loader.use_schema(dir, file)?;
    let target = Target {
        dir: dir.clone(),
        file,
        shown: (!file.build_metadata.is_empty()).then(String::new),
    };
    let mut built = Accumulator::new(&loader.meter);
    accumulate(&mut loader, &target, &mut built)?;
    let Accumulator {
        mut all,
        config,
        variables,
    } = built;
    transform::hash::Hash.apply(&mut all, &loader.schemas)?;
    transform::reference::run(&mut all, &config.names)?;
    variables.resolve(&mut all, config.list("varReference"))?;
    all.list_mut().retain(|r| !finish::is_local(&r.value));
    match (&file.sort_options, loader.options.reorder) {
        (Some(options), _) => {
            transform::sort::by_options(&mut all, options).map_err(|e| file.place("sortOptions", e))?;
        }
        (None, Reorder::Legacy) => transform::sort::legacy(&mut all),
        (None, Reorder::None) => {}
    }
    finish::label(&mut all, file, &loader.options)?;
    loader.meter.objects(all.len())?;
    Ok(Build {
        objects: finish::objects(all, file)?,
        read_set: loader.reads,
    })
}

fn accumulate(loader: &mut Loader<'_>, target: &Target<'_>, into: &mut Accumulator) -> Result<(), Error> {
    loader.enter(&target.dir)?;
    let file = target.file;
    let from = |place: String| move |e| file.place(&place, e);
    for (i, name) in file.resources.iter().enumerate() {
        let done = resource(loader, target, name, into);
        done.and_then(|()| loader.meter.objects(into.all.len()))
            .map_err(from(format!("resources/{i}")))?;
    }
    configure(loader, target, into)?;
    generate(loader, target, into)?;
    for (i, name) in file.components.iter().enumerate() {
        let done = component(loader, target, name, into);
        done.and_then(|()| loader.meter.objects(into.all.len()))
            .map_err(from(format!("components/{i}")))?;
    }
    change(loader, target, into)?;
    validate(loader, target, into)?;
    variables(&file.vars, into).map_err(from("vars".to_owned()))?;
    loader.meter.objects(into.all.len())?;
    loader.leave();
    Ok(())
}

fn variables(vars: &[Var], into: &mut Accumulator) -> Result<(), Error> {
    into.variables.add(vars, &mut into.all)
}

fn resource(
    loader: &mut Loader<'_>,
    target: &Target<'_>,
    name: &str,
    into: &mut Accumulator,
) -> Result<(), Error> {
    refuse_remote(name)?;
    let path = target.dir.join(name).map_err(|e| Error::new(Reason::Path(e)))?;
    match loader.kind(&path)? {
        None => Err(loader.not_found(&path)),
        Some(Kind::File) => {
            let (path, bytes) = loader.read_named(&target.dir, name)?;
            let found = loader.resources(&path, &bytes)?;
            let origin = target
                .shown
                .as_deref()
                .map(|dir| Origin::of_file(&join(dir, name)));
            for mut resource in found {
                if let Some(origin) = &origin {
                    origin.annotate(&mut resource);
                }
                into.all.append(resource)?;
            }
            Ok(())
        }
        Some(Kind::Dir) => {
            let file = loader.kustomization(&path)?;
            if file.is_component {
                return Err(Error::invalid(format!(
                    "{path} is a component; list it under components"
                )));
            }
            loader.use_schema(&path, &file)?;
            let inner = inner(target, path, &file, name);
            let mut built = Accumulator::new(&loader.meter);
            accumulate(loader, &inner, &mut built)?;
            into.merge(built)
        }
    }
}

fn inner<'f>(target: &Target<'_>, dir: RelPath, file: &'f KustFile, name: &str) -> Target<'f> {
    Target {
        dir,
        file,
        shown: target.shown.as_deref().map(|dir| join(dir, name)),
    }
}

fn component(
    loader: &mut Loader<'_>,
    target: &Target<'_>,
    name: &str,
    into: &mut Accumulator,
) -> Result<(), Error> {
    refuse_remote(name)?;
    let path = target.dir.join(name).map_err(|e| Error::new(Reason::Path(e)))?;
    if loader.kind(&path)?.is_none() {
        return Err(loader.not_found(&path));
    }
    let file = loader.kustomization(&path)?;
    if !file.is_component {
        return Err(Error::invalid(format!(
            "{path} is not a component: its kind must be Component"
        )));
    }
    loader.use_schema(&path, &file)?;
    let inner = inner(target, path, &file, name);
    accumulate(loader, &inner, into)
}

/// Adds what the file says of where transformers look.
fn configure(loader: &mut Loader<'_>, target: &Target<'_>, into: &mut Accumulator) -> Result<(), Error> {
    let file = target.file;
    let mut config = Config::standard();
    let sources = [("configurations", &file.configurations), ("crds", &file.crds)];
    for (field, paths) in sources {
        for (i, name) in paths.iter().enumerate() {
            let mut read = || {
                let (path, bytes) = loader.read_named(&target.dir, name)?;
                let options = tenure_yaml::Options::helm();
                // Configurations are read strictly, definitions are not.
                let options = if field == "crds" {
                    options.last_wins()
                } else {
                    options
                };
                let found = tenure_yaml::parse(&bytes, &options).map_err(|e| Error::yaml(&path, e))?;
                let value = found.into_iter().next().map_or(Value::Null, |d| d.value);
                let made = if field == "crds" {
                    from_crds(&value, &loader.meter)
                } else {
                    Config::parse(&value)
                };
                loader.meter.check()?;
                let made = made.map_err(|e| e.or_file(&path))?;
                Config::merge(&config, &Arc::new(made)).map_err(|e| e.or_file(&path))
            };
            config = read().map_err(|e| file.place(&format!("{field}/{i}"), e))?;
        }
    }
    into.config = Config::merge(&into.config, &config)?;
    Ok(())
}

fn generate(loader: &mut Loader<'_>, target: &Target<'_>, into: &mut Accumulator) -> Result<(), Error> {
    let file = target.file;
    let shown = target.shown_file();
    let mut made = Vec::new();
    for (kind, place, resource) in transform::generate::all(loader, &target.dir, file)? {
        let origin = shown
            .as_deref()
            .map(|path| Origin::built_in(path, &format!("{kind}Generator")));
        made.push((place, origin, resource));
    }
    for (place, config) in plugins(loader, target, "generators", &file.generators)? {
        let mut context = Context {
            loader,
            dir: &target.dir,
        };
        let resource = transform::generator(&mut context, &config).map_err(|e| file.place(&place, e))?;
        made.push((place, Origin::of_plugin(&config), resource));
    }
    for (place, origin, mut resource) in made {
        if let Some(origin) = origin.filter(|_| resource.annotation(origin::ORIGIN).is_none()) {
            origin.annotate(&mut resource);
        }
        let done = loader.meter.check().and_then(|()| into.all.absorb(resource));
        done.and_then(|()| loader.meter.objects(into.all.len()))
            .map_err(|e| file.place(&place, e))?;
    }
    Ok(())
}

fn change(loader: &mut Loader<'_>, target: &Target<'_>, into: &mut Accumulator) -> Result<(), Error> {
    let file = target.file;
    let shown = target.shown_file();
    let mut context = Context {
        loader,
        dir: &target.dir,
    };
    let mut steps = transform::built_in(&mut context, file, &into.config, shown.as_deref())?;
    steps.extend(configured(loader, target, "transformers", &file.transformers)?);
    let meter = Rc::clone(&loader.meter);
    let mut scale = meter.scale();
    for step in &steps {
        apply(step, file, &mut into.all, &loader.schemas)?;
        let done = loader.meter.objects(into.all.len());
        done.map_err(|e| file.place(&step.field, e))?;
        scale.settle(&meter, into.all.iter().map(|r| r.value.view()));
    }
    Ok(())
}

fn apply(step: &Step, file: &KustFile, all: &mut ResMap, schemas: &Schemas) -> Result<(), Error> {
    let done = step.transform.apply(all, schemas);
    done.map_err(|e| file.place(&step.field, e))?;
    all.iter_mut().for_each(|mut resource| resource.sync());
    if let Some(origin) = &step.origin {
        let meter = all.meter();
        let done = all
            .iter_mut()
            .try_for_each(|mut resource| origin.transformed(&mut resource, &meter));
        done.map_err(|e| file.place(&step.field, e))?;
    }
    all.drop_gone();
    Ok(())
}

/// Validators are transformers that must not change anything.
fn validate(loader: &mut Loader<'_>, target: &Target<'_>, into: &Accumulator) -> Result<(), Error> {
    let file = target.file;
    for step in configured(loader, target, "validators", &file.validators)? {
        let meter = Rc::clone(&loader.meter);
        let scale = meter.scale();
        let room = into.all.iter().try_for_each(|r| meter.value(&r.value.view(), 0));
        room.map_err(|e| file.place(&step.field, e))?;
        let mut copy = into.all.clone();
        apply(&step, file, &mut copy, &loader.schemas)?;
        let before = into.all.iter().map(|r| &r.value);
        if !copy.iter().map(|r| &r.value).eq(before) {
            let text = "a validator must not change the objects".to_owned();
            return Err(file.error(&step.field, Reason::Invalid(text)));
        }
        meter.give_back(&scale);
    }
    Ok(())
}

/// The transformers that the objects under a field configure.
fn configured(
    loader: &mut Loader<'_>,
    target: &Target<'_>,
    field: &str,
    entries: &[String],
) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    for (place, config) in plugins(loader, target, field, entries)? {
        let mut context = Context {
            loader,
            dir: &target.dir,
        };
        let made = transform::transformer(&mut context, &config);
        let origin = Origin::of_plugin(&config);
        for transform in made.map_err(|e| target.file.place(&place, e))? {
            steps.push(Step {
                transform,
                origin: origin.clone(),
                field: place.clone(),
            });
        }
    }
    Ok(steps)
}

/// The objects that entries name or are, each with its place in the file.
fn plugins(
    loader: &mut Loader<'_>,
    target: &Target<'_>,
    field: &str,
    entries: &[String],
) -> Result<Vec<(String, Resource)>, Error> {
    let file = target.file;
    let (mut inline, mut named) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for (i, entry) in entries.iter().enumerate() {
        let place = format!("{field}/{i}");
        let mut found = Accumulator::new(&loader.meter);
        let is_inline = entry.contains('\n') || entry.trim_start().starts_with('{');
        if is_inline {
            let parsed = crate::load::resources_of("the entry", entry.as_bytes(), &loader.meter);
            let mut parsed = parsed.map_err(|e| file.place(&place, e))?;
            if let Some(path) = target.shown_file() {
                parsed.iter_mut().for_each(|r| Origin::of_file(&path).annotate(r));
            }
            found.all.append_all(parsed).map_err(|e| file.place(&place, e))?;
        } else {
            resource(loader, target, entry, &mut found).map_err(|e| file.place(&place, e))?;
        }
        for config in found.all.into_list() {
            let id = config.id();
            if !seen.insert(id.clone()) {
                return Err(file.error(&place, Reason::Invalid(format!("{id} is there twice"))));
            }
            let list = if is_inline { &mut inline } else { &mut named };
            list.push((place.clone(), config));
        }
    }
    inline.append(&mut named);
    Ok(inline)
}

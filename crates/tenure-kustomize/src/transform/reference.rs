//! Names of objects inside other objects, brought up to date after renaming.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::rc::Rc;

use serde_json::Value;

use super::field::{Create, kind, visit_object};
use crate::config::NameReference;
use crate::id::{Gvk, ResId, effective};
use crate::meter::Meter;
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::{Error, object};

/// An id of an object that others may refer to. Objects share what they have in common: there are as many
/// of these as objects, all at once.
struct Known {
    gvk: Rc<Gvk>,
    name: Box<str>,
    namespace: Rc<str>,
    is_cluster: bool,
}

/// What is to be known of an object that others may refer to.
struct Target {
    now: Known,
    previous: Box<[Known]>,
    /// The first effective namespace it had.
    first_namespace: Rc<str>,
    prefixes: Rc<[String]>,
    suffixes: Rc<[String]>,
}

struct Targets {
    list: Vec<Target>,
    /// Each name that an object had, as places of the object and of the name in its history; sorted by
    /// the name.
    names: Vec<(usize, usize)>,
    /// Places of the objects, by the first effective namespace that they had.
    by_namespace: HashMap<Rc<str>, Vec<usize>>,
}

/// Equal things, held once.
struct Pool<T: ?Sized>(HashSet<Rc<T>>);

impl<T: ?Sized + Eq + Hash> Pool<T> {
    fn new() -> Self {
        Self(HashSet::new())
    }

    fn share<V: Borrow<T> + Into<Rc<T>>>(&mut self, value: V) -> Rc<T> {
        if let Some(known) = self.0.get(value.borrow()) {
            return Rc::clone(known);
        }
        let new: Rc<T> = value.into();
        self.0.insert(Rc::clone(&new));
        new
    }
}

struct Pools {
    kinds: Pool<Gvk>,
    namespaces: Pool<str>,
    affixes: Pool<[String]>,
}

impl Pools {
    fn id(&mut self, id: ResId) -> Known {
        Known {
            gvk: self.kinds.share(id.gvk),
            name: id.name.into_boxed_str(),
            namespace: self.namespaces.share(id.namespace),
            is_cluster: id.is_cluster,
        }
    }
}

impl Known {
    fn effective_namespace(&self) -> &str {
        effective(&self.namespace, self.is_cluster)
    }

    fn same_namespace(&self, other: &ResId) -> bool {
        self.effective_namespace() == other.effective_namespace()
    }

    fn shown(&self) -> String {
        let id = ResId {
            gvk: Gvk::clone(&self.gvk),
            name: self.name.to_string(),
            namespace: self.namespace.to_string(),
            is_cluster: self.is_cluster,
        };
        id.to_string()
    }
}

impl Targets {
    fn new(all: &ResMap) -> Self {
        let mut pools = Pools {
            kinds: Pool::new(),
            namespaces: Pool::new(),
            affixes: Pool::new(),
        };
        let mut names = Vec::new();
        let mut by_namespace: HashMap<Rc<str>, Vec<usize>> = HashMap::new();
        let mut list = Vec::with_capacity(all.len());
        for (at, resource) in all.iter().enumerate() {
            let now = resource.id();
            let previous: Box<[Known]> = resource.previous_ids().map(|id| pools.id(id)).collect();
            let first = previous.first().map(Known::effective_namespace);
            let first = first.unwrap_or_else(|| now.effective_namespace()).to_owned();
            let first_namespace = pools.namespaces.share(first);
            by_namespace
                .entry(Rc::clone(&first_namespace))
                .or_default()
                .push(at);
            names.extend((0..previous.len()).map(|nth| (at, nth)));
            list.push(Target {
                now: pools.id(now),
                previous,
                first_namespace,
                prefixes: pools.affixes.share(resource.prefixes.clone()),
                suffixes: pools.affixes.share(resource.suffixes.clone()),
            });
        }
        let mut targets = Self {
            list,
            names: Vec::new(),
            by_namespace,
        };
        names.sort_by(|a, b| targets.name(*a).cmp(targets.name(*b)));
        targets.names = names;
        targets
    }

    fn name(&self, (at, nth): (usize, usize)) -> &str {
        let known = self.list.get(at).and_then(|target| target.previous.get(nth));
        known.map_or("", |known| &known.name)
    }

    /// The objects that had a name, in order.
    fn called(&self, name: &str) -> impl Iterator<Item = &Target> {
        let from = self.names.partition_point(|known| self.name(*known) < name);
        let there = self.names.get(from..).unwrap_or_default();
        let mut last = None;
        there
            .iter()
            .take_while(move |known| self.name(**known) == name)
            // It may have had the name more than once.
            .filter_map(move |(at, _)| (last.replace(*at) != Some(*at)).then_some(*at))
            .filter_map(|at| self.list.get(at))
    }
}

/// The object that refers to others, and the kind that the field at hand refers to.
struct Referrer {
    id: ResId,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
    /// Namespaces of a binding's ServiceAccounts.
    subjects: Vec<String>,
    /// What a binding binds, by group and kind.
    role: Option<Gvk>,
}

impl Referrer {
    fn of(resource: &Resource) -> Result<Self, Error> {
        Ok(Self {
            id: resource.id(),
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
            subjects: subjects(resource)?,
            role: role(resource),
        })
    }
}

/// Updates every reference that the configuration knows of.
pub(crate) fn run(all: &mut ResMap, references: &[NameReference]) -> Result<(), Error> {
    let targets = Targets::new(all);
    let meter = all.meter();
    for mut resource in all.iter_mut() {
        meter.check()?;
        update(&mut resource, references, &targets, &meter)?;
    }
    Ok(())
}

fn update(
    resource: &mut Resource,
    references: &[NameReference],
    targets: &Targets,
    meter: &Meter,
) -> Result<(), Error> {
    let first = resource.original_id().gvk;
    let mut referrer = None;
    for reference in references {
        for spec in reference.referrers.iter().filter(|s| s.selects(&first)) {
            let who = match &referrer {
                Some(who) => who,
                None => referrer.insert(Referrer::of(resource)?),
            };
            if targets.names.is_empty() {
                return Ok(());
            }
            let search = Search {
                who,
                role: who.role.as_ref().filter(|_| spec.path.ends_with("roleRef/name")),
                reference,
                targets,
                meter,
            };
            visit_object(&mut resource.value, spec, Create::Nothing, meter, &mut |node| {
                search.set(node)
            })
            .map_err(|e| e.about(format_args!("the name in {} of {}", spec.path, who.id)))?;
        }
    }
    Ok(())
}

/// The namespaces of a binding's ServiceAccounts, which it may refer to.
fn subjects(resource: &Resource) -> Result<Vec<String>, Error> {
    if resource.kind() != "RoleBinding" {
        return Ok(Vec::new());
    }
    let subjects = resource.value.part(&["subjects"]);
    let list = subjects.as_deref().and_then(Value::as_array);
    let accounts = list
        .into_iter()
        .flatten()
        .filter(|s| object::text(s, &["kind"]) == Some("ServiceAccount"));
    accounts
        .filter_map(|s| s.get("namespace"))
        .map(|namespace| match namespace.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(Error::invalid(format!(
                "{}: the namespace of a subject is blank",
                resource.id()
            ))),
        })
        .collect()
}

fn role(resource: &Resource) -> Option<Gvk> {
    let role = resource.value.part(&["roleRef"])?;
    let text = |field: &str| role.get(field).and_then(object::scalar);
    Some(Gvk {
        group: text("apiGroup")?,
        version: String::new(),
        kind: text("kind")?,
    })
}

struct Search<'a> {
    who: &'a Referrer,
    /// What it binds, if the field at hand names that.
    role: Option<&'a Gvk>,
    reference: &'a NameReference,
    targets: &'a Targets,
    meter: &'a Meter,
}

impl Search<'_> {
    fn set(&self, node: &mut Value) -> Result<(), Error> {
        match node {
            Value::Array(items) => items.iter_mut().filter(|i| !i.is_null()).try_for_each(|item| {
                if item.is_array() {
                    return Err(Error::invalid(
                        "expected names or mappings in the list, not a list",
                    ));
                }
                self.set(item)
            }),
            Value::Object(map) => {
                let Some(name) = map.get("name").and_then(object::scalar) else {
                    return Err(Error::invalid("the mapping has no name"));
                };
                let namespace = map
                    .get("namespace")
                    .map(|n| object::scalar(n).unwrap_or_default());
                let Some(found) = self.find(&name, namespace.as_deref(), true)? else {
                    return Ok(());
                };
                self.meter
                    .grow(name.len(), found.now.name.len() + found.now.namespace.len())?;
                map.insert("name".into(), Value::from(&*found.now.name));
                if !found.now.namespace.is_empty() {
                    map.insert("namespace".into(), Value::from(&*found.now.namespace));
                }
                Ok(())
            }
            Value::Null => Ok(()),
            scalar => {
                let Some(name) = object::scalar(scalar) else {
                    return Err(Error::invalid(format!("expected a name, not {}", kind(scalar))));
                };
                if let Some(found) = self.find(&name, None, false)? {
                    self.meter.grow(name.len(), found.now.name.len())?;
                    object::reset(scalar, &found.now.name);
                }
                Ok(())
            }
        }
    }

    /// The object that was called `name`, if the reference means one of this build.
    fn find(&self, name: &str, namespace: Option<&str>, whole: bool) -> Result<Option<&Target>, Error> {
        let mut found: Vec<&Target> = Vec::new();
        for target in self.targets.called(name) {
            self.meter.step()?;
            if self.is_of_kind(target) && self.may_refer(target) && self.is_beside(target) {
                found.push(target);
            }
        }
        if let Some(namespace) = namespace {
            self.meter.check()?;
            self.narrow(&mut found, namespace);
        }
        if found.len() > 1 {
            found.retain(|t| self.same_context(t, true));
        }
        if found.len() > 1 {
            found.retain(|t| self.same_context(t, false));
        }
        let same = |a: &Target, b: &Target| {
            a.now.name == b.now.name && (!whole || a.now.namespace == b.now.namespace)
        };
        match found.as_slice() {
            [] => Ok(None),
            [first, rest @ ..] if rest.iter().all(|t| same(t, first)) => Ok(Some(first)),
            several => Err(Error::invalid(format!(
                "{name:?} could be any of {}",
                several
                    .iter()
                    .map(|t| t.now.shown())
                    .collect::<Vec<_>>()
                    .join(", ")
            ))),
        }
    }

    fn is_of_kind(&self, target: &Target) -> bool {
        let NameReference {
            group, version, kind, ..
        } = self.reference;
        let had = |group: &str, version: &str, kind: &str| {
            target
                .previous
                .iter()
                .any(|id| id.gvk.is_selected(group, version, kind))
        };
        had(group, version, kind)
            && self
                .role
                .is_none_or(|role| had(&role.group, &role.version, &role.kind))
    }

    /// Objects of another namespace are out of reach, but for those that a binding names.
    fn may_refer(&self, target: &Target) -> bool {
        self.who.id.is_cluster
            || target.now.is_cluster
            || target.now.same_namespace(&self.who.id)
            || self.who.subjects.iter().any(|s| **s == *target.now.namespace)
    }

    fn is_beside(&self, target: &Target) -> bool {
        self.who.id.is_cluster
            || target.now.is_cluster
            || target.now.gvk.kind == "ServiceAccount"
            || target.now.same_namespace(&self.who.id)
    }

    /// Keeps those that were in the namespace first, or if nothing at all was, those that are now.
    fn narrow(&self, found: &mut Vec<&Target>, namespace: &str) {
        let namespaced = |t: &&Target| !t.now.is_cluster;
        let there = self.targets.by_namespace.get(namespace).into_iter().flatten();
        let mut there = there.filter_map(|at| self.targets.list.get(*at));
        if there.any(|t| namespaced(&t) && self.may_refer(t)) {
            found.retain(|t| namespaced(t) && *t.first_namespace == *namespace);
        } else {
            found.retain(|t| namespaced(t) && t.now.effective_namespace() == namespace);
        }
    }

    /// Whether the same kustomizations renamed both: the shorter history ends the longer one.
    fn same_context(&self, target: &Target, empty_fits: bool) -> bool {
        let fits = |a: &[String], b: &[String]| {
            if a.is_empty() || b.is_empty() {
                return empty_fits || a.len() == b.len();
            }
            a.iter().rev().zip(b.iter().rev()).all(|(x, y)| x == y)
        };
        fits(&self.who.prefixes, &target.prefixes) && fits(&self.who.suffixes, &target.suffixes)
    }
}

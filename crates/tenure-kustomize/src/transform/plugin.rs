//! Objects under `generators`, `transformers` and `validators`: the built-in ones. Whatever would
//! run a program is refused.

use serde_json::{Map, Value, json};

use super::annotation::Annotation;
use super::generate::generate;
use super::hash::Hash;
use super::image::Images;
use super::label::Label;
use super::name::{Affix, End};
use super::namespace::{Namespace, Subjects};
use super::patch::{AnyPatch, Json6902, StrategicMerge};
use super::replacement::Replacements;
use super::replica::Replicas;
use super::value_add::ValueAdd;
use super::{Context, Transform};
use crate::config::FieldSpec;
use crate::decode::{list, member, one};
use crate::file::{Generator, Patch};
use crate::resource::Resource;
use crate::{Error, object};

type Made = Vec<Box<dyn Transform>>;

/// The transformer that an object configures.
pub(crate) fn transformer(context: &mut Context<'_, '_>, config: &Resource) -> Result<Made, Error> {
    is_built_in(config)?;
    let value = &*config.value.view();
    let specs = || list::<FieldSpec>(member(value, "fieldSpecs"));
    let pairs = |field: &str| {
        let map = member(value, field).as_object().into_iter().flatten();
        let mut pairs = map
            .map(|(key, value)| match object::scalar(value) {
                Some(text) => Ok((key.clone(), text)),
                None => Err(Error::invalid(format!("the value of {key:?} must be a string"))),
            })
            .collect::<Result<Vec<_>, _>>()?;
        pairs.sort();
        Ok::<_, Error>(pairs)
    };
    let made: Box<dyn Transform> = match config.kind() {
        "AnnotationsTransformer" => Box::new(Annotation {
            pairs: pairs("annotations")?,
            specs: specs()?,
        }),
        "LabelTransformer" => Box::new(Label {
            pairs: pairs("labels")?,
            specs: specs()?,
        }),
        "ImageTagTransformer" => Box::new(Images {
            image: one(member(value, "imageTag"))?,
            specs: specs()?,
        }),
        "NamespaceTransformer" => Box::new(namespace(value, specs()?)?),
        "PrefixTransformer" => Box::new(affix(value, End::Prefix)?),
        "SuffixTransformer" => Box::new(affix(value, End::Suffix)?),
        "PrefixSuffixTransformer" => {
            return Ok(vec![
                Box::new(affix(value, End::Prefix)?),
                Box::new(affix(value, End::Suffix)?),
            ]);
        }
        "ReplicaCountTransformer" => Box::new(Replicas {
            replica: one(member(value, "replica"))?,
            specs: specs()?,
        }),
        "PatchTransformer" => Box::new(AnyPatch::read(context, &patch(value, "patch")?)?),
        "PatchJson6902Transformer" => Box::new(Json6902::read(context, &patch(value, "jsonOp")?)?),
        "PatchStrategicMergeTransformer" => {
            let paths: Vec<String> = list(member(value, "paths"))?;
            let inline: String = one(member(value, "patches"))?;
            Box::new(StrategicMerge::read(context, &paths, &inline)?)
        }
        "ReplacementTransformer" => Box::new(Replacements::read(
            context,
            &list(member(value, "replacements"))?,
        )?),
        "ValueAddTransformer" => Box::new(ValueAdd::read(context, value)?),
        "HashTransformer" => Box::new(Hash),
        other => {
            return Err(Error::invalid(format!(
                "there is no built-in transformer {other}"
            )));
        }
    };
    Ok(vec![made])
}

/// What the generator makes that an object configures.
pub(crate) fn generator(context: &mut Context<'_, '_>, config: &Resource) -> Result<Resource, Error> {
    is_built_in(config)?;
    let kind = match config.kind() {
        "ConfigMapGenerator" => "ConfigMap",
        "SecretGenerator" => "Secret",
        "IAMPolicyGenerator" => return iam_policy(config),
        other => return Err(Error::invalid(format!("there is no built-in generator {other}"))),
    };
    let fields = [
        "name",
        "namespace",
        "behavior",
        "type",
        "literals",
        "files",
        "envs",
        "env",
        "options",
    ];
    let value = config.value.view();
    let known: Map<String, Value> = fields
        .iter()
        .map(|field| ((*field).to_owned(), member(&value, field).clone()))
        .filter(|(_, value)| !value.is_null())
        .collect();
    let mut generator: Generator = one(&Value::Object(known))?;
    if generator.name.is_empty() {
        config.name().clone_into(&mut generator.name);
    }
    if generator.namespace.as_deref().unwrap_or_default().is_empty() {
        generator.namespace = Some(config.namespace().to_owned());
    }
    generate(context.loader, context.dir, kind, &generator, None)
}

fn is_built_in(config: &Resource) -> Result<(), Error> {
    if config.api_version() == "builtin" {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{} is refused: only generators and transformers of apiVersion \"builtin\" run here, since others are programs",
        config.id()
    )))
}

fn namespace(value: &Value, specs: Vec<FieldSpec>) -> Result<Namespace, Error> {
    let mode: String = one(member(value, "setRoleBindingSubjects"))?;
    Ok(Namespace {
        name: object::text(value, &["metadata", "namespace"])
            .unwrap_or_default()
            .to_owned(),
        specs,
        unset_only: one(member(value, "unsetOnly"))?,
        subjects: match mode.as_str() {
            "" | "defaultOnly" => Subjects::Default,
            "allServiceAccounts" => Subjects::All,
            "none" => Subjects::None,
            other => {
                return Err(Error::invalid(format!(
                    "setRoleBindingSubjects is {other:?} and must be defaultOnly, allServiceAccounts or none"
                )));
            }
        },
    })
}

fn affix(value: &Value, end: End) -> Result<Affix, Error> {
    let field = if end == End::Prefix { "prefix" } else { "suffix" };
    let specs = member(value, "fieldSpecs");
    if specs.is_null() {
        return Err(Error::invalid("fieldSpecs is missing"));
    }
    Ok(Affix {
        end,
        text: object::scalar(member(value, field)).unwrap_or_default(),
        specs: list(specs)?,
    })
}

fn patch(value: &Value, inline: &str) -> Result<Patch, Error> {
    Ok(Patch {
        path: one(member(value, "path"))?,
        patch: one(member(value, inline))?,
        target: one(member(value, "target"))?,
        options: one(member(value, "options"))?,
    })
}

/// A ServiceAccount that Google's cloud takes for one of its own.
fn iam_policy(config: &Resource) -> Result<Resource, Error> {
    let text = |path: &[&str]| config.value.text(path).unwrap_or_default().to_owned();
    if text(&["cloud"]) != "gke" {
        return Err(Error::invalid(format!(
            "the cloud {:?} is not gke",
            text(&["cloud"])
        )));
    }
    let account = format!(
        "{}@{}.iam.gserviceaccount.com",
        text(&["serviceAccount", "name"]),
        text(&["serviceAccount", "projectId"])
    );
    let mut value = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {
            "annotations": {"iam.gke.io/gcp-service-account": account},
            "name": text(&["kubernetesService", "name"]),
        },
    });
    let namespace = text(&["kubernetesService", "namespace"]);
    if !namespace.is_empty() {
        value["metadata"]["namespace"] = Value::from(namespace);
    }
    Ok(Resource::new(value, format!("{}", config.id())))
}

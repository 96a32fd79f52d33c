//! The fields of a kustomization file as transformers, in kustomize's order.

use std::rc::Rc;

use super::annotation::Annotation;
use super::image::Images;
use super::label::Label;
use super::name::{Affix, End};
use super::namespace::{Namespace, Subjects};
use super::patch::{AnyPatch, Json6902, StrategicMerge};
use super::replacement::Replacements;
use super::replica::Replicas;
use super::{Context, Step, Transform};
use crate::Error;
use crate::config::{Config, FieldSpec, merge_all, merge_one};
use crate::file::{KustFile, Labels};
use crate::meter::Meter;
use crate::origin::Origin;

/// About the bytes that a step takes beside what it reads, most of them for field specifications.
const STEP: usize = 8 << 10;

/// Collects steps, each with the field that asks for it.
struct Steps<'a> {
    file: &'a KustFile,
    /// The path of the file as annotations show it, if anybody wants it.
    shown: Option<&'a str>,
    meter: Rc<Meter>,
    list: Vec<Step>,
}

impl Steps<'_> {
    fn add<T: Transform + 'static>(
        &mut self,
        kind: &str,
        field: String,
        made: Result<T, Error>,
    ) -> Result<(), Error> {
        self.meter.take(STEP).map_err(|e| self.file.place(&field, e))?;
        let transform = Box::new(made.map_err(|e| self.file.place(&field, e))?);
        let origin = self.shown.map(|path| Origin::built_in(path, kind));
        self.list.push(Step {
            transform,
            origin,
            field,
        });
        Ok(())
    }
}

/// The transformers that the fields of `file` ask for.
pub(crate) fn built_in(
    context: &mut Context<'_, '_>,
    file: &KustFile,
    config: &Config,
    shown: Option<&str>,
) -> Result<Vec<Step>, Error> {
    let mut steps = Steps {
        file,
        shown,
        meter: Rc::clone(&context.loader.meter),
        list: Vec::new(),
    };
    if !file.patches_strategic_merge.is_empty() {
        let made = StrategicMerge::read(context, &file.patches_strategic_merge, "");
        steps.add(
            "PatchStrategicMergeTransformer",
            "patchesStrategicMerge".into(),
            made,
        )?;
    }
    for (i, patch) in file.patches.iter().enumerate() {
        let made = AnyPatch::read(context, patch);
        steps.add("PatchTransformer", format!("patches/{i}"), made)?;
    }
    names(&mut steps, config)?;
    labels(&mut steps, config)?;
    if !file.common_annotations.is_empty() {
        let made = Annotation {
            pairs: file.common_annotations.pairs(),
            specs: config.list("commonAnnotations").to_vec(),
        };
        steps.add("AnnotationsTransformer", "commonAnnotations".into(), Ok(made))?;
    }
    for (i, patch) in file.patches_json6902.iter().enumerate() {
        let made = Json6902::read(context, patch);
        steps.add("PatchJson6902Transformer", format!("patchesJson6902/{i}"), made)?;
    }
    for (i, replica) in file.replicas.iter().enumerate() {
        let made = Replicas {
            replica: replica.clone(),
            specs: config.list("replicas").to_vec(),
        };
        steps.add("ReplicaCountTransformer", format!("replicas/{i}"), Ok(made))?;
    }
    for (i, image) in file.images.iter().enumerate() {
        let made = Images {
            image: image.clone(),
            specs: config.list("images").to_vec(),
        };
        steps.add("ImageTagTransformer", format!("images/{i}"), Ok(made))?;
    }
    if !file.replacements.is_empty() {
        let made = Replacements::read(context, &file.replacements);
        steps.add("ReplacementTransformer", "replacements".into(), made)?;
    }
    Ok(steps.list)
}

fn names(steps: &mut Steps<'_>, config: &Config) -> Result<(), Error> {
    let file = steps.file;
    if !file.namespace.is_empty() {
        let made = Namespace {
            name: file.namespace.clone(),
            specs: config.list("namespace").to_vec(),
            unset_only: false,
            subjects: Subjects::default(),
        };
        steps.add("NamespaceTransformer", "namespace".into(), Ok(made))?;
    }
    let affixes = [
        (End::Prefix, "PrefixTransformer", "namePrefix", &file.name_prefix),
        (End::Suffix, "SuffixTransformer", "nameSuffix", &file.name_suffix),
    ];
    for (end, kind, field, text) in affixes {
        if !text.is_empty() {
            let made = Affix {
                end,
                text: text.clone(),
                specs: config.list(field).to_vec(),
            };
            steps.add(kind, field.into(), Ok(made))?;
        }
    }
    Ok(())
}

fn labels(steps: &mut Steps<'_>, config: &Config) -> Result<(), Error> {
    let file = steps.file;
    if file.labels.is_empty() && file.common_labels.is_empty() {
        return Ok(());
    }
    for (i, labels) in file.labels.iter().enumerate() {
        let made = label_specs(labels, config).map(|specs| Label {
            pairs: labels.pairs.pairs(),
            specs,
        });
        steps.add("LabelTransformer", format!("labels/{i}"), made)?;
    }
    let made = Label {
        pairs: file.common_labels.pairs(),
        specs: config.list("commonLabels").to_vec(),
    };
    steps.add("LabelTransformer", "commonLabels".into(), Ok(made))
}

fn label_specs(labels: &Labels, config: &Config) -> Result<Vec<FieldSpec>, Error> {
    let mut specs = labels.fields.clone();
    merge_all(&mut specs, config.list("labels"))?;
    if labels.include_selectors {
        merge_all(&mut specs, config.list("commonLabels"))?;
        return Ok(specs);
    }
    if labels.include_templates {
        merge_all(&mut specs, config.list("templateLabels"))?;
    }
    merge_one(&mut specs, FieldSpec::at("metadata/labels", true))?;
    Ok(specs)
}

//! Changing manifests with the kustomize engine, which is the only post-renderer there is: no program is run.

use std::fs;

use serde_json::Value;
use tenure_helm::{PostRenderer, Strategy};
use tenure_kustomize::Budget;
use tenure_kustomize::flux::PostRender;

use super::HelmError;
use super::args::{Args, PostRenderStrategy};

/// What the files say is to be done, one after the other.
pub(super) struct PostRenderers {
    steps: Vec<PostRender>,
    pub(super) strategy: Strategy,
}

impl PostRenderers {
    /// Of the flags; nothing if they ask for none.
    pub(super) fn of(args: &Args) -> Result<Option<Self>, HelmError> {
        let Some(name) = &args.post_renderer else {
            if args.post_renderer_args.is_empty() {
                return Ok(None);
            }
            return Err(HelmError::new("--post-renderer-args is for --post-renderer"));
        };
        if name != "kustomize" {
            return Err(HelmError(format!(
                "--post-renderer {name} is refused: rendering runs no program; kustomize is built in"
            )));
        }
        let mut steps = Vec::new();
        for path in &args.post_renderer_args {
            let failed = |error: &dyn std::fmt::Display| HelmError(format!("failed to read {path}: {error}"));
            let text = fs::read(path).map_err(|error| failed(&error))?;
            let file = tenure_yaml::parse_one(&text, &tenure_yaml::Options::kustomize())
                .map_err(|error| failed(&error))?;
            steps.extend(read(&file).map_err(|error| failed(&error))?);
        }
        if steps.is_empty() {
            return Err(HelmError::new(
                "--post-renderer kustomize needs --post-renderer-args: a file with patches and images",
            ));
        }
        Ok(Some(Self {
            steps,
            strategy: match args.post_renderer_strategy {
                PostRenderStrategy::Combined => Strategy::Combined,
                PostRenderStrategy::Separate => Strategy::Separate,
                PostRenderStrategy::Nohooks => Strategy::NoHooks,
            },
        }))
    }
}

/// Either a HelmRelease's list of post-renderers, or one mapping of patches and images.
fn read(file: &Value) -> Result<Vec<PostRender>, String> {
    let step = |spec: &Value| {
        let members = spec.as_object().ok_or("expected a mapping")?;
        let known = ["patches", "images", "patchesStrategicMerge", "patchesJson6902"];
        let mut others = members.keys().filter(|key| !known.contains(&key.as_str()));
        if let Some(other) = others.find(|key| !matches!(key.as_str(), "apiVersion" | "kind")) {
            return Err(format!("the field {other} is not for post-renderers"));
        }
        PostRender::from_spec(spec).map_err(|error| error.to_string())
    };
    match file {
        Value::Array(list) => list
            .iter()
            .map(|entry| step(entry.get("kustomize").ok_or("expected a list of kustomize")?))
            .collect(),
        one => Ok(vec![step(one)?]),
    }
}

impl PostRenderer for PostRenderers {
    fn run(&self, objects: Vec<Value>) -> Result<Vec<Value>, String> {
        self.steps.iter().try_fold(objects, |objects, step| {
            step.run(&objects, Budget::default())
                .map_err(|error| error.to_string())
        })
    }
}

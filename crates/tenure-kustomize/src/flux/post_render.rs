use serde_json::Value;

use super::{Overlay, build_within};
use crate::{Budget, Error, Image, MemFs, Patch};

/// What a HelmRelease's `spec.postRenderers[].kustomize` changes in the objects of a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostRender {
    /// The patches, in order.
    pub patches: Vec<Patch>,
    /// The images to replace.
    pub images: Vec<Image>,
}

impl PostRender {
    /// Of the object below `kustomize`, `patchesStrategicMerge` and `patchesJson6902` of older versions
    /// included; other fields are left out.
    ///
    /// # Errors
    /// When a field is of another type.
    pub fn from_spec(spec: &Value) -> Result<Self, serde_json::Error> {
        const FIELDS: [&str; 4] = ["patches", "images", "patchesStrategicMerge", "patchesJson6902"];
        let known = FIELDS.iter().filter_map(|field| {
            let value = spec.get(field).filter(|value| !value.is_null())?;
            Some(((*field).to_owned(), value.clone()))
        });
        let Overlay { patches, images, .. } = Overlay::from_spec(&Value::Object(known.collect()))?;
        Ok(Self { patches, images })
    }

    /// The objects as they shall be, in the order that they came in.
    ///
    /// # Errors
    /// As [`super::build`]: what is no object, two objects of one name, a patch without its target.
    pub fn run(&self, objects: &[Value], budget: Budget) -> Result<Vec<Value>, Error> {
        const INPUT: &str = "helm-output.yaml";
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let documents: Vec<_> = objects.iter().map(tenure_yaml::to_string).collect();
        let files = MemFs::new([
            (INPUT, documents.join("---\n")),
            ("kustomization.yaml", format!("resources: [{INPUT}]\n")),
        ]);
        let overlay = Overlay {
            patches: self.patches.clone(),
            images: self.images.clone(),
            ..Overlay::default()
        };
        Ok(build_within(&files, ".", &overlay, budget)?.objects.into_vec())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn objects() -> Vec<Value> {
        let container = json!({"name": "main", "image": "registry.example.org/app:v1"});
        vec![
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"},
                "spec": {"template": {"spec": {"containers": [container]}}},
            }),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app"}, "data": {"a": "1"}}),
        ]
    }

    #[test]
    fn patches_and_images_change_what_a_chart_gives() {
        let spec = json!({
            "patches": [{"target": {"kind": "ConfigMap"}, "patch": "- {op: add, path: /data/b, value: '2'}"}],
            "patchesStrategicMerge": [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"}, "spec": {"replicas": 3}}],
            "images": [{"name": "registry.example.org/app", "newTag": "v2"}],
        });
        let done = PostRender::from_spec(&spec)
            .expect("a spec")
            .run(&objects(), Budget::default())
            .expect("runs");
        assert_eq!(done[0]["spec"]["replicas"], 3);
        assert_eq!(
            done[0]["spec"]["template"]["spec"]["containers"][0]["image"],
            "registry.example.org/app:v2"
        );
        assert_eq!(done[1]["data"], json!({"a": "1", "b": "2"}));
    }

    #[test]
    fn nothing_comes_of_nothing_and_a_patch_needs_its_target() {
        assert_eq!(
            PostRender::default().run(&[], Budget::default()).expect("runs"),
            Vec::<Value>::new()
        );
        let patch = "{apiVersion: v1, kind: ConfigMap, metadata: {name: gone}}";
        let spec = json!({"patches": [{"patch": patch}]});
        let error = PostRender::from_spec(&spec)
            .expect("a spec")
            .run(&objects(), Budget::default());
        assert!(error.is_err());
        assert!(PostRender::from_spec(&json!({"patches": 1})).is_err());
    }
}

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{Fields, TypeError};
use super::dependency::Dependency;
use crate::version;

/// Someone who looks after a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maintainer {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// A page.
    pub url: String,
}

/// What `Chart.yaml` says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// The chart's name; an alias, where it is used under one.
    pub name: String,
    /// The project's page.
    pub home: String,
    /// Where the sources are.
    pub sources: Vec<String>,
    /// The chart's version.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// Who looks after it.
    pub maintainers: Vec<Maintainer>,
    /// A picture.
    pub icon: String,
    /// `v1` or `v2`.
    pub api_version: String,
    /// Not used by Helm any more.
    pub condition: String,
    /// Not used by Helm any more.
    pub tags: String,
    /// The version of what the chart installs.
    pub app_version: String,
    /// Whether it should not be used any more.
    pub deprecated: bool,
    /// Free data; nothing if there is none.
    pub annotations: Option<BTreeMap<String, String>>,
    /// The versions of Kubernetes it is made for.
    pub kube_version: String,
    /// What it depends on; nothing if the file does not speak of it, which is not the same as none.
    pub dependencies: Option<Vec<Dependency>>,
    /// `application`, `library` or empty.
    pub kind: String,
}

impl Metadata {
    /// Whether the chart only lends its templates to others.
    #[must_use]
    pub fn is_library(&self) -> bool {
        self.kind.eq_ignore_ascii_case("library")
    }
}

/// Metadata that is still being read, from one file or two.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    metadata: Metadata,
    empty_maintainer: bool,
    empty_dependency: bool,
}

impl Draft {
    /// Whether it is of the first version, which is also meant where none is given.
    pub(crate) fn is_v1(&self) -> bool {
        matches!(self.metadata.api_version.as_str(), "" | "v1")
    }

    /// Lays a file on what is there.
    pub(crate) fn read(&mut self, value: &Value) -> Result<(), TypeError> {
        let Some(fields) = Fields::of(value, "v2.Metadata")? else {
            return Ok(());
        };
        let metadata = &mut self.metadata;
        fields.text("name", &mut metadata.name)?;
        fields.text("home", &mut metadata.home)?;
        fields.texts("sources", &mut metadata.sources)?;
        fields.text("version", &mut metadata.version)?;
        fields.text("description", &mut metadata.description)?;
        fields.texts("keywords", &mut metadata.keywords)?;
        fields.text("icon", &mut metadata.icon)?;
        fields.text("apiVersion", &mut metadata.api_version)?;
        fields.text("condition", &mut metadata.condition)?;
        fields.text("tags", &mut metadata.tags)?;
        fields.text("appVersion", &mut metadata.app_version)?;
        fields.boolean("deprecated", &mut metadata.deprecated)?;
        fields.text_map("annotations", &mut metadata.annotations)?;
        fields.text("kubeVersion", &mut metadata.kube_version)?;
        fields.text("type", &mut metadata.kind)?;
        if let Some(items) = fields.list("maintainers", "[]*v2.Maintainer")? {
            metadata.maintainers.clear();
            for item in items {
                match fields.inner("maintainers", item, "v2.Maintainer")? {
                    Some(inner) => metadata.maintainers.push(maintainer(&inner)?),
                    None => self.empty_maintainer = true,
                }
            }
        }
        if let Some(items) = fields.list("dependencies", "[]*v2.Dependency")? {
            let dependencies = metadata.dependencies.get_or_insert_default();
            dependencies.clear();
            for item in items {
                match fields.inner("dependencies", item, "v2.Dependency")? {
                    Some(inner) => dependencies.push(Dependency::read(&inner)?),
                    None => self.empty_dependency = true,
                }
            }
        }
        Ok(())
    }

    /// The metadata, cleaned and checked as Helm does; the error is Helm's text.
    pub(crate) fn finish(self) -> Result<Metadata, String> {
        let mut metadata = self.metadata;
        if metadata.api_version.is_empty() {
            metadata.api_version = "v1".to_owned();
        }
        metadata.clean();
        metadata.check()?;
        if self.empty_maintainer {
            return Err("maintainers must not contain empty or null nodes".to_owned());
        }
        if self.empty_dependency {
            return Err("dependencies must not contain empty or null nodes".to_owned());
        }
        let mut names: Vec<String> = Vec::new();
        for dependency in metadata.dependencies.iter_mut().flatten() {
            dependency.validate()?;
            let key = dependency.local_name();
            if names.iter().any(|name| name == key) {
                return Err(format!("more than one dependency with name or alias {key:?}"));
            }
            names.push(key.to_owned());
        }
        Ok(metadata)
    }
}

impl Metadata {
    fn clean(&mut self) {
        let texts = [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ];
        texts
            .into_iter()
            .chain(&mut self.sources)
            .chain(&mut self.keywords)
            .for_each(clean);
        for maintainer in &mut self.maintainers {
            clean(&mut maintainer.name);
            clean(&mut maintainer.email);
            clean(&mut maintainer.url);
        }
    }

    fn check(&self) -> Result<(), String> {
        let name = &self.name;
        if name.is_empty() {
            return Err("chart.metadata.name is required".to_owned());
        }
        if name == "." || name == ".." {
            return Err(format!("chart.metadata.name {name:?} is not allowed"));
        }
        if name.contains('/') {
            return Err(format!("chart.metadata.name {name:?} is invalid"));
        }
        if self.version.is_empty() {
            return Err("chart.metadata.version is required".to_owned());
        }
        if !version::is_version(&self.version) {
            return Err(format!("chart.metadata.version {:?} is invalid", self.version));
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return Err("chart.metadata.type must be application or library".to_owned());
        }
        Ok(())
    }
}

fn maintainer(fields: &Fields<'_>) -> Result<Maintainer, TypeError> {
    let mut maintainer = Maintainer::default();
    fields.text("name", &mut maintainer.name)?;
    fields.text("email", &mut maintainer.email)?;
    fields.text("url", &mut maintainer.url)?;
    Ok(maintainer)
}

/// Makes every space a plain one and takes out what cannot be printed.
pub(super) fn clean(text: &mut String) {
    let printable = |c: char| {
        if c.is_ascii() {
            !c.is_ascii_control()
        } else {
            // A letter before it, so that a combining mark counts as printable.
            let pair: String = ['a', c].iter().collect();
            pair.escape_debug().count() == 2
        }
    };
    *text = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| printable(*c))
        .collect();
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Metadata, String> {
        let mut draft = Draft::default();
        draft.read(value).map_err(|e| e.to_string())?;
        draft.finish()
    }

    #[test]
    fn scalars_become_text_where_text_is_wanted() {
        let metadata = read(&json!({
            "apiVersion": "v2", "name": "c", "Version": "1.0.0", "appVersion": 1.5, "keywords": [1, true],
            "annotations": {"a": 1.0e21, "b": null}, "description": "two\nlines\u{7}"
        }))
        .expect("reads");
        assert_eq!(metadata.version, "1.0.0");
        assert_eq!(metadata.app_version, "1.5");
        assert_eq!(metadata.keywords, ["1", "true"]);
        assert_eq!(metadata.description, "two lines");
        let annotations = metadata.annotations.expect("given");
        assert_eq!(annotations["a"], "1e+21");
        assert_eq!(annotations["b"], "");
    }

    #[test]
    fn what_helm_refuses_is_refused_in_its_words() {
        let base = json!({"apiVersion": "v2", "name": "c", "version": "1"});
        for (field, value, want) in [
            (
                "name",
                json!({}),
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal object into Go struct field Metadata.name of type string",
            ),
            (
                "keywords",
                json!(5),
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal number into Go struct field Metadata.keywords of type []string",
            ),
            (
                "maintainers",
                json!(["x"]),
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go struct field Metadata.maintainers of type v2.Maintainer",
            ),
            (
                "maintainers",
                json!([null]),
                "maintainers must not contain empty or null nodes",
            ),
            ("name", json!("a/b"), "chart.metadata.name \"a/b\" is invalid"),
            (
                "version",
                json!("1.x"),
                "chart.metadata.version \"1.x\" is invalid",
            ),
            (
                "type",
                json!("other"),
                "chart.metadata.type must be application or library",
            ),
            (
                "dependencies",
                json!([{"name": "a"}, {"name": "b", "alias": "a"}]),
                "more than one dependency with name or alias \"a\"",
            ),
            (
                "dependencies",
                json!([{"name": "a", "alias": "a.b"}]),
                "dependency \"a\" has disallowed characters in the alias",
            ),
        ] {
            let mut chart = base.clone();
            chart[field] = value;
            assert_eq!(read(&chart).expect_err(field), want);
        }
    }
}

use serde_json::Value;

use super::decode::{Fields, TypeError};
use super::metadata::clean;

/// A chart that another depends on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dependency {
    /// Its name; the alias, once dependencies are worked out.
    pub name: String,
    /// Which versions will do.
    pub version: String,
    /// Where it comes from.
    pub repository: String,
    /// Paths to booleans in the values; the first that is there decides.
    pub condition: String,
    /// Groups that are switched together.
    pub tags: Vec<String>,
    /// Whether it is used.
    pub enabled: bool,
    /// What the parent takes over from its values.
    pub import_values: Vec<Value>,
    /// The name it goes by in this chart.
    pub alias: String,
}

impl Dependency {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, TypeError> {
        let mut dependency = Self::default();
        fields.text("name", &mut dependency.name)?;
        fields.text("version", &mut dependency.version)?;
        fields.text("repository", &mut dependency.repository)?;
        fields.text("condition", &mut dependency.condition)?;
        fields.texts("tags", &mut dependency.tags)?;
        fields.boolean("enabled", &mut dependency.enabled)?;
        fields.text("alias", &mut dependency.alias)?;
        if let Some(imports) = fields.list("import-values", "[]interface {}")? {
            dependency.import_values.clone_from(imports);
        }
        Ok(dependency)
    }

    /// The name by which values and templates know it.
    pub(crate) fn local_name(&self) -> &str {
        if self.alias.is_empty() {
            &self.name
        } else {
            &self.alias
        }
    }

    pub(super) fn validate(&mut self) -> Result<(), String> {
        let texts = [
            &mut self.name,
            &mut self.version,
            &mut self.repository,
            &mut self.condition,
        ];
        texts.into_iter().chain(&mut self.tags).for_each(clean);
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.alias.chars().all(fits) {
            Ok(())
        } else {
            Err(format!(
                "dependency {:?} has disallowed characters in the alias",
                self.name
            ))
        }
    }
}

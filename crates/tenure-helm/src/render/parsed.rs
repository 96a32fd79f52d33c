use std::sync::{Arc, Mutex, PoisonError};

use tenure_gotmpl::{Templates, parse_error};

use super::scope::Scopes;
use crate::chart::File;
use crate::error::Error;

/// How many sets of templates are kept: values decide which subcharts take part, under which names.
const KEPT: usize = 8;

/// What was parsed of a chart.
#[derive(Default)]
pub(super) struct Cache(Mutex<Vec<Set>>);

struct Set {
    files: Vec<(String, File)>,
    templates: Arc<Templates>,
}

impl Set {
    /// Whether these are the same files under the same names; files are told by where they are.
    fn is_of(&self, scopes: &Scopes) -> bool {
        self.files.len() == scopes.templates().len()
            && self
                .files
                .iter()
                .zip(scopes.templates())
                .all(|((path, file), template)| *path == template.path && file.is(&template.file))
    }
}

impl Cache {
    /// How many texts were parsed for the sets that are kept.
    pub(super) fn parsed(&self) -> u64 {
        let sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sets.iter().map(|set| set.templates.parsed()).sum()
    }

    /// The templates of these scopes, parsed now unless they were before.
    pub(super) fn get(&self, scopes: &Scopes) -> Result<Arc<Templates>, Error> {
        if let Some(templates) = self.find(scopes) {
            return Ok(templates);
        }
        let mut templates = Templates::new();
        for template in scopes.templates() {
            templates
                .parse(&template.path, template.file.shared())
                .map_err(|error| Error::Template(parse_error(&template.path, &error)))?;
        }
        let templates = Arc::new(templates);
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sets.truncate(KEPT - 1);
        let files = scopes
            .templates()
            .iter()
            .map(|t| (t.path.clone(), t.file.clone()));
        sets.insert(
            0,
            Set {
                files: files.collect(),
                templates: Arc::clone(&templates),
            },
        );
        Ok(templates)
    }

    fn find(&self, scopes: &Scopes) -> Option<Arc<Templates>> {
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = sets.iter().position(|set| set.is_of(scopes))?;
        sets.get_mut(..=at)?.rotate_right(1);
        sets.first().map(|set| Arc::clone(&set.templates))
    }
}

use serde::Serialize;

/// One PolicyRule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// API groups; the empty one is core.
    pub api_groups: Vec<String>,
    /// Resources, and subresources after a slash.
    pub resources: Vec<String>,
    /// The only objects that it is for; empty means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// Verbs.
    pub verbs: Vec<String>,
}

impl Rule {
    pub(super) fn new<S: AsRef<str>>(groups: &[&str], resources: &[S], verbs: &[&str]) -> Self {
        Self {
            api_groups: owned(groups),
            resources: owned(resources),
            resource_names: Vec::new(),
            verbs: owned(verbs),
        }
    }

    pub(super) fn named<S: AsRef<str>>(mut self, names: &[S]) -> Self {
        self.resource_names = owned(names);
        self
    }
}

fn owned<S: AsRef<str>>(texts: &[S]) -> Vec<String> {
    texts.iter().map(|text| text.as_ref().to_owned()).collect()
}

//! A Tenant's `spec.kinds`, which replaces the default list and does not add to it.

use tenure_api::rights::DEFAULT_KINDS;

/// Whether a Tenant without `spec.kinds` may apply it.
pub(super) fn is_default(word: &str) -> bool {
    DEFAULT_KINDS.contains(&word)
}

/// The default list and what is needed besides.
pub(super) fn whole<'a>(beyond: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let beyond = beyond.into_iter().filter(|word| !is_default(word));
    DEFAULT_KINDS.iter().copied().chain(beyond).collect()
}

/// [`whole`], as it stands beneath `spec:`.
pub(super) fn as_yaml<'a>(beyond: impl IntoIterator<Item = &'a str>) -> String {
    format!("kinds: [{}]", whole(beyond).join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_has_the_default_list_too() {
        let yaml = as_yaml(["deployments.apps", "proxies.example.org"]);
        let read = tenure_yaml::parse(yaml.as_bytes(), &tenure_yaml::Options::helm()).expect("YAML");
        let kinds = read[0].value["kinds"].as_array().expect("a list");
        assert_eq!(kinds.len(), DEFAULT_KINDS.len() + 1);
        assert_eq!(kinds.last().and_then(|k| k.as_str()), Some("proxies.example.org"));
    }
}

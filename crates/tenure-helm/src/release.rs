//! Release names.

use tenure_gotmpl::{Environment, Limits as RunLimits, Templates, Value};

use crate::error::Error;

const RULE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const MOST: usize = 53;

/// Checks a release name.
///
/// # Errors
/// When it is empty, longer than 53 bytes or no DNS name; the text is Helm's.
pub fn check_release_name(name: &str) -> Result<(), Error> {
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = label.as_bytes();
        bytes.first().is_some_and(|b| inner(*b))
            && bytes.last().is_some_and(|b| inner(*b))
            && bytes.iter().all(|b| inner(*b) || *b == b'-')
    };
    let reason = if name.is_empty() {
        "no name provided".to_owned()
    } else if name.len() > MOST || !name.split('.').all(label) {
        format!("invalid release name, must match regex {RULE} and the length must not be longer than {MOST}")
    } else {
        return Ok(());
    };
    Err(Error::ReleaseName(format!("release name {name:?}: {reason}")))
}

/// The release name that a template of `--name-template` gives.
///
/// # Errors
/// When the template is malformed or fails.
pub fn name_from_template(text: &str, world: &dyn Environment) -> Result<String, Error> {
    let mut templates = Templates::new();
    templates
        .parse("name-template", text)
        .map_err(|error| Error::NameTemplate(error.to_string()))?;
    let mut session = templates.session(world, RunLimits::default());
    session
        .execute("name-template", &Value::Nil)
        .map(|name| name.to_str().into_owned())
        .map_err(|error| Error::NameTemplate(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::check_release_name;

    #[test]
    fn names_are_dns_names_of_at_most_53_bytes() {
        for good in ["a", "a-b.c0", &"a".repeat(53)] {
            assert!(check_release_name(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a..b", "a_b", &"a".repeat(54)] {
            assert!(check_release_name(bad).is_err(), "{bad}");
        }
    }
}

use serde_json::Value;

use crate::meter::Meter;
use crate::resource::Resource;
use crate::select::Matcher;
use crate::{Budget, Error, Selector};

/// Which of the objects a selector means, in their order: regular expressions and label selectors as in
/// the patches of a kustomization file.
///
/// # Errors
/// A pattern or a label selector that can't be read, or costs too much.
pub fn selected(objects: &[Value], selector: &Selector) -> Result<Vec<bool>, Error> {
    let meter = Meter::new(Budget::default());
    let matcher = Matcher::new(selector, &meter)?;
    let matches = |object: &Value| {
        meter.step()?;
        matcher.matches(&Resource::new(object.clone(), String::new()))
    };
    objects.iter().map(matches).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chosen(selector: &Selector) -> Vec<bool> {
        let object = |kind: &str, name: &str, label: &str| json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "a", "labels": {"tier": label}}});
        let all = [
            object("Deployment", "web", "front"),
            object("StatefulSet", "web-db", "back"),
        ];
        selected(&all, selector).expect("a selector")
    }

    #[test]
    fn a_selector_means_what_it_does_in_a_patch() {
        let of = |edit: fn(&mut Selector)| {
            let mut selector = Selector::default();
            edit(&mut selector);
            chosen(&selector)
        };
        assert_eq!(of(|_| {}), [true, true]);
        assert_eq!(of(|s| s.name = Some("web".into())), [true, false], "anchored");
        assert_eq!(
            of(|s| s.kind = Some("Deployment|StatefulSet".into())),
            [true, true]
        );
        assert_eq!(
            of(|s| s.label_selector = Some("tier in (back)".into())),
            [false, true]
        );
        assert_eq!(of(|s| s.group = Some("batch".into())), [false, false]);
    }

    #[test]
    fn a_bad_pattern_is_an_error() {
        let selector = Selector {
            name: Some("(".into()),
            ..Selector::default()
        };
        assert!(selected(&[json!({})], &selector).is_err());
    }
}

//! Regular expressions of targets, images and replacements.

use crate::{OBJECT, budget, limit, within};

#[test]
fn a_pattern_that_grows_is_refused() {
    for more in [
        "patches: [{target: {name: '(((a{100}){100}){100}){100}'}, patch: '[]'}]",
        "images: [{name: '(((a{100}){100}){100}){100}'}]",
        "replacements: [{sourceValue: x, targets: [{select: {kind: '(((a{100}){100}){100})'}}]}]",
        "replacements: [{sourceValue: x, targets: [{select: {kind: ConfigMap}, fieldPaths: ['l.[=(((a{100}){100}){100})]']}]}]",
    ] {
        let files = [
            ("kustomization.yaml", &*format!("resources: [a.yaml]\n{more}\n")),
            ("a.yaml", &format!("{OBJECT}l: [a, b]\n")),
        ];
        let error = within(budget(), &files).expect_err("too large").to_string();
        assert!(error.contains("pattern"), "{error}");
    }
}

#[test]
fn large_patterns_in_large_numbers_are_stopped() {
    let patch = "- {target: {name: '(a|b|c){2000}'}, patch: '- {op: add, path: /data/x, value: y}'}\n";
    assert!(crate::one(&format!("patches:\n{}", patch.repeat(300))).contains("limit of"));
}

#[test]
fn a_large_pattern_is_not_held_against_a_long_text() {
    let long = "x".repeat(1 << 20);
    let object = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{containers: [{{name: c, image: {long}}}]}}\n"
    );
    let file = "resources: [a.yaml]\nimages: [{name: '(x|xx|xxx|y){1,1000}', newTag: v}]\n";
    let error = limit(&[("kustomization.yaml", file), ("a.yaml", &object)]);
    assert!(error.contains("bytes of text for a pattern"), "{error}");
}

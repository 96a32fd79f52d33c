//! Manifests that are none.

use std::fmt::Write as _;

use super::breaks;
use crate::world::{config_map, play};

#[test]
fn a_document_that_is_no_object_is_named_with_its_file_and_line() -> anyhow::Result<()> {
    play(|stage| async move {
        let files = [("deploy/list.yaml", "- just\n- a list\n")];
        breaks(
            &stage,
            "no-object",
            &files,
            "BuildFailed",
            &["deploy/list.yaml:1:1", "not a mapping"],
        )
        .await?;
        Ok(())
    })
}

#[test]
fn an_object_without_kind_is_named_with_its_file() -> anyhow::Result<()> {
    play(|stage| async move {
        let files = [("deploy/kindless.yaml", "apiVersion: v1\nmetadata: {name: x}\n")];
        breaks(
            &stage,
            "kindless",
            &files,
            "BuildFailed",
            &["deploy/kindless.yaml", "kind is missing"],
        )
        .await?;
        Ok(())
    })
}

#[test]
fn a_key_given_twice_is_named_with_its_file_and_line() -> anyhow::Result<()> {
    play(|stage| async move {
        let twice = config_map("twice", "one") + "  key: two\n";
        let files = [("deploy/twice.yaml", twice.as_str())];
        breaks(
            &stage,
            "twice-key",
            &files,
            "BuildFailed",
            &["deploy/twice.yaml:7:", "key"],
        )
        .await?;
        Ok(())
    })
}

#[test]
fn a_bomb_of_aliases_hits_a_limit_and_says_which() -> anyhow::Result<()> {
    play(|stage| async move {
        let mut bomb = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..=12 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            writeln!(bomb, "a{level}: &a{level} [{below}]")?;
        }
        let files = [("deploy/bomb.yaml", bomb.as_str())];
        breaks(
            &stage,
            "alias-bomb",
            &files,
            "BuildFailed",
            &["deploy/bomb.yaml", "alias"],
        )
        .await?;
        Ok(())
    })
}

#[test]
fn a_list_of_millions_hits_a_limit_and_says_which() -> anyhow::Result<()> {
    play(|stage| async move {
        let list = config_map("list", "x") + "more:\n" + &"- 1\n".repeat(2_100_000);
        let files = [("deploy/list.yaml", list.as_str())];
        breaks(
            &stage,
            "long-list",
            &files,
            "BuildFailed",
            &["deploy/list.yaml", "more than 2000000"],
        )
        .await?;
        Ok(())
    })
}

#[test]
fn nesting_without_end_hits_a_limit_and_says_which() -> anyhow::Result<()> {
    play(|stage| async move {
        let deep = config_map("deep", "x") + "more: " + &"[".repeat(5000) + &"]".repeat(5000) + "\n";
        let files = [("deploy/deep.yaml", deep.as_str())];
        breaks(
            &stage,
            "deep-yaml",
            &files,
            "BuildFailed",
            &["deploy/deep.yaml", "deep"],
        )
        .await?;
        Ok(())
    })
}

#[test]
fn a_huge_file_hits_a_limit_and_says_which() -> anyhow::Result<()> {
    play(|stage| async move {
        let huge = config_map("huge", &"x".repeat(40 << 20));
        let files = [("deploy/huge.yaml", huge.as_str())];
        breaks(
            &stage,
            "huge-file",
            &files,
            "BuildFailed",
            &["deploy/huge.yaml", "limit"],
        )
        .await?;
        Ok(())
    })
}

#[test]
fn an_object_given_twice_is_named() -> anyhow::Result<()> {
    play(|stage| async move {
        let (one, two) = (config_map("same", "1"), config_map("same", "2"));
        let files = [
            ("deploy/one.yaml", one.as_str()),
            ("deploy/two.yaml", two.as_str()),
        ];
        breaks(
            &stage,
            "given-twice",
            &files,
            "BuildFailed",
            &["ConfigMap", "same"],
        )
        .await?;
        Ok(())
    })
}

#[test]
fn a_field_of_a_kustomization_file_that_is_unknown_is_named() -> anyhow::Result<()> {
    play(|stage| async move {
        let files = [(
            "deploy/kustomization.yaml",
            "resources: [kept.yaml]\nresorces: [other.yaml]\n",
        )];
        breaks(
            &stage,
            "odd-field",
            &files,
            "BuildFailed",
            &["deploy/kustomization.yaml", "resorces"],
        )
        .await?;
        Ok(())
    })
}

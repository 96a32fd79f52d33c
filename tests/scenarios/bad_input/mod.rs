//! Bad input gets a message that a person can act on, and nothing that was applied is lost.

mod content;
mod remote;
mod rights;
mod tree;

use tenure_tests::{Stage, Team};

use crate::world::{kept, says, settled};

/// Commits `files` over a settled tenant, expects `app` to fail with `reason` and to say all of
/// `expected`, with nothing applied touched; takes the files back and expects it to recover.
async fn breaks(
    stage: &Stage,
    name: &str,
    files: &[(&str, &str)],
    reason: &str,
    expected: &[&str],
) -> anyhow::Result<String> {
    let team = settled(stage, name).await?;
    let files: Vec<_> = files
        .iter()
        .map(|(path, content)| (*path, Some(*content)))
        .collect();
    team.commit(&files, "break it")?;
    let message = fails(stage, &team, reason, expected).await?;
    let back: Vec<_> = files.iter().map(|(path, _)| (*path, None)).collect();
    recovers(&team, &back).await?;
    Ok(message)
}

/// Takes a broken commit in; see [`breaks`].
async fn fails(stage: &Stage, team: &Team<'_>, reason: &str, expected: &[&str]) -> anyhow::Result<String> {
    let before = kept(stage, team).await?;
    team.reconcile("GitRepository", "app").await?;
    let message = team.refused("Kustomization", "app", reason).await?;
    says(&message, expected)?;
    assert_eq!(
        kept(stage, team).await?,
        before,
        "nothing that was applied is touched"
    );
    Ok(message)
}

/// Commits the cure and expects it to be applied.
async fn recovers(team: &Team<'_>, files: &[(&str, Option<&str>)]) -> anyhow::Result<()> {
    let commit = team.commit(files, "mend it")?;
    team.reconcile("GitRepository", "app").await?;
    team.applied("app", &commit).await?;
    Ok(())
}

//! Whether what was wished for is true.

use anyhow::{Context as _, bail, ensure};

use super::compare::{differences, matches};
use super::home::Onboarding;
use super::play::{Play, ready};
use super::wish::{Event, Reference, Wish};
use crate::until;

impl<O: Onboarding> Play<'_, O> {
    /// Waits until all wishes are true at one look.
    pub(super) async fn come_true(&self, wishes: &[Wish]) -> anyhow::Result<()> {
        if wishes.is_empty() {
            return Ok(());
        }
        let what = "all that it should come to";
        until(what, self.ground.patience, || async {
            let mut missing = Vec::new();
            for wish in wishes {
                if let Err(error) = self.is_true(wish).await {
                    missing.push(format!("{error:#}"));
                }
            }
            ensure!(missing.is_empty(), "{}", missing.join("\n"));
            Ok(())
        })
        .await
    }

    async fn is_true(&self, wish: &Wish) -> anyhow::Result<()> {
        match wish {
            Wish::Applied(name) => self.is_applied(name).await,
            Wish::Object(of, fields) => {
                let wanted = self.places.fill_all(fields)?;
                let of = self.places.fill(of)?;
                let found = self.cluster.find(&Reference::read(&of)?).await?;
                let found = found.with_context(|| format!("{of} is not there"))?;
                let all = differences(&wanted, &found);
                let all: Vec<String> = all.iter().map(|one| format!("{of} {one}")).collect();
                ensure!(all.is_empty(), "{}", all.join("\n"));
                Ok(())
            }
            Wish::Absent(of) => {
                let of = self.places.fill(of)?;
                if let Some(found) = self.cluster.find(&Reference::read(&of)?).await? {
                    bail!("{of} is there: {}", found["metadata"]);
                }
                Ok(())
            }
            Wish::Event(event) => self.is_told(event).await,
        }
    }

    async fn is_applied(&self, name: &str) -> anyhow::Result<()> {
        let of = Reference::read(&format!("Kustomization/{name}"))?;
        let found = self.cluster.find(&of).await?;
        let found = found.with_context(|| format!("Kustomization/{name} is not there"))?;
        let status = &found["status"];
        let revision = status["lastAppliedRevision"].as_str().unwrap_or_default();
        let current = status["observedGeneration"] == found["metadata"]["generation"];
        let applied = revision.ends_with(&self.newest) && current && ready(&found)["status"] == "True";
        ensure!(
            applied,
            "Kustomization/{name} has not applied {}: {status}",
            self.newest
        );
        Ok(())
    }

    async fn is_told(&self, event: &Event) -> anyhow::Result<()> {
        let of = self.places.fill(&event.of)?;
        let message = self.places.fill(&event.message)?;
        let annotations = event.annotations.iter();
        let annotations: Vec<(&String, String)> = annotations
            .map(|(name, value)| Ok((name, self.places.fill(value)?)))
            .collect::<anyhow::Result<_>>()?;
        let all = self.cluster.events(&Reference::read(&of)?).await?;
        let same = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let found = all.iter().any(|one| {
            let text = one.message.as_deref().unwrap_or_default();
            let noted = one.metadata.annotations.clone().unwrap_or_default();
            let is_noted = |(name, wanted): &(&String, String)| {
                noted.get(*name).is_some_and(|found| matches(wanted, found))
            };
            same(&event.kind, &one.type_)
                && same(&event.reason, &one.reason)
                && matches(&message, text)
                && annotations.iter().all(is_noted)
        });
        let told = || -> Vec<String> {
            let line = |one: &k8s_openapi::api::core::v1::Event| {
                let part = |text: &Option<String>| text.clone().unwrap_or_default();
                format!(
                    "{} {}: {} {:?}",
                    part(&one.type_),
                    part(&one.reason),
                    part(&one.message),
                    one.metadata.annotations
                )
            };
            all.iter().map(line).collect()
        };
        let wanted = [event.kind.as_deref(), event.reason.as_deref()].map(|word| word.unwrap_or("<any>"));
        ensure!(
            found,
            "{of} has no event {}: {message}; there are {:?}",
            wanted.join(" "),
            told()
        );
        Ok(())
    }
}

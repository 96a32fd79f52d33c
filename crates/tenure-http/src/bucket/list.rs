use tenure_artifact::Ignore;
use tenure_core::printable;

use super::ask::{Ask, Conversation};
use super::{Bucket, Listing, Object};
use crate::transfer::{Memory, take, within};
use crate::{HttpError, Limits};

/// Objects in one answer.
pub(super) const PAGE: &str = "1000";
/// Answers of one listing. A service may give less than a page at a time, and nothing of it may count.
const PAGES: usize = 2000;
/// The largest `.sourceignore` that is read, in bytes.
const IGNORE_FILE: u64 = 1 << 20;
const IGNORE_NAME: &str = ".sourceignore";

/// One answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) objects: Vec<Object>,
    /// Where the next one starts.
    pub(super) next: Option<String>,
}

/// What is in the bucket under its prefix. Keys that end in `/` stand for directories and do not count; nor does a
/// `.sourceignore` at the root, nor what it and `ignore` leave out. There are no other rules, as in Flux.
///
/// # Errors
/// [`HttpError`].
pub async fn list(bucket: &Bucket, ignore: Option<&str>, limits: &Limits) -> Result<Listing, HttpError> {
    let conversation = Conversation::open(bucket, limits).await?;
    within(&conversation.shown, limits, conversation.list(ignore, limits)).await
}

/// [`list`], and the proof that the first object can be read: who may list need not be one who may read.
///
/// # Errors
/// [`HttpError`].
pub async fn look(bucket: &Bucket, ignore: Option<&str>, limits: &Limits) -> Result<Listing, HttpError> {
    let conversation = Conversation::open(bucket, limits).await?;
    within(&conversation.shown, limits, async {
        let listing = conversation.list(ignore, limits).await?;
        if let Some(first) = listing.objects.first() {
            conversation.ask(Ask::Object(&first.key)).await?;
        }
        Ok(listing)
    })
    .await
}

impl Conversation<'_> {
    async fn list(&self, ignore: Option<&str>, limits: &Limits) -> Result<Listing, HttpError> {
        let rules = self.rules(ignore).await?;
        let mut all: Vec<Object> = Vec::new();
        let mut next: Option<String> = None;
        for page in 0.. {
            if page == PAGES {
                return Err(
                    self.too_large(&format!("its listing has more than {PAGES} pages; give a prefix"))
                );
            }
            let response = self.ask(Ask::Page(next.as_deref())).await?;
            let mut bytes = Vec::new();
            take(
                &self.shown,
                response,
                limits.index_bytes,
                "its listing",
                &mut Memory(&mut bytes),
            )
            .await?;
            let page = std::str::from_utf8(&bytes).ok().and_then(|text| self.read(text));
            let page = page.ok_or_else(|| self.malformed("its listing is not understood"))?;
            if page.next.is_some() && page.next == next {
                return Err(self.malformed("its listing does not go on from where it says"));
            }
            all.extend(
                page.objects.into_iter().filter(|o| {
                    !o.key.ends_with('/') && o.key != IGNORE_NAME && !rules.matches(&o.key, false)
                }),
            );
            if all.len() > limits.objects {
                return Err(self.too_large(&format!(
                    "it has more than {} objects; give a prefix, or raise the limit",
                    limits.objects
                )));
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        all.sort_by(|a, b| a.key.cmp(&b.key));
        let twice = all.iter().zip(all.iter().skip(1)).find(|(a, b)| a.key == b.key);
        if let Some((twice, _)) = twice {
            return Err(self.malformed(&format!("it lists {:?} twice", printable(&twice.key))));
        }
        Ok(Listing { objects: all })
    }

    fn too_large(&self, message: &str) -> HttpError {
        HttpError::TooLarge {
            remote: self.shown.clone(),
            message: message.to_owned(),
        }
    }

    async fn rules(&self, ignore: Option<&str>) -> Result<Ignore, HttpError> {
        let mut rules = Ignore::nothing();
        match self.ask(Ask::Object(IGNORE_NAME)).await {
            Ok(response) => {
                let mut bytes = Vec::new();
                take(
                    &self.shown,
                    response,
                    IGNORE_FILE,
                    IGNORE_NAME,
                    &mut Memory(&mut bytes),
                )
                .await?;
                rules.add_file("", &bytes);
            }
            Err(HttpError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        if let Some(text) = ignore {
            rules.add_spec(text);
        }
        Ok(rules)
    }
}

//! Questions to the API server about what others may do.

use anyhow::Context as _;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Client;
use kube::api::{Api, PostParams};

/// A ServiceAccount, as the API server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Who {
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Of a user name, if it is a ServiceAccount's.
    pub(super) fn of_user(user: &str) -> Option<Self> {
        let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        Some(Self::new(namespace, name))
    }

    pub(super) fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }

    fn groups(&self) -> Vec<String> {
        vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{}", self.namespace),
            "system:authenticated".to_owned(),
        ]
    }
}

/// One thing that somebody may do or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deed<'a> {
    pub(super) verb: &'a str,
    pub(super) group: &'a str,
    /// With its subresource after a slash.
    pub(super) resource: &'a str,
    pub(super) name: Option<&'a str>,
    /// Empty for all namespaces and for what lives in none.
    pub(super) namespace: &'a str,
}

impl std::fmt::Display for Deed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(name) = self.name {
            write!(f, " {name}")?;
        }
        match self.namespace {
            "" => f.write_str(" in the whole cluster"),
            namespace => write!(f, " in {namespace}"),
        }
    }
}

/// Whether `who` may do it.
///
/// # Errors
/// When the person may not ask, which takes `create` on `subjectaccessreviews`.
pub(super) async fn allowed(client: &Client, who: &Who, deed: Deed<'_>) -> anyhow::Result<bool> {
    let (resource, subresource) = match deed.resource.split_once('/') {
        Some((resource, sub)) => (resource, Some(sub.to_owned())),
        None => (deed.resource, None),
    };
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(who.user()),
            groups: Some(who.groups()),
            resource_attributes: Some(ResourceAttributes {
                verb: Some(deed.verb.to_owned()),
                group: filled(deed.group),
                resource: Some(resource.to_owned()),
                subresource,
                name: deed.name.map(str::to_owned),
                namespace: filled(deed.namespace),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let answer = Api::<SubjectAccessReview>::all(client.clone())
        .create(&PostParams::default(), &review)
        .await
        .context("failed to ask what others may do; that takes create on subjectaccessreviews.authorization.k8s.io")?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

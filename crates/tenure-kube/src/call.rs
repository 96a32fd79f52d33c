use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::resource::{By, FluxKind, ResourceInfo};

pub(crate) const JSON: &str = "application/json";
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
/// JSON is YAML, so the API server takes an apply configuration in JSON under this name.
pub(crate) const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// How long one answer may take. Admission webhooks may use up to 30 s of it.
const DEADLINE: Duration = Duration::from_secs(40);

/// What a request is about, for its path and for messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) resource: String,
    pub(crate) subresource: Option<&'static str>,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    /// A path outside the resource scheme; then the fields above are empty.
    pub(crate) raw: Option<&'static str>,
}

impl Target {
    pub(crate) fn core(resource: &str) -> Self {
        Self {
            version: "v1".to_owned(),
            resource: resource.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn of(group: &str, version: &str, resource: &str) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            resource: resource.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn flux(kind: FluxKind) -> Self {
        Self::of(kind.group, kind.version, kind.plural)
    }

    pub(crate) fn info(info: &ResourceInfo) -> Self {
        Self::of(&info.group, &info.version, &info.plural)
    }

    pub(crate) fn raw(path: &'static str) -> Self {
        Self {
            raw: Some(path),
            ..Self::default()
        }
    }

    pub(crate) fn within(mut self, namespace: impl AsRef<str>) -> Self {
        self.namespace = Some(namespace.as_ref().to_owned());
        self
    }

    pub(crate) fn named(mut self, name: impl AsRef<str>) -> Self {
        self.name = Some(name.as_ref().to_owned());
        self
    }

    pub(crate) const fn sub(mut self, subresource: &'static str) -> Self {
        self.subresource = Some(subresource);
        self
    }

    /// The URL path, or the segment that cannot stand in one.
    fn path(&self) -> Result<String, String> {
        if let Some(raw) = self.raw {
            return Ok(raw.to_owned());
        }
        let mut path = String::from(if self.group.is_empty() { "/api" } else { "/apis" });
        let mut push = |segment: &str| -> Result<(), String> {
            if matches!(segment, "" | "." | "..") {
                return Err(segment.to_owned());
            }
            path.push('/');
            encode_into(&mut path, segment);
            Ok(())
        };
        if !self.group.is_empty() {
            push(&self.group)?;
        }
        push(&self.version)?;
        if let Some(namespace) = &self.namespace {
            push("namespaces")?;
            push(namespace)?;
        }
        push(&self.resource)?;
        if let Some(name) = &self.name {
            push(name)?;
        }
        if let Some(sub) = self.subresource {
            push(sub)?;
        }
        Ok(path)
    }
}

/// One request, before anybody's token is on it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The verb as RBAC names it.
    pub(crate) verb: &'static str,
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) query: String,
    pub(crate) body: Option<(&'static str, Bytes)>,
    pub(crate) accept: &'static str,
    pub(crate) deadline: Duration,
}

impl Call {
    fn new(verb: &'static str, method: Method, target: Target) -> Self {
        Self {
            verb,
            method,
            target,
            query: String::new(),
            body: None,
            accept: JSON,
            deadline: DEADLINE,
        }
    }

    pub(crate) fn get(target: Target) -> Self {
        Self::new("get", Method::GET, target)
    }

    pub(crate) fn list(target: Target, by: By<'_>) -> Self {
        Self::new("list", Method::GET, target).by(by)
    }

    pub(crate) fn watch(target: Target, by: By<'_>, resource_version: &str) -> Self {
        Self::new("watch", Method::GET, target)
            .by(by)
            .query("watch", "true")
            .query("allowWatchBookmarks", "true")
            .query("timeoutSeconds", "290")
            .query("resourceVersion", resource_version)
    }

    pub(crate) fn create(target: Target) -> Self {
        Self::new("create", Method::POST, target)
    }

    pub(crate) fn patch(target: Target) -> Self {
        Self::new("patch", Method::PATCH, target)
    }

    pub(crate) fn delete(target: Target) -> Self {
        Self::new("delete", Method::DELETE, target)
    }

    fn by(self, by: By<'_>) -> Self {
        match by {
            By::Name(name) => self.query("fieldSelector", &format!("metadata.name={name}")),
            By::Labels(selector) => self.query("labelSelector", selector),
            By::All => self,
        }
    }

    pub(crate) fn query(mut self, key: &str, value: &str) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(key);
        self.query.push('=');
        encode_into(&mut self.query, value);
        self
    }

    pub(crate) const fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    /// Path and query, or the path segment that is refused.
    pub(crate) fn path_and_query(&self) -> Result<String, String> {
        Ok(self.target.path()? + &self.query)
    }
}

fn encode_into(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_resource_scheme() {
        let deployment = Target::of("apps", "v1", "deployments").within("a").named("web");
        assert_eq!(
            Call::get(deployment.clone().sub("status"))
                .path_and_query()
                .as_deref(),
            Ok("/apis/apps/v1/namespaces/a/deployments/web/status")
        );
        assert_eq!(
            Call::list(Target::core("secrets"), By::Name("x"))
                .path_and_query()
                .as_deref(),
            Ok("/api/v1/secrets?fieldSelector=metadata.name%3Dx")
        );
        assert_eq!(
            Call::list(deployment, By::Labels("a/b=c,d"))
                .query("limit", "1")
                .path_and_query()
                .as_deref(),
            Ok("/apis/apps/v1/namespaces/a/deployments/web?labelSelector=a%2Fb%3Dc%2Cd&limit=1")
        );
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_the_path() {
        let named = |name: &str| Call::get(Target::core("secrets").within("a").named(name)).path_and_query();
        for refused in ["", ".", ".."] {
            assert_eq!(named(refused), Err(refused.to_owned()));
        }
        assert_eq!(
            named("../b?x#y").as_deref(),
            Ok("/api/v1/namespaces/a/secrets/..%2Fb%3Fx%23y")
        );
        assert_eq!(
            named("system:basic").as_deref(),
            Ok("/api/v1/namespaces/a/secrets/system%3Abasic")
        );
    }
}

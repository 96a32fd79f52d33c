use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

use super::ControlPlane;

/// A place in the audit log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuditMark(u64);

/// One answered request, with the parts that tests ask for.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    /// Who was authenticated.
    pub user: String,
    /// As whom the request was made, when it impersonated.
    pub impersonated_user: Option<String>,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, …
    pub verb: String,
    /// The path with its query.
    pub request_uri: String,
    /// What it was about; none for paths like `/version`.
    pub object: Option<ObjectRef>,
    /// The HTTP status; 0 for a watch that was cut before it had one.
    pub code: u16,
    /// Whether the answer had object metadata only. Known for answers with a body in the log, so
    /// never for a watch.
    pub metadata_only: bool,
    /// `ResponseStarted`, `ResponseComplete` or `Panic`.
    pub stage: String,
    /// The client's name of itself.
    pub user_agent: String,
    /// The event as logged.
    pub raw: Value,
}

/// The object of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectRef {
    /// The API group; empty for the core group.
    pub api_group: String,
    /// The API version.
    pub api_version: String,
    /// The plural name of the kind.
    pub resource: String,
    /// `status`, `token`, …; empty for the object itself.
    pub subresource: String,
    /// The namespace; empty for cluster-scoped objects and for lists over all namespaces.
    pub namespace: String,
    /// The name; empty for lists.
    pub name: String,
}

impl ControlPlane {
    /// The present end of the audit log.
    ///
    /// # Errors
    /// When the log cannot be looked at.
    pub fn audit_mark(&self) -> anyhow::Result<AuditMark> {
        Ok(AuditMark(std::fs::metadata(self.audit_log_path())?.len()))
    }

    /// What was logged from `since` on. A line that is still being written is left out.
    ///
    /// # Errors
    /// When the log cannot be read or holds something that is no audit event.
    pub fn audit_events(&self, since: AuditMark) -> anyhow::Result<Vec<AuditEvent>> {
        let path = self.audit_log_path();
        let mut file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        file.seek(SeekFrom::Start(since.0.saturating_sub(1)))?;
        let mut reader = BufReader::new(file);
        let mut events = Vec::new();
        let mut line = Vec::new();
        if since.0 > 0 {
            // the length may have been read while a line was written
            reader.read_until(b'\n', &mut line)?;
            line.clear();
        }
        while reader.read_until(b'\n', &mut line)? > 0 {
            if line.last() == Some(&b'\n') {
                events.push(parse(&line).with_context(|| format!("read {}", path.display()))?);
            }
            line.clear();
        }
        Ok(events)
    }
}

fn parse(line: &[u8]) -> anyhow::Result<AuditEvent> {
    let raw: Value = serde_json::from_slice(line)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let code = raw["responseStatus"]["code"]
        .as_u64()
        .and_then(|code| u16::try_from(code).ok());
    Ok(AuditEvent {
        user: text(&raw["user"]["username"]),
        impersonated_user: raw["impersonatedUser"]["username"].as_str().map(str::to_owned),
        verb: text(&raw["verb"]),
        request_uri: text(&raw["requestURI"]),
        object: raw.get("objectRef").map(ObjectRef::deserialize).transpose()?,
        code: code.unwrap_or_default(),
        metadata_only: text(&raw["responseObject"]["kind"]).starts_with("PartialObjectMetadata"),
        stage: text(&raw["stage"]),
        user_agent: text(&raw["userAgent"]),
        raw,
    })
}

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use futures::stream::{BoxStream, StreamExt, try_unfold};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use rand::Rng as _;
use serde::Deserialize;
use serde_json::Value;

use crate::call::Call;
use crate::caller::Caller;
use crate::connection::StreamGuard;
use crate::error::{Cause, KubeError};

/// A longer line than this in a watch is refused; etcd takes no object of more than 1.5 MiB.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// What a LIST gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The objects, each with `apiVersion` and `kind`.
    pub items: Vec<Value>,
    /// From where a watch goes on.
    pub resource_version: String,
}

/// One line of a watch.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent {
    /// The object was added or changed; this is how it is now.
    Applied(Value),
    /// The object is gone; this is how it was.
    Deleted(Value),
    /// Nothing up to this resourceVersion was missed.
    Bookmark(String),
}

/// Events of one watch. Ends when the server ends the watch; a 410 is an error for which
/// [`KubeError::is_gone`] holds. Dropping it ends the request.
pub type WatchStream = BoxStream<'static, Result<WatchEvent, KubeError>>;

/// Between half of `wait` and all of it, so that watches that broke together do not come back together.
pub(crate) fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(0.5..=1.0))
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    object: Value,
}

struct State {
    caller: Caller,
    call: Call,
    body: Incoming,
    buffer: Lines,
    ready: VecDeque<WatchEvent>,
    _guard: StreamGuard,
}

pub(crate) async fn open(caller: &Caller, call: Call) -> Result<WatchStream, KubeError> {
    let (response, guard) = caller.open(&call).await?;
    let state = State {
        caller: caller.clone(),
        call,
        body: response.into_body(),
        buffer: Lines::default(),
        ready: VecDeque::new(),
        _guard: guard,
    };
    Ok(try_unfold(state, next).boxed())
}

async fn next(mut state: State) -> Result<Option<(WatchEvent, State)>, KubeError> {
    loop {
        if let Some(event) = state.ready.pop_front() {
            return Ok(Some((event, state)));
        }
        let Some(frame) = state.body.frame().await else {
            return Ok(None);
        };
        let frame = frame.map_err(|e| state.caller.error(&state.call, Cause::Transport(e.to_string())))?;
        let Ok(data) = frame.into_data() else { continue };
        let lines = state
            .buffer
            .push(&data)
            .map_err(|cause| state.caller.error(&state.call, cause))?;
        for line in lines {
            match parse(&line) {
                Ok(Some(event)) => state.ready.push_back(event),
                Ok(None) => {}
                // Events already read are worth less than an early and certain new LIST.
                Err(cause) => return Err(state.caller.error(&state.call, cause)),
            }
        }
    }
}

fn parse(line: &[u8]) -> Result<Option<WatchEvent>, Cause> {
    let line: Line = serde_json::from_slice(line).map_err(|e| Cause::Decode(e.to_string()))?;
    Ok(match line.kind.as_str() {
        "ADDED" | "MODIFIED" => Some(WatchEvent::Applied(line.object)),
        "DELETED" => Some(WatchEvent::Deleted(line.object)),
        "BOOKMARK" => line
            .object
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str)
            .map(|version| WatchEvent::Bookmark(version.to_owned())),
        "ERROR" => return Err(Cause::from_watch(&line.object)),
        _ => None,
    })
}

/// Cuts a byte stream into lines.
#[derive(Default)]
struct Lines(BytesMut);

impl Lines {
    fn push(&mut self, data: &[u8]) -> Result<Vec<Vec<u8>>, Cause> {
        let mut searched = self.0.len();
        self.0.extend_from_slice(data);
        let mut lines = Vec::new();
        while let Some(at) = self
            .0
            .get(searched..)
            .and_then(|rest| rest.iter().position(|b| *b == b'\n'))
        {
            let line = self.0.split_to(searched + at);
            self.0.advance(1);
            searched = 0;
            if !line.is_empty() {
                lines.push(line.to_vec());
            }
        }
        if self.0.is_empty() {
            // Lets go of what a large object took.
            self.0 = BytesMut::new();
        } else if self.0.len() > MAX_LINE {
            return Err(Cause::Decode(format!(
                "a watch event is longer than {MAX_LINE} bytes"
            )));
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_may_be_cut_anywhere() {
        let text = b"{\"a\":1}\n\n{\"b\":2}\n{\"c\"";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let found: Vec<Vec<u8>> = text
                .chunks(size)
                .flat_map(|c| lines.push(c).expect("short"))
                .collect();
            assert_eq!(
                found,
                [b"{\"a\":1}".to_vec(), b"{\"b\":2}".to_vec()],
                "chunks of {size}"
            );
            assert_eq!(lines.0.as_ref(), b"{\"c\"");
        }
    }

    #[test]
    fn an_error_event_keeps_its_code() {
        let line = br#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#;
        assert!(matches!(parse(line), Err(Cause::Status { code: 410, .. })));
        let bookmark = br#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}"#;
        assert_eq!(
            parse(bookmark).ok().flatten(),
            Some(WatchEvent::Bookmark("7".into()))
        );
    }
}
